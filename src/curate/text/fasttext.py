"""fastText classification of whole Arrow columns, without a Python string and without the GIL.

Why this exists: the reference evaluates one Python string at a time. The work itself is a sum of small
vectors, one for each word and each character n-gram found in a hash table, and a walk down a Huffman tree.
Labels equal the reference's on every text; probabilities agree to 1e-4.

Source: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"; ``Dictionary::getLine``,
``Dictionary::computeSubwords`` and ``HierarchicalSoftmaxLoss`` of fastText 0.9.2.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import float32, int64, uint32

from curate.text.arrow import Bytes, Offsets, utf8_view
from curate.text.fasttext_bag import (
    END_OF_SENTENCE,
    FNV_BASIS,
    LABEL_PREFIX,
    ROOM,
    Dictionary,
    Rows,
    Vector,
    dictionary,
    equal,
    find,
    fnv,
    is_space,
    list_ngrams,
)
from curate.text.fasttext_file import FastTextFile, read_fasttext
from curate.text.kernel import inner, kernel

_UNSEEN = 10**15  # fastText's count of a tree node that is not built yet
_MEMO_SLOTS = 8192  # 512 KB of sums of 16 dimensions: stays in a core's cache
_MEMO_LONGEST = 32  # longer words hardly come back


class _Tables(NamedTuple):
    """A model laid out for the kernel."""

    input: npt.NDArray[np.float32]
    output: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    dictionary: Dictionary
    end_of_sentence: int  # row of ``</s>``, which ends every text; -1 if there is none


class FastText:
    """A fastText classifier.

    Attributes:
        labels: the classes, in the order of the indices that `predict` returns.
    """

    labels: tuple[str, ...]

    def __init__(self, model: FastTextFile) -> None:
        if model.loss != "hs" or model.word_ngrams > 1:
            raise ValueError("the model is no language model: hierarchical softmax over single words is expected")
        self.labels = tuple(model.labels)
        self._tables = _layout(model)

    @classmethod
    def load(cls, path: Path) -> "FastText":
        """The classifier in a ``.bin`` or ``.ftz`` file.

        Raises:
            ValueError: the file is no fastText model or of a kind that is not supported.
        """
        return cls(read_fasttext(path))

    def predict(
        self, texts: pa.Array, *, first_look: int = 0, confident: float = 1.0
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """The most likely label of each text.

        Args:
            texts: ``large_string`` without nulls. Line feeds count as spaces, as fastText's callers have it.
            first_look: bytes after which a text may be decided; again after twice, four times … as many. 0: only
                at its end.
            confident: probability of the best label at which it is decided.

        Returns:
            Index into `labels` (int32) and probability (float32, 0 to 1) of each text. A text without a known
            word or n-gram gets what the model says of an empty line.
        """
        data, offsets = utf8_view(texts)
        best = np.empty(len(texts), np.int32)
        probability = np.empty(len(texts), np.float32)
        _predict(data, offsets, self._tables, first_look, np.log(confident), best, probability)
        return best, probability


def _layout(model: FastTextFile) -> _Tables:
    left, right = huffman_tree(model.label_counts)
    found = dictionary(model)
    state = uint32(FNV_BASIS)
    for byte in END_OF_SENTENCE:
        state = fnv(state, byte)
    return _Tables(
        input=model.input.expanded(),
        output=model.output.expanded(),
        left=left,
        right=right,
        dictionary=found,
        end_of_sentence=find(END_OF_SENTENCE, 0, len(END_OF_SENTENCE), state, found),
    )


def huffman_tree(counts: list[int]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Children of each node (-1 at a leaf). Leaves are the labels, the last node is the root.

    ``counts`` descend, so the two rarest nodes are always the next leaf from the end or the next inner node.
    """
    leaves = len(counts)
    weight = counts + [_UNSEEN] * (leaves - 1)
    left = np.full(2 * leaves - 1, -1, np.int32)
    right = left.copy()
    leaf, inner = leaves - 1, leaves
    for node in range(leaves, 2 * leaves - 1):
        rarest = []
        for _ in range(2):
            if leaf >= 0 and weight[leaf] < weight[inner]:
                rarest.append(leaf)
                leaf -= 1
            else:
                rarest.append(inner)
                inner += 1
        left[node], right[node] = rarest
        weight[node] = weight[rarest[0]] + weight[rarest[1]]
    return left, right


@inner
def _add(vector: Vector, total: Vector) -> None:
    for column in range(len(total)):
        total[column] += vector[column]


