"""Which documents must be compared: those that meet in a bucket of some band, or in the audit's sample.

Band keys are brought together by ranges of their value, whatever the size of the corpus. Components of documents that
meet, directly or through others, are only units of work: documents in different ones share no bucket, so each can be
settled by itself.
"""

import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.contract import Corpus, Rows, Send, addressed
from curate.stages.near_dup.audit import COHORT, Sample, cohort_keys
from curate.stages.near_dup.exact import comparable
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.partial import band_column, keys_of_bands
from curate.stages.near_dup.routing import in_order
from curate.stages.partitioning import column, range_of_key, ranges_for
from curate.text.dedup.bands import meetings
from curate.text.dedup.components import Nodes, flatten, large_star, small_star, unite

COMPONENTS = pa.schema([("document", pa.int64()), ("component", pa.int64())])
"""A document with company, and the lowest one that it is connected with."""

IN_ONE_PLACE = 1 << 24
"""Documents up to which one task connects them all: it holds 4 bytes for each."""

EDGES = pa.schema([("document", pa.int64()), ("root", pa.int64())])
"""Two documents that are in one component."""
_ROW_BYTES = 16

Keys = npt.NDArray[np.uint64]
RowsOfParts = Sequence[npt.NDArray[np.int64]]
Star = Callable[[Nodes, Nodes], tuple[Nodes, Nodes]]


def find_candidates(corpus: Corpus, numbering: Numbering, copies: Rows, bands: int, sample: Sample) -> Rows:
    """`COMPONENTS` of every part, copies and documents removed by an earlier run left aside.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        copies: from `curate.stages.near_dup.exact.find_copies`.
        bands: number of band columns.
        sample: of `curate.stages.near_dup.audit.draw`, whose documents meet by their cohort too.
    """
    ranges = ranges_for(_ROW_BYTES * bands * numbering.documents)
    send = functools.partial(_send_keys, corpus, numbering, copies, bands, sample, ranges)
    edges = _met(corpus, numbering, send, ranges)
    return connected(corpus, numbering, edges)


def find_company(corpus: Corpus, numbering: Numbering, copies: Rows, bands: int, of: RowsOfParts) -> Rows:
    """`COMPONENTS` of every part: some documents, and those that share a bucket with one of them.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        copies: from `curate.stages.near_dup.exact.find_copies`.
        bands: number of band columns.
        of: rows of each part.
    """
    ranges = ranges_for(_ROW_BYTES * bands * numbering.documents)
    keys = list(corpus.map(functools.partial(_keys_of, corpus, of, bands), range(numbering.parts)))
    known = np.unique(np.concatenate(keys))
    send = functools.partial(_send_some_keys, corpus, numbering, copies, bands, of, known, ranges)
    edges = _met(corpus, numbering, send, ranges)
    return connected(corpus, numbering, edges)


def _met(corpus: Corpus, numbering: Numbering, send: Send, ranges: int) -> Rows:
    keys = pa.schema([("key", pa.uint64()), ("document", numbering.kind)])
    return corpus.exchange(send, numbering.parts, functools.partial(_receive_keys, numbering), ranges, keys)


def connected(corpus: Corpus, numbering: Numbering, edges: Rows) -> Rows:
    """`COMPONENTS` of every part, by `EDGES` wherever they are."""
    if numbering.documents <= IN_ONE_PLACE:
        label = functools.partial(_send_united, edges, numbering)
        return corpus.exchange(label, 1, in_order, numbering.parts, COMPONENTS)
    edges = _stars(corpus, numbering, edges)
    label = functools.partial(_send_labels, edges, numbering)
    return corpus.exchange(label, len(edges), in_order, numbering.parts, COMPONENTS)


def _send_keys(
    corpus: Corpus, numbering: Numbering, copies: Rows, bands: int, sample: Sample, ranges: int, part: int
) -> Iterator[pa.RecordBatch]:
    rows = comparable(corpus, numbering, copies, part)
    documents = pa.array(numbering.span(part)[rows], numbering.kind)
    cohorts = cohort_keys(corpus.partial(part, [COHORT]))[rows]
    sampled = sample.holds(cohorts)
    yield addressed(
        range_of_key(cohorts[sampled], ranges), key=cohorts[sampled], document=documents.filter(pa.array(sampled))
    )
    for each in keys_of_bands(corpus, part, bands):
        keys = each[rows]
        yield addressed(range_of_key(keys, ranges), key=keys, document=documents)


