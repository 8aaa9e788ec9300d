"""fastText classification of whole Arrow columns, without a Python string and without the GIL.

Why this exists: the reference evaluates one Python string at a time. The work itself is a sum of small
vectors, one for each word and each character n-gram found in a hash table, and a walk down a Huffman tree.
Labels equal the reference's on every text; probabilities agree to 1e-4.

Words may be folded while they are read (`curate.text.language.fold`), no more of them than it takes to be sure: then
labels are the reference's on the folded text, among those that are believable for its letters.

Source: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"; ``Dictionary::getLine``,
``Dictionary::computeSubwords`` and ``HierarchicalSoftmaxLoss`` of fastText 0.9.2.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import float32, int64, uint32, uint64

from curate.models.fasttext_bag import (
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
from curate.models.fasttext_file import FastTextFile, read_fasttext
from curate.text.core.arrow import Bytes, Offsets, utf8_view
from curate.text.core.bits import address, eight
from curate.text.core.hashes import hashed
from curate.text.core.kernel import inner, kernel
from curate.text.core.scripts import BELIEVABLE, SCRIPTS
from curate.text.language.fold import Letters, fold_word, room_for_word
from curate.text.language.fold_tables import FoldTables, fold_tables

_UNSEEN = 10**15  # fastText's count of a tree node that is not built yet
_MEMO_BITS = 13
_MEMO_SLOTS = 1 << _MEMO_BITS  # 512 KB of sums of 16 dimensions: stays in a core's cache
_MEMO_LONGEST = 32  # longer words hardly come back
_NO_SCRIPTS = np.empty((0, len(SCRIPTS)), np.bool_)


class _Tables(NamedTuple):
    """A model laid out for the kernel."""

    input: npt.NDArray[np.float32]
    output: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    dictionary: Dictionary
    end_of_sentence: int  # row of ``</s>``, which ends every text; -1 if there is none


class _Looks(NamedTuple):
    """When a text may be decided before it ends."""

    first: int
    enough: float  # log-probability


class FastText:
    """A fastText classifier.

    Attributes:
        labels: the classes, in the order of the indices that `predict` returns.
    """

    labels: tuple[str, ...]

    def __init__(self, model: FastTextFile) -> None:
        if model.loss != "hs" or model.word_ngrams > 1:
            raise ValueError("the model is not a language model: hierarchical softmax over single words is expected")
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
        self,
        texts: pa.Array,
        *,
        first_look: int = 0,
        confident: float = 1.0,
        folded: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """The most likely label of each text.

        Args:
            texts: ``large_string`` without nulls. Line feeds count as spaces, as fastText's callers have it.
            first_look: bytes after which a text may be decided; again after twice, four times … as many. 0: only
                at its end.
            confident: probability of the best label at which it is decided.
            folded: ``(labels, scripts)``, whether each label may stand for letters of each script
                (`curate.text.core.scripts.written_in`). Given, words are folded first and count in their folded bytes;
                the best label that is believable is chosen.

        Returns:
            Index into `labels` (int32), probability (float32, 0 to 1) and the bytes looked at (int64) of each text. A
            text without a known word or n-gram gets what the model says of an empty line; when folded, a text
            without words, or of whose letters no label is believable, gets -1 and 0.
        """
        data, offsets = utf8_view(texts)
        best = np.empty(len(texts), np.int32)
        probability = np.empty(len(texts), np.float32)
        seen = np.empty(len(texts), np.int64)
        longest = int(np.diff(offsets).max(initial=0))
        looks = _Looks(first_look, float(np.log(confident)))
        written = _NO_SCRIPTS if folded is None else folded
        word = room_for_word(longest)
        _predict(data, offsets, self._tables, looks, fold_tables(), written, word, best, probability, seen)
        return best, probability, seen


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
def _sum_word(word: Bytes, size: int, tables: _Tables, rows: Rows, total: Vector) -> int:
    """Sum of the vectors of a word and its n-grams, into ``total``; returns how many there were."""
    total[:] = 0
    if size >= len(LABEL_PREFIX) and equal(word, int64(0), LABEL_PREFIX, int64(0), len(LABEL_PREFIX)):
        return 0  # fastText takes it for an annotation, not for text
    added, start = 0, int64(-1)
    while start < size:
        count, start = list_ngrams(word, int64(0), size, start, tables.dictionary, rows, int64(0))
        for i in range(count):
            _add(tables.input[rows[i]], total)
        added += count
    state = uint32(FNV_BASIS)
    for at in range(size):
        state = fnv(state, word[at])
    entry = find(word, int64(0), size, state, tables.dictionary)
    if entry >= 0:
        _add(tables.input[entry], total)
        added += 1
    return added


@inner
def _best_leaf(
    hidden: Vector,
    tables: _Tables,
    stack: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float64],
    may_be: npt.NDArray[np.bool_],
) -> tuple[int, float]:
    """The most likely of the labels that it may be, and its log-probability; -1 where it may be none.

    Depth first, leaving branches that have lost. All labels may be where ``may_be`` is empty.
    """
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
            if len(may_be) == 0 or may_be[node]:
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


@inner
def _believable(label: int, letters: Letters, written: npt.NDArray[np.bool_]) -> bool:
    """Whether enough of a text's letters are of a script of the label's language."""
    own, total = int64(0), int64(0)
    for script in range(1, len(letters)):
        total += letters[script]
        if written[label, script]:
            own += letters[script]
    return own * BELIEVABLE >= total > 0  # type: ignore[no-any-return]


@kernel
def _predict(
    data: Bytes,
    offsets: Offsets,
    tables: _Tables,
    looks: _Looks,
    fold: FoldTables,
    written: npt.NDArray[np.bool_],
    word: Bytes,
    best: npt.NDArray[np.int32],
    probability: npt.NDArray[np.float32],
    seen: npt.NDArray[np.int64],
) -> None:
    """Label and probability of every text.

    Words come back, so sums of words are kept in a small direct-mapped memo. A text's vector is the sum of
    its words' sums whether they come from the memo or not: results do not depend on what was seen before.
    """
    dimensions = tables.input.shape[1]
    rows = np.empty(ROOM + tables.dictionary.max_ngram, np.int64)
    sums = np.empty((_MEMO_SLOTS + 1, dimensions), np.float32)
    counts = np.empty(_MEMO_SLOTS + 1, np.int64)
    words = np.zeros((_MEMO_SLOTS, _MEMO_LONGEST // 8), np.uint64)
    total = np.empty(dimensions, np.float32)
    hidden = np.empty(dimensions, np.float32)
    stack = np.empty(len(tables.left) + 1, np.int32)
    scores = np.empty(len(tables.left), np.float64)
    letters, known = np.empty(len(SCRIPTS), np.int64), np.empty(2, np.bool_)
    may_be = np.empty(len(written), np.bool_)
    whatever = may_be[:0]
    folding = len(written) > 0
    for text in range(len(offsets) - 1):
        total[:] = 0
        letters[:] = 0
        known[:] = False
        added, read = int64(0), int64(0)
        at, last = offsets[text], offsets[text + 1]
        look_at = looks.first or np.iinfo(np.int64).max
        label, score, sure = -1, 0.0, False
        while at < last:
            if folding:
                at, size = fold_word(data, at, last, fold, word, letters, known)
            else:
                at, size = _copy_word(data, at, last, word)
                read = at - size - offsets[text]
            if not size:
                continue
            if read >= look_at:
                label, score = _label(total, added, tables, hidden, stack, scores, whatever)
                if score >= looks.enough and not (folding and not _believable(label, letters, written)):
                    sure = True
                    break
                look_at += look_at
            if size == len(END_OF_SENTENCE) and equal(word, int64(0), END_OF_SENTENCE, int64(0), size):
                break  # fastText stops reading here
            slot = _MEMO_SLOTS
            if size <= _MEMO_LONGEST:
                slot = int64(hashed(address(word), size, False) >> uint64(64 - _MEMO_BITS))
            if slot == _MEMO_SLOTS or not _remembered(word, size, words[slot]):
                counts[slot] = _sum_word(word, size, tables, rows, sums[slot])
            _add(sums[slot], total)
            added += counts[slot]
            read += size + 1
        if not sure and not (folding and read == 0):
            label, score = _label(total, added, tables, hidden, stack, scores, whatever)
            if folding and not _believable(label, letters, written):
                for one in range(len(written)):
                    may_be[one] = _believable(one, letters, written)
                label, score = _label(total, added, tables, hidden, stack, scores, may_be)
        best[text] = label
        probability[text] = min(1.0, np.exp(score)) if label >= 0 else 0.0
        seen[text] = read


@inner
def _copy_word(data: Bytes, at: int, last: int, word: Bytes) -> tuple[int, int]:
    """Copy the word that begins at ``at`` or behind the white space there; where it ends and how long it is."""
    while at < last and is_space(data[at]):
        at += 1
    size = int64(0)
    while at < last and not is_space(data[at]):
        word[size] = data[at]
        size += 1
        at += 1
    return at, size


@inner
def _remembered(word: Bytes, size: int, slot: npt.NDArray[np.uint64]) -> bool:
    """Whether this very word is in a slot of the memo; it is now."""
    same, place = True, address(word)
    for block in range(len(slot)):
        left = size - 8 * block
        found = uint64(0)
        if left > 0:
            found = eight(place + 8 * block) & (uint64(2**64 - 1) >> uint64(64 - 8 * min(left, 8)))
        same &= slot[block] == found
        slot[block] = found
    return same


@inner
def _label(
    total: Vector,
    added: int,
    tables: _Tables,
    hidden: Vector,
    stack: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float64],
    may_be: npt.NDArray[np.bool_],
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
    return _best_leaf(hidden, tables, stack, scores, may_be)  # type: ignore[no-any-return]
