"""Which passages enough documents share, and which document keeps each.

Every part counts its own passages first, so that one which a million documents share is sent once by each part, not
once by each document.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.stages.contract import Corpus, Rows, addressed
from curate.stages.partitioning import column, range_of_key, ranges_for
from curate.text.dedup.passages import passage_keys
from curate.text.dedup.shingles import Hashes

PARTIAL = pa.schema([("id", pa.string()), ("scope", pa.uint64()), ("passages", pa.large_list(pa.uint64()))])
"""What is observed: id, what the document is counted within, and its distinct passages."""

REPEATED = pa.schema([("key", pa.uint64()), ("keeper", pa.int64())])
"""A passage of a part that is to be cut, and the row in the part that keeps it; -1 where another part does."""

_COUNTS = pa.schema(
    [("key", pa.uint64()), ("documents", pa.int64()), ("id", pa.string()), ("part", pa.int64()), ("row", pa.int64())]
)
_KEEPERS = pa.schema([*REPEATED, ("part", pa.int64())])
_ROW_BYTES = 64


class Passages(NamedTuple):
    """The passages of one part, document after document."""

    keys: Hashes
    rows: npt.NDArray[np.int64]


def passages_of(partial: pa.Table) -> Passages:
    """Passages within their scopes, from the columns ``scope`` and ``passages`` of `PARTIAL`."""
    lists = partial.column("passages")
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    rows = np.repeat(np.arange(len(partial)), lengths)
    hashes = pc.list_flatten(lists).to_numpy()
    return Passages(passage_keys(hashes, column(partial, "scope")[rows]), rows)


def find_repeated(corpus: Corpus, min_documents: int) -> Rows:
    """`REPEATED` of every part, by key.

    The document with the least id keeps a passage; of equal ids the first in the input.
    """
    parts = len(corpus.rows)
    passages = sum(corpus.map(functools.partial(_count, corpus), range(parts)))
    ranges = ranges_for(_ROW_BYTES * passages)
    send = functools.partial(_send_counts, corpus, ranges)
    keepers = corpus.exchange(send, parts, functools.partial(_choose, min_documents), ranges, _COUNTS)
    return corpus.exchange(functools.partial(_send_home, keepers), ranges, _by_key, parts, REPEATED)


def _count(corpus: Corpus, part: int) -> int:
    lists = corpus.partial(part, ["passages"]).column("passages")
    return int(pc.sum(pc.list_value_length(lists)).as_py() or 0)


def _send_counts(corpus: Corpus, ranges: int, part: int) -> Iterator[pa.RecordBatch]:
    """Each distinct passage of a part: how many documents of the part hold it, and the first of them by id."""
    partial = corpus.partial(part, PARTIAL.names)
    passages = passages_of(partial)
    if not len(passages.keys):
        return
    ids = partial.column("id").combine_chunks()
    by_id = pc.sort_indices(ids).to_numpy().astype(np.int64)  # stable: equal ids in the order of the input
    ranks = np.empty_like(by_id)
    ranks[by_id] = np.arange(len(by_id))
    order = np.argsort(passages.keys)
    keys = passages.keys[order]
    starts = _starts(keys)
    first = by_id[np.minimum.reduceat(ranks[passages.rows][order], starts)]
    yield addressed(
        range_of_key(keys[starts], ranges),
        key=keys[starts],
        documents=np.diff(starts, append=len(keys)),
        id=ids.take(pa.array(first)),
        part=np.full(len(starts), part),
        row=first,
    )


def _choose(min_documents: int, receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    """For each part that holds a repeated passage: the row that keeps it there, or -1."""
    rows = _in_enough(rows, min_documents)
    rows = rows.sort_by([(name, "ascending") for name in ("key", "id", "part", "row")])
    keys, parts = column(rows, "key"), column(rows, "part")
    starts = _starts(keys)
    is_first = np.zeros(len(keys), np.bool_)
    is_first[starts] = True
    return pa.table([keys, np.where(is_first, column(rows, "row"), -1), parts], schema=_KEEPERS)


def _in_enough(rows: pa.Table, min_documents: int) -> pa.Table:
    """Rows of passages that so many documents hold: few, and only those need sorting by id."""
    order = np.argsort(column(rows, "key"))
    starts = _starts(column(rows, "key")[order])
    if not len(starts):
        return rows
    documents = np.add.reduceat(column(rows, "documents")[order], starts)
    enough = np.repeat(documents >= min_documents, np.diff(starts, append=len(rows)))
    return rows.take(pa.array(order[enough]))


def _send_home(keepers: Rows, sender: int) -> Iterator[pa.RecordBatch]:
    rows = keepers[sender]
    yield addressed(column(rows, "part"), key=column(rows, "key"), keeper=column(rows, "keeper"))


def _by_key(receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    return rows.sort_by("key")


def _starts(keys: Hashes) -> npt.NDArray[np.int64]:
    """Where runs of equal keys begin."""
    begins = np.ones(len(keys), np.bool_)
    begins[1:] = keys[1:] != keys[:-1]
    return np.flatnonzero(begins)
