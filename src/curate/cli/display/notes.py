"""Errors, warnings and hints: the word carries the meaning, colour only helps; text is never markup."""

import re

from rich.console import Console
from rich.text import Text

from curate.errors import CurateError

_STYLES = {"error": "bold red", "warning": "bold yellow", "hint": "bold cyan"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""``text`` without control and direction characters, so that a document cannot steer the terminal.

    Example:
        >>> printable("a" + chr(27) + "[31m") == "a" + chr(0xFFFD) + "[31m"
        True
    """
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def note(console: Console, kind: str, message: str, hint: str = "") -> None:
    """Print ``kind: message`` and a hint below it."""
    _labelled(console, kind, message)
    if hint:
        _labelled(console, "hint", hint)


def show_error(console: Console, error: CurateError) -> None:
    """Print an error with its place and hint."""
    _labelled(console, "error", error.message)
    if error.where:
        console.print(Text(f"  {printable(error.where)}"), soft_wrap=True, no_wrap=True)
    if error.hint:
        _labelled(console, "hint", error.hint)


def _labelled(console: Console, kind: str, text: str) -> None:
    line = Text.assemble((f"{kind}:", _STYLES[kind]), " ", printable(text))
    console.print(line, soft_wrap=True, highlight=False)
