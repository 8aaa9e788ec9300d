"""The stage's files: for every document its content hash, survivor, exact Jaccard and number of copies.

Copies follow the document that leads them, removed documents learn the id of their survivor, survivors how many they
stand for; then every part can be judged by itself.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.contract import Corpus, Rows, addressed
from curate.stages.near_dup.exact import COPIES
from curate.stages.near_dup.homing import sent_home
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.survivors import REMOVALS
from curate.stages.sending import column

_PLACE = pa.struct([("part", pa.int32()), ("row", pa.int64())])

JUDGMENTS: Mapping[str, pa.DataType] = {
    "content_hash": pa.binary(16),
    "survivor": pa.string(),
    "survivor_at": _PLACE,
    "survivor_run": pa.string(),
    "jaccard": pa.float64(),
    "exact": pa.bool_(),
    "copies": pa.int64(),
}
"""Measures: ``survivor``, ``survivor_at``, ``jaccard`` and ``exact`` of removed documents, ``copies`` of kept ones;
``survivor_run`` where the survivor belongs to an earlier run, which ``survivor_at`` is then about."""

_FOLLOWED = pa.schema([*REMOVALS, ("exact", pa.bool_())])
_NAMED = pa.schema([*_FOLLOWED, ("id", pa.string())])


class Fates(NamedTuple):
    """Removed documents, each with its survivor."""

    survivors: Rows
    """In the part of the survivor."""
    removed: Rows
    """In the part of the removed document, in its order."""


def find_fates(corpus: Corpus, numbering: Numbering, copies: Rows, removals: Rows) -> Fates:
    """Bring copies and removals together, and to all whom they concern."""
    ask = functools.partial(_send_copies, copies, numbering)
    receive = functools.partial(_follow, corpus, numbering, removals)
    followed = corpus.exchange(ask, numbering.parts, receive, numbering.parts, COPIES)
    name = functools.partial(_send_survivors, followed, numbering)
    named = corpus.exchange(
        name, len(followed), functools.partial(_name, corpus, numbering), numbering.parts, _FOLLOWED
    )
    return Fates(named, sent_home(corpus, named, numbering, _NAMED))


def judgments(corpus: Corpus, numbering: Numbering, fates: Fates, part: int) -> pa.RecordBatch:
    """Judge a part of this run, counted without those of earlier runs; all null where a document was already out."""
    part += len(corpus.earlier)
    rows = fates.removed[part]
    hashes = corpus.partial(part, ["content_hash"]).column("content_hash").combine_chunks()
    places = np.full(len(hashes), -1)
    places[numbering.rows_in(part, column(rows, "document"))] = np.arange(len(rows))
    out = places < 0
    take = pa.array(places, mask=out)
    survivors = column(rows, "survivor")
    parts = numbering.part_of(survivors)
    where = _where(corpus, parts, survivors - numbering.firsts[parts])
    copies = np.ones(len(hashes), np.int64)
    np.add.at(copies, numbering.rows_in(part, column(fates.survivors[part], "survivor")), 1)
    columns = [
        hashes,
        rows.column("id").combine_chunks().take(take),
        pa.StructArray.from_arrays(
            [where["part"].take(take), where["row"].take(take)], fields=list(_PLACE), mask=pa.array(out)
        ),
        where["run"].take(take),
        rows.column("jaccard").combine_chunks().take(take),
        rows.column("exact").combine_chunks().take(take),
        pa.array(copies, mask=~(out & hashes.is_valid().to_numpy(zero_copy_only=False))),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(JUDGMENTS.items())))


def _send_copies(copies: Rows, numbering: Numbering, part: int) -> Iterator[pa.RecordBatch]:
    """To the part of a leader: the copies that share its fate."""
    documents, leaders = (column(copies[part], name) for name in COPIES.names)
    yield addressed(numbering.part_of(leaders), document=documents, leader=leaders)


def _follow(corpus: Corpus, numbering: Numbering, removals: Rows, part: int, rows: pa.Table) -> pa.Table:
    """What is removed of leaders in this part and of their copies.

    Copies of a removed document take over its survivor (the same text has the same Jaccard), others their leader.
    """
    survivor, jaccard, exact = _fates_of(corpus, numbering, part, len(rows))
    removed, survivors, similarities = (column(removals[part], name) for name in REMOVALS.names)
    survivor[numbering.rows_in(part, removed)] = survivors
    jaccard[numbering.rows_in(part, removed)] = similarities
    documents, leaders = (column(rows, name) for name in COPIES.names)
    places = numbering.rows_in(part, leaders)
    follows = survivor[places] >= 0
    columns = [
        np.concatenate((removed, documents)),
        np.concatenate((survivors, np.where(follows, survivor[places], leaders))),
        np.concatenate((similarities, np.where(follows, jaccard[places], 1.0))),
        np.concatenate((np.zeros(len(removed), np.bool_), ~follows | exact[places])),
    ]
    return pa.table(columns, schema=_FOLLOWED)


def _fates_of(
    corpus: Corpus, numbering: Numbering, part: int, copies: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Survivor, Jaccard and exactness of each row of a part as far as an earlier run decided; -1 for all others."""
    if part >= len(corpus.earlier) or not copies:
        unknown = np.full(corpus.rows[part], -1, np.int64)
        return unknown, np.zeros(len(unknown)), np.zeros(len(unknown), np.bool_)
    decided = corpus.verdicts(part)
    removed = decided.column("survivor_part").is_valid().to_numpy()
    survivors = numbering.firsts[column(decided, "survivor_part")] + column(decided, "survivor_row")
    return (
        np.where(removed, survivors, -1),
        column(decided, "jaccard").copy(),
        column(decided, "exact").astype(np.bool_),
    )


def _send_survivors(followed: Rows, numbering: Numbering, sender: int) -> Iterator[pa.RecordBatch]:
    rows = followed[sender]
    columns = {name: rows.column(name).combine_chunks() for name in _FOLLOWED.names}
    yield addressed(numbering.part_of(column(rows, "survivor")), **columns)


def _name(corpus: Corpus, numbering: Numbering, part: int, rows: pa.Table) -> pa.Table:
    """Give each removed document the id of its survivor, which lies in this part."""
    if not len(rows):
        return pa.table([[] for _ in _NAMED], schema=_NAMED)
    ids = corpus.partial(part, ["id"]).column("id").combine_chunks()
    return rows.append_column("id", ids.take(pa.array(numbering.rows_in(part, column(rows, "survivor")))))


def _where(corpus: Corpus, parts: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Run (null: this one), part in it and row, of documents numbered through all runs."""
    runs = [*(run for run, _ in corpus.earlier), None]
    own = [*(part for _, part in corpus.earlier), 0]
    which = np.minimum(parts, len(corpus.earlier))
    inside = np.where(which < len(corpus.earlier), np.array(own)[which], parts - len(corpus.earlier))
    return {
        "part": pa.array(inside, pa.int32()),
        "row": pa.array(rows, pa.int64()),
        "run": pa.array(runs, pa.string()).take(pa.array(which)),
    }
