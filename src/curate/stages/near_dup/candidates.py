"""Which documents must be compared: those that meet in a bucket of some band.

Band keys are brought together by ranges of their value, whatever the size of the corpus. Components of documents that
meet, directly or through others, are only units of work: documents in different ones share no bucket, so each can be
settled by itself.
"""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curate.stages.contract import Corpus, Rows, addressed
from curate.stages.near_dup.homing import in_order, sent_home
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.partial import band_column
from curate.stages.sending import column, range_of_key, ranges_for
from curate.text.components import Nodes, large_star, small_star, stars
from curate.text.lsh import meetings

BUCKETS = pa.schema([("document", pa.int64()), ("bucket", pa.uint64())])
COMPONENTS = pa.schema([("document", pa.int64()), ("component", pa.int64())])

_KEYS = pa.schema([("key", pa.uint64()), ("document", pa.int64())])
_MEETINGS = pa.schema([*BUCKETS, ("owner", pa.int64())])
_EDGES = pa.schema([("document", pa.int64()), ("root", pa.int64())])
_ROW_BYTES = 16

Star = Callable[[Nodes, Nodes], tuple[Nodes, Nodes]]


class Candidates(NamedTuple):
    """Documents with company in some bucket, by part."""

    buckets: Rows
    """`BUCKETS`: every bucket that a document shares with another."""
    components: Rows
    """`COMPONENTS`: the lowest document that each is connected with."""


def find_candidates(corpus: Corpus, numbering: Numbering, copies: Rows, bands: int) -> Candidates:
    """Gather the documents that share a bucket, copies and documents removed by an earlier run left aside.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        copies: from `curate.stages.near_dup.exact.find_copies`.
        bands: number of band columns.
    """
    ranges = ranges_for(_ROW_BYTES * bands * numbering.documents)
    send = functools.partial(_send_keys, corpus, numbering, copies, bands, ranges)
    met = corpus.exchange(send, numbering.parts, functools.partial(_receive_keys, numbering), ranges, _KEYS)
    edges = _components(corpus, numbering, met)
    label = functools.partial(_send_labels, edges, numbering)
    components = corpus.exchange(label, len(edges), in_order, numbering.parts, COMPONENTS)
    return Candidates(sent_home(corpus, met, numbering, BUCKETS), components)


def _send_keys(
    corpus: Corpus, numbering: Numbering, copies: Rows, bands: int, ranges: int, part: int
) -> Iterator[pa.RecordBatch]:
    takes_part = column(corpus.partial(part, ["shingles"]), "shingles") > 0
    takes_part[numbering.rows_in(part, column(copies[part], "document"))] = False
    if part < len(corpus.earlier):
        takes_part &= corpus.verdicts(part).column("survivor_part").is_null().to_numpy()
    rows = np.flatnonzero(takes_part)
    documents = numbering.span(part)[rows]
    for band in range(bands):
        keys = column(corpus.partial(part, [band_column(band)]), band_column(band))[rows]
        yield addressed(range_of_key(keys, ranges), key=keys, document=documents)


def _receive_keys(numbering: Numbering, receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    met = meetings(column(rows, "key"), column(rows, "document"), numbering.first_new)
    return pa.table([met.documents, met.buckets, met.owners], schema=_MEETINGS)


def _components(corpus: Corpus, numbering: Numbering, met: Rows) -> Rows:
    """Edges from every document with company to the lowest one it is connected with."""
    rows = sum(corpus.map(functools.partial(_length, met), range(len(met))))
    ranges = ranges_for(2 * _ROW_BYTES * rows)
    if ranges == 1:
        send = functools.partial(_send_edges, met, "owner", numbering, 1, False)
        return corpus.exchange(send, len(met), functools.partial(_receive_edges, stars), 1, _EDGES)
    edges, end, before, now = met, "owner", -1, 0
    while now != before:
        for star, both_ways in ((large_star, True), (small_star, False)):
            send = functools.partial(_send_edges, edges, end, numbering, ranges, both_ways)
            edges, end = (
                corpus.exchange(send, len(edges), functools.partial(_receive_edges, star), ranges, _EDGES),
                "root",
            )
        before, now = now, sum(corpus.map(functools.partial(_digest, edges), range(len(edges))))
    return edges


def _send_edges(
    edges: Rows, end: str, numbering: Numbering, ranges: int, both_ways: bool, sender: int
) -> Iterator[pa.RecordBatch]:
    rows = edges[sender]
    documents, others = column(rows, "document"), column(rows, end)
    apart = documents != others
    documents, others = documents[apart], others[apart]
    yield addressed(numbering.range_of(documents, ranges), document=documents, root=others)
    if both_ways:
        yield addressed(numbering.range_of(others, ranges), document=others, root=documents)


def _receive_edges(star: Star, receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    return pa.table(list(star(column(rows, "document"), column(rows, "root"))), schema=_EDGES)


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
