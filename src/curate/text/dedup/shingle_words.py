"""Words of a text as 64-bit hashes: what `curate.text.dedup.shingles` calls a word, and a part of one.

The hash is FNV-1a over the folded code points, finalised by `mix64`. One multiplication waits for the other, so a word
takes four cycles a byte by itself. Words of ASCII are therefore found first, 64 bytes of text at once, and then hashed
side by side, one step of all for each of their bytes. Other code points are decoded one after another.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import uint32, uint64

from curate.text.core.arrow import Bytes
from curate.text.core.bits import BLOCK, address, between, eight, equal, lowest
from curate.text.core.hashes import lowered, mix64
from curate.text.core.kernel import inlined, maker

Hashes = npt.NDArray[np.uint64]
Letters = npt.NDArray[np.uint32]

STANDS_ALONE = 1 << 31
"""Flag in the table of letters: this code point stands alone."""
ALPHABETIC = 1 << 30
"""Flag beside it: so many of them make a word that each counts less."""

WORD, CHARACTER, LETTER = 8, 5, 2
"""What counts how much, in eighths of a word: a word, a code point of a script like Han, one of a script like Thai."""

SLACK = 48
"""Room for words beyond those that are wanted: those of one block, and what fills up the last `_LANES`."""

_LANES = 8
_EIGHT, _LENGTH, _BEGIN, _LONG, _LEFT, _HASH = range(6)
"""First eight bytes of a word of ASCII; how many it has, 0 where it is hashed already; where it begins. Which have more
than eight; how many more of each of these, and its hash so far. A kernel counts who holds each array it is given, so
these are rows of one."""

_BASIS, _PRIME = uint64(0xCBF29CE484222325), uint64(0x100000001B3)


class Words(NamedTuple):
    """Room for the words of a stretch of text."""

    hashes: Hashes
    weights: npt.NDArray[np.uint8]
    """What each counts, in eighths; `WORD` where there is none yet."""
    ascii: Hashes
    """What is known of those of ASCII: six rows, by the names above (uint64)."""


@maker
def room_for_words(most: int) -> Words:
    """Room for so many words, and `SLACK`."""
    room = most + SLACK
    return Words(np.empty(room, np.uint64), np.full(room, WORD, np.uint8), np.empty((6, room), np.uint64))


@inlined
def hash_words(
    data: Bytes, position: int, end: int, letters: Letters, words: Words, count: int
) -> tuple[int, int, int]:
    """Append words until the room for them is full.

    Args:
        data: UTF-8 bytes.
        position: first byte to read; no word begins before it.
        end: end of the text.
        letters: table of `curate.text.dedup.shingles.letters`.
        words: room, of which ``count`` words are taken.
        count: words that are there already.

    Returns:
        How many there are then, how many of them are parts of words, and where to go on.
    """
    parts = 0
    for i in range(count):
        parts += words.weights[i] != WORD
    first, ascii_words, long, full = count, 0, 0, len(words.hashes) - SLACK
    place, last_block = address(data), len(data) - BLOCK - 8
    inside, begin = uint64(0), position
    while position < end and count < full:
        in_blocks = position <= last_block
        if in_blocks:
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
                words.ascii[_EIGHT, count] = eight(place + begin)
                words.ascii[_LENGTH, count] = length
                words.ascii[_BEGIN, count] = begin
                words.ascii[_LONG, long] = count
                long += length > 8
                count += 1
                ascii_words += 1
                begin = position + lowest(starts)
                starts &= starts - uint64(1)
                ends &= ends - uint64(1)
            if not beyond_ascii:
                inside = runs >> uint64(BLOCK - 1)
                position += BLOCK
                continue
        elif not inside:
            begin = position
        inside = uint64(0)
        count, parts, position = _decode_words(data, begin, end, letters, words, count, parts, in_blocks)
    position = min(position, end)
    if inside and position == end:
        words.ascii[_EIGHT, count] = eight(place + begin)
        words.ascii[_LENGTH, count] = end - begin
        words.ascii[_BEGIN, count] = begin
        words.ascii[_LONG, long] = count
        long += end - begin > 8
        count += 1
        ascii_words += 1
    elif inside:
        position = begin
    if ascii_words:
        _hash_firsts(words, first, count)
    _hash_rest(place, words, long)
    return count, parts, position


@inlined
def _runs(place: int) -> tuple[np.uint64, np.uint64]:
    """Which of 64 bytes can belong to a word, and which of them are not ASCII."""
    beyond_ascii = between(place, 0x80, 0xFF)
    digits_and_capitals = between(place, 0x30, 0x39) | between(place, 0x41, 0x5A)
    return beyond_ascii | digits_and_capitals | between(place, 0x61, 0x7A) | equal(place, 0x5F), beyond_ascii


@inlined
def _hash_firsts(words: Words, first: int, count: int) -> None:
    """Hash words of up to eight bytes, and the first eight of others, which are not finalised."""
    hashes, ascii_words = words.hashes, words.ascii
    full = first + (count - first + _LANES - 1) // _LANES * _LANES
    for i in range(uint64(first), uint64(full)):  # no branch and no loop inside, so that it is done side by side
        length = ascii_words[_LENGTH, i]
        word = _with_eight(_BASIS, ascii_words[_EIGHT, i], length)
        hashes[i] = word if length > uint64(0) else hashes[i]


@inlined
def _hash_rest(place: int, words: Words, long: int) -> None:
    """Hash what is left of words of more than eight bytes: the next eight of all of them, until none is left."""
    hashes, ascii_words = words.hashes, words.ascii
    behind = uint64(8)
    while long:
        for at in range(uint64(long)):
            i = ascii_words[_LONG, at]
            ascii_words[_EIGHT, at] = eight(place + ascii_words[_BEGIN, i] + behind)
            ascii_words[_LEFT, at] = ascii_words[_LENGTH, i] - behind
            ascii_words[_HASH, at] = hashes[i]
        for at in range(uint64(long)):
            word = _with_eight(ascii_words[_HASH, at], ascii_words[_EIGHT, at], ascii_words[_LEFT, at])
            ascii_words[_HASH, at] = word
        longer = 0
        for at in range(uint64(long)):
            i = ascii_words[_LONG, at]
            hashes[i] = ascii_words[_HASH, at]
            ascii_words[_LONG, longer] = i
            longer += ascii_words[_LEFT, at] > uint64(8)
        long, behind = longer, behind + uint64(8)


@inlined
def _with_eight(word: np.uint64, eight_bytes: np.uint64, length: np.uint64) -> np.uint64:
    """The hash of a word with the next eight bytes of ``length`` that are left; finalised if that was the end."""
    eight_bytes = lowered(eight_bytes)
    word = _with_byte(word, eight_bytes, length, 0)
    word = _with_byte(word, eight_bytes, length, 1)
    word = _with_byte(word, eight_bytes, length, 2)
    word = _with_byte(word, eight_bytes, length, 3)
    word = _with_byte(word, eight_bytes, length, 4)
    word = _with_byte(word, eight_bytes, length, 5)
    word = _with_byte(word, eight_bytes, length, 6)
    word = _with_byte(word, eight_bytes, length, 7)
    final = mix64(word)
    return word if length > uint64(8) else final


@inlined
def _with_byte(word: np.uint64, eight_bytes: np.uint64, length: np.uint64, byte: int) -> np.uint64:
    stepped = (word ^ eight_bytes >> uint64(8 * byte) & uint64(0xFF)) * _PRIME
    return stepped if length > uint64(byte) else word


@inlined
def _decode_words(
    data: Bytes, position: int, end: int, letters: Letters, words: Words, count: int, parts: int, to_ascii: bool
) -> tuple[int, int, int]:
    """Append words code point by code point; with ``to_ascii`` until one begins with ASCII behind ASCII."""
    hashes, weights = words.hashes, words.weights
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
            words.ascii[_LENGTH, count] = 0
            count += 1
            word, inside = _BASIS, False
        if letter:
            hashes[count] = mix64((_BASIS ^ uint64(letter)) * _PRIME)
            words.ascii[_LENGTH, count] = 0
            weights[count] = LETTER if letter & uint32(ALPHABETIC) else CHARACTER
            parts += 1
            count += 1
        elif to_ascii and byte < 0x80 and position < end:
            following = data[uint64(position)]
            if following < 0x80 and letters[following]:
                return count, parts, position
        if count > full:
            return count, parts, position
    if inside:
        hashes[count] = mix64(word)
        words.ascii[_LENGTH, count] = 0
        count += 1
    return count, parts, position


@inlined
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
