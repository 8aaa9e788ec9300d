"""Templates of pages: whatever they are given is escaped, and a name that they are not given is an error."""

from pathlib import Path

import jinja2

from curate.cache.templates import KeptTemplates


def environment(folder: Path) -> jinja2.Environment:
    """Reads the templates of a folder.

    Example:
        >>> environment(Path(__file__).parent).from_string("<i>{{ name }}</i>").render(name="a < b")
        '<i>a &lt; b</i>'
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=KeptTemplates(folder),
    )
