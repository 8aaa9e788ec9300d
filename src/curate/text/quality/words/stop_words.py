"""Stop words of many languages, looked up by hash."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.text.core.arrow import Bytes
from curate.text.core.hashes import hash_all
from curate.text.core.kernel import inlined, kernel
from curate.text.core.words import characters, core_hash

MOST = 64
"""Stop words a language may have: those seen are bits of one integer."""

_SLOTS = 256  # of a language's table: at most a quarter full, so a look-up is one comparison
_SHIFT = 64 - 8
_ODD = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: its product spreads a hash over the top bits


class StopWordTable(NamedTuple):
    """Hash tables of all languages, one row each; the last row is empty: what language -1 finds."""

    keys: npt.NDArray[np.uint64]
    """uint64 of shape (languages + 1, slots): the hash of a core, 0 for a free slot."""
    places: npt.NDArray[np.uint8]
    """uint8 of the same shape: the place of the word in its list."""
    exact_keys: npt.NDArray[np.uint64]
    """uint64 of the same shape: the hash of a word as it is written, in a table of its own,"""
    exact_places: npt.NDArray[np.uint8]
    """and its place."""
    longest: npt.NDArray[np.int64]
    """For each language the code points of its longest word."""


class StopWords:
    """Stop words of several languages, ready for the kernel.

    Args:
        lists: for each language its words, at most `MOST`.

    Attributes:
        languages: the languages; the place of each is its number in
            `curate.text.quality.document_signals.document_signals`.
        table: what the kernel looks words up in.

    Raises:
        ValueError: a list is too long.

    Example:
        >>> StopWords({"en": ("the", "of"), "fr": ("le", "de")}).languages
        ('en', 'fr')
    """

    def __init__(self, lists: dict[str, tuple[str, ...]]) -> None:
        self.languages = tuple(lists)
        shape = (len(lists) + 1, _SLOTS)
        self.table = StopWordTable(
            np.zeros(shape, np.uint64),
            np.zeros(shape, np.uint8),
            np.zeros(shape, np.uint64),
            np.zeros(shape, np.uint8),
            np.zeros(len(lists) + 1, np.int64),
        )
        tables = characters()
        for row, (language, words) in enumerate(lists.items()):
            if len(words) > MOST:
                raise ValueError(f"a list holds at most {MOST} stop words, but that of `{language}` has {len(words)}")
            self.table.longest[row] = max(map(len, words), default=0)
            for place, word in enumerate(words):
                data = np.frombuffer(bytearray(word.encode() + bytes(8)), np.uint8)
                end = len(data) - 8
                core = core_hash(data, 0, end, tables, np.empty(2 * len(data), np.uint8))
                _enter(self.table.keys[row], self.table.places[row], int(core), place)
                begins, ends, found = np.zeros(1, np.int32), np.full(1, end, np.int32), np.zeros(1, np.uint64)
                hashed_words(data, begins, ends, found)
                _enter(self.table.exact_keys[row], self.table.exact_places[row], int(found[0]), place)


def _enter(keys: npt.NDArray[np.uint64], places: npt.NDArray[np.uint8], key: int, place: int) -> None:
    slot = key * _ODD % 2**64 >> _SHIFT
    while keys[slot] not in {0, key}:
        slot = (slot + 1) % _SLOTS
    keys[slot], places[slot] = key, place


@kernel
def hashed_words(
    text: Bytes, begins: npt.NDArray[np.int32], ends: npt.NDArray[np.int32], hashes: npt.NDArray[np.uint64]
) -> None:
    """Hash words as `curate.text.quality.pieces` does; of ``text`` eight bytes behind the last can be read."""
    hash_all(text, begins, ends, len(begins), False, hashes)


@inlined
def stop_word_slot(keys: npt.NDArray[np.uint64], core: np.uint64) -> np.uint64:
    """The slot of ``core`` in the row of its language; one whose key is 0 where it is no stop word."""
    slot = core * uint64(_ODD) >> uint64(_SHIFT)
    while (keys[slot] != uint64(0)) & (keys[slot] != core):
        slot = (slot + uint64(1)) & uint64(_SLOTS - 1)
    return slot  # type: ignore[no-any-return]
