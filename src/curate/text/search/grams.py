r"""Which sequences of words of a small collection occur in a text, and where.

Words are those of `curate.text.dedup.shingles`: runs of letters, digits, marks and underscores without case, so that
white space, punctuation and layout make no difference. A *gram* is the 64-bit hash of several consecutive words.

All words of a text are read once. Sequences of any length are hashed from a polynomial over the words so far, a bit map
says which of them may be in the collection, and a table which are.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import uint32, uint64

from curate.text.core.arrow import Bytes, Offsets, utf8_view
from curate.text.core.codepoints import decode
from curate.text.core.hashes import mix64
from curate.text.core.kernel import inlined, kernel
from curate.text.dedup.jaccard import capacity_for
from curate.text.dedup.shingles import Letters, letters

Hashes = npt.NDArray[np.uint64]

LONGEST = 63
"""Most words in a gram."""

_BASE = 0x9E3779B97F4A7C15
_STANDS_ALONE = 1 << 31
_RING = 64


class Grams(NamedTuple):
    """A collection of grams, laid out for looking up."""

    sizes: npt.NDArray[np.int64]
    """Numbers of words that its grams have."""
    hashes: Hashes
    """The grams, ascending."""
    table: Hashes
    """Open addressing; 0 is free."""
    places: npt.NDArray[np.int32]
    """For each slot of ``table`` its place in ``hashes``."""
    bits: Hashes
    """One bit for each of 16 to 32 values a gram's upper bits may have."""


class Hits(NamedTuple):
    """Grams of the collection found in texts, in the order of their last words."""

    rows: Offsets
    """Which text."""
    words: Offsets
    """Number of the gram's last word in the text, from 0."""
    sizes: Offsets
    """Words in the gram."""
    starts: Offsets
    """First byte of its first word."""
    stops: Offsets
    """The byte behind its last."""
    places: Offsets
    """Place of the gram in ``hashes``."""


def text_grams(texts: pa.Array, size: int, least: int) -> list[tuple[int, Hashes]]:
    """For each text the words in its grams, and the distinct grams.

    Args:
        texts: ``large_string`` without nulls.
        size: words in a gram, at most `LONGEST`.
        least: a text with fewer words than ``size``, but this many, is one gram; a shorter one has none.

    Example:
        >>> texts = pa.array(["a b c d", "A, b!", "a"], pa.large_string())
        >>> [(words, len(grams)) for words, grams in text_grams(texts, 3, 2)]
        [(3, 2), (2, 1), (1, 0)]
    """
    data, offsets = utf8_view(texts)
    found = []
    for row in range(len(texts)):
        running = _running(data, offsets[row], offsets[row + 1], letters())
        words = min(size, len(running) - 1)
        found.append((words, np.unique(_windows(running, words)) if words >= max(least, 1) else np.empty(0, np.uint64)))
    return found


