"""Word n-grams that a document repeats.

Definitions: as in `curate.text.quality.repetition`, whose table counts them.
"""

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.text.core.kernel import inlined, inner
from curate.text.core.words import Words
from curate.text.quality.repetition import ODD, Scratch, enter, fresh, slots_for, times_seen

SHORTEST, LONGEST_TOP, LONGEST = 2, 4, 10
"""Sizes of n-grams: the most frequent one is sought up to ``LONGEST_TOP``, repeated ones above."""

_TOP_WORDS, _LONGEST_TOP, _COVERED, _WEIGHT = 9, 12, 15, 21  # places in what `ngram_characters` finds
_COMMON, _COMMON_WORDS, _COPIED = 27, 30, 33
_FIRST_SEEN = 1 << 31  # of a count: an n-gram of the kind has come by


@inner
def ngram_characters(
    words: Words,
    n: int,
    scratch: Scratch,
    details: bool,
    found: npt.NDArray[np.int64],
) -> None:
    """Code points in the most frequent 2- to 4-gram and in repeated 5- to 10-grams.

    Most frequent n-gram: its length (words, and a space wherever white space parts them) times its
    occurrences; 0 when none occurs twice; of equally frequent ones the first. Repeated n-grams: from left
    to right, an n-gram that was seen before counts the length of its words and the search goes on behind
    it, so that no word counts twice.

    The references' own most common n-gram is counted, too: with a space between any two words, and where none occurs
    twice, the first one, once.

    In detail also the most frequent n-gram without spaces, the same for the longest of equally frequent ones, the words
    that lie in any n-gram that occurs more than once, and those n-grams with all their words each.

    An n-gram can repeat only where the shorter ones at its start and one word later repeat too. Each size
    therefore looks only at the places that the size before left over: exact, and few in ordinary text.

    Args:
        words: words of the document.
        n: words used.
        scratch: room for ``n`` elements.
        details: whether to fill what is said to be in detail.
        found: out, 39 values: most frequent 2-, 3-, 4-gram, repeated 5- to 10-gram; most frequent one without
            spaces (3), the longest such (3), words in recurring 5- to 10-grams (6), recurring n-grams (6); most
            common 2-, 3-, 4-gram, the same without spaces (3); copied 5- to 10-grams, with spaces (6).
    """
    found[:] = 0
    candidates = n
    for i in range(n):
        scratch.grams[i] = words.hashes[i]
        scratch.begins[i] = i
    for size in range(SHORTEST, LONGEST + 1):
        candidates = _grow(words, size, scratch, candidates)
        if size < 4:
            candidates = _thinned(scratch, candidates)
        most = _count(scratch, candidates)
        if most < 2:  # nothing of this size occurs twice, so nothing longer does
            for longer in range(size, min(LONGEST_TOP, n) + 1):
                _note_common(_length(words, 0, longer), longer, 1, found)
            return
        candidates, first, longest = _recurring(words, size, scratch, candidates, most)
        place = size - SHORTEST
        if size <= LONGEST_TOP:
            length = _length(words, first, size)
            spaces = 0
            for word in range(first + 1, first + size):
                spaces += words.begins[word] > words.ends[word - 1]
            found[place] = (length + spaces) * most
            found[_TOP_WORDS + place] = length * most
            found[_LONGEST_TOP + place] = longest * most
            _note_common(length, size, most, found)
        else:
            if details:
                number = place - (LONGEST_TOP - SHORTEST + 1)
                found[_COPIED + number] = _copied(words, size, scratch, candidates)
                found[_COVERED + number], found[_WEIGHT + number] = _covered(words, size, scratch, candidates)
            found[place] = _repeated(words, size, scratch, candidates)


@inner
def window_characters(words: Words, n: int, size: int) -> int:
    """Code points of all n-grams of ``size`` words, each with all its words."""
    if n < 2 * size:
        total = 0
        for begin in range(n - size + 1):
            total += _length(words, begin, size)
        return total
    missed = 0  # the words at both ends are in fewer n-grams than all others
    for i in range(size - 1):
        missed += (size - 1 - i) * (words.lengths[i] + words.lengths[n - 1 - i])
    return size * words.totals[n] - missed  # type: ignore[no-any-return]


@inner
def _grow(words: Words, size: int, scratch: Scratch, candidates: int) -> int:
    """Make candidates one word longer, in place; those whose successor is no candidate cannot repeat."""
    grams, begins, hashes = scratch.grams, scratch.begins, words.hashes
    kept = 0
    for i in range(candidates - 1):
        begin = begins[i]
        grams[kept] = grams[i] * uint64(ODD) + hashes[begin + size - 1]
        begins[kept] = begin
        kept += begins[i + 1] == begin + 1
    return kept


