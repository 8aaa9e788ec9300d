"""What the ``curate.toml`` that ``curate init`` writes says of each setting."""

import functools
import re

from curate.cache.tables import shipped
from curate.pipeline.planning.config import FILE_NAME

_SECTION = re.compile(r"\[([\w.]+)\]")
_SETTING = re.compile(r"(\w+) = ")
_COMMENT = re.compile(r"(?:^|\s)# (.*)$")


@functools.cache
def setting_comments() -> dict[str, str]:
    """``section.key`` → its comment, ``section`` → that of the section; those without a comment are not there.

    Example:
        >>> setting_comments()["quality.cut_lines"]
        'false: keep the lines that the rules of [quality.lines] would cut'
    """
    found: dict[str, str] = {}
    section = key = ""
    for line in shipped("curate", FILE_NAME).split("\n"):
        comment = _COMMENT.search(line)
        if begins := _SECTION.match(line):
            section = key = begins[1]
        elif setting := _SETTING.match(line):
            key = f"{section}.{setting[1]}"
        if comment and section and not line.startswith("#"):
            found[key] = f"{found[key]} {comment[1]}" if key in found else comment[1]
    return found
