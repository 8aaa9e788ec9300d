"""How two texts differ, word by word; in scripts written without spaces, letter by letter."""

import functools
import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Literal, NamedTuple

import numpy as np
from rapidfuzz.distance import Indel

from curate.text.core.words import MARK, UNSPACED, characters

MOST_WORDS = 10_000
"""Words compared between the first and the last difference: time and memory grow with their square."""

CONTEXT = 8
"""Words shown on either side of a difference."""
LONGEST = 120
"""Words shown of what only one text has."""
MOST_CHARACTERS = 2000
"""Characters shown of one piece, where a word has no end."""
MOST_PIECES = 60
"""Pieces shown of one difference."""


class Piece(NamedTuple):
    """Words that both texts have, or only one of them."""

    kind: Literal["same", "old", "new", "unread"]
    text: str
    """Of ``unread`` (what lies beyond `MOST_WORDS`): how many words that is."""


def difference(old: str, new: str, most: int = MOST_WORDS) -> list[Piece]:
    """The pieces of both texts in order: what is the same, what only ``old`` has, what only ``new`` has.

    Args:
        old: text that was there first.
        new: text compared with it.
        most: words compared, from the first difference on.

    Example:
        >>> [tuple(piece) for piece in difference("the red house", "the blue house")]
        [('same', 'the '), ('old', 'red '), ('new', 'blue '), ('same', 'house')]
    """
    a, b = words_of(old), words_of(new)
    head = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
    rest = zip(reversed(a[head:]), reversed(b[head:]), strict=False)
    tail = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], rest))
    first, last = a[head : len(a) - tail], b[head : len(b) - tail]
    pieces = [Piece("same", "".join(a[:head]))]
    a0 = b0 = 0
    for block in Indel.opcodes(first[:most], last[:most]).as_matching_blocks():
        pieces += [Piece("old", "".join(first[a0 : block.a])), Piece("new", "".join(last[b0 : block.b]))]
        a0, b0 = block.a + block.size, block.b + block.size
        pieces.append(Piece("same", "".join(first[block.a : a0])))
    unread = max(len(first), len(last)) - most
    if unread > 0:
        pieces.append(Piece("unread", f"{unread:,} more words"))
    pieces.append(Piece("same", "".join(a[len(a) - tail :])))
    return [piece for piece in pieces if piece.text]


def elided(pieces: Sequence[Piece], most: int = MOST_PIECES) -> list[Piece]:
    """What differs, with a little of what is the same around it; what is not shown is counted.

    Args:
        pieces: of `difference`.
        most: pieces that are left.

    Example:
        >>> same = "word " * 40
        >>> [piece.text for piece in elided([Piece("same", same), Piece("new", "end")])]
        ['… (32 words) … word word word word word word word word ', 'end']
    """
    shown: list[Piece] = []
    for number, piece in enumerate(pieces):
        if number == most:
            more = sum(later.kind != "same" for later in pieces[number:])
            shown.append(Piece("unread", f"{more:,} more changes"))
            break
        around = (CONTEXT * (number > 0), CONTEXT * (number < len(pieces) - 1))
        first, last = around if piece.kind == "same" else (LONGEST, 0)
        shown.append(piece if piece.kind == "unread" else Piece(piece.kind, _shortened(piece.text, first, last)))
    return shown


def _shortened(text: str, first: int, last: int) -> str:
    """The first and last words of a text, and how many lie between."""
    words = words_of(text)
    if len(words) > first + last + 3:
        left_out = f"… ({len(words) - first - last:,} words) … "
        text = "".join([*words[:first], left_out, *words[len(words) - last :]])
    half = MOST_CHARACTERS // 2
    return text if len(text) <= MOST_CHARACTERS else f"{text[:half]} … ({len(text):,} characters) … {text[-half:]}"


def words_of(text: str) -> list[str]:
    """The words of a text, each with the white space behind it; white space at the start is a word too.

    Example:
        >>> words_of("so it is 東京 now")
        ['so ', 'it ', 'is ', '東', '京 ', 'now']
    """
    return _word().findall(text)


@functools.cache
def _word() -> re.Pattern[str]:
    letter, mark = _one_of(UNSPACED), _one_of(MARK)
    return re.compile(rf"[{letter}][{mark}]*\s*|[^\s{letter}]+\s*|^\s+")


def _one_of(character_class: int) -> str:
    """Ranges of the code points of a class, for use inside ``[…]``."""
    members = np.flatnonzero(characters().classes & character_class)
    runs = np.split(members, np.flatnonzero(np.diff(members) > 1) + 1)
    return "".join(f"\\U{run[0]:08x}-\\U{run[-1]:08x}" for run in runs)