def collection(sizes: npt.ArrayLike, grams: Hashes) -> Grams:
    """Lay out distinct grams for looking up.

    Args:
        sizes: numbers of words that they have.
        grams: uint64.
    """
    hashes = np.sort(grams)
    capacity = capacity_for(len(hashes))
    table, places = np.zeros(capacity, np.uint64), np.zeros(capacity, np.int32)
    bits = np.zeros(max(1, capacity * 8 // 64), np.uint64)
    _fill(hashes, table, places, bits)
    return Grams(np.unique(np.asarray(sizes, np.int64)), hashes, table, places, bits)


def find_grams(texts: pa.Array, grams: Grams) -> tuple[Offsets, Hits]:
    """Number of words of each text, and the grams of the collection in it.

    Args:
        texts: ``large_string`` without nulls.
        grams: made by `collection`.

    Example:
        >>> (size, known), = text_grams(pa.array(["to be or"], pa.large_string()), 3, 3)
        >>> words, hits = find_grams(pa.array(["Ah: to be, or not"], pa.large_string()), collection([size], known))
        >>> words.tolist(), hits.starts.tolist(), hits.stops.tolist()
        ([5], [4], [13])
    """
    data, offsets = utf8_view(texts)
    words = np.zeros(len(texts), np.int64)
    return words, Hits(*_find(data, offsets, letters(), grams, words).T)


def hits_by_row(hits: Hits) -> Iterator[tuple[int, Hits]]:
    """The hits of each text that has any, in order."""
    rows, firsts = np.unique(hits.rows, return_index=True)
    for row, first, last in zip(rows.tolist(), firsts, [*firsts[1:], len(hits.rows)], strict=False):
        yield row, Hits(*(column[first:last] for column in hits))


def covered_words(hits: Hits) -> int:
    """Number of words of one text that lie in any of its hits."""
    firsts = hits.words - hits.sizes + 1
    order = np.argsort(firsts, kind="stable")  # nearly in order: linear
    stops = hits.words[order] + 1
    behind = np.maximum.accumulate(stops)
    behind = np.concatenate([np.zeros(1, np.int64), behind[:-1]])
    return int(np.maximum(stops - np.maximum(firsts[order], behind), 0).sum())


@kernel
def _running(data: Bytes, position: int, end: int, letters: Letters) -> Hashes:
    """The polynomial over the words of a text after 0, 1, 2 … words."""
    running = np.empty((end - position) // 2 + 3, np.uint64)
    running[0] = uint64(0)
    count = 0
    while True:
        word, _, _, position = _next_word(data, position, end, letters)
        if not word:
            return running[: count + 1]
        if count + 2 > len(running):
            longer = np.empty(2 * len(running), np.uint64)
            longer[: len(running)] = running
            running = longer
        running[count + 1] = running[count] * uint64(_BASE) + word
        count += 1


@kernel
def _windows(running: Hashes, size: int) -> Hashes:
    leaving = uint64(1)
    for _ in range(size):
        leaving *= uint64(_BASE)
    grams = np.empty(len(running) - size, np.uint64)
    for i in range(len(grams)):
        grams[i] = max(mix64(running[i + size] - running[i] * leaving), uint64(1))
    return grams


@inlined
def _next_word(data: Bytes, position: int, end: int, letters: Letters) -> tuple[int, int, int, int]:
    """Hash of the next word (0 when there is none), its first byte, the byte behind it, and where to go on."""
    basis, prime = uint64(0xCBF29CE484222325), uint64(0x100000001B3)
    word, start = basis, -1
    while position < end:
        byte = uint32(data[position])
        at = position
        if byte < 0x80:
            letter = letters[byte]
            position += 1
        else:
            point, width = decode(data, position)
            letter = letters[point]
            position += width
        if letter and not letter & uint32(_STANDS_ALONE):
            if start < 0:
                start = at
            word = (word ^ uint64(letter)) * prime
            continue
        if start >= 0:  # a letter that stands alone is read again
            return max(mix64(word), uint64(1)), start, at, at
        if letter:
            return max(mix64((basis ^ uint64(letter)) * prime), uint64(1)), at, position, position
    if start >= 0:
        return max(mix64(word), uint64(1)), start, end, end
    return uint64(0), end, end, end


@kernel
def _fill(hashes: Hashes, table: Hashes, places: npt.NDArray[np.int32], bits: Hashes) -> None:
    mask, n_bits = uint64(len(table) - 1), uint64(len(bits) * 64)
    for place in range(len(hashes)):
        gram = hashes[place]
        slot = gram & mask
        while table[slot]:
            slot = (slot + uint64(1)) & mask
        table[slot], places[slot] = gram, place
        bit = (gram >> uint64(32)) & (n_bits - uint64(1))
        bits[bit >> uint64(6)] |= uint64(1) << (bit & uint64(63))


@kernel
def _find(data: Bytes, offsets: Offsets, letters: Letters, grams: Grams, words: Offsets) -> Offsets:
    """Rows of `Hits`; ``words`` receives the number of words of each text."""
    ring, firsts = np.zeros(_RING, np.uint64), np.zeros(_RING, np.int64)
    leaving = np.ones(len(grams.sizes), np.uint64)
    for i in range(len(grams.sizes)):
        for _ in range(grams.sizes[i]):
            leaving[i] *= uint64(_BASE)
    bit_mask, mask = uint64(len(grams.bits) * 64 - 1), uint64(len(grams.table) - 1)
    hits = np.empty((64, 6), np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        begin, position, end = offsets[row], offsets[row], offsets[row + 1]
        running, number = uint64(0), 0
        ring[0] = running
        while True:
            word, start, stop, position = _next_word(data, position, end, letters)
            if not word:
                break
            running = running * uint64(_BASE) + word
            firsts[number & (_RING - 1)] = start
            number += 1
            ring[number & (_RING - 1)] = running
            for i in range(len(grams.sizes)):
                size = grams.sizes[i]
                if number < size:
                    break
                gram = max(mix64(running - ring[(number - size) & (_RING - 1)] * leaving[i]), uint64(1))
                bit = (gram >> uint64(32)) & bit_mask
                if not (grams.bits[bit >> uint64(6)] >> (bit & uint64(63))) & uint64(1):
                    continue
                slot = gram & mask
                while grams.table[slot] and grams.table[slot] != gram:
                    slot = (slot + uint64(1)) & mask
                if not grams.table[slot]:
                    continue
                if count == len(hits):
                    longer = np.empty((2 * count, 6), np.int64)
                    longer[:count] = hits
                    hits = longer
                hits[count, 0], hits[count, 1], hits[count, 2] = row, number - 1, size
                hits[count, 3] = firsts[(number - size) & (_RING - 1)] - begin
                hits[count, 4], hits[count, 5] = stop - begin, grams.places[slot]
                count += 1
        words[row] = number
    return hits[:count]
