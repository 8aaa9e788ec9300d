"""Where a sentence of a line ends."""

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.text.core.arrow import Bytes
from curate.text.core.bits import eight
from curate.text.core.kernel import inlined, inner
from curate.text.core.words import SPACE, code_point_at


@inlined
def plainly_ends(start: int, first: int, at: int, behind: int) -> bool:
    """Whether a stop before a space or the end stands behind a word of two ASCII letters or more; most do."""
    word = at
    while word > first and 0x61 <= (_byte(start + word - 1) | 0x20) <= 0x7A:
        word -= 1
    alone = word == first or _byte(start + word - 1) == 0x20
    return alone and at - word > 1 and (at + 1 == behind or _byte(start + at + 1) == 0x20)


@inlined
def _byte(place: int) -> int:
    """The byte at an address, of which seven more can be read."""
    return np.int64(eight(place) & uint64(0xFF))  # type: ignore[return-value]


@inner
def ends_sentence(text: Bytes, first: int, at: int, behind: int, classes: npt.NDArray[np.uint8]) -> bool:
    """Whether the ``.``, ``!`` or ``?`` at ``at`` ends a sentence."""
    i = at + 1
    while i < behind:
        code_point, after = code_point_at(text, i)
        if classes[code_point] & SPACE:
            break
        if code_point not in (0x22, 0x27, 0x29, 0x5D, 0x2019, 0x201D, 0xBB):
            return False
        i = after
    return bool(text[at] != 0x2E or _dot_may_end(text, first, at, classes))


@inner
def _dot_may_end(text: Bytes, first: int, at: int, classes: npt.NDArray[np.uint8]) -> bool:
    """Whether the word before a dot is one that may end a sentence: no dot in it, more than a capital."""
    word = at
    while word > first:
        begin = word - 1
        while text[begin] & 0xC0 == 0x80:
            begin -= 1
        if text[begin] == 0x2E:
            return False
        if classes[code_point_at(text, begin)[0]] & SPACE:
            break
        word = begin
    return bool(word < at and not (word == at - 1 and 0x41 <= text[word] <= 0x5A))


@inner
def says_more(text: Bytes, done: int, end: int) -> bool:
    """Whether anything but closing quotes and brackets is left after the last sentence."""
    i = done
    while i < end:
        code_point, i = code_point_at(text, i)
        if code_point not in (0x22, 0x27, 0x29, 0x5D, 0x2019, 0x201D, 0xBB):
            return True
    return False
