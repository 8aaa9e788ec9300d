"""Spans of a text that are to be replaced: chosen where they overlap, applied, composed."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from curate.stages.redact.settings import KINDS

Place = tuple[int, int]
"""First byte, and the byte after the last."""

_LONGEST_UNION = 2_048
"""It bounds expressions whose time grows with the square."""

_FAR = 8_192
_SIGNS = bytes(range(33, 127))


class Found(NamedTuple):
    """Something to replace: bytes of the text, and what they are."""

    start: int
    stop: int
    kind: str


def apart(found: Iterator[Found]) -> list[Found]:
    """Those that hold where some overlap: the kind first in `KINDS`, then the longest, then the first."""
    return [one for together in _overlapping(sorted(set(found))) for one in _chosen(together)]


def _overlapping(found: Iterable[Found]) -> Iterator[list[Found]]:
    """Rows of those that touch one another, so that choosing costs no more for a text with many."""
    together, end = list[Found](), 0
    for one in found:
        if together and one.start >= end:
            yield together
            together = []
        together.append(one)
        end = max(end, one.stop)
    if together:
        yield together


def _chosen(found: Sequence[Found]) -> list[Found]:
    chosen: list[Found] = []
    for one in sorted(found, key=lambda one: (KINDS.index(one.kind), one.start - one.stop, one.start)):
        place = bisect_right(chosen, one)
        before_ends = place == 0 or chosen[place - 1].stop <= one.start
        if before_ends and (place == len(chosen) or one.stop <= chosen[place].start):
            chosen.insert(place, one)
    return chosen


def united(places: Sequence[Place]) -> Iterator[Place]:
    """Places that overlap as one, so that no byte is looked at again and again; a union grows to 2 KB.

    Args:
        places: in the order of their starts.

    Example:
        >>> list(united([(0, 5), (3, 9), (9, 12)]))
        [(0, 9), (9, 12)]
    """
    begin, end = 0, 0
    for start, stop in places:
        if start < end and stop - begin <= _LONGEST_UNION:
            end = max(end, stop)
            continue
        if end > begin:
            yield begin, end
        begin, end = start, stop
    if end > begin:
        yield begin, end


def word_around(text: bytes, start: int, stop: int) -> Place:
    """The word that a place is a part of: up to white space on either side, or up to 8 KB.

    Example:
        >>> word_around(b"a key=abc. b", 6, 9)
        (2, 10)
    """
    before, behind = text[max(0, start - _FAR) : start], text[stop : stop + _FAR]
    return start - len(before) + len(before.rstrip(_SIGNS)), stop + len(behind) - len(behind.lstrip(_SIGNS))


def composed(edits: Sequence[Found], more: Sequence[Found], sizes: Sequence[int]) -> list[Found]:
    """Edits of a text, from its edits and those of the text that they led to.

    Args:
        edits: of the text.
        more: of the text with ``edits`` applied; one that touches a placeholder takes the place of what that stood for.
        sizes: bytes of the placeholder of each of ``edits``.

    Example:
        >>> composed([Found(2, 6, "ip")], [Found(1, 4, "card"), Found(7, 9, "ip")], [3])
        [Found(start=1, stop=6, kind='card'), Found(start=8, stop=10, kind='ip')]
    """
    result, waiting, shift = list[Found](), deque(zip(edits, sizes, strict=True)), 0
    for late in more:
        while waiting and waiting[0][0].start + shift + waiting[0][1] <= late.start:
            edit, size = waiting.popleft()
            result.append(edit)
            shift += size - (edit.stop - edit.start)
        start, stop = late.start - shift, late.stop - shift
        while waiting and waiting[0][0].start + shift < late.stop:
            edit, size = waiting.popleft()
            start = min(start, edit.start)
            shift += size - (edit.stop - edit.start)
            stop = max(late.stop - shift, edit.stop)
        result.append(Found(start, stop, late.kind))
    return [*result, *(edit for edit, _ in waiting)]


def applied(text: bytes, edits: Sequence[Found], placeholders: Sequence[bytes]) -> bytes:
    """The text with a placeholder for each edit."""
    pieces, at = [], 0
    for edit, placeholder in zip(edits, placeholders, strict=True):
        pieces += [text[at : edit.start], placeholder]
        at = edit.stop
    return b"".join([*pieces, text[at:]])
