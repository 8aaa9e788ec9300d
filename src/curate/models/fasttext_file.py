"""The file format of fastText classifiers (``.bin`` and ``.ftz``), mapped into memory.

Why this exists: the models that everybody's thresholds refer to are fastText files. Reading them ourselves frees the
product from a compiled extension that lacks wheels for new Pythons, and a model of gigabytes is mapped, not copied:
workers share its pages, and only rows that texts use are read from disk.

Any supervised model is accepted: hierarchical softmax, negative sampling, softmax or one-vs-all; word and character
n-grams; dense or product-quantised matrices; pruned or not. Anything else is refused with a sentence that says what was
found.

Source: the writers ``FastText::saveModel``, ``Dictionary::save``, ``QMatrix::save`` and ``ProductQuantizer::save`` of
fastText 0.9.2; quantisation after Joulin et al. 2016, "FastText.zip: Compressing text classification models".
"""

import mmap
import struct
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.text.core.arrow import Bytes
from curate.text.core.kernel import kernel

Floats = npt.NDArray[np.float32]
Loss = Literal["hs", "ns", "softmax", "ova"]

_MAGIC = 793712314
_VERSIONS = (11, 12)
_SUPERVISED = 3
_LOSSES: dict[int, Loss] = {1: "hs", 2: "ns", 3: "softmax", 4: "ova"}
_CENTROIDS = 256  # a quantiser's code is one byte
_LABEL = 1
_LABEL_PREFIX = b"__label__"


class Matrix(NamedTuple):
    """Rows of float32, stored as they are or product-quantised; `curate.models.fasttext_bag.add_row` adds one up."""

    dense: Floats
    """``(rows, columns)``; without rows where the matrix is quantised."""
    codes: npt.NDArray[np.uint8]
    """``(rows, slices)``: which centroid stands for each slice of a row."""
    centroids: Floats
    """``(slices, 256, width)``, padded with zeros where the last slice is narrower."""
    norms: Floats
    """What each row is multiplied with; empty if with nothing."""

    def expanded(self) -> Floats:
        """All rows as ``(rows, columns)``, in memory."""
        if not len(self.codes):
            return self.dense.astype(np.float32)
        slices = [self.centroids[i][self.codes[:, i]] for i in range(len(self.centroids))]
        rows = np.concatenate(slices, axis=1)[:, : self.dense.shape[1]]
        return np.ascontiguousarray(rows * self.norms[:, None] if len(self.norms) else rows)


class FastTextFile(NamedTuple):
    """What a fastText classifier holds."""

    loss: Loss
    word_ngrams: int
    """Longest n-gram of words; 1: words alone."""
    min_ngram: int
    """Shortest character n-gram, in code points."""
    max_ngram: int
    """Longest character n-gram, in code points; 0: none."""
    buckets: int
    """Number of hash buckets that n-grams fall into."""
    data: Bytes
    """The whole file, mapped."""
    starts: npt.NDArray[np.int64]
    """Where each entry of the vocabulary begins in ``data``: words first, then labels. Word ``i`` owns row ``i``."""
    ends: npt.NDArray[np.int64]
    labels: list[str]
    """Classes without ``__label__``, most frequent first."""
    label_counts: list[int]
    """How often each label was seen in training: what a Huffman tree is built from."""
    kept_buckets: npt.NDArray[np.int32] | None
    """For a pruned model ``(n, 2)``: bucket and its row, counted from the last word's; None if all are kept."""
    input: Matrix
    """One vector for each word, then one for each kept bucket."""
    output: Matrix
    """One vector for each label; for ``hs`` one for each inner node of the Huffman tree."""

    @property
    def words(self) -> int:
        """How many words it knows."""
        return len(self.starts) - len(self.labels)


