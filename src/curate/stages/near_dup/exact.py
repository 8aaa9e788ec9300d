"""Groups of documents with exactly the same text.

Hashes are compared one range of values at a time, so memory is that of a range, whatever the size of the
corpus.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from curate.stages.contract import Corpus
from curate.stages.near_dup.numbering import Index, Numbering
from curate.stages.near_dup.partial import column

OUT = -1
"""Stands for documents that an earlier stage left out."""

_AT_ONCE = 1 << 21
"""Documents whose hashes are compared at a time: about 100 MB of work space."""


def group_exact(corpus: Corpus, numbering: Numbering) -> Index:
    """For every document, the one of its scope with the same content hash that stays (maybe itself), or `OUT`.

    That is the one of the highest priority, the first of equals. Documents without a scope stay, each for itself.
    """
    leaders = np.full(numbering.documents, OUT, numbering.dtype)
    slices = -(-numbering.documents // _AT_ONCE)
    for slice_of in range(slices):
        hashes = _hashes_in_slice(corpus, numbering, slice_of, slices)
        halves, documents = hashes.halves, hashes.documents
        order = np.lexsort((documents, ~hashes.priorities, halves[:, 0], halves[:, 1]))
        _lead(halves, documents, order, leaders)
        leaders[hashes.alone] = hashes.alone
    return leaders


class _Hashes(NamedTuple):
    halves: npt.NDArray[np.uint64]
    priorities: npt.NDArray[np.uint64]
    documents: Index
    alone: Index
    """Documents without a scope."""


def _hashes_in_slice(corpus: Corpus, numbering: Numbering, slice_of: int, slices: int) -> _Hashes:
    halves, priorities = [np.empty((0, 2), np.uint64)], [np.empty(0, np.uint64)]
    documents, alone = [np.empty(0, numbering.dtype)], [np.empty(0, numbering.dtype)]
    for part, first in enumerate(numbering.firsts[:-1]):
        table = corpus.partial(part, ["content_hash", "priority", "scope"])
        hashes = table.column("content_hash").combine_chunks()
        present = hashes.is_valid().to_numpy(zero_copy_only=False)
        both = _halves(hashes) ^ column(table, "scope")[:, None]
        here = present & (both[:, 1] % np.uint64(slices) == slice_of)
        scoped = table.column("scope").is_valid().to_numpy()
        mine = np.flatnonzero(here & scoped)
        halves.append(both[mine])
        priorities.append(column(table, "priority")[mine])
        documents.append((mine + first).astype(numbering.dtype))
        alone.append((np.flatnonzero(here & ~scoped) + first).astype(numbering.dtype))
    return _Hashes(*(np.concatenate(each) for each in (halves, priorities, documents, alone)))


def _halves(hashes: pa.FixedSizeBinaryArray) -> npt.NDArray[np.uint64]:
    if not len(hashes):
        return np.empty((0, 2), np.uint64)
    values = np.frombuffer(hashes.buffers()[1], np.dtype("<u8")).reshape(-1, 2)
    return values[hashes.offset : hashes.offset + len(hashes)]


@njit(nogil=True, cache=True)
def _lead(halves: npt.NDArray[np.uint64], documents: Index, order: npt.NDArray[np.int64], leaders: Index) -> None:
    """Point every document at the first of those that sort next to it with the same hash."""
    leader = 0
    for at in range(len(order)):
        here, before = order[at], order[at - 1] if at else -1
        if before < 0 or halves[here, 0] != halves[before, 0] or halves[here, 1] != halves[before, 1]:
            leader = here
        leaders[documents[here]] = documents[leader]