@inner
def _sum_word(data: Bytes, first: int, last: int, state: np.uint32, tables: _Tables, rows: Rows, total: Vector) -> int:
    """Sum of the vectors of a word and its n-grams, into ``total``; returns how many there were."""
    total[:] = 0
    size = last - first
    if size >= len(LABEL_PREFIX) and equal(data, first, LABEL_PREFIX, int64(0), len(LABEL_PREFIX)):
        return 0  # fastText takes it for an annotation, not for text
    added, start = 0, first - 1
    while start < last:
        count, start = list_ngrams(data, first, last, start, tables.dictionary, rows, int64(0))
        for i in range(count):
            _add(tables.input[rows[i]], total)
        added += count
    word = find(data, first, last, state, tables.dictionary)
    if word >= 0:
        _add(tables.input[word], total)
        added += 1
    return added


@inner
def _best_leaf(
    hidden: Vector, tables: _Tables, stack: npt.NDArray[np.int32], scores: npt.NDArray[np.float64]
) -> tuple[int, float]:
    """The most likely label and its log-probability: depth first, leaving branches that have lost."""
    leaves = (len(tables.left) + 1) // 2
    root = len(tables.left) - 1
    stack[0] = root
    scores[root] = 0.0
    depth = 1
    best = -1
    best_score = -np.inf
    while depth > 0:
        depth -= 1
        node = stack[depth]
        score = scores[node]
        if score <= best_score:
            continue
        if tables.left[node] < 0:
            best, best_score = int64(node), score
            continue
        activation = float32(0.0)
        for column in range(len(hidden)):
            activation += tables.output[node - leaves, column] * hidden[column]
        goes_right = 1.0 / (1.0 + np.exp(-np.float64(activation)))
        # fastText adds 1e-5 before every logarithm, which is why its probabilities can exceed 1 a little.
        scores[tables.left[node]] = score + np.log(1.0 - goes_right + 1e-5)
        scores[tables.right[node]] = score + np.log(goes_right + 1e-5)
        stack[depth] = tables.right[node]
        stack[depth + 1] = tables.left[node]
        depth += 2
    return best, best_score


@kernel
def _predict(
    data: Bytes,
    offsets: Offsets,
    tables: _Tables,
    first_look: int,
    enough: float,
    best: npt.NDArray[np.int32],
    probability: npt.NDArray[np.float32],
) -> None:
    """Label and probability of every text.

    Words come back, so sums of words are kept in a small direct-mapped memo. A text's vector is the sum of
    its words' sums whether they come from the memo or not: results do not depend on what was seen before.
    """
    dimensions = tables.input.shape[1]
    rows = np.empty(ROOM + tables.dictionary.max_ngram, np.int64)
    sums = np.empty((_MEMO_SLOTS + 1, dimensions), np.float32)
    counts = np.empty(_MEMO_SLOTS + 1, np.int64)
    starts = np.zeros(_MEMO_SLOTS + 1, np.int64)
    sizes = np.zeros(_MEMO_SLOTS + 1, np.int64)
    total = np.empty(dimensions, np.float32)
    hidden = np.empty(dimensions, np.float32)
    stack = np.empty(len(tables.left) + 1, np.int32)
    scores = np.empty(len(tables.left), np.float64)
    for text in range(len(offsets) - 1):
        total[:] = 0
        added = int64(0)
        at, last = offsets[text], offsets[text + 1]
        look_at = at + first_look if first_look else last
        label, score = -1, 0.0
        while at < last:
            if is_space(data[at]):
                at += 1
                continue
            if at >= look_at:
                label, score = _label(total, added, tables, hidden, stack, scores)
                if score >= enough:
                    break
                look_at += look_at - offsets[text]
            first = at
            state = uint32(FNV_BASIS)
            while at < last and not is_space(data[at]):
                state = fnv(state, data[at])
                at += 1
            size = at - first
            if size == len(END_OF_SENTENCE) and equal(data, first, END_OF_SENTENCE, int64(0), size):
                at = last  # fastText stops reading here
                break
            slot = int64(state) & (_MEMO_SLOTS - 1) if size <= _MEMO_LONGEST else _MEMO_SLOTS
            known = slot < _MEMO_SLOTS and sizes[slot] == size and equal(data, first, data, starts[slot], size)
            if not known:
                counts[slot] = _sum_word(data, first, at, state, tables, rows, sums[slot])
                starts[slot] = first
                sizes[slot] = size
            _add(sums[slot], total)
            added += counts[slot]
        if at >= last:
            label, score = _label(total, added, tables, hidden, stack, scores)
        best[text] = label
        probability[text] = min(1.0, np.exp(score))


@inner
def _label(
    total: Vector,
    added: int,
    tables: _Tables,
    hidden: Vector,
    stack: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float64],
) -> tuple[int, float]:
    """Label and log-probability of a text whose ``added`` vectors sum up to ``total``."""
    for column in range(len(hidden)):
        hidden[column] = total[column]
    if tables.end_of_sentence >= 0:
        _add(tables.input[tables.end_of_sentence], hidden)
        added += 1
    if added > 0:
        share = float32(1.0 / added)
        for column in range(len(hidden)):
            hidden[column] *= share
    return _best_leaf(hidden, tables, stack, scores)  # type: ignore[no-any-return]
