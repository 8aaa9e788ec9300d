"""A document as sets of bytes, one bit for each byte: which are white space, letters, begins of words …

Sixty-four bytes are compared at once. Where a set is of code points, the bit is that of the first byte; white space
alone has all of its bytes. How many capitals a line has, where a word ends, whether it holds a symbol are then
questions of a few instructions, whatever the script.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.text.core.arrow import Bytes
from curate.text.core.bits import BLOCK, SETS, address, between, count, eight, equal, lowest, meeting, some_ones
from curate.text.core.kernel import inlined, inner, kernel
from curate.text.core.words import LETTER, LOWER, MARK, SPACE, SYMBOL, UNSPACED, UPPER, code_point_at

Bits = npt.NDArray[np.uint64]
_ONE, _TOP = uint64(1), uint64(BLOCK - 1)
_ELLIPSIS = 0x2026


(
    TAILS,
    SPACES,
    LETTERS,
    SYMBOLS,
    UNSPACED_LETTERS,
    UPPER_CASE,
    LOWER_CASE,
    DIGITS,
    LINE_FEEDS,
    DOTS,
    NUMBER_SIGNS,
    ELLIPSES,
    RUNS,
    WORDS,
    ENDS,
) = range(15)
"""Sets: all bytes of a code point but its first; white space; letters; symbols; letters of scripts without spaces;
upper case; lower case; ASCII digits; line feeds; full stops; ``#``; ``…``; begins of what stands between white space;
begins of words; what stands right behind a word."""


class Marks(NamedTuple):
    """One document, followed by line feeds."""

    text: Bytes
    """A copy of it."""
    sets: Bits
    """Of byte ``i`` and set ``k``: bit ``i % 64`` of item ``i // 64 * SETS + k``."""


@kernel
def marks_for(longest: int) -> Marks:
    """Room for documents of up to ``longest`` bytes."""
    rows = longest // BLOCK + 2
    return Marks(np.empty((rows + 1) * BLOCK, np.uint8), np.empty((rows + 1) * SETS, np.uint64))


def splits_for(size: int) -> npt.NDArray[np.uint8]:
    """Room for `mark`'s ``splits`` of texts of ``size`` bytes together, all zero: words between white space."""
    return np.zeros(size + BLOCK, np.uint8)


