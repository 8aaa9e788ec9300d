"""How two texts differ, word by word."""

import re
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Literal, NamedTuple

MOST_WORDS = 3000
"""Words compared between the first and the last difference: the cost grows with their square."""

_WORD = re.compile(r"\S+\s*|^\s+")


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
    a, b = _WORD.findall(old), _WORD.findall(new)
    head = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
    rest = zip(reversed(a[head:]), reversed(b[head:]), strict=False)
    tail = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], rest))
    first, last = a[head : len(a) - tail], b[head : len(b) - tail]
    pieces = [Piece("same", "".join(a[:head]))]
    for kind, a0, a1, b0, b1 in SequenceMatcher(None, first[:most], last[:most], autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", "".join(first[a0:a1])))
        else:
            pieces += [Piece("old", "".join(first[a0:a1])), Piece("new", "".join(last[b0:b1]))]
    unread = max(len(first), len(last)) - most
    if unread > 0:
        pieces.append(Piece("unread", f"{unread:,} more words"))
    pieces.append(Piece("same", "".join(a[len(a) - tail :])))
    return [piece for piece in pieces if piece.text]