@inner
def _thinned(scratch: Scratch, candidates: int) -> int:
    """Leave out, in place, most candidates that occur once, those whose bit no other has: few are left to count."""
    grams, begins, once, twice = scratch.grams, scratch.begins, scratch.once, scratch.twice
    rows = slots_for(candidates) // 8
    mask = uint64(64 * rows - 1)
    for row in range(rows):
        once[row] = twice[row] = uint64(0)
    for i in range(candidates):
        place = grams[i] & mask
        row, bit = place >> uint64(6), uint64(1) << (place & uint64(63))
        twice[row] |= once[row] & bit
        once[row] |= bit
    kept = 0
    for i in range(candidates):
        place = grams[i] & mask
        grams[kept], begins[kept] = grams[i], begins[i]
        kept += int(twice[place >> uint64(6)] >> (place & uint64(63)) & uint64(1))
    return kept


@inner
def _count(scratch: Scratch, candidates: int) -> int:
    """Count every candidate in its slot; how often the most frequent one occurs."""
    table, grams, slots = scratch.table, scratch.grams, scratch.slots
    generation, mask = fresh(scratch, candidates)
    most = 0
    for i in range(candidates):
        at = enter(table, generation, mask, grams[i])
        slots[i] = at
        most = max(most, times_seen(table[at]))
    return most


@inner
def _recurring(words: Words, size: int, scratch: Scratch, candidates: int, most: int) -> tuple[int, int, int]:
    """Keep the candidates that occur more than once, in place.

    How many they are; where the first of those that occur ``most`` times begins; code points of the longest of these.
    """
    grams, begins, slots, table = scratch.grams, scratch.begins, scratch.slots, scratch.table
    kept = longest = 0
    first = -1
    for i in range(candidates):
        slot, begin = slots[i], begins[i]
        grams[kept], begins[kept], slots[kept] = grams[i], begin, slot
        seen = times_seen(table[slot])
        kept += seen > 1
        if seen == most:
            longest = max(longest, _length(words, begin, size))
            first = begin if first < 0 else first
    return kept, first, longest


@inlined
def _length(words: Words, begin: int, size: int) -> int:
    """Code points of an n-gram."""
    return words.totals[begin + size] - words.totals[begin]  # type: ignore[no-any-return]


@inlined
def _note_common(length: int, size: int, count: int, found: npt.NDArray[np.int64]) -> None:
    """The most common n-gram: its words have ``length`` code points, and it occurs ``count`` times."""
    found[_COMMON + size - SHORTEST] = (length + size - 1) * count
    found[_COMMON_WORDS + size - SHORTEST] = length * count


@inner
def _covered(words: Words, size: int, scratch: Scratch, candidates: int) -> tuple[int, int]:
    """Code points of the words that lie in a candidate, and those of the candidates."""
    covered = weight = free = 0
    for i in range(candidates):
        begin = scratch.begins[i]
        weight += _length(words, begin, size)
        fresh = max(begin, free)
        covered += _length(words, fresh, begin + size - fresh)
        free = begin + size
    return covered, weight


@inner
def _copied(words: Words, size: int, scratch: Scratch, candidates: int) -> int:
    """Code points of the words that lie in an n-gram seen before, with a space between two of them."""
    table = scratch.table
    characters = free = 0
    for i in range(candidates):
        begin, slot = scratch.begins[i], scratch.slots[i]
        if not table[slot] & uint64(_FIRST_SEEN):
            table[slot] |= uint64(_FIRST_SEEN)
            continue
        fresh = max(begin, free)
        characters += _length(words, fresh, begin + size - fresh) + min(begin + size - fresh, size - 1)
        free = begin + size
    for i in range(candidates):
        table[scratch.slots[i]] &= ~uint64(_FIRST_SEEN)
    return characters


@inner
def _repeated(words: Words, size: int, scratch: Scratch, candidates: int) -> int:
    """Code points of n-grams seen before, left to right without overlap; their counts are used up."""
    table = scratch.table
    characters = 0
    free = 0
    for i in range(candidates):
        begin = scratch.begins[i]
        slot = scratch.slots[i]
        if begin < free:
            continue
        if table[slot]:
            table[slot] = uint64(0)
            continue
        free = begin + size
        characters += _length(words, begin, size)
    return characters
