r"""Words and shingles as 64-bit hashes: the sets whose Jaccard similarity decides what a near-duplicate is.

A *word* is a longest run of letters, digits, marks and underscores, compared without case. For scripts that
put spaces between words this is ``re.findall(r"\w+", text.lower())`` with three deliberate differences:

- Combining marks (general category M) belong to their word. Python's ``\w`` leaves them out and so would cut
  every Devanagari, Bengali or Tamil word at each vowel sign.
- Case folding is one code point to one code point. A final sigma counts as a sigma, since which of the two
  ``lower`` yields depends on the neighbours; ``İ`` counts as ``i``.
- In scripts written without spaces each code point stands alone, as a part of a word: 5/8 of one in Han, kana
  and their relatives, 1/4 in Thai, Lao, Khmer, Myanmar and theirs. A run of them would make one word of a whole
  sentence, and two sentences differing in one character would have nothing in common.

A *shingle* is the fewest consecutive words from some word on that come to ``size``: 5 words, or 8 Chinese or 20
Thai characters, or a mixture. A text that does not come to so much has one shingle, all of its words; a text
without words has none. With these parts of a word, editing a share of the words lowers the similarity of a
Chinese, Japanese or Thai text as much as that of an English or German one (``docs/near_dup.md``).

Two different shingles share a 64-bit hash with probability 2⁻⁶⁴, so that a pair of sets of 10⁴ shingles each is
miscounted by one with probability below 10⁻¹¹.

Kernels work through a text in chunks that fit the first-level cache, so memory does not depend on its length.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import int64, uint64

from curate.cache.tables import Tables, derived
from curate.text.core.arrow import Bytes, Offsets, utf8_view
from curate.text.core.hashes import mix64
from curate.text.core.kernel import inlined, inner, kernel
from curate.text.dedup.jaccard import capacity_for, fill, insert
from curate.text.dedup.shingle_words import ALPHABETIC, LETTER, STANDS_ALONE, WORD, Words, hash_words, room_for_words

Hashes = npt.NDArray[np.uint64]
Letters = npt.NDArray[np.uint32]

CHUNK_WORDS = 1024
"""Words hashed before they are turned into shingles."""

_BASE = 0x9E3779B97F4A7C15
"""Of the polynomial that hashes a shingle."""

_BYTES, _ENOUGH = 4, 1 << 18
"""A text's table has room for a shingle in so many bytes, or for so many; where there are more, it grows. Prose has one
in nine: a table that is sparser still is no faster."""

_PIECE = 1 << 18
"""Hashes for which there is room at first in a piece of a long text."""

_CHARACTERS = (
    "BOPOMOFO", "CJK", "HALFWIDTH KATAKANA", "HENTAIGANA", "HIRAGANA", "IDEOGRAPHIC", "KATAKANA", "NUSHU", "TANGUT",
    "YI SYLLABLE",
)  # fmt: skip
_LETTERS = (
    "AHOM", "KHMER", "LAO", "MYANMAR", "NEW TAI LUE", "TAI LE", "TAI THAM", "TAI VIET", "THAI",
)  # fmt: skip
"""How the Unicode names of letters begin in scripts that leave no space between words."""

_SIGMA, _SIGMAS = 0x3C3, "\u03c3\u03c2"
"""Sigma, and its two lower-case forms."""


@cache
def letters() -> Letters:
    """What each code point is to a word (uint32, 1,114,112 entries): 0 a separator, else its folded code
    point.

    Bit 31 is set where the code point stands alone, bit 30 too where it counts as a `LETTER`. Derived from the
    installed ``unicodedata``.

    Example:
        >>> chr(letters()[ord("É")]), letters()[ord(",")] == 0, letters()[ord("字")] == ord("字") | 1 << 31
        ('é', np.True_, np.True_)
    """
    return derived("letters", f"2 unicode {unicodedata.unidata_version}", _build_letters)["letters"]


def shingle_sets(texts: pa.Array, size: int, which: npt.NDArray[np.int64] | None = None) -> tuple[Hashes, Offsets]:
    """The set of shingles of every text, as 64-bit hashes in the order of first appearance.

    Args:
        texts: ``large_string`` array without nulls.
        size: words in a shingle, at least 1.
        which: places of the texts that are wanted, in their order; by default all.

    Returns:
        ``hashes`` (uint64, none of them 0) and ``offsets`` (int64, one longer than ``which``): the set of
        text ``which[i]`` is ``hashes[offsets[i]:offsets[i + 1]]``.

    Example:
        >>> texts = pa.array(["To be, or not to be", "", "BE; to"], pa.large_string())
        >>> hashes, offsets = shingle_sets(texts, 2)
        >>> np.diff(offsets).tolist()  # to-be, be-or, or-not, not-to (to-be again); nothing; be-to
        [4, 0, 1]
    """
    data, offsets = utf8_view(texts)
    which = np.arange(len(texts)) if which is None else which
    # A word and what ends it take two bytes or more, and a code point that stands alone takes three.
    room = (np.diff(offsets)[which] + 1) // 2
    hashes = np.empty(int(room.sum()), np.uint64)
    table = np.empty(capacity_for(int(room.max(initial=0))), np.uint64)
    ends = np.zeros(len(which) + 1, np.int64)
    _shingle_sets(data, offsets, which, letters(), size, table, hashes, ends)
    return hashes[: ends[-1]], ends


def sorted_pieces(text: pa.Array, size: int, pieces: int) -> Iterator[Hashes]:
    """The same set of one long text in ascending order, one piece after another: memory is that of a piece.

    The text is read once for each, and hashed anew.

    Args:
        text: ``large_string`` array of length 1.
        size: words in a shingle.
        pieces: a power of two, at least 2; each has the hashes of one of so many equal ranges.

    Example:
        >>> text = pa.array(["to be or not to be"], pa.large_string())
        >>> pieces = list(sorted_pieces(text, 2, 4))
        >>> len(pieces), np.concatenate(pieces).tolist() == sorted(shingle_sets(text, 2)[0].tolist())
        (4, True)
    """
    data, offsets = utf8_view(text)
    work, shift = work_space(size), 64 - (pieces - 1).bit_length()
    for piece in range(pieces):
        held = np.empty(max(_PIECE, 4 * len(work.shingles)), np.uint64)
        filled, start, carried = 0, int(offsets[0]), -1
        while start < offsets[1]:
            filled, start, carried = _gather(
                data, start, offsets[1], letters(), size, work, carried, shift, piece, held, filled
            )
            if start < offsets[1]:
                distinct = _ascending(held[:filled])
                filled = len(distinct)
                if filled > len(held) * 3 // 4:
                    del held  # before there is more room, so that memory is that of one
                    held = np.empty(filled * 3 // 2, np.uint64)
                held[:filled] = distinct
                del distinct
        yield _ascending(held[:filled])


def _ascending(hashes: Hashes) -> Hashes:
    """Each once; numpy's ``unique`` takes seven times as long."""
    hashes.sort()
    first = np.ones(len(hashes), np.bool_)
    first[1:] = hashes[1:] != hashes[:-1]
    return hashes[first]


