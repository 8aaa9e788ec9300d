"""Any fastText classifier over whole Arrow columns: the likeliest class of each text, the probability of one.

Vectors are added up one by one in the order in which fastText does it, and numbers are rounded where it rounds them, so
that a document lies on the same side of a threshold here and there. (`curate.models.fasttext` adds word by word
instead, which is faster for the language model, and agrees to 1e-4.)

Source: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"; ``Model::computeHidden`` and the classes
in ``loss.cc`` of fastText 0.9.2.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import float32, int32, int64, uint32

from curate.models.fasttext import huffman_tree
from curate.models.fasttext_bag import (
    END_OF_SENTENCE,
    FNV_BASIS,
    LABEL_PREFIX,
    ROOM,
    Dictionary,
    Rows,
    Vector,
    add_rows,
    dictionary,
    equal,
    find,
    fnv,
    is_space,
    list_ngrams,
    list_word_ngrams,
)
from curate.models.fasttext_file import FastTextFile, Matrix, read_fasttext
from curate.text.core.arrow import Bytes, Offsets, utf8_view
from curate.text.core.kernel import inlined, inner, kernel

_SOFTMAX, _SIGMOID, _TREE = range(3)
_OUTPUTS = {"softmax": _SOFTMAX, "ova": _SIGMOID, "ns": _SIGMOID, "hs": _TREE}
_ANNOTATION = -2
_SIGMOID_LIMIT = 8
_SIGMOID_STEPS = 512
_MOST_EXPANDED = 1 << 25  # numbers: 128 MB
_LEAST = 1e-5  # fastText adds it before every logarithm, which is why its probabilities can pass 1 a little


class _Tables(NamedTuple):
    """A model laid out for the kernel."""

    dictionary: Dictionary
    input: Matrix
    output: npt.NDArray[np.float32]
    kind: int
    sigmoid: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]


class FastTextClassifier:
    """A fastText classifier of any kind.

    Attributes:
        labels: the classes, without ``__label__``.
    """

    labels: tuple[str, ...]

    def __init__(self, model: FastTextFile) -> None:
        self.labels = tuple(model.labels)
        left, right = huffman_tree(model.label_counts if model.loss == "hs" else [1])
        self._tables = _Tables(
            dictionary(model),
            _fast(model.input),
            model.output.expanded(),
            _OUTPUTS[model.loss],
            _sigmoid_table(),
            left,
            right,
        )

    @classmethod
    def load(cls, path: Path) -> "FastTextClassifier":
        """The classifier in a ``.bin`` or ``.ftz`` file, mapped rather than read.

        Raises:
            OSError: the file cannot be opened.
            ValueError: the file is no fastText classifier, or damaged.
        """
        return cls(read_fasttext(path))

    def classify(self, texts: pa.Array, label: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Likeliest class of each text, and the probability of one class.

        Args:
            texts: ``large_string`` without nulls. Line feeds count as spaces, as fastText's callers have it.
            label: index into `labels` of the class whose probability is wanted.

        Returns:
            Index into `labels` (int32), -1 where the model knows neither a word nor an n-gram of the text; and the
            probability (float32, 0 to 1), NaN there. Probabilities of ``ova`` and ``ns`` models do not add up to 1.
        """
        data, offsets = utf8_view(texts)
        best, probability = np.empty(len(texts), np.int32), np.empty(len(texts), np.float32)
        _classify(data, offsets, self._tables, len(self.labels), label, best, probability)
        return best, probability


def _fast(matrix: Matrix) -> Matrix:
    """A quantised matrix expanded where that takes little memory: its rows are added up several times as fast."""
    if matrix.codes.shape[0] * matrix.dense.shape[1] > _MOST_EXPANDED:
        return matrix
    return matrix._replace(dense=matrix.expanded(), codes=matrix.codes[:0]) if len(matrix.codes) else matrix


def _sigmoid_table() -> npt.NDArray[np.float32]:
    """The logistic function from -8 to 8 in 512 steps, which is all that fastText knows of it."""
    x = (np.arange(_SIGMOID_STEPS + 1) * 2 * _SIGMOID_LIMIT / _SIGMOID_STEPS - _SIGMOID_LIMIT).astype(np.float32)
    return (1 / (1 + np.exp(-x).astype(np.float64))).astype(np.float32)


