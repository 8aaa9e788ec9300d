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
from numba import float32, int8, int32, int64, njit, uint8, uint32

from curate.text.arrow import Bytes, Offsets, utf8_view
from curate.text.fasttext_file import FastTextFile, read_fasttext

Vector = npt.NDArray[np.float32]

_FNV_BASIS = 2166136261
_FNV_PRIME = 16777619
_BEGIN, _END = ord("<"), ord(">")
_END_OF_SENTENCE = np.frombuffer(b"</s>", np.uint8)
_LABEL_PREFIX = np.frombuffer(b"__label__", np.uint8)
_UNSEEN = 10**15  # fastText's count of a tree node that is not built yet
_MEMO_SLOTS = 8192  # 512 KB of sums of 16 dimensions: stays in a core's cache
_MEMO_LONGEST = 32  # longer words hardly come back


class _Tables(NamedTuple):
    """A model laid out for the kernel."""

    input: npt.NDArray[np.float32]
    output: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    slots: npt.NDArray[np.int32]  # open-addressing table of words, by their FNV-1a hash; -1 is free
    words: Bytes
    word_offsets: Offsets
    bucket_rows: npt.NDArray[np.int32]  # row of each n-gram bucket, -1 if pruned
    kept: npt.NDArray[np.uint8]  # bitmap of buckets that have a row: it fits in cache where the rows do not
    end_of_sentence: int  # row of ``</s>``, which ends every text; -1 if there is none
    min_ngram: int
    max_ngram: int


class FastText:
    """A fastText classifier.

    Attributes:
        labels: the classes, in the order of the indices that `predict` returns.
    """

    labels: tuple[str, ...]

    def __init__(self, model: FastTextFile) -> None:
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
    left, right = _huffman_tree(model.label_counts)
    bucket_rows = _bucket_rows(model)
    word_offsets = np.zeros(len(model.words) + 1, np.int64)
    np.cumsum([len(word) for word in model.words], out=word_offsets[1:])
    words = np.array(bytearray(b"".join(model.words)), np.uint8)
    slots = np.full(1 << (4 * len(model.words) + 1).bit_length(), -1, np.int32)
    _fill_slots(words, word_offsets, slots)
    end = _END_OF_SENTENCE.tobytes()
    return _Tables(
        input=model.input,
        output=model.output,
        left=left,
        right=right,
        slots=slots,
        words=words,
        word_offsets=word_offsets,
        bucket_rows=bucket_rows,
        kept=np.packbits(bucket_rows >= 0, bitorder="little"),
        end_of_sentence=model.words.index(end) if end in model.words else -1,
        min_ngram=model.min_ngram,
        max_ngram=model.max_ngram,
    )


def _bucket_rows(model: FastTextFile) -> npt.NDArray[np.int32]:
    first = len(model.words)
    if model.kept_buckets is None:
        return np.arange(first, first + model.buckets, dtype=np.int32)
    rows = np.full(model.buckets, -1, np.int32)
    rows[model.kept_buckets[:, 0]] = first + model.kept_buckets[:, 1]
    return rows


