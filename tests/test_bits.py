"""Sets of bits against what Python says of each byte and code point."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from curate.text.core.bits import BLOCK, address, between, count, highest, lowest
from curate.text.core.hashes import hashed
from curate.text.core.words import LETTER, LOWER, SYMBOL, UPPER, characters
from curate.text.quality.bitmaps import (
    DIGITS,
    ENDS,
    LETTERS,
    LINE_FEEDS,
    LOWER_CASE,
    RUNS,
    SETS,
    SPACES,
    SYMBOLS,
    TAILS,
    UPPER_CASE,
    WORDS,
    mark,
    marks_for,
    number_in,
)
from thorough import settings

NO_SPLITS = np.zeros(0, np.uint8)
TEXTS = st.text(st.sampled_from("aZé9. \n\t#…漢かไก็\u0301\u00a0\u3000Ж_😀"), max_size=300) | st.text(max_size=100)


@njit
def bits_between(text, low, high):
    bits = between(address(text), low, high)
    return bits, count(bits), lowest(bits), highest(bits)


@njit
def hash_of(text, begin, end, lower):
    return hashed(address(text) + begin, end - begin, lower)


@njit
def members_in(sets, kind, begin, end):
    return number_in(address(sets), kind, begin, end)


@settings(deadline=None)  # the first example compiles
@given(st.binary(min_size=BLOCK, max_size=BLOCK), st.integers(0, 255), st.integers(0, 255))
def test_sixty_four_bytes_are_compared_at_once(data, one, other):
    low, high = sorted((one, other))
    inside = [i for i, byte in enumerate(data) if low <= byte <= high]
    expected = (sum(1 << i for i in inside), len(inside), *((inside[0], inside[-1]) if inside else (BLOCK, -1)))
    assert bits_between(np.frombuffer(data, np.uint8), low, high) == expected


@settings(deadline=None)  # the first example compiles
@given(TEXTS)
def test_sets_are_the_classes_of_code_points(text):
    data = np.frombuffer(text.encode(), np.uint8)
    marks = marked(data)
    classes = characters().classes
    at = 0
    for character in text:
        size = len(character.encode())
        kind = classes[ord(character)]
        assert [has(marks, SPACES, at + i) for i in range(size)] == [character.isspace()] * size
        assert [has(marks, TAILS, at + i) for i in range(size)] == [i > 0 for i in range(size)]
        assert has(marks, LETTERS, at) == bool(kind & LETTER)
        assert has(marks, SYMBOLS, at) == bool(kind & SYMBOL)
        assert has(marks, UPPER_CASE, at) == bool(kind & UPPER)
        assert has(marks, LOWER_CASE, at) == bool(kind & LOWER)
        assert has(marks, DIGITS, at) == (character in "0123456789")
        assert has(marks, LINE_FEEDS, at) == (character == "\n")
        at += size
    assert members_in(marks.sets, RUNS, 0, len(data)) == len(text.split())
    assert members_in(marks.sets, WORDS, 0, len(data) + 1) == members_in(marks.sets, ENDS, 0, len(data) + 1)


@settings(deadline=None)  # the first example compiles
@given(TEXTS, st.data())
def test_members_are_counted_from_any_byte_to_any_other(text, draw):
    data = np.frombuffer(text.encode(), np.uint8)
    marks = marked(data)
    begin = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(begin, len(data)))
    assert members_in(marks.sets, TAILS, begin, end) == sum(byte & 0xC0 == 0x80 for byte in data[begin:end])


@settings(deadline=None)  # the first example compiles
@given(st.binary(max_size=40), st.integers(0, 20), st.binary(min_size=8, max_size=8))
def test_hash_hangs_on_the_bytes_alone_and_folds_ascii(data, begin, behind):
    here = np.frombuffer(data + behind, np.uint8)
    there = np.frombuffer(bytes(begin) + data + behind[::-1], np.uint8)
    assert hash_of(here, 0, len(data), False) == hash_of(there, begin, begin + len(data), False)
    folded = np.frombuffer(data.lower() + behind, np.uint8)  # bytes.lower() folds ASCII alone
    assert hash_of(here, 0, len(data), True) == hash_of(folded, 0, len(data), False)


def marked(data):
    marks = marks_for(len(data))
    mark(data, NO_SPLITS, characters().classes, marks)
    return marks


def has(marks, kind, at):
    return bool(int(marks.sets[SETS * (at // BLOCK) + kind]) >> at % BLOCK & 1)