def read_fasttext(path: Path) -> FastTextFile:
    """The classifier in a ``.bin`` or ``.ftz`` file.

    Args:
        path: a file written by fastText.

    Raises:
        OSError: the file cannot be opened.
        ValueError: the file is no fastText model, is cut short, or is no classifier.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise ValueError("the file is empty")
        mapped = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    try:
        return _model(_Cursor(mapped))
    except (struct.error, IndexError) as error:
        raise ValueError("the file ends in the middle of the model") from error


class _Cursor:
    """A position in little-endian bytes that moves past whatever is read."""

    def __init__(self, data: Bytes) -> None:
        self.data = data
        self.at = 0

    def values(self, layout: str) -> tuple[int, ...]:
        found = struct.unpack_from(f"<{layout}", self.data.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return found

    def value(self, layout: str) -> int:
        return self.values(layout)[0]

    def array(self, dtype: type, count: int) -> npt.NDArray[Any]:
        size = np.dtype(dtype).itemsize * count
        if count < 0 or self.at + size > len(self.data):
            raise IndexError
        array: npt.NDArray[Any] = np.frombuffer(self.data, dtype, count, self.at)
        self.at += size
        return array


def _model(cursor: _Cursor) -> FastTextFile:
    if (found := cursor.value("i")) != _MAGIC:
        raise ValueError(f"the file is not a fastText model (it starts with {found & 0xFFFFFFFF:#x})")
    if (version := cursor.value("i")) not in _VERSIONS:
        raise ValueError(f"fastText format {version} is not supported, only {_VERSIONS[0]} and {_VERSIONS[1]}")
    arguments = cursor.values("12i")
    word_ngrams, loss, kind, buckets, min_ngram, max_ngram = arguments[5:11]
    cursor.value("d")
    if kind != _SUPERVISED:
        raise ValueError("the model is not a classifier, it holds only word vectors")
    if loss not in _LOSSES:
        raise ValueError(f"the model's loss is {loss}, which is not supported")
    size, words, labels = cursor.values("3i")
    _, pruned = cursor.values("2q")
    if words < 0 or labels < 1 or size != words + labels or buckets < 0:
        raise ValueError("the file is damaged: its vocabulary does not add up")
    starts, ends, counts = _vocabulary(cursor, size, words)
    names = [cursor.data[s:e].tobytes() for s, e in zip(starts[words:], ends[words:], strict=True)]
    kept = cursor.array(np.int32, 2 * pruned).reshape(-1, 2) if pruned >= 0 else None
    inputs = _matrix(cursor, quantised=bool(cursor.value("?")))
    output = _matrix(cursor, quantised=bool(cursor.value("?")) and len(inputs.codes) > 0)
    model = FastTextFile(
        loss=_LOSSES[loss],
        word_ngrams=word_ngrams,
        min_ngram=min_ngram,
        max_ngram=max_ngram if version > _VERSIONS[0] else 0,
        buckets=buckets,
        data=cursor.data,
        starts=starts,
        ends=ends,
        labels=[name.removeprefix(_LABEL_PREFIX).decode(errors="replace") for name in names],
        label_counts=counts[words:].tolist(),
        kept_buckets=kept,
        input=inputs,
        output=output,
    )
    _check_sizes(model)
    return model


def _check_sizes(model: FastTextFile) -> None:
    """A kernel reads without looking: every row that a text can ask for must be there."""
    kept, rows = model.kept_buckets, _rows(model.input)
    hashed = model.buckets if kept is None else int(kept[:, 1].max(initial=-1)) + 1
    used = model.word_ngrams > 1 or model.max_ngram > 0
    outside = kept is not None and bool(((kept < 0) | (kept[:, :1] >= model.buckets)).any())
    same = model.input.dense.shape[1] == model.output.dense.shape[1]
    if rows < model.words + (hashed if used else 0) or outside or not same or _rows(model.output) < len(model.labels):
        raise ValueError("the file is damaged: its matrices do not fit its vocabulary")
    if used and not model.buckets:
        raise ValueError("the file is damaged: it has n-grams but no buckets for them")


def _rows(matrix: Matrix) -> int:
    return max(len(matrix.dense), len(matrix.codes))


def _vocabulary(
    cursor: _Cursor, size: int, words: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    if size * 10 > len(cursor.data):  # an entry takes ten bytes or more
        raise IndexError
    starts, ends, counts = (np.empty(size, np.int64) for _ in range(3))
    at = _scan(cursor.data, cursor.at, words, starts, ends, counts)
    if at < 0:
        raise IndexError
    cursor.at = at
    return starts, ends, counts


@kernel
def _scan(
    data: Bytes,
    at: int,
    words: int,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
) -> int:
    """Find all entries; where they end, or -1 where the file does first or a label comes before a word."""
    for entry in range(len(starts)):
        starts[entry] = at
        while at < len(data) and data[at]:
            at += 1
        if at + 10 > len(data) or (data[at + 9] == _LABEL) != (entry >= words):
            return -1
        ends[entry] = at
        counts[entry] = 0
        for byte in range(8):
            counts[entry] |= np.int64(data[at + 1 + byte]) << (8 * byte)
        at += 10
    return at


def _matrix(cursor: _Cursor, *, quantised: bool) -> Matrix:
    if quantised:
        return _quantised_matrix(cursor)
    rows, columns = cursor.values("2q")
    dense = cursor.array(np.float32, rows * columns).reshape(rows, columns)
    return Matrix(dense, np.empty((0, 0), np.uint8), np.empty((0, 0, 0), np.float32), np.empty(0, np.float32))


def _quantised_matrix(cursor: _Cursor) -> Matrix:
    has_norms = bool(cursor.value("?"))
    rows, columns = cursor.values("2q")
    codes = cursor.array(np.uint8, cursor.value("i")).reshape(rows, -1).copy()
    centroids = _centroids(cursor)
    norms = np.empty(0, np.float32)
    if has_norms:
        norm_codes = cursor.array(np.uint8, rows)
        norms = _centroids(cursor)[0, norm_codes, 0]
    return Matrix(np.frombuffer(b"", np.float32).reshape(0, columns), codes, centroids, norms)


def _centroids(cursor: _Cursor) -> Floats:
    """Centroids of a product quantiser: each code names one for its slice of the columns."""
    dimensions, slices, width, last_width = cursor.values("4i")
    if slices < 1 or width < 1 or (slices - 1) * width + last_width != dimensions or last_width > width:
        raise ValueError("the file is damaged: its quantiser does not add up")
    flat = cursor.array(np.float32, dimensions * _CENTROIDS)
    table = np.zeros((slices, _CENTROIDS, width), np.float32)
    for index in range(slices):
        span = last_width if index == slices - 1 else width
        first = index * width * _CENTROIDS
        table[index, :, :span] = flat[first : first + span * _CENTROIDS].reshape(_CENTROIDS, span)
    return table
