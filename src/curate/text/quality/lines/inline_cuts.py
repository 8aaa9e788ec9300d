"""What is cut out of lines that stay: citation marks (C4) and banners (RefinedWeb)."""

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.text.core.arrow import Bytes
from curate.text.core.bits import BLOCK, address, equal, lowest, some_ones
from curate.text.core.kernel import inner
from curate.text.quality.lines.line_facts import follows, stands


@inner
def citations(text: Bytes, first: int, behind: int, marks: npt.NDArray[np.int64]) -> int:
    """Write begin and end of every ``[12]``, ``[]``, ``[edit]`` and ``[citation needed]``; how many there are.

    Of ``text`` 63 bytes more can be read.
    """
    n_marks = 0
    for begin in range(first, behind, BLOCK):
        brackets = equal(address(text) + begin, 0x5B) & some_ones(min(behind - begin, BLOCK))
        while brackets:
            i = begin + lowest(brackets)
            brackets &= brackets - uint64(1)
            k = i + 1
            while k < behind and 0x30 <= text[k] <= 0x39:
                k += 1
            if k == i + 1 and k < behind:
                if stands(text, k, behind, b"edit"):
                    k += 4
                elif stands(text, k, behind, b"citation needed"):
                    k += 15
            if k < behind and text[k] == 0x5D:
                marks[2 * n_marks], marks[2 * n_marks + 1] = i, k + 1
                n_marks += 1
    return n_marks


@inner
def banners(text: Bytes, start: int, stop: int, marks: npt.NDArray[np.int64]) -> int:
    """Write begin and end of RefinedWeb's banners, with one white space before or behind; how many there are."""
    n_marks = 0
    i = start
    if follows(text, start, stop, b"sign-in"):
        i = start + 7 + (start + 7 < stop and text[start + 7] in (0x20, 0x09))
        marks[0], marks[1] = start, i
        n_marks = 1
    tail = stop
    if stop - 12 >= i and follows(text, stop - 12, stop, b"read more..."):
        tail = stop - 12 - (stop - 12 > i and text[stop - 13] in (0x20, 0x09))
    while i < tail:
        if text[i] | 0x20 == 0x69 and follows(text, i, tail, b"items in cart"):
            begin = i - (i > start and text[i - 1] in (0x20, 0x09) and (n_marks == 0 or i > marks[2 * n_marks - 1]))
            marks[2 * n_marks], marks[2 * n_marks + 1] = begin, i + 13
            n_marks += 1
            i += 12
        i += 1
    if tail < stop:
        marks[2 * n_marks], marks[2 * n_marks + 1] = tail, stop
        n_marks += 1
    return n_marks


@inner
def without(text: Bytes, first: int, behind: int, marks: npt.NDArray[np.int64], n_marks: int, cleaned: Bytes) -> int:
    """Copy the line without its marks; where the copy ends."""
    o = 0
    i = first
    for number in range(n_marks + 1):
        stop = marks[2 * number] if number < n_marks else behind
        while i < stop:
            cleaned[o] = text[i]
            o += 1
            i += 1
        if number < n_marks:
            i = marks[2 * number + 1]
    return o
