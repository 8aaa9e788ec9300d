"""Words of a text as 64-bit hashes: what `curate.text.shingles` calls a word, and a part of one.

The hash is FNV-1a over the folded code points, finalised by `mix64`. One multiplication waits for the other, so a word
takes four cycles a byte by itself. Words of ASCII are therefore found first, 64 bytes of text at once, and then hashed
side by side, one step of all for each of their first eight bytes. Other code points are decoded one after another.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, uint32, uint64

from curate.text.arrow import Bytes
from curate.text.bits import BLOCK, address, between, eight, equal, lowest
from curate.text.hashes import lowered, mix64

Hashes = npt.NDArray[np.uint64]
Letters = npt.NDArray[np.uint32]

STANDS_ALONE = 1 << 31
"""Flag in the table of letters: this code point stands alone."""
ALPHABETIC = 1 << 30
"""Flag beside it: so many of them make a word that each counts less."""

WORD, CHARACTER, LETTER = 8, 5, 2
"""What counts how much, in eighths of a word: a word, a code point of a script like Han, one of a script like Thai."""

SLACK = 40
"""Room for words beyond those that are wanted: those of one block."""

_BASIS, _PRIME = uint64(0xCBF29CE484222325), uint64(0x100000001B3)


class Words(NamedTuple):
    """Room for the words of a stretch of text."""

    hashes: Hashes
    weights: npt.NDArray[np.uint8]
    """What each counts, in eighths; `WORD` where there is none yet."""
    firsts: Hashes
    """First eight bytes of those of ASCII."""
    lengths: Hashes
    """Bytes of those; 0 where the hash is there already."""
    begins: npt.NDArray[np.int64]
    long: npt.NDArray[np.int64]
    """Which of them have more than eight bytes."""


@njit(nogil=True, cache=True)
def room_for_words(most: int) -> Words:
    """Room for so many words, and `SLACK`."""
    room = most + SLACK
    return Words(
        np.empty(room, np.uint64),
        np.full(room, WORD, np.uint8),
        np.empty(room, np.uint64),
        np.empty(room, np.uint64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
    )


@njit(nogil=True, cache=True)
def hash_words(
    data: Bytes, position: int, end: int, letters: Letters, words: Words, count: int
) -> tuple[int, int, int]:
    """Append words until the room for them is full.

    Args:
        data: UTF-8 bytes.
        position: first byte to read; no word begins before it.
        end: end of the text.
        letters: table of `curate.text.shingles.letters`.
        words: room, of which ``count`` words are taken.
        count: words that are there already.

    Returns:
        How many there are then, how many of them are parts of words, and where to go on.
    """
    parts = 0
    for i in range(count):
        parts += words.weights[i] != WORD
    first, long, full = count, 0, len(words.hashes) - SLACK
    place, last_block = address(data), len(data) - BLOCK - 8
    inside, begin = uint64(0), position
    while position < end and count < full:
        if position > last_block:
            position = begin if inside else position
            inside = uint64(0)
            count, parts, position = _decode_words(data, position, end, letters, words, count, parts, False)
            continue
        runs, beyond_ascii = _runs(place + position)
        if end - position < BLOCK:
            valid = (uint64(1) << uint64(end - position)) - uint64(1)
            runs &= valid
            beyond_ascii &= valid
        before = runs << uint64(1) | inside
        starts, ends = runs & ~before, before & ~runs
        if not inside:
            begin = position + lowest(starts)
            starts &= starts - uint64(1)
        if beyond_ascii:
            ends &= (beyond_ascii & (~beyond_ascii + uint64(1))) - uint64(1)
        while ends:
            length = position + lowest(ends) - begin
            words.firsts[count] = eight(place + begin)
            words.lengths[count] = length
            words.begins[count] = begin
            words.long[long] = count
            long += length > 8
            count += 1
            begin = position + lowest(starts)
            starts &= starts - uint64(1)
            ends &= ends - uint64(1)
        if beyond_ascii:
            inside = uint64(0)
            count, parts, position = _decode_words(data, begin, end, letters, words, count, parts, True)
        else:
            inside = runs >> uint64(BLOCK - 1)
            position += BLOCK
    position = min(position, end)
    if inside and position == end:
        words.firsts[count] = eight(place + begin)
        words.lengths[count] = end - begin
        words.begins[count] = begin
        words.long[long] = count
        long += end - begin > 8
        count += 1
    elif inside:
        position = begin
    if first < count:
        _hash_firsts(words, first, count)
        _hash_rest(data, letters, words, long)
    return count, parts, position


@njit(nogil=True, cache=True, inline="always")
def _runs(place: int) -> tuple[np.uint64, np.uint64]:
    """Which of 64 bytes can belong to a word, and which of them are not ASCII."""
    beyond_ascii = between(place, 0x80, 0xFF)
    digits_and_capitals = between(place, 0x30, 0x39) | between(place, 0x41, 0x5A)
    return beyond_ascii | digits_and_capitals | between(place, 0x61, 0x7A) | equal(place, 0x5F), beyond_ascii


@njit(nogil=True, cache=True)
def _hash_firsts(words: Words, first: int, count: int) -> None:
    """Hash words of up to eight bytes, and the first eight of others, which are not finalised."""
    hashes, firsts, lengths = words.hashes, words.firsts, words.lengths
    for i in range(uint64(first), uint64(count)):  # without a branch or a loop inside, so that it is done side by side
        length, eight_bytes = lengths[i], lowered(firsts[i])
        word = _with_byte(_BASIS, eight_bytes, length, 0)
        word = _with_byte(word, eight_bytes, length, 1)
        word = _with_byte(word, eight_bytes, length, 2)
        word = _with_byte(word, eight_bytes, length, 3)
        word = _with_byte(word, eight_bytes, length, 4)
        word = _with_byte(word, eight_bytes, length, 5)
        word = _with_byte(word, eight_bytes, length, 6)
        word = _with_byte(word, eight_bytes, length, 7)
        final = mix64(word)
        word = word if length > uint64(8) else final
        hashes[i] = word if length > uint64(0) else hashes[i]


@njit(nogil=True, cache=True, inline="always")
def _with_byte(word: np.uint64, eight_bytes: np.uint64, length: np.uint64, byte: int) -> np.uint64:
    stepped = (word ^ eight_bytes >> uint64(8 * byte) & uint64(0xFF)) * _PRIME
    return stepped if length > uint64(byte) else word


@njit(nogil=True, cache=True)
def _hash_rest(data: Bytes, letters: Letters, words: Words, long: int) -> None:
    """Hash what is left of words of more than eight bytes."""
    for i in words.long[:long]:
        word = words.hashes[i]
        begin = uint64(words.begins[i])
        for at in range(begin + uint64(8), begin + words.lengths[i]):
            word = (word ^ uint64(letters[data[at]])) * _PRIME
        words.hashes[i] = mix64(word)


@njit(nogil=True, cache=True)
def _decode_words(
    data: Bytes, position: int, end: int, letters: Letters, words: Words, count: int, parts: int, to_ascii: bool
) -> tuple[int, int, int]:
    """Append words code point by code point; with ``to_ascii`` until two bytes of ASCII follow each other."""
    hashes, weights, lengths = words.hashes, words.weights, words.lengths
    full = len(hashes) - SLACK
    word, inside = _BASIS, False
    while position < end:
        byte = uint64(data[uint64(position)])  # a signed place would be checked for being negative
        if byte < 0x80:
            letter = letters[byte]
            position += 1
        else:
            letter, position = _decode(data, position, uint32(byte), letters)
        if letter and not letter & uint32(STANDS_ALONE):
            word = (word ^ uint64(letter)) * _PRIME
            inside = True
            continue
        if inside:
            hashes[count] = mix64(word)
            lengths[count] = 0
            count += 1
            word, inside = _BASIS, False
        if letter:
            hashes[count] = mix64((_BASIS ^ uint64(letter)) * _PRIME)
            lengths[count] = 0
            weights[count] = LETTER if letter & uint32(ALPHABETIC) else CHARACTER
            parts += 1
            count += 1
        elif to_ascii and byte < 0x80 and position < end and data[uint64(position)] < 0x80:
            return count, parts, position
        if count > full:
            return count, parts, position
    if inside:
        hashes[count] = mix64(word)
        lengths[count] = 0
        count += 1
    return count, parts, position


@njit(nogil=True, cache=True, inline="always")
def _decode(data: Bytes, position: int, lead: int, letters: Letters) -> tuple[int, int]:
    """Entry of ``letters`` for the code point of two to four bytes at ``position``; where the next begins."""
    low = uint32(0x3F)
    if lead < 0xE0:
        point = uint32((lead & uint32(0x1F)) << 6) | (data[position + 1] & low)
        return letters[point], position + 2
    if lead < 0xF0:
        point = uint32((lead & uint32(0xF)) << 12) | uint32((data[position + 1] & low) << 6)
        return letters[point | (data[position + 2] & low)], position + 3
    point = uint32((lead & uint32(0x7)) << 18) | uint32((data[position + 1] & low) << 12)
    point |= uint32((data[position + 2] & low) << 6) | (data[position + 3] & low)
    return letters[point], position + 4
