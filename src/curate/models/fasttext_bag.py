"""The bag of vectors that a text is to fastText: its words, their character n-grams, and n-grams of words.

Source: ``Dictionary::getLine``, ``addSubwords``, ``computeSubwords``, ``addWordNgrams`` and
``DenseMatrix::addRowToVector`` of fastText 0.9.2.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import float32, int8, int32, int64, uint8, uint32, uint64

from curate.models.fasttext_file import FastTextFile, Matrix
from curate.text.core.arrow import Bytes
from curate.text.core.kernel import inlined, inner, kernel

Vector = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
"""Numbers of rows of the input matrix, to be added up."""

ROOM = 1024
"""Rows gathered before they are added up; a list of rows has room for so many and the n-grams at one place."""

FNV_BASIS = 2166136261
_FNV_PRIME = 16777619
_BEGIN, _END = ord("<"), ord(">")
_WORD_NGRAM_FACTOR = 116049371
END_OF_SENTENCE = np.frombuffer(b"</s>", np.uint8)
LABEL_PREFIX = np.frombuffer(b"__label__", np.uint8)


class Dictionary(NamedTuple):
    """From words and n-grams to rows of the input matrix."""

    data: Bytes
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    slots: npt.NDArray[np.int32]
    """Open-addressing table of entries by their FNV-1a hash; -1 is free."""
    words: int
    """Entries from here on are labels."""
    pruned: bool
    buckets: int
    bucket_rows: npt.NDArray[np.int32]
    """Row of each bucket of a pruned model, -1 if it was dropped."""
    kept: npt.NDArray[np.uint8]
    """Bitmap of buckets that have a row: it fits in cache where the rows do not."""
    min_ngram: int
    max_ngram: int
    word_ngrams: int


def dictionary(model: FastTextFile) -> Dictionary:
    """The dictionary of a model, ready to look up."""
    slots = np.full(1 << (2 * len(model.starts) + 1).bit_length(), -1, np.int32)
    _fill_slots(model.data, model.starts, model.ends, slots)
    kept = model.kept_buckets
    bucket_rows = np.full(0 if kept is None else model.buckets, -1, np.int32)
    if kept is not None:
        bucket_rows[kept[:, 0]] = model.words + kept[:, 1]
    return Dictionary(
        data=model.data,
        starts=model.starts,
        ends=model.ends,
        slots=slots,
        words=model.words,
        pruned=kept is not None,
        buckets=model.buckets,
        bucket_rows=bucket_rows,
        kept=np.packbits(bucket_rows >= 0, bitorder="little"),
        min_ngram=model.min_ngram,
        max_ngram=model.max_ngram,
        word_ngrams=model.word_ngrams,
    )


@kernel
def fnv(state: np.uint32, byte: np.uint8) -> np.uint32:
    """One step of FNV-1a over *signed* bytes, as fastText hashes."""
    return uint32(uint32(state ^ uint32(int32(int8(byte)))) * uint32(_FNV_PRIME))  # type: ignore[no-any-return]


@inlined
def is_space(byte: np.uint8) -> bool:
    """Whether a byte separates words."""
    return bool(byte == 32 or 9 <= byte <= 13 or byte == 0)


@inlined
def _continues(byte: np.uint8) -> bool:
    """Whether a byte is inside a UTF-8 sequence."""
    return bool((byte & 0xC0) == 0x80)


@inner
def equal(data: Bytes, at: int, other: Bytes, start: int, size: int) -> bool:
    """Whether ``size`` bytes are the same in both places."""
    for offset in range(size):  # noqa: SIM110  (numba has no generator expressions)
        if data[at + offset] != other[start + offset]:
            return False
    return True


@kernel
def _fill_slots(
    data: Bytes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], slots: npt.NDArray[np.int32]
) -> None:
    mask = len(slots) - 1
    for entry in range(len(starts)):
        state = uint32(FNV_BASIS)
        for at in range(starts[entry], ends[entry]):
            state = fnv(state, data[at])
        slot = int64(state) & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = entry


@kernel
def find(data: Bytes, first: int, last: int, state: np.uint32, dictionary: Dictionary) -> int:
    """Entry of the word ``data[first:last]`` with hash ``state``, or -1."""
    mask = len(dictionary.slots) - 1
    slot = int64(state) & mask
    while dictionary.slots[slot] >= 0:
        entry = int64(dictionary.slots[slot])
        start = dictionary.starts[entry]
        size = dictionary.ends[entry] - start
        if size == last - first and equal(data, first, dictionary.data, start, size):
            return entry  # type: ignore[no-any-return]
        slot = (slot + 1) & mask
    return -1


@inner
def add_rows(matrix: Matrix, rows: Rows, count: int, total: Vector) -> None:
    """Add the rows ``rows[:count]`` of a matrix to ``total``, one after the other, in place.

    Several rows are read at a time, because fetching one from memory takes longer than adding it up; each column is
    added up in the order of the rows nevertheless.
    """
    if len(matrix.codes) > 0:
        for i in range(count):
            _add_quantised(matrix, rows[i], total)
        return
    dense, i = matrix.dense, 0
    while i + 4 <= count:
        first, second, third, fourth = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for column in range(len(total)):
            total[column] = (
                ((total[column] + dense[first, column]) + dense[second, column]) + dense[third, column]
            ) + dense[fourth, column]
        i += 4
    for rest in range(i, count):
        for column in range(len(total)):
            total[column] += dense[rows[rest], column]


@inner
def _add_quantised(matrix: Matrix, row: int, total: Vector) -> None:
    norm = matrix.norms[row] if len(matrix.norms) else float32(1.0)
    width = matrix.centroids.shape[2]
    for part in range(matrix.codes.shape[1]):
        code = matrix.codes[row, part]
        for offset in range(min(width, len(total) - part * width)):
            total[part * width + offset] += norm * matrix.centroids[part, code, offset]


@inlined
def _bucket_row(bucket: int, dictionary: Dictionary) -> int:
    """Row of a bucket, or -1."""
    if not dictionary.pruned:
        return dictionary.words + int64(bucket)  # type: ignore[no-any-return]
    if dictionary.kept[bucket >> 3] & (1 << (bucket & 7)):
        return int64(dictionary.bucket_rows[bucket])  # type: ignore[no-any-return]
    return -1


@inner
def list_ngrams(
    data: Bytes, first: int, last: int, start: int, dictionary: Dictionary, rows: Rows, count: int
) -> tuple[int, int]:
    """Append the rows of all character n-grams of ``<word>`` to ``rows[:count]``, as far as there is room.

    Args:
        data: bytes that hold the word.
        first: where it begins.
        last: where it ends.
        start: ``first - 1``, then what was returned, until that is ``last``.
        dictionary: from n-grams to rows.
        rows: receives them; with `ROOM` and more.
        count: rows there already.

    Returns:
        Number of rows now, and where to go on.
    """
    buckets = uint32(dictionary.buckets)
    # The brackets are not in the text: they stand at first - 1 and at last.
    while start < last and count + dictionary.max_ngram <= len(rows):
        if start >= first and _continues(data[start]):
            start += 1
            continue
        state = uint32(FNV_BASIS)
        at = start
        for length in range(1, dictionary.max_ngram + 1):
            if at > last:
                break
            if first <= at < last:
                state = fnv(state, data[at])
                at += 1
                while at < last and _continues(data[at]):
                    state = fnv(state, data[at])
                    at += 1
            else:
                state = fnv(state, uint8(_END if at == last else _BEGIN))
                at += 1
            # A bracket alone is no n-gram.
            if length < dictionary.min_ngram or (length == 1 and start < first):
                continue
            row = _bucket_row(state % buckets, dictionary)
            if row >= 0:
                rows[count] = row
                count += 1
        start += 1
    return count, start


@inner
def list_word_ngrams(hashes: npt.NDArray[np.int32], first: int, words: int, dictionary: Dictionary, rows: Rows) -> int:
    """Put the rows of the n-grams of two or more words that begin with word ``first`` into ``rows``; how many.

    ``hashes[:words]`` are those of all words in order, as *signed* numbers, which is how fastText keeps them.
    """
    count = 0
    state = uint64(int64(hashes[first]))
    for last in range(first + 1, min(words, first + dictionary.word_ngrams)):
        state = state * uint64(_WORD_NGRAM_FACTOR) + uint64(int64(hashes[last]))
        row = _bucket_row(int64(state % uint64(dictionary.buckets)), dictionary)
        if row >= 0:
            rows[count] = row
            count += 1
    return count
