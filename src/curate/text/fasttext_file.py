"""The file format of fastText classifiers (``.bin`` and ``.ftz``), read into arrays.

Why this exists: the language model that everybody's thresholds refer to is a fastText file. Reading it
ourselves takes a hundred lines and frees the product from a compiled extension that lacks wheels for new
Pythons.

Only what `curate.text.fasttext` can evaluate is accepted: a supervised model with hierarchical softmax over
single words, dense or product-quantised. Anything else is refused with a sentence that says what was found.

Source: the writers ``FastText::saveModel``, ``Dictionary::save``, ``QMatrix::save`` and
``ProductQuantizer::save`` of fastText 0.9.2; quantisation after Joulin et al. 2016, "FastText.zip:
Compressing text classification models".
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_MAGIC = 793712314
_VERSION = 12
_SUPERVISED = 3
_HIERARCHICAL_SOFTMAX = 1
_WORD, _LABEL = 0, 1
_CENTROIDS = 256  # a quantiser's code is one byte
_LABEL_PREFIX = b"__label__"


class FastTextFile(NamedTuple):
    """What a fastText classifier holds."""

    min_ngram: int
    """Shortest character n-gram, in code points."""
    max_ngram: int
    """Longest character n-gram, in code points."""
    buckets: int
    """Number of hash buckets that n-grams fall into."""
    words: list[bytes]
    """The vocabulary; word ``i`` owns input row ``i``."""
    labels: list[str]
    """Classes without ``__label__``, most frequent first."""
    label_counts: list[int]
    """How often each label was seen in training: what the Huffman tree is built from."""
    kept_buckets: npt.NDArray[np.int32] | None
    """For a pruned model ``(n, 2)``: bucket and its row, counted from the last word's; None if all are
    kept."""
    input: Floats
    """``(rows, dimensions)``: one vector for each word, then one for each kept bucket."""
    output: Floats
    """``(labels - 1, dimensions)``: one vector for each inner node of the Huffman tree."""


def read_fasttext(path: Path) -> FastTextFile:
    """The classifier in a ``.bin`` or ``.ftz`` file, its matrices expanded to float32.

    Args:
        path: a file written by fastText.

    Raises:
        ValueError: the file is no fastText model, is cut short, or is of a kind that cannot be evaluated
        here.
    """
    try:
        return _model(_Cursor(path.read_bytes()))
    except (struct.error, IndexError) as error:
        raise ValueError("the file ends in the middle of the model") from error


class _Cursor:
    """A position in little-endian bytes that moves past whatever is read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def values(self, layout: str) -> tuple[int, ...]:
        found = struct.unpack_from(f"<{layout}", self._data, self._at)
        self._at += struct.calcsize(f"<{layout}")
        return found

    def value(self, layout: str) -> int:
        return self.values(layout)[0]

    def word(self) -> bytes:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise IndexError
        word = self._data[self._at : end]
        self._at = end + 1
        return word

    def array(self, dtype: type, count: int) -> npt.NDArray[Any]:
        size = np.dtype(dtype).itemsize * count
        if count < 0 or self._at + size > len(self._data):
            raise IndexError
        array: npt.NDArray[Any] = np.frombuffer(self._data, dtype, count, self._at)
        self._at += size
        return array


def _model(cursor: _Cursor) -> FastTextFile:
    if (found := cursor.value("i")) != _MAGIC:
        raise ValueError(f"the file is not a fastText model (it starts with {found:#x})")
    if (version := cursor.value("i")) != _VERSION:
        raise ValueError(f"fastText format {version} is not supported, only {_VERSION}")
    arguments = cursor.values("12i")
    word_ngrams, loss, kind, buckets, min_ngram, max_ngram = arguments[5:11]
    cursor.value("d")
    _require(kind == _SUPERVISED, "the model is not a classifier")
    _require(loss == _HIERARCHICAL_SOFTMAX, "the model's loss is not hierarchical softmax")
    _require(word_ngrams == 1, f"the model uses word {word_ngrams}-grams")
    _require(buckets > 0 and max_ngram > 0, "the model has no character n-grams")
    size, _, _ = cursor.values("3i")
    _, pruned = cursor.values("2q")
    words, labels, label_counts = _dictionary(cursor, size)
    kept = cursor.array(np.int32, 2 * pruned).astype(np.int32).reshape(-1, 2) if pruned >= 0 else None
    quantised = bool(cursor.value("?"))
    inputs = _quantised_matrix(cursor) if quantised else _dense_matrix(cursor)
    _require(not cursor.value("?"), "the model's output matrix is quantised")
    output = _dense_matrix(cursor)
    return FastTextFile(min_ngram, max_ngram, buckets, words, labels, label_counts, kept, inputs, output)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(f"{otherwise}, which is not supported")


def _dictionary(cursor: _Cursor, size: int) -> tuple[list[bytes], list[str], list[int]]:
    words, labels, label_counts = [], [], []
    for _ in range(size):
        entry = cursor.word()
        count, kind = cursor.values("qb")
        if kind == _LABEL:
            labels.append(entry.removeprefix(_LABEL_PREFIX).decode())
            label_counts.append(count)
        else:
            words.append(entry)
    return words, labels, label_counts


def _dense_matrix(cursor: _Cursor) -> Floats:
    rows, columns = cursor.values("2q")
    return cursor.array(np.float32, rows * columns).astype(np.float32).reshape(rows, columns)


def _quantised_matrix(cursor: _Cursor) -> Floats:
    has_norms = bool(cursor.value("?"))
    rows, columns = cursor.values("2q")
    codes = cursor.array(np.uint8, cursor.value("i"))
    matrix = _decode(cursor, codes.reshape(rows, -1), columns)
    if has_norms:
        norm_codes = cursor.array(np.uint8, rows)
        matrix *= _decode(cursor, norm_codes.reshape(rows, 1), 1)
    return matrix


def _decode(cursor: _Cursor, codes: npt.NDArray[Any], columns: int) -> Floats:
    """Rows of a product quantiser: each code names the centroid of one slice of the columns."""
    dimensions, slices, width, last_width = cursor.values("4i")
    centroids = cursor.array(np.float32, dimensions * _CENTROIDS)
    matrix = np.empty((len(codes), columns), np.float32)
    for index in range(slices):
        span = last_width if index == slices - 1 else width
        start = index * width
        first = start * _CENTROIDS
        table = centroids[first : first + span * _CENTROIDS].reshape(_CENTROIDS, span)
        matrix[:, start : start + span] = table[codes[:, index]]
    return matrix
