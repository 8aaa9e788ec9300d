"""The stage's files: for every document its content hash, survivor, exact Jaccard, number of copies and partners.

Copies follow the document that leads them, removed documents learn the id of their survivor, survivors how many they
stand for; then every part can be judged by itself.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.contract import KEPT, SURVIVOR_COLUMNS, Corpus, Rows, addressed
from curate.stages.near_dup.exact import COPIES
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.partners import LISTS, Partners, decided_before, lists_of
from curate.stages.near_dup.places import places_of
from curate.stages.near_dup.routing import sent_home
from curate.stages.partitioning import column

JUDGMENTS: Mapping[str, pa.DataType] = {"content_hash": pa.binary(16), **SURVIVOR_COLUMNS, **LISTS}
"""Measures: ``survivor``, ``survivor_at``, ``jaccard`` and ``exact`` of removed documents, ``copies`` of kept ones, and
``standing`` of those that others are like; ``survivor_run`` where the survivor belongs to an earlier run, which
``survivor_at`` is then about."""

REMOVALS = pa.schema(
    [("document", pa.int64()), ("survivor", pa.int64()), ("jaccard", pa.float64()), ("exact", pa.bool_())]
)
"""A removed document, the kept one that stands for it, their exact similarity, and whether the texts are the same."""

_NAMED = pa.schema([*REMOVALS, ("id", pa.string())])


class Outcomes(NamedTuple):
    """Removed documents, each with its survivor."""

    survivors: Rows
    """In the part of the survivor."""
    removed: Rows
    """In the part of the removed document, in its order."""


def find_outcomes(corpus: Corpus, numbering: Numbering, copies: Rows, alike: Rows) -> Outcomes:
    """Bring copies and removals together, and to all whom they concern.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        copies: from `curate.stages.near_dup.exact.find_copies`.
        alike: from `curate.stages.near_dup.survivors.find_survivors`.
    """
    ask = functools.partial(_send_copies, copies, numbering)
    receive = functools.partial(_follow, corpus, numbering, alike)
    return named(corpus, numbering, corpus.exchange(ask, numbering.parts, receive, numbering.parts, COPIES))


def named(corpus: Corpus, numbering: Numbering, removals: Rows) -> Outcomes:
    """Give each of `REMOVALS`, wherever they are, the id of its survivor."""
    name = functools.partial(_send_survivors, removals, numbering)
    given = corpus.exchange(name, len(removals), functools.partial(_name, corpus, numbering), numbering.parts, REMOVALS)
    return Outcomes(given, sent_home(corpus, given, numbering, _NAMED))


def judgments(
    corpus: Corpus, numbering: Numbering, outcomes: Outcomes, partners: Partners, part: int
) -> pa.RecordBatch:
    """Judge a part of this run, counted without those of earlier runs; all null where a document was already out."""
    part += len(corpus.earlier)
    hashes = corpus.partial(part, ["content_hash"]).column("content_hash").combine_chunks()
    present = hashes.is_valid().to_numpy(zero_copy_only=False)
    lists = lists_of(corpus, numbering, partners.of(part), part)
    kept = decided(corpus, numbering, outcomes, part)
    alike = lists[0].is_valid().to_numpy(zero_copy_only=False)
    standing = pa.array(np.where(alike, KEPT, ""), mask=~(present & alike & kept.stays))
    columns = [hashes, *kept.columns, pa.array(kept.copies, mask=~(kept.stays & present)), standing, *lists]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(JUDGMENTS.items())))


class Decided(NamedTuple):
    """What became of the documents of a part."""

    columns: list[pa.Array]
    """``survivor``, ``survivor_at``, ``survivor_run``, ``jaccard`` and ``exact``."""
    stays: npt.NDArray[np.bool_]
    """Not removed."""
    copies: npt.NDArray[np.int64]
    """Documents that each stands for, itself included."""


def decided(corpus: Corpus, numbering: Numbering, outcomes: Outcomes, part: int) -> Decided:
    """Rows of a part, numbered with those of earlier runs, as `Outcomes` has them."""
    rows = outcomes.removed[part]
    places = np.full(corpus.rows[part], -1)
    places[numbering.rows_in(part, column(rows, "document"))] = np.arange(len(rows))
    out = places < 0
    take = pa.array(places, mask=out)
    where = places_of(corpus, numbering, column(rows, "survivor"))
    columns = [
        rows.column("id").combine_chunks().take(take),
        pa.StructArray.from_arrays([where.part.take(take), where.row.take(take)], fields=list(_AT), mask=pa.array(out)),
        where.run.take(take),
        rows.column("jaccard").combine_chunks().take(take),
        rows.column("exact").combine_chunks().take(take),
    ]
    copies = np.ones(len(out), np.int64)
    np.add.at(copies, numbering.rows_in(part, column(outcomes.survivors[part], "survivor")), 1)
    return Decided(columns, out, copies)


_AT = SURVIVOR_COLUMNS["survivor_at"]


def _send_copies(copies: Rows, numbering: Numbering, part: int) -> Iterator[pa.RecordBatch]:
    """To the part of a leader: the copies that share its outcome."""
    columns = {name: copies[part].column(name).combine_chunks() for name in COPIES.names}
    yield addressed(numbering.part_of(column(copies[part], "leader")), **columns)


def _follow(corpus: Corpus, numbering: Numbering, alike: Rows, part: int, rows: pa.Table) -> pa.Table:
    """What is removed of leaders in this part and of their copies.

    Copies of a removed document take over its survivor (the same text has the same Jaccard), others their leader.
    """
    survivor, jaccard, exact = decided_before(corpus, numbering, part, len(rows))
    found = alike[part].filter(alike[part].column("removed"))
    removed, survivors, similarities = (column(found, name) for name in ("document", "partner", "jaccard"))
    survivor[numbering.rows_in(part, removed)] = survivors
    jaccard[numbering.rows_in(part, removed)] = similarities
    documents, leaders = column(rows, "document"), column(rows, "leader")
    places = numbering.rows_in(part, leaders)
    follows = survivor[places] >= 0
    columns = [
        np.concatenate((removed, documents)),
        np.concatenate((survivors, np.where(follows, survivor[places], leaders))),
        np.concatenate((similarities, np.where(follows, jaccard[places], 1.0))),
        np.concatenate((np.zeros(len(removed), np.bool_), ~follows | exact[places])),
    ]
    return pa.table(columns, schema=REMOVALS)


def _send_survivors(removals: Rows, numbering: Numbering, sender: int) -> Iterator[pa.RecordBatch]:
    rows = removals[sender]
    columns = {name: rows.column(name).combine_chunks() for name in REMOVALS.names}
    yield addressed(numbering.part_of(column(rows, "survivor")), **columns)


def _name(corpus: Corpus, numbering: Numbering, part: int, rows: pa.Table) -> pa.Table:
    """Give each removed document the id of its survivor, which lies in this part."""
    if not len(rows):
        return pa.table([[] for _ in _NAMED], schema=_NAMED)
    ids = corpus.partial(part, ["id"]).column("id").combine_chunks()
    return rows.append_column("id", ids.take(pa.array(numbering.rows_in(part, column(rows, "survivor")))))
