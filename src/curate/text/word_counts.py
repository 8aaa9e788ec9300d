"""What the words of a document say without being compared: letters, symbols, stop words, sentences."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from curate.text.bits import BLOCK, address, count, lowest
from curate.text.marks import (
    DOTS,
    ELLIPSES,
    LETTERS,
    LOWER_CASE,
    NUMBER_SIGNS,
    SPACES,
    SYMBOLS,
    TAILS,
    UNSPACED_LETTERS,
    UPPER_CASE,
    Marks,
    in_set,
    number_in,
    part,
)
from curate.text.scan import Words
from curate.text.stop_words import stop_word_slot

_LIST_CASE_WORDS = 12  # a shorter sentence is no list case (MADLAD-400)


class WordCounts(NamedTuple):
    """Words with symbol words, unless the name says otherwise."""

    words: int
    symbol_words: int
    unspaced_words: int
    """Words of one letter of a script without spaces."""
    measured_length: int
    """Code points in the words that are neither of the two."""
    length: int
    """Code points in words."""
    alphabetic_words: int
    uppercase_words: int
    """Words with upper-case letters and no lower-case ones."""
    marked_words: int
    """Words that hold ``#`` or ``…``."""


class StopWordCounts(NamedTuple):
    """Stop words of one language."""

    different: int
    all: int
    exact_different: int
    """Those in lower case without punctuation beside them."""
    exact: int


class SentenceCounts(NamedTuple):
    """Plain sentences: each ends with a word that ends in ``.``, ``!`` or ``?``."""

    sentences: int
    list_cases: int


@njit(nogil=True, cache=True)
def count_words(words: Words, n: int) -> WordCounts:
    """Count the first ``n`` words."""
    kinds, lengths, contents = words.kinds, words.lengths, words.contents
    symbol_words = unspaced_words = measured_length = length = alphabetic = uppercase = marked = 0
    for i in range(n):
        kind = kinds[i]
        symbols = contents[i] == 0
        unspaced = (kind >> UNSPACED_LETTERS & 1 != 0) & (not symbols)
        symbol_words += symbols
        unspaced_words += unspaced
        measured_length += 0 if symbols | unspaced else lengths[i]
        length += lengths[i]
        alphabetic += kind >> LETTERS & 1
        uppercase += kind & (1 << UPPER_CASE | 1 << LOWER_CASE) == 1 << UPPER_CASE
        marked += kind & (1 << NUMBER_SIGNS | 1 << ELLIPSES) != 0
    return WordCounts(n, symbol_words, unspaced_words, measured_length, length, alphabetic, uppercase, marked)


@njit(nogil=True, cache=True)
def count_stop_words(
    words: Words,
    n: int,
    cores: npt.NDArray[np.uint64],
    keys: npt.NDArray[np.uint64],
    places: npt.NDArray[np.uint8],
    longest: int,
) -> StopWordCounts:
    """Look the cores of words up among stop words.

    Args:
        words: words of the document.
        n: how many they are.
        cores: hashes of their cores.
        keys: row of `StopWordTable.keys` of its language.
        places: row of `StopWordTable.places`.
        longest: code points of the longest word that is looked up.
    """
    seen = exact_seen = uint64(0)
    found = exact = 0
    for i in range(n):
        core = cores[i]
        slot = stop_word_slot(keys, core)
        content = words.contents[i]
        # Sums instead of branches: whether a word is a stop word, no processor foresees.
        is_one = (keys[slot] != uint64(0)) & (content > 0) & (content <= longest)
        is_exact = is_one & (core == words.hashes[i])
        bit = uint64(places[slot])
        seen |= uint64(is_one) << bit
        exact_seen |= uint64(is_exact) << bit
        found += is_one
        exact += is_exact
    return StopWordCounts(count(seen), found, count(exact_seen), exact)


@njit(nogil=True, cache=True)
def count_sentences(marks: Marks, words: Words, n: int) -> SentenceCounts:
    """Count sentences, and those of 12 words or more of which most begin with a capital."""
    text, sets = marks.text, address(marks.sets)
    sentences = list_cases = length = capitals = 0
    for i in range(n):
        end = words.ends[i]
        if words.contents[i]:
            length += 1
            if words.kinds[i] & 1 << UPPER_CASE:
                first = words.begins[i]
                while in_set(sets, SYMBOLS, first) or in_set(sets, TAILS, first):
                    first += 1
                capitals += in_set(sets, UPPER_CASE, first)
        last = text[end - 1]
        ends = last in (0x2E, 0x21, 0x3F) and in_set(sets, SPACES, end)
        if length and (ends or i == n - 1):
            sentences += 1
            list_cases += length >= _LIST_CASE_WORDS and 2 * capitals > length
            length = capitals = 0
    return SentenceCounts(sentences, list_cases)


@njit(nogil=True, cache=True)
def count_ellipses(marks: Marks, end: int) -> int:
    """How many ``…`` and runs of three full stops there are; six are two."""
    sets = address(marks.sets)
    ellipses = number_in(sets, ELLIPSES, 0, end)
    behind = 0
    for at in range(0, end, BLOCK):
        begins = part(sets, DOTS, at, BLOCK) & part(sets, DOTS, at + 1, BLOCK) & part(sets, DOTS, at + 2, BLOCK)
        while begins:
            place = at + lowest(begins)
            begins &= begins - uint64(1)
            if place >= behind:
                ellipses += 1
                behind = place + 3
    return ellipses  # type: ignore[no-any-return]