class Work(NamedTuple):
    """Work space of `next_shingles`, kept between the calls for one text."""

    words: Words
    shingles: Hashes
    powers: Hashes
    """Of `_BASE`."""


@kernel
def work_space(size: int) -> Work:
    """Room for shingles of so many words."""
    longest = size * (WORD // LETTER)
    words = room_for_words(CHUNK_WORDS + longest)
    powers = np.ones(longest + 1, np.uint64)
    for i in range(longest):
        powers[i + 1] = powers[i] * uint64(_BASE)
    return Work(words, np.empty(len(words.hashes), np.uint64), powers)


@inner
def next_shingles(
    data: Bytes, start: int, end: int, letters: Letters, size: int, work: Work, carried: int
) -> tuple[int, int, int]:
    """Hash the next chunk of a text's shingles into ``work.shingles``.

    Call with ``start`` at the text's first byte and ``carried`` -1, then with what was returned, until
    ``start`` reaches ``end``.

    Args:
        data: UTF-8 bytes.
        start: first byte to read.
        end: end of the text.
        letters: table of `letters`.
        size: words in a shingle.
        work: from `work_space` for that size.
        carried: words that the previous chunk left at the front of ``work.words``.

    Returns:
        Number of hashes in ``work.shingles``, words carried over, and where to go on.
    """
    words, weights = work.words.hashes, work.words.weights
    if carried < 0:
        weights[: len(work.powers)] = WORD  # of what the text before left
    count, parts, position = hash_words(data, start, end, letters, work.words, max(carried, 0))
    if parts == 0:
        made = max(count - size + 1, 0)
        if made:
            _roll(words, count, size, work.shingles)
    else:
        made = _roll_weighed(work, count, size)
    left = count - made
    if made == 0 and carried < 0 and count > 0:
        work.shingles[0] = _hash_sequence(words, count)
        made = 1
        left = count
    for i in range(left):
        words[i] = words[count - left + i]
        weights[i] = weights[count - left + i]
    if parts:
        weights[left:count] = WORD
    return made, left, position


@inlined
def _hash_sequence(words: Hashes, count: int) -> int:
    """Hash of ``words[:count]``: a polynomial modulo 2⁶⁴, finalised, never 0 (which marks a free slot)."""
    total = uint64(0)
    for i in range(count):
        total = total * uint64(_BASE) + words[i]
    hashed: int = max(mix64(total), uint64(1))
    return hashed


@inner
def _roll(words: Hashes, count: int, size: int, shingles: Hashes) -> None:
    """`_hash_sequence` of every ``size`` consecutive words: side by side, so one word of all of them after another."""
    made = uint64(count - size + 1)
    for i in range(made):
        shingles[i] = words[i]
    for k in range(uint64(1), uint64(size)):
        for i in range(made):
            shingles[i] = shingles[i] * uint64(_BASE) + words[i + k]
    for i in range(made):
        shingles[i] = max(mix64(shingles[i]), uint64(1))


@inner
def _roll_weighed(work: Work, count: int, size: int) -> int:
    """The same of the fewest words from each on that count ``size``; how many there are."""
    words, weights, powers = work.words.hashes, work.words.weights, work.powers
    total, weight, behind = uint64(0), 0, 0
    for first in range(count):
        while weight < WORD * size and behind < count:
            total = total * uint64(_BASE) + words[behind]
            weight += weights[behind]
            behind += 1
        if weight < WORD * size:
            return first
        work.shingles[first] = max(mix64(total), uint64(1))
        total -= words[first] * powers[behind - first - 1]
        weight -= weights[first]
    return count


@kernel
def _shingle_sets(
    data: Bytes, offsets: Offsets, which: Offsets, letters: Letters, size: int,
    table: Hashes, hashes: Hashes, ends: Offsets,
) -> None:  # fmt: skip
    work = work_space(size)
    filled = 0
    for at in range(len(which)):
        start, end, carried = offsets[which[at]], offsets[which[at] + 1], int64(-1)
        first, capacity = filled, capacity_for(min((end - start) // _BYTES, _ENOUGH))
        table[:capacity] = 0
        while start < end:
            made, carried, start = next_shingles(data, start, end, letters, size, work, carried)
            if 2 * (filled + made - first) > capacity:
                capacity = capacity_for(filled + made - first)
                fill(table, capacity, hashes[first:filled])
            for i in range(made):
                if insert(table, capacity, work.shingles[i]):
                    hashes[filled] = work.shingles[i]
                    filled += 1
        ends[at + 1] = filled


@kernel
def _gather(
    data: Bytes, start: int, end: int, letters: Letters, size: int, work: Work, carried: int,
    shift: int, piece: int, held: Hashes, filled: int,
) -> tuple[int, int, int]:  # fmt: skip
    """Append the hashes of one piece until there is no room for those of another chunk, or the text ends."""
    while start < end and filled + len(work.shingles) <= len(held):
        made, carried, start = next_shingles(data, start, end, letters, size, work, carried)
        for i in range(made):
            held[filled] = work.shingles[i]
            filled += work.shingles[i] >> uint64(shift) == uint64(piece)
    return filled, start, carried


def _build_letters() -> Tables:
    table = np.zeros(0x110000, np.uint32)
    for point in range(0x110000):
        character = chr(point)
        if unicodedata.category(character)[0] not in "LNM" and character != "_":
            continue
        name, flags = unicodedata.name(character, ""), 0
        if name.startswith(_CHARACTERS + _LETTERS):
            flags = STANDS_ALONE | (ALPHABETIC if name.startswith(_LETTERS) else 0)
        table[point] = _fold(character) | flags
    return {"letters": table}


def _fold(character: str) -> int:
    """The one code point that stands for ``character`` whatever its case."""
    return _SIGMA if character.lower() in _SIGMAS else ord(character.lower()[0])
