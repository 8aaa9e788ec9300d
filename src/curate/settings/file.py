"""A TOML file of settings: its values, and the line on which each stands."""

import datetime as dt
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import ConfigError

_KEY = r"""(?:"[^"]*"|[\w.-])+"""
"""Of a setting or a table in a file."""
_DOT = re.compile(r"""\.(?=(?:[^"]*"[^"]*")*[^"]*$)""")
"""That is not inside quotes."""
Tree = Mapping[str, Any]
"""Section → setting → value; a value may be a table of settings again."""


@dataclass(frozen=True)
class Layer:
    """Settings from one place, and how that place is called."""

    tree: Tree
    name: str
    lines: Mapping[str, str] = field(default_factory=dict)
    """``section.key`` → ``file:line   the line itself``."""

    def where(self, key: str) -> str:
        """Where ``section.key`` was given; of a table written in one line, that line."""
        path = key.split(".")
        found = (self.lines.get(".".join(path[:end])) for end in range(len(path), 0, -1))
        return next((line for line in found if line), f"--set {key}" if self.name == "--set" else self.name)


def leaves(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """``section.key`` and value of everything that is not a table; of an empty table, the table.

    Example:
        >>> list(leaves({"quality": {"min_words": 50, "languages": {"de": {"min_words": 40}}}}))
        [('quality.min_words', 50), ('quality.languages.de.min_words', 40)]
    """
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def said(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The `leaves` that say something: a table for one language names every limit, most of them as none.

    Example:
        >>> said({"quality": {"languages": {"de": {"min_words": 40, "max_words": None}}}, "mix": {"weights": {}}})
        {'quality.languages.de.min_words': 40}
    """
    return {key: value for key, value in leaves(tree) if value is not None and value != {}}


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of ``section.key`` → value; a name with a dot in it stands in quotes.

    Raises:
        ConfigError: a value is to be a table as well.

    Example:
        >>> nested({"quality.min_words": 50, "quality.lines.min_words": 3})
        {'quality': {'min_words': 50, 'lines': {'min_words': 3}}}
        >>> nested({'mix.weights."a.com"': 2})
        {'mix': {'weights': {'a.com': 2}}}
    """
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *tables, name = (one.strip('"') for one in _DOT.split(key))
        inner = tree
        for number, table in enumerate(tables, 1):
            inner = inner.setdefault(table, {})
            if not isinstance(inner, dict):
                above = ".".join(tables[:number])
                raise ConfigError(f"`{above}` is set to {inner!r}, and `{key}` takes it for a table")
        inner[name] = value
    return tree


def merged(below: Tree, above: Tree) -> dict[str, Any]:
    """Both trees, table by table; where both give a value, the one ``above``.

    Example:
        >>> merged({"quality": {"min_words": 50, "max_words": 900}}, {"quality": {"min_words": 20}})
        {'quality': {'min_words': 20, 'max_words': 900}}
    """
    result = dict(below)
    for key, value in above.items():
        lower = result.get(key)
        result[key] = merged(lower, value) if isinstance(lower, Mapping) and isinstance(value, Mapping) else value
    return result


def read_layer(file: Path, prefix: str = "", name: str = "") -> Layer:
    """The settings in a file.

    Args:
        file: a TOML file.
        prefix: of the tables that are meant, such as ``tool.curate.``.
        name: how the place is called; the file's name by default.

    Raises:
        ConfigError: the file is not there, cannot be read, or is not TOML.
    """
    source_bytes, tree = b"", dict[str, Any]()
    try:
        if not file.is_file() and file.exists():  # a folder, or a pipe that would be waited for
            raise ConfigError(f"`{file}` is not a file", hint="curate init writes one")
        source_bytes = file.read_bytes()
        source = source_bytes.decode("utf-8-sig")
        tree = _without_dates(tomllib.loads(source))
    except FileNotFoundError:
        raise ConfigError(f"there is no file `{file}`", hint="curate init writes one") from None
    except UnicodeDecodeError as error:
        wide = source_bytes.startswith((b"\xff\xfe", b"\xfe\xff"))
        what = "is UTF-16" if wide else f"is not text: byte {error.start:,} is not UTF-8"
        raise ConfigError(f"`{file}` {what}", where=str(file), hint="save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(
            f"`{file}` cannot be read: {error.strerror or error}", hint="curate init writes one"
        ) from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is one; so is a number of too many digits
        what, where = _place(str(error), source, str(file))
        raise ConfigError(f"`{file}` is not valid TOML: {what}", where=where, hint="curate init writes one") from error
    for table in prefix.split(".")[:-1]:
        tree = tree.get(table, {}) if isinstance(tree, Mapping) else {}
    if not isinstance(tree, Mapping):
        raise ConfigError(f"`{prefix.removesuffix('.')}` in `{file}` is {tree!r}, not a table", where=str(file))
    return Layer(tree, name or str(file), _lines(source, str(file), prefix))


def toml_value(text: str) -> Any:
    """A value as typed after ``--set``: TOML, or else the text itself.

    Example:
        >>> toml_value("0.7"), toml_value("['en', 'fr']"), toml_value("gopher"), toml_value("2024-07-26")
        (0.7, ['en', 'fr'], 'gopher', '2024-07-26')
    """
    try:
        tree = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return _without_dates(tree["value"]) if len(tree) == 1 else text


def toml_key(name: str) -> str:
    """A key as TOML writes it: in quotes where it has more than letters, digits, ``_`` and ``-``.

    Example:
        >>> toml_key("min_words"), toml_key("a.com"), toml_key("my books")
        ('min_words', '"a.com"', '"my books"')
    """
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else as_toml(name)


def as_toml(value: object) -> str:
    """A value as TOML writes it in one line; what TOML has no word for, such as a path, as text.

    Example:
        >>> as_toml(True), as_toml(["en", "fr"]), as_toml(1e9), as_toml(None), as_toml({"a.com": 3})
        ('true', '["en", "fr"]', '1000000000.0', '""', '{ "a.com" = 3 }')
    """
    if value is None:
        return '""'
    if isinstance(value, Mapping):
        inner = ", ".join(f"{toml_key(key)} = {as_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")


def _place(message: str, source: str, file: str) -> tuple[str, str]:
    """What is wrong, and where: the line with a mark below, as far as the message of `tomllib` tells.

    The mark stands two columns further to the right, since errors are shown with their place indented by two.

    Example:
        >>> print(*_place("Expected ']' (at line 1, column 4)", "[ab", "c.toml"), sep=chr(10))
        Expected ']'
        c.toml:1   [ab
                        ^
    """
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    if not found:
        return message, file
    lines = source.split("\n")
    line, column = (int(found[1]), int(found[2])) if found[1] else (len(lines), len(lines[-1]) + 1)
    begin = f"{file}:{line}   "
    shown = "".join(" " if one == "\t" else one for one in lines[line - 1])
    return message[: found.start()], f"{begin}{shown}\n{' ' * (len(begin) + column + 1)}^"


def _without_dates(value: Any) -> Any:
    """TOML's dates and times as text: no setting takes anything else for them."""
    if isinstance(value, dict):
        return {key: _without_dates(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_dates(each) for each in value]
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value


def _lines(source: str, file: str, prefix: str) -> dict[str, str]:
    section = ""
    lines: dict[str, str] = {}
    for number, line in enumerate(source.split("\n"), 1):
        if header := re.match(rf"\s*\[\s*({_KEY})\s*\]", line):
            section = header[1].replace('"', "").removeprefix(prefix)
            lines.setdefault(section, f"{file}:{number}   {line.strip()}")
        elif assignment := re.match(rf"\s*({_KEY})\s*=", line):
            key = assignment[1].replace('"', "")
            lines[f"{section}.{key}" if section else key] = f"{file}:{number}   {line.strip()}"
    return lines
