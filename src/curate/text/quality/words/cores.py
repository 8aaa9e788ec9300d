"""The cores of all words of a document (`curate.text.core.words` says what a core is), as hashes."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import int64

from curate.text.core.arrow import Bytes
from curate.text.core.bits import BLOCK, address, highest, lowest, some_ones
from curate.text.core.hashes import hashed
from curate.text.core.kernel import inner, maker
from curate.text.core.words import Characters, Words, core_hash
from curate.text.quality.bitmaps import SYMBOLS, TAILS, UPPER_CASE, Marks, part


class Cores(NamedTuple):
    """An item for each word; arrays are longer than what is used."""

    hashes: npt.NDArray[np.uint64]
    """Hash of its core; what a symbol word has does not matter."""
    others: npt.NDArray[np.int32]
    """Which words may have a core that is not the word itself."""
    room: Bytes
    """To write a core into."""


@maker
def cores_for(longest: int) -> Cores:
    """Room for the words of documents of up to ``longest`` bytes."""
    return Cores(np.empty(longest + 1, np.uint64), np.empty(longest + 1, np.int32), np.empty(2 * longest + 8, np.uint8))


@inner
def find_cores(marks: Marks, words: Words, n: int, characters: Characters, longest: int, cores: Cores) -> None:
    """Hash the cores of the first ``n`` words.

    Those with capitals or symbols have their turn last: whether the next word is one of them, no processor foresees.

    Args:
        marks: the document.
        words: its words.
        n: how many they are.
        characters: tables of code points.
        longest: code points of the longest word that matters; a longer one may get the hash of the word.
        cores: out.
    """
    hashes, others = cores.hashes, cores.others
    sets, start = address(marks.sets), address(marks.text)
    n_others = 0
    for i in range(n):
        hashes[i] = words.hashes[i]
        others[n_others] = i
        content = words.contents[i]
        other = words.kinds[i] & (1 << UPPER_CASE | 1 << SYMBOLS) != 0
        n_others += other & (content > 0) & (content <= longest)
    for place in range(n_others):
        i = others[place]
        begin = int64(words.begins[i])
        length = words.ends[i] - begin
        if words.kinds[i] & 1 << TAILS or length > BLOCK:
            hashes[i] = core_hash(marks.text, begin, begin + length, characters, cores.room)
        else:
            content = ~part(sets, SYMBOLS, begin, length) & some_ones(length)
            first = lowest(content)
            hashes[i] = hashed(start + begin + first, highest(content) + 1 - first, True)
