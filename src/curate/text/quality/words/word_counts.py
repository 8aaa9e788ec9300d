"""What the words of a document say without being compared: letters, symbols, stop words, sentences."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.text.core.bits import BLOCK, SETS, address, count, eight, equal, lowest
from curate.text.core.kernel import inner
from curate.text.core.words import Words
from curate.text.quality.bitmaps import (
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
    WORDS,
    Marks,
    number_in,
    part,
)
from curate.text.quality.words.stop_words import StopWordTable, stop_word_slot

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
    """Those that stand exactly as in the list."""
    exact: int


class SentenceCounts(NamedTuple):
    """Plain sentences: each ends with a word that ends in ``.``, ``!`` or ``?``."""

    sentences: int
    list_cases: int


@inner
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


@inner
def count_stop_words(
    words: Words,
    n: int,
    cores: npt.NDArray[np.uint64],
    table: StopWordTable,
    language: int,
) -> StopWordCounts:
    """Look the cores of words up among stop words.

    Args:
        words: words of the document.
        n: how many they are.
        cores: hashes of their cores.
        table: stop words of all languages.
        language: its language.
    """
    keys, places, longest = table.keys[language], table.places[language], table.longest[language]
    exact_keys, exact_places = table.exact_keys[language], table.exact_places[language]
    seen = exact_seen = uint64(0)
    found = exact = 0
    for i in range(n):
        core = cores[i]
        slot = stop_word_slot(keys, core)
        content = words.contents[i]
        # Sums instead of branches: whether a word is a stop word, no processor foresees.
        is_one = (keys[slot] != uint64(0)) & (content > 0) & (content <= longest)
        seen |= uint64(is_one) << uint64(places[slot])
        slot = stop_word_slot(exact_keys, words.hashes[i])
        is_exact = exact_keys[slot] != uint64(0)
        exact_seen |= uint64(is_exact) << uint64(exact_places[slot])
        found += is_one
        exact += is_exact
    return StopWordCounts(count(seen), found, count(exact_seen), exact)


@inner
def count_sentences(marks: Marks, end: int) -> SentenceCounts:
    """Count sentences, and those of 12 words or more of which most begin with a capital.

    A word counts by its first code point that is no symbol; a symbol word has none.
    """
    sets, start = address(marks.sets), address(marks.text)
    sentences = list_cases = length = capitals = 0
    inside = uint64(0)  # whether the row before ends in the symbols that a word begins with
    for at in range(0, end, BLOCK):
        row, block = sets + 8 * SETS * (at >> 6), start + at
        begins = eight(row + 8 * WORDS) | inside
        symbols = eight(row + 8 * SYMBOLS) | eight(row + 8 * TAILS)
        # Adding one to a run of symbols carries it to what stands behind them.
        carried = symbols + (begins & symbols)
        inside = uint64(carried < symbols)
        firsts = (begins | carried) & ~symbols & ~eight(row + 8 * SPACES)
        upper = firsts & eight(row + 8 * UPPER_CASE)
        ends = (equal(block, 0x2E) | equal(block, 0x21) | equal(block, 0x3F)) & part(sets, SPACES, at + 1, BLOCK)
        while ends:
            upto = ends ^ (ends - uint64(1))
            ends &= ends - uint64(1)
            length += count(firsts & upto)
            capitals += count(upper & upto)
            firsts &= ~upto
            upper &= ~upto
            sentences += length > 0
            list_cases += (length >= _LIST_CASE_WORDS) & (2 * capitals > length)
            length = capitals = 0
        length += count(firsts)
        capitals += count(upper)
    sentences += length > 0
    list_cases += (length >= _LIST_CASE_WORDS) & (2 * capitals > length)
    return SentenceCounts(sentences, list_cases)


@inner
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