def _keys_of(corpus: Corpus, rows: RowsOfParts, bands: int, part: int) -> Keys:
    """Keys of some rows of a part."""
    if not len(rows[part]):
        return np.empty(0, np.uint64)
    table = corpus.partial(part, [band_column(band) for band in range(bands)])
    return np.concatenate([column(table, name)[rows[part]] for name in table.column_names])


def _send_some_keys(
    corpus: Corpus,
    numbering: Numbering,
    copies: Rows,
    bands: int,
    of: RowsOfParts,
    keys: Keys,
    ranges: int,
    part: int,
) -> Iterator[pa.RecordBatch]:
    """To the range of each of ``keys``: who is in that bucket."""
    rows = np.union1d(comparable(corpus, numbering, copies, part), of[part])
    for each in keys_of_bands(corpus, part, bands):
        own = each[rows]
        shared = np.isin(own, keys)
        documents = pa.array(numbering.firsts[part] + rows[shared], numbering.kind)
        yield addressed(range_of_key(own[shared], ranges), key=own[shared], document=documents)


def _receive_keys(numbering: Numbering, receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    met = meetings(column(rows, "key"), column(rows, "document"), numbering.first_new)
    return pa.table([met.documents.astype(np.int64), met.owners.astype(np.int64)], schema=EDGES)


def _send_united(edges: Rows, numbering: Numbering, sender: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG001
    """Every document with company, to its part."""
    components = np.arange(numbering.documents, dtype=np.int32)
    for at in range(len(edges)):
        rows = edges[at]
        unite(column(rows, "document"), column(rows, "root"), components)
    flatten(components)
    has_company = components < np.arange(numbering.documents, dtype=np.int32)
    has_company[components[has_company]] = True
    for part in range(numbering.parts):
        span = slice(numbering.firsts[part], numbering.firsts[part + 1])
        rows = np.flatnonzero(has_company[span])
        yield addressed(
            np.full(len(rows), part),
            document=numbering.firsts[part] + rows,
            component=components[span][rows].astype(np.int64),
        )


def _stars(corpus: Corpus, numbering: Numbering, edges: Rows) -> Rows:
    """Edges from every document with company to the lowest one it is connected with."""
    rows = sum(corpus.map(functools.partial(_length, edges), range(len(edges))))
    ranges = ranges_for(2 * _ROW_BYTES * rows)
    before, now = -1, 0
    while now != before:
        for star, both_ways in ((large_star, True), (small_star, False)):
            send = functools.partial(_send_edges, edges, numbering, ranges, both_ways)
            edges = corpus.exchange(send, len(edges), functools.partial(_receive_edges, star), ranges, EDGES)
        before, now = now, sum(corpus.map(functools.partial(_digest, edges), range(len(edges))))
    return edges


def _send_edges(
    edges: Rows, numbering: Numbering, ranges: int, both_ways: bool, sender: int
) -> Iterator[pa.RecordBatch]:
    rows = edges[sender]
    documents, roots = column(rows, "document"), column(rows, "root")
    yield addressed(numbering.range_of(documents, ranges), document=documents, root=roots)
    if both_ways:
        yield addressed(numbering.range_of(roots, ranges), document=roots, root=documents)


def _receive_edges(star: Star, receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    return pa.table(list(star(column(rows, "document"), column(rows, "root"))), schema=EDGES)


def _send_labels(edges: Rows, numbering: Numbering, sender: int) -> Iterator[pa.RecordBatch]:
    rows = edges[sender]
    documents, roots = column(rows, "document"), column(rows, "root")
    documents, roots = np.concatenate((documents, np.unique(roots))), np.concatenate((roots, np.unique(roots)))
    yield addressed(numbering.part_of(documents), document=documents, component=roots)


def _length(rows: Rows, sender: int) -> int:
    return len(rows[sender])


def _digest(edges: Rows, sender: int) -> int:
    """Equal for equal sets of edges, wherever they are."""
    rows = edges[sender]
    documents, roots = (column(rows, name).astype(np.uint64) for name in ("document", "root"))
    mixed = (documents * np.uint64(0x9E3779B97F4A7C15) ^ roots) * np.uint64(0xFF51AFD7ED558CCD)
    return int((mixed ^ (mixed >> np.uint64(32))).sum(dtype=np.uint64)) + len(documents)
