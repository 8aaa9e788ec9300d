"""Documents with exactly the same text as one that stands for them.

Content hashes are brought together by their value, so that equal ones meet; of each group the most preferred document
leads, and the others are its copies.
"""

import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.contract import Corpus, Rows, addressed
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.preference import preferred_order
from curate.stages.near_dup.routing import sent_home
from curate.stages.partitioning import column, range_of_key, ranges_for
from curate.text.dedup.candidates import recurring
from curate.text.dedup.greedy import LISTED

COPIES = pa.schema([("document", pa.int64()), ("leader", pa.int64()), ("listed", pa.bool_())])
"""A document, the one with the same text that leads their group, and whether it is among its first copies."""

_HASHES = pa.schema(
    [
        ("high", pa.uint64()),
        ("low", pa.uint64()),
        ("priority", pa.uint64()),
        ("id", pa.string()),
        ("document", pa.int64()),
    ]
)
_ROW_BYTES = 64


def find_copies(corpus: Corpus, numbering: Numbering, *, by_id: bool) -> Rows:
    """`COPIES` of every part. Documents without a scope are nobody's copies and have none.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        by_id: whether the id decides between equals, else their order in the input.
    """
    ranges = ranges_for(_ROW_BYTES * numbering.documents)
    send = functools.partial(_send_hashes, corpus, numbering, ranges)
    receive = functools.partial(_receive_hashes, numbering, by_id)
    groups = corpus.exchange(send, numbering.parts, receive, ranges, _HASHES)
    return sent_home(corpus, groups, numbering, COPIES)


def comparable(corpus: Corpus, numbering: Numbering, copies: Rows, part: int) -> npt.NDArray[np.int64]:
    """Rows of a part that are compared by their shingles: neither copies nor taken out by an earlier run."""
    may: npt.NDArray[np.bool_] = column(corpus.partial(part, ["shingles"]), "shingles") > 0
    may[numbering.rows_in(part, column(copies[part], "document"))] = False
    if part < len(corpus.earlier):
        may &= corpus.judged(part, ["survivor_at"]).column("survivor_at").is_null().to_numpy()
    return np.flatnonzero(may)


def _send_hashes(corpus: Corpus, numbering: Numbering, ranges: int, part: int) -> Iterator[pa.RecordBatch]:
    table = corpus.partial(part, ["content_hash", "priority", "scope", "id"])
    rows = np.flatnonzero(table.column("scope").is_valid().to_numpy())
    halves = _halves(table.column("content_hash").combine_chunks()) ^ column(table, "scope")[:, None]
    yield addressed(
        range_of_key(halves[rows, 1], ranges),
        high=halves[rows, 1],
        low=halves[rows, 0],
        priority=column(table, "priority")[rows],
        id=table.column("id").combine_chunks().take(pa.array(rows)),
        document=numbering.span(part)[rows],
    )


def _receive_hashes(numbering: Numbering, by_id: bool, receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    rows = rows.take(pa.array(recurring(column(rows, "low"))))  # few others, so that only few need sorting
    order = preferred_order(rows, numbering, by_id=by_id, within=("high", "low"))
    high, low, documents = (column(rows, name)[order] for name in ("high", "low", "document"))
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    firsts = np.flatnonzero(begins)
    leads = firsts[np.cumsum(begins) - 1] if len(documents) else firsts
    listed = np.arange(len(documents)) - leads <= LISTED
    return pa.table([documents[~begins], documents[leads][~begins], listed[~begins]], schema=COPIES)


def _halves(hashes: pa.FixedSizeBinaryArray) -> npt.NDArray[np.uint64]:
    if not len(hashes):
        return np.empty((0, 2), np.uint64)
    values = np.frombuffer(hashes.buffers()[1], np.dtype("<u8")).reshape(-1, 2)
    return values[hashes.offset : hashes.offset + len(hashes)]
