"""Which documents stay: greedy selection in the order of preference, every removal proven by exact Jaccard.

A document is removed if, and only if, one kept before it is a candidate and reaches the similarity. That is settled
component by component: the shingle sets of its documents are brought together, computed anew from their texts.
"""

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from curate.stages.contract import Corpus, Rows, addressed
from curate.stages.near_dup.candidates import Candidates
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.preference import preferred_order
from curate.stages.near_dup.settings import NearDupSettings
from curate.stages.sending import column, range_of_key, ranges_for
from curate.text.greedy import Buckets, select_survivors
from curate.text.shingles import Hashes, mixed, shingle_sets

Offsets = npt.NDArray[np.int64]

REMOVALS = pa.schema([("document", pa.int64()), ("survivor", pa.int64()), ("jaccard", pa.float64())])
"""A removed document, the kept one that stands for it, and their exact similarity."""

MEMBERS = pa.schema(
    [
        ("priority", pa.uint64()),
        ("id", pa.string()),
        ("document", pa.int64()),
        ("buckets", pa.list_(pa.uint64())),
        ("shingles", pa.large_list(pa.uint64())),
    ]
)
"""What the choice between documents needs: `preferred_order`, buckets and shingle set of each."""

_AT_ONCE = 1 << 21
"""Shingles (8 bytes each) from which documents of a part are sent on."""
_IN_MEMORY = 1 << 25
"""Shingles of one receiver from which they are kept in a file."""


def find_survivors(corpus: Corpus, numbering: Numbering, candidates: Candidates, settings: NearDupSettings) -> Rows:
    """`REMOVALS` of documents that lead their group of copies, in no particular order."""
    count = functools.partial(_shingles, corpus, numbering, candidates.components)
    ranges = ranges_for(8 * sum(corpus.map(count, range(numbering.parts))))
    send = functools.partial(_send_members, corpus, numbering, candidates, settings.shingle_words, ranges)
    receive = functools.partial(settle, corpus, numbering, settings)
    return corpus.exchange(send, numbering.parts, receive, ranges, MEMBERS)


def _shingles(corpus: Corpus, numbering: Numbering, components: Rows, part: int) -> int:
    rows = numbering.rows_in(part, column(components[part], "document"))
    return int(column(corpus.partial(part, ["shingles"]), "shingles")[rows].sum(dtype=np.int64)) if len(rows) else 0


def _send_members(
    corpus: Corpus, numbering: Numbering, candidates: Candidates, size: int, ranges: int, part: int
) -> Iterator[pa.RecordBatch]:
    components, buckets = candidates.components[part], candidates.buckets[part]
    documents, rows = column(components, "document"), numbering.rows_in(part, column(components, "document"))
    to = range_of_key(mixed(column(components, "component")), ranges)
    ends = np.searchsorted(column(buckets, "document"), documents, side="right")
    lists = pa.ListArray.from_arrays(
        pa.array(np.concatenate(([0], ends)), pa.int32()), pa.array(column(buckets, "bucket"))
    )
    yield from members(corpus, numbering, part, rows, lists, to, size)


def members(
    corpus: Corpus,
    numbering: Numbering,
    part: int,
    rows: npt.NDArray[np.int64],
    buckets: pa.ListArray,
    to: npt.NDArray[np.int64],
    size: int,
) -> Iterator[pa.RecordBatch]:
    """`MEMBERS` about documents of a part, their shingle sets computed anew from the texts.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        part: where they are.
        rows: which they are (int64), ascending.
        buckets: of each row.
        to: receiver of each row.
        size: words in a shingle.
    """
    if not len(rows):
        return
    table = corpus.partial(part, ["priority", "id", "shingles"])
    for some in _slices(column(table, "shingles")[rows]):
        sets, offsets = shingle_sets(corpus.texts(part, rows[some]), size)
        yield addressed(
            to[some],
            priority=column(table, "priority")[rows[some]],
            id=table.column("id").combine_chunks().take(pa.array(rows[some])),
            document=numbering.firsts[part] + rows[some],
            buckets=buckets.slice(some.start, some.stop - some.start),
            shingles=pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(sets)),
        )


def settle(corpus: Corpus, numbering: Numbering, settings: NearDupSettings, receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    """`REMOVALS` among `MEMBERS`, of which all that share a bucket are here."""
    if not len(rows):
        return pa.table([[], [], []], schema=REMOVALS)
    order = preferred_order(rows, numbering, by_id=settings.by_id)
    documents = column(rows, "document")[order]
    hashes, starts, sizes = _sets(corpus, rows.column("shingles"), order)
    survivor, jaccard = select_survivors(
        _buckets(rows.column("buckets"), order),
        hashes,
        starts,
        sizes,
        settings.similarity,
        documents < numbering.first_new,
    )
    removed = survivor >= 0
    return pa.table([documents[removed], documents[survivor[removed]], jaccard[removed]], schema=REMOVALS)


def _slices(shingles: npt.NDArray[np.uint32]) -> Iterator[slice]:
    """Documents in a row with about `_AT_ONCE` shingles together."""
    reached = np.cumsum(shingles, dtype=np.int64) // _AT_ONCE
    bounds = np.concatenate(([0], np.flatnonzero(np.diff(reached)) + 1, [len(shingles)]))
    for start, stop in itertools.pairwise(bounds):
        yield slice(int(start), int(stop))


def _buckets(lists: pa.ChunkedArray, order: npt.NDArray[np.uint64]) -> Buckets:
    numbered = pc.dictionary_encode(pc.list_flatten(lists)).unify_dictionaries()
    numbers = np.concatenate([chunk.indices.to_numpy() for chunk in numbered.chunks])
    lengths = pc.list_value_length(lists).to_numpy().astype(np.int64)
    starts = np.concatenate(([0], np.cumsum(lengths)))
    ends = np.concatenate(([0], np.cumsum(lengths[order])))
    places = np.empty(len(order), np.int64)
    places[order] = ends[:-1]
    ordered = np.empty(len(numbers), np.int32)
    _lay_out(numbers, starts, places, ordered)
    return Buckets(ordered, ends)


def _sets(
    corpus: Corpus, lists: pa.ChunkedArray, order: npt.NDArray[np.uint64]
) -> tuple[Hashes, Offsets, npt.NDArray[np.uint32]]:
    """Shingle sets laid out in the given order, where each begins, and how many members it has."""
    lengths = pc.list_value_length(lists).to_numpy().astype(np.int64)
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths[order], out=starts[1:])
    total = int(starts[-1])
    hashes = np.empty(total, np.uint64) if total <= _IN_MEMORY else corpus.scratch(np.uint64, total)
    places = np.empty(len(order), np.int64)
    places[order] = starts[:-1]
    first = 0
    for chunk in lists.chunks:
        offsets = chunk.offsets.to_numpy()
        members = chunk.values.to_numpy(zero_copy_only=True)
        _lay_out(members, offsets, places[first : first + len(chunk)], hashes)
        first += len(chunk)
    return hashes, starts, lengths[order].astype(np.uint32)


@njit(nogil=True, cache=True)
def _lay_out(members: npt.NDArray[Any], offsets: Offsets, places: Offsets, ordered: npt.NDArray[Any]) -> None:
    """Write set ``i`` of ``members`` to ``places[i]``."""
    for i in range(len(places)):
        for at in range(offsets[i], offsets[i + 1]):
            ordered[places[i] + at - offsets[i]] = members[at]
