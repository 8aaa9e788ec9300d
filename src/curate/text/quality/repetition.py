"""How much of a document repeats itself: lines, paragraphs and words; `repeated_ngrams` goes on from there.

Definitions: Gopher (Rae et al. 2021, arXiv:2112.11446), Table A1; where the paper leaves a choice, as in
datatrove's ``GopherRepetitionFilter``: a copy is an element seen *before* in the document (the first one is
no copy).

Everything is compared by 64-bit hash. One table serves all look-ups of a thread: its slots carry the
generation that wrote them, so starting afresh costs one addition instead of clearing it, however small the
document. Nine million words (54 MB) take about 0.8 GB while they are measured.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.text.core.kernel import inlined, inner, maker

ODD = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: the base of the polynomial hash of an n-gram
_STEPS = 4096
_COUNTS = np.arange(1, _STEPS + 1)
_LOG_STEPS = np.concatenate([[0.0], np.diff(_COUNTS * np.log(_COUNTS))])
"""By count: what one more adds to count × log(count)."""


class Elements(NamedTuple):
    """Lines or paragraphs of a document, as hashes; arrays are longer than what is used."""

    hashes: npt.NDArray[np.uint64]
    lengths: npt.NDArray[np.int64]
    """Code points."""


class Scratch(NamedTuple):
    """Room to look for copies among up to ``len(grams)`` elements; what it holds does not matter."""

    grams: npt.NDArray[np.uint64]
    """Hashes of n-grams,"""
    begins: npt.NDArray[np.int32]
    """the word each begins with,"""
    slots: npt.NDArray[np.uint32]
    """and where in the table its count is."""
    table: npt.NDArray[np.uint64]
    """Two items a slot, side by side in memory: a hash; the generation that wrote it (high half) and how often it was
    seen in that. A slot of another generation is free."""
    generation: npt.NDArray[np.uint64]
    """One item: the last generation used, in its high half."""
    once: npt.NDArray[np.uint64]
    """Sets of bits: hashes seen,"""
    twice: npt.NDArray[np.uint64]
    """and those seen before."""


@maker
def scratch(elements: int) -> Scratch:
    """Room for ``elements``."""
    room = slots_for(elements)
    return Scratch(
        np.empty(elements, np.uint64),
        np.empty(elements, np.int32),
        np.empty(elements, np.uint32),
        np.zeros(2 * room, np.uint64),
        np.zeros(1, np.uint64),
        np.empty(room // 8, np.uint64),
        np.empty(room // 8, np.uint64),
    )


@inner
def slots_for(elements: int) -> int:
    """Slots of a table that stays at most three quarters full with ``elements``: a power of two."""
    slots = 64
    while 3 * slots < 4 * elements:
        slots *= 2
    return slots


class Copies(NamedTuple):
    """Copies among lines, paragraphs or the like."""

    duplicates: int
    """Elements that repeat an earlier one."""
    duplicate_characters: int
    recurring: int
    """Elements that occur more than once, the first of them counted too."""
    recurring_characters: int


@inner
def copies(elements: Elements, n: int, scratch: Scratch) -> Copies:
    """Copies among the first ``n`` elements, and their code points."""
    table = scratch.table
    generation, mask = fresh(scratch, n)
    count = characters = firsts = first_characters = 0
    for i in range(n):
        at = enter(table, generation, mask, elements.hashes[i])
        seen = times_seen(table[at])
        if seen == 1:
            continue
        length = elements.lengths[i]
        count += 1
        characters += length
        if seen == 2:
            firsts += 1
            first_characters += length
    return Copies(count, characters, count + firsts, characters + first_characters)


@inner
def vocabulary(
    cores: npt.NDArray[np.uint64], contents: npt.NDArray[np.int32], n: int, scratch: Scratch
) -> tuple[int, float]:
    """How many of the first ``n`` that have content are different, and the entropy of their distribution in nats."""
    table = scratch.table
    generation, mask = fresh(scratch, n)
    counted = different = 0
    total = 0.0  # of count × log(count)
    for i in range(n):
        if contents[i] == 0:
            continue
        counted += 1
        count = times_seen(table[enter(table, generation, mask, cores[i])]) - 1
        different += count == 0
        total += _LOG_STEPS[count] if count < _STEPS else (count + 1) * np.log(count + 1) - count * np.log(count)
    return different, np.log(counted) - total / counted if counted else 0.0


@inlined
def fresh(scratch: Scratch, elements: int) -> tuple[np.uint64, np.uint64]:
    """Begin a generation, an empty table for ``elements``: the generation, and the mask of places in the table."""
    scratch.generation[0] += uint64(1 << 32)
    return scratch.generation[0], uint64(2 * slots_for(elements) - 2)


@inlined
def enter(table: npt.NDArray[np.uint64], generation: np.uint64, mask: np.uint64, key: np.uint64) -> np.uint64:
    """Count a hash once more; where in the table its count is.

    Whether a hash is new, nobody foresees: one condition for both ends of the search, and a store in either case. What
    the processor guesses wrongly it must do again, from the first step of finding the slot on: that has few.
    """
    at = key * uint64(ODD) >> uint64(31) & mask
    while (table[at + uint64(1)] >= generation) & (table[at] != key):
        at = (at + uint64(2)) & mask
    table[at] = key
    table[at + uint64(1)] = max(table[at + uint64(1)], generation) + uint64(1)
    return at + uint64(1)  # type: ignore[no-any-return]


@inlined
def times_seen(count: np.uint64) -> int:
    """How often a hash was seen, from the item of the table that counts."""
    return np.int64(count & uint64(0xFFFFFFFF))  # type: ignore[return-value]
