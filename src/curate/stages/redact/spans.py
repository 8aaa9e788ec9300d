"""Spans of a text that are to be replaced: chosen where they overlap, applied, composed."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from curate.stages.redact.settings import KINDS


class Found(NamedTuple):
    """Something to replace: bytes of the text, and what they are."""

    start: int
    stop: int
    kind: str


def apart(found: Iterator[Found]) -> list[Found]:
    """Those that hold where some overlap: the kind first in `KINDS`, then the longest, then the first."""
    chosen: list[Found] = []
    for one in sorted(set(found), key=lambda one: (KINDS.index(one.kind), one.start - one.stop, one.start)):
        place = bisect_right(chosen, one)
        before_ends = place == 0 or chosen[place - 1].stop <= one.start
        if before_ends and (place == len(chosen) or one.stop <= chosen[place].start):
            chosen.insert(place, one)
    return chosen


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
    result, waiting, shift = list[Found](), list(zip(edits, sizes, strict=True)), 0
    for late in more:
        while waiting and waiting[0][0].start + shift + waiting[0][1] <= late.start:
            edit, size = waiting.pop(0)
            result.append(edit)
            shift += size - (edit.stop - edit.start)
        start, stop = late.start - shift, late.stop - shift
        while waiting and waiting[0][0].start + shift < late.stop:
            edit, size = waiting.pop(0)
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
