r"""A text made of several fields: `input.text` as a template such as ``{title}\n\n{body}``."""

import string
from collections.abc import Mapping


def template_fields(text: str) -> tuple[str, ...]:
    """The fields that a template names, each once; none where it is the plain name of a field.

    Raises:
        ValueError: braces do not match.

    Example:
        >>> template_fields("{page.title}: {body}"), template_fields("body")
        (('page.title', 'body'), ())
    """
    if "{" not in text:
        return ()
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"`input.text` is a template with braces that do not match: `{text}` ({error})") from error
    return tuple(dict.fromkeys(name for _, name, _, _ in pieces if name))


def filled(text: str, values: Mapping[str, str]) -> str:
    r"""The template with the values of its fields, without white space around it; what is missing is empty.

    Example:
        >>> filled("{title}\n\n{body}", {"body": "No {title} here."})
        'No {title} here.'
    """
    made = "".join(
        literal + (values.get(name, "") if name else "") for literal, name, _, _ in string.Formatter().parse(text)
    )
    return made.strip()