@inner
def followed_by_line_feeds(document: Bytes, text: Bytes) -> None:
    """Copy a document into ``text``, which has room for three blocks more, and fill these with line feeds."""
    n = len(document)
    for i in range(n):
        text[i] = document[i]
    for i in range(n, (n // BLOCK + 3) * BLOCK):
        text[i] = 0x0A


@kernel
def mark(document: Bytes, splits: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8], marks: Marks) -> None:
    """Fill ``marks`` with a document.

    Args:
        document: UTF-8 bytes.
        splits: for each byte whether a word begins there although no white space stands before it, and `BLOCK` bytes
            more (`splits_for`); empty to split between letters of scripts without spaces.
        classes: class bits of code points.
        marks: out.
    """
    text, sets, n = marks.text, marks.sets, len(document)
    rows = n // BLOCK + 2
    followed_by_line_feeds(document, text)
    before = _ONE << _TOP  # white space, as if the document stood behind some
    unspaced_before = uint64(0)  # whether such a letter, and nothing but marks behind it, ends the row before
    for row in range(rows):
        at = BLOCK * row
        block = address(text) + at
        spaces = equal(block, 0x20) | between(block, 0x09, 0x0D) | between(block, 0x1C, 0x1F)
        upper, lower = between(block, 0x41, 0x5A), between(block, 0x61, 0x7A)
        letters, digits = upper | lower, between(block, 0x30, 0x39)
        tails, others = between(block, 0x80, 0xBF), between(block, 0x80, 0xFF)
        symbols = ~(spaces | letters | digits | others)
        unspaced = combining = ellipses = uint64(0)
        leads = others & ~tails
        while leads:
            place = lowest(leads)
            leads &= leads - _ONE
            code_point, _ = code_point_at(text, at + place)
            kind = classes[code_point]
            spaces |= _bit(kind & SPACE, place)
            letters |= _bit(kind & LETTER, place)
            symbols |= _bit(kind & SYMBOL, place)
            unspaced |= _bit(kind & UNSPACED, place)
            combining |= _bit(kind & MARK, place)
            upper |= _bit(kind & UPPER, place)
            lower |= _bit(kind & LOWER, place)
            ellipses |= _bit(code_point == _ELLIPSIS, place)
        for _ in range(2):
            spaces |= (spaces << _ONE | before >> _TOP) & tails
        runs = ~spaces & (spaces << _ONE | before >> _TOP)
        words = runs
        if len(splits) and at < n:
            words |= between(address(splits) + at, 1, 0xFF) & some_ones(min(n - at, BLOCK)) & ~spaces
        elif unspaced | unspaced_before:
            # Adding one to a run of marks and tails carries it to what stands behind them.
            through = combining | tails
            behind = unspaced << _ONE | unspaced_before
            carried = through + (behind & through)
            unspaced_before = uint64(carried < through) | unspaced >> _TOP
            words |= (unspaced | (behind | carried) & ~through) & ~spaces
        ends = (spaces | words) & ~(spaces << _ONE | before >> _TOP)
        before = spaces
        of_row = sets[SETS * row : SETS * (row + 1)]
        of_row[TAILS], of_row[SPACES], of_row[LETTERS], of_row[SYMBOLS] = tails, spaces, letters, symbols
        of_row[UNSPACED_LETTERS], of_row[UPPER_CASE], of_row[LOWER_CASE], of_row[DIGITS] = (
            unspaced,
            upper,
            lower,
            digits,
        )
        of_row[LINE_FEEDS] = equal(block, 0x0A)
        of_row[DOTS] = equal(block, 0x2E)
        of_row[NUMBER_SIGNS] = equal(block, 0x23)
        of_row[ELLIPSES], of_row[RUNS], of_row[WORDS], of_row[ENDS] = ellipses, runs, words, ends


@inner
def mark_words(splits: npt.NDArray[np.uint8], n: int, marks: Marks) -> None:
    """Take for words what ``splits`` says of ``n`` bytes, as `segments` writes it, and nothing between."""
    sets = marks.sets
    before = uint64(0)
    for row in range(n // BLOCK + 2):
        begins = lasts = uint64(0)
        if BLOCK * row < n:
            place, here = address(splits) + BLOCK * row, some_ones(min(n - BLOCK * row, BLOCK))
            begins = (equal(place, 1) | equal(place, 3)) & here
            lasts = between(place, 2, 3) & here
        sets[SETS * row + WORDS] = begins
        sets[SETS * row + ENDS] = lasts << _ONE | before >> _TOP
        before = lasts


@inner
def places(sets: Bits, kind: int, end: int, found: npt.NDArray[np.int32]) -> int:
    """Write the bytes of a set, ascending, up to ``end`` and including it; how many there are.

    Eight are written at a time, without asking for each whether there is one more: ``found`` has room for seven behind
    the last.
    """
    n = 0
    last_row = end >> 6
    for row in range(last_row + 1):
        bits = sets[SETS * row + kind]
        if row == last_row:
            bits &= some_ones((end & 63) + 1)
        behind = n + count(bits)
        while bits:
            for i in range(8):
                found[n + i] = BLOCK * row + lowest(bits)
                bits &= bits - _ONE
            n += 8
        n = behind
    return n


@inlined
def part(sets: int, kind: int, begin: int, length: int) -> np.uint64:
    """What of a set lies in up to 64 bytes from ``begin``: bit 0 is that byte; ``sets`` is an address."""
    place, shift = sets + 8 * (SETS * (begin >> 6) + kind), uint64(begin & 63)
    return (eight(place) >> shift | eight(place + 8 * SETS) << _ONE << (_TOP - shift)) & some_ones(length)  # type: ignore[no-any-return]


@inlined
def kinds_in(sets: int, begin: int, length: int) -> int:
    """Which sets have any of up to 64 bytes from ``begin``: bit ``k`` is set ``k``; ``sets`` is an address."""
    return meeting(sets + 8 * SETS * (begin >> 6), uint64(begin & 63), some_ones(length))  # type: ignore[no-any-return]


@inlined
def next_in(sets: int, kind: int, at: int) -> int:
    """The first byte of a set from ``at`` on, which there must be; ``sets`` is an address."""
    bits = eight(sets + 8 * (SETS * (at >> 6) + kind)) >> uint64(at & 63)
    while not bits:
        at = (at | (BLOCK - 1)) + 1
        bits = eight(sets + 8 * (SETS * (at >> 6) + kind))
    return at + lowest(bits)  # type: ignore[no-any-return]


@inlined
def in_set(sets: int, kind: int, at: int) -> bool:
    """Whether byte ``at`` is in a set; ``sets`` is an address."""
    return bool(eight(sets + 8 * (SETS * (at >> 6) + kind)) >> uint64(at & 63) & _ONE)


@inlined
def number_in(sets: int, kind: int, begin: int, end: int) -> int:
    """How many bytes from ``begin`` up to ``end`` are in a set; ``sets`` is an address."""
    number = 0
    while begin < end:
        size = min(end - begin, BLOCK)
        number += count(part(sets, kind, begin, size))
        begin += size
    return number


@inlined
def number_in_both(sets: int, kind: int, other: int, begin: int, end: int) -> int:
    """How many bytes from ``begin`` up to ``end`` are in both of two sets; ``sets`` is an address."""
    number = 0
    while begin < end:
        size = min(end - begin, BLOCK)
        number += count(part(sets, kind, begin, size) & part(sets, other, begin, size))
        begin += size
    return number


@inlined
def _bit(kind: int, place: int) -> np.uint64:
    return uint64(kind != 0) << uint64(place)  # type: ignore[no-any-return]
