"""A word difference on the terminal: coloured, or with the marks of ``git diff --word-diff`` without colour."""

from rich.console import Console
from rich.text import Text

from curate.cli.display.notes import printable
from curate.text.core.difference import Piece, elided

_STYLES = {"old": ("red strike", "[-", "-]"), "new": ("green", "{+", "+}"), "same": ("dim", "", "")}


def shown_difference(out: Console, pieces: list[Piece]) -> Text:
    """What differs, with a little of what is the same around it."""
    shown = Text("  ")
    for piece in elided(pieces):
        if piece.kind == "unread":
            shown.append(f" … ({piece.text}) … ", "dim")
            continue
        style, opening, closing = _STYLES[piece.kind]
        if out.color_system is not None and not out.no_color:
            opening = closing = ""
        end = len(piece.text.rstrip())
        shown.append(f"{opening}{printable(piece.text[:end])}{closing}", style)
        shown.append(printable(piece.text[end:]))
    return shown