def _huffman_tree(counts: list[int]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
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


@njit(nogil=True, cache=True, inline="always")
def _fnv(state: np.uint32, byte: np.uint8) -> np.uint32:
    """One step of FNV-1a over *signed* bytes, as fastText hashes."""
    return uint32(uint32(state ^ uint32(int32(int8(byte)))) * uint32(_FNV_PRIME))  # type: ignore[no-any-return]


@njit(nogil=True, cache=True, inline="always")
def _is_space(byte: np.uint8) -> bool:
    return bool(byte == 32 or 9 <= byte <= 13 or byte == 0)


@njit(nogil=True, cache=True, inline="always")
def _continues(byte: np.uint8) -> bool:
    """Whether a byte is inside a UTF-8 sequence."""
    return bool((byte & 0xC0) == 0x80)


@njit(nogil=True, cache=True)
def _equal(data: Bytes, at: int, other: Bytes, start: int, size: int) -> bool:
    for offset in range(size):  # noqa: SIM110  (numba has no generator expressions)
        if data[at + offset] != other[start + offset]:
            return False
    return True


@njit(nogil=True, cache=True)
def _add(vector: Vector, total: Vector) -> None:
    for column in range(len(total)):
        total[column] += vector[column]


@njit(nogil=True, cache=True)
def _fill_slots(words: Bytes, offsets: Offsets, slots: npt.NDArray[np.int32]) -> None:
    mask = len(slots) - 1
    for word in range(len(offsets) - 1):
        state = uint32(_FNV_BASIS)
        for at in range(offsets[word], offsets[word + 1]):
            state = _fnv(state, words[at])
        slot = int64(state) & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = word


@njit(nogil=True, cache=True)
def _find_word(data: Bytes, first: int, last: int, state: np.uint32, tables: _Tables) -> int:
    """Row of the word ``data[first:last]`` with hash ``state``, or -1."""
    mask = len(tables.slots) - 1
    slot = int64(state) & mask
    while tables.slots[slot] >= 0:
        word = int64(tables.slots[slot])
        start = tables.word_offsets[word]
        size = tables.word_offsets[word + 1] - start
        if size == last - first and _equal(data, first, tables.words, start, size):
            return word  # type: ignore[no-any-return]
        slot = (slot + 1) & mask
    return -1


@njit(nogil=True, cache=True)
def _add_ngrams(data: Bytes, first: int, last: int, tables: _Tables, total: Vector) -> int:
    """Add the vectors of all character n-grams of ``<word>`` to ``total``; returns how many there were."""
    buckets = uint32(len(tables.bucket_rows))
    added = 0
    # The brackets are not in the text: they stand at first - 1 and at last.
    for start in range(first - 1, last):
        if start >= first and _continues(data[start]):
            continue
        state = uint32(_FNV_BASIS)
        at = start
        for length in range(1, tables.max_ngram + 1):
            if at > last:
                break
            if first <= at < last:
                state = _fnv(state, data[at])
                at += 1
                while at < last and _continues(data[at]):
                    state = _fnv(state, data[at])
                    at += 1
            else:
                state = _fnv(state, uint8(_END if at == last else _BEGIN))
                at += 1
            # A bracket alone is no n-gram.
            if length < tables.min_ngram or (length == 1 and start < first):
                continue
            bucket = state % buckets
            if tables.kept[bucket >> 3] & (1 << (bucket & 7)):
                _add(tables.input[tables.bucket_rows[bucket]], total)
                added += 1
    return added


@njit(nogil=True, cache=True)
def _sum_word(data: Bytes, first: int, last: int, state: np.uint32, tables: _Tables, total: Vector) -> int:
    """Sum of the vectors of a word and its n-grams, into ``total``; returns how many there were."""
    total[:] = 0
    size = last - first
    if size >= len(_LABEL_PREFIX) and _equal(data, first, _LABEL_PREFIX, 0, len(_LABEL_PREFIX)):
        return 0  # fastText takes it for an annotation, not for text
    added: int = _add_ngrams(data, first, last, tables, total)
    word = _find_word(data, first, last, state, tables)
    if word >= 0:
        _add(tables.input[word], total)
        added += 1
    return added


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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
        added = 0
        at, last = offsets[text], offsets[text + 1]
        look_at = at + first_look if first_look else last
        label, score = -1, 0.0
        while at < last:
            if _is_space(data[at]):
                at += 1
                continue
            if at >= look_at:
                label, score = _label(total, added, tables, hidden, stack, scores)
                if score >= enough:
                    break
                look_at += look_at - offsets[text]
            first = at
            state = uint32(_FNV_BASIS)
            while at < last and not _is_space(data[at]):
                state = _fnv(state, data[at])
                at += 1
            size = at - first
            if size == len(_END_OF_SENTENCE) and _equal(data, first, _END_OF_SENTENCE, 0, size):
                at = last  # fastText stops reading here
                break
            slot = int64(state) & (_MEMO_SLOTS - 1) if size <= _MEMO_LONGEST else _MEMO_SLOTS
            known = slot < _MEMO_SLOTS and sizes[slot] == size and _equal(data, first, data, starts[slot], size)
            if not known:
                counts[slot] = _sum_word(data, first, at, state, tables, sums[slot])
                starts[slot] = first
                sizes[slot] = size
            _add(sums[slot], total)
            added += counts[slot]
        if at >= last:
            label, score = _label(total, added, tables, hidden, stack, scores)
        best[text] = label
        probability[text] = min(1.0, np.exp(score))


@njit(nogil=True, cache=True)
def _label(
    total: Vector,
    added: int,
    tables: _Tables,
    hidden: Vector,
    stack: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float64],
) -> tuple[int, float]:
    """Label and log-probability of a text whose ``added`` vectors sum up to ``total``."""
    hidden[:] = total
    if tables.end_of_sentence >= 0:
        _add(tables.input[tables.end_of_sentence], hidden)
        added += 1
    if added > 0:
        share = float32(1.0 / added)
        for column in range(len(hidden)):
            hidden[column] *= share
    return _best_leaf(hidden, tables, stack, scores)  # type: ignore[no-any-return]
