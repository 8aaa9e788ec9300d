"""A word difference on the terminal: coloured, or with the marks of ``git diff --word-diff`` without colour."""

from rich.console import Console
from rich.text import Text

from curate.cli.display.notes import printable
from curate.text.core.difference import Piece, words_of

CONTEXT = 8
"""Words shown on either side of a difference."""
LONGEST = 120
"""Words shown of what only one text has."""
MOST_CHARACTERS = 2000
"""Characters shown of one piece, where a word has no end."""
MOST_PIECES = 60
"""Pieces shown of one difference."""

_STYLES = {"old": ("red strike", "[-", "-]"), "new": ("green", "{+", "+}"), "same": ("dim", "", "")}


def shown_difference(out: Console, pieces: list[Piece]) -> Text:
    """What differs, with a little of what is the same around it."""
    shown = Text("  ")
    for number, piece in enumerate(pieces):
        if number == MOST_PIECES:
            shown.append(f" … and {sum(later.kind != 'same' for later in pieces[number:]):,} more changes", "dim")
            break
        if piece.kind == "unread":
            shown.append(f" … ({piece.text}) … ", "dim")
            continue
        style, opening, closing = _STYLES[piece.kind]
        if out.color_system is not None and not out.no_color:
            opening = closing = ""
        around = (CONTEXT * (number > 0), CONTEXT * (number < len(pieces) - 1))
        text = _shortened(piece.text, *(around if piece.kind == "same" else (LONGEST, 0)))
        end = len(text.rstrip())
        shown.append(f"{opening}{printable(text[:end])}{closing}", style)
        shown.append(printable(text[end:]))
    return shown


def _shortened(text: str, first: int, last: int) -> str:
    """The first and last words of a text, and how many lie between."""
    words = words_of(text)
    if len(words) > first + last + 3:
        left_out = f"… ({len(words) - first - last:,} words) … "
        text = "".join([*words[:first], left_out, *words[len(words) - last :]])
    half = MOST_CHARACTERS // 2
    return text if len(text) <= MOST_CHARACTERS else f"{text[:half]} … ({len(text):,} characters) … {text[-half:]}"