@kernel
def _classify(
    data: Bytes,
    offsets: Offsets,
    tables: _Tables,
    labels: int,
    wanted: int,
    best: npt.NDArray[np.int32],
    probability: npt.NDArray[np.float32],
) -> None:
    total = np.empty(tables.output.shape[1], np.float32)
    scores = np.empty(labels, np.float32)
    nodes = np.empty(len(tables.left), np.float32)
    hashes = np.empty(1024, np.int32)
    rows = np.empty(ROOM + 2 + max(tables.dictionary.max_ngram, tables.dictionary.word_ngrams), np.int64)
    for text in range(len(offsets) - 1):
        first, last = offsets[text], offsets[text + 1]
        if len(hashes) < (last - first) // 2 + 2:  # a word and what ends it take two bytes or more
            hashes = np.empty((last - first) // 2 + 2, np.int32)
        total[:] = 0
        added = _add_text(data, first, last, tables, hashes, rows, total)
        if added == 0:
            best[text], probability[text] = -1, np.nan
            continue
        # A product in double, rounded once: what `Vector::mul` does with `1.0 / size` as a float.
        share = float32(1.0 / added)
        for column in range(len(total)):
            total[column] *= share
        _score(total, tables, scores, nodes)
        best[text] = np.argmax(scores)
        probability[text] = min(float32(1.0), float32(np.exp(scores[wanted])))


@inner
def _add_text(
    data: Bytes, at: int, last: int, tables: _Tables, hashes: npt.NDArray[np.int32], rows: Rows, total: Vector
) -> int:
    """Add up all vectors of a text; returns how many there were."""
    words = count = added = 0
    size, end_state = len(END_OF_SENTENCE), _end_of_sentence()
    while True:
        while at < last and is_space(data[at]):
            at += 1
        first, state = at, uint32(FNV_BASIS)
        while at < last and not is_space(data[at]):
            state = fnv(state, data[at])
            at += 1
        if first == at or (at - first == size and equal(data, first, END_OF_SENTENCE, 0, size)):
            break  # the end, where fastText stops reading
        entry = _entry(data, first, at, state, tables.dictionary)
        if entry == _ANNOTATION:
            continue
        hashes[words] = int32(state)
        words += 1
        if entry >= 0:
            rows[count] = entry
            count += 1
        start = first - 1 if tables.dictionary.max_ngram > 0 else at
        while start < at:
            count, start = list_ngrams(data, first, at, start, tables.dictionary, rows, count)
            if start < at:
                add_rows(tables.input, rows, count, total)
                added, count = added + count, 0
        if count >= ROOM:
            add_rows(tables.input, rows, count, total)
            added, count = added + count, 0
    entry = find(END_OF_SENTENCE, 0, size, end_state, tables.dictionary)
    if 0 <= entry < tables.dictionary.words:
        rows[count] = entry
        count += 1
    hashes[words] = int32(end_state)
    for first in range(words if tables.dictionary.word_ngrams > 1 else 0):
        if count >= ROOM:
            add_rows(tables.input, rows, count, total)
            added, count = added + count, 0
        count += list_word_ngrams(hashes, first, words + 1, tables.dictionary, rows[count:])
    add_rows(tables.input, rows, count, total)
    return added + count


@inner
def _end_of_sentence() -> np.uint32:
    state = uint32(FNV_BASIS)
    for byte in END_OF_SENTENCE:
        state = fnv(state, byte)
    return state  # type: ignore[no-any-return]


@inner
def _entry(data: Bytes, first: int, last: int, state: np.uint32, dictionary: Dictionary) -> int:
    """Row of a word, -1 if it has none; `_ANNOTATION` for a label, which fastText does not take for text."""
    prefix = len(LABEL_PREFIX)
    entry: int = find(data, first, last, state, dictionary)
    if entry >= dictionary.words:
        return _ANNOTATION
    if entry < 0 and last - first >= prefix and equal(data, first, LABEL_PREFIX, 0, prefix):
        return _ANNOTATION
    return entry


@inlined
def _log(x: float) -> np.float32:
    return float32(np.log(np.float64(x) + _LEAST))  # type: ignore[no-any-return]


@inner
def _activation(tables: _Tables, row: int, hidden: Vector) -> np.float32:
    total = float32(0.0)
    for column in range(len(hidden)):
        total += tables.output[row, column] * hidden[column]
    return total  # type: ignore[no-any-return]


@inner
def _score(hidden: Vector, tables: _Tables, scores: Vector, nodes: Vector) -> None:
    """Logarithm of the probability of every class, as fastText would have it."""
    if tables.kind == _TREE:
        _tree_scores(hidden, tables, scores, nodes)
        return
    for label in range(len(scores)):
        scores[label] = _activation(tables, label, hidden)
    if tables.kind == _SOFTMAX:
        highest, total = scores[0], float32(0.0)
        for label in range(1, len(scores)):
            highest = max(highest, scores[label])
        for label in range(len(scores)):
            scores[label] = float32(np.exp(scores[label] - highest))
            total += scores[label]
        for label in range(len(scores)):
            scores[label] = _log(scores[label] / total)
        return
    for label in range(len(scores)):
        x = scores[label]
        if x < -_SIGMOID_LIMIT or x > _SIGMOID_LIMIT:
            scores[label] = _log(float32(x > 0))
        else:
            place = (x + float32(_SIGMOID_LIMIT)) * float32(_SIGMOID_STEPS) / float32(_SIGMOID_LIMIT) / float32(2)
            scores[label] = _log(tables.sigmoid[int64(place)])


@inner
def _tree_scores(hidden: Vector, tables: _Tables, scores: Vector, nodes: Vector) -> None:
    """Down the Huffman tree from the root: a child's number is lower than its parent's."""
    leaves = len(scores)
    nodes[len(nodes) - 1] = 0.0
    for node in range(len(nodes) - 1, leaves - 1, -1):
        x = _activation(tables, node - leaves, hidden)
        goes_right = float32(1.0 / np.float64(float32(1.0) + float32(np.exp(-x))))
        nodes[tables.left[node]] = nodes[node] + _log(1.0 - np.float64(goes_right))
        nodes[tables.right[node]] = nodes[node] + _log(goes_right)
    for leaf in range(leaves):
        scores[leaf] = nodes[leaf]
