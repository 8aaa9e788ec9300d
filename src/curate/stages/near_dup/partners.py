"""The verified partners of every document: whom it is like, by how much, and whether that is all of them.

They come from comparing, or from the stage's own files, where they lie so that survivors can be chosen again.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.stages.contract import Corpus, Rows, addressed
from curate.stages.near_dup.exact import COPIES
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.places import Places, numbers_of, places_of
from curate.stages.near_dup.routing import send_home
from curate.stages.partitioning import column

PARTNERS = pa.schema(
    [
        ("document", pa.int64()),
        ("partner", pa.int64()),
        ("jaccard", pa.float64()),
        ("exact", pa.bool_()),
        ("more", pa.bool_()),
    ]
)
"""A document, one that it is like, their exact similarity, whether the texts are the same, and whether the document may
be like others that are not listed."""

_PARTNER = pa.struct(
    [
        ("run", pa.string()),
        ("part", pa.int32()),
        ("row", pa.int64()),
        ("jaccard", pa.float64()),
        ("exact", pa.bool_()),
    ]
)
LISTS = {"partners": pa.list_(_PARTNER), "more_partners": pa.bool_()}
"""How they lie in the files, row for row; null where a document has none."""


class Partners(Protocol):
    """What is known of a corpus."""

    def of(self, part: int) -> pa.Table:
        """`PARTNERS` of a part, by document."""


class Compared(NamedTuple):
    """Partners as they come from comparing."""

    alike: Rows
    """From `curate.stages.near_dup.survivors.find_survivors`."""
    copies: Rows | None
    """From `copies_known`; None where nobody asks for them."""

    def of(self, part: int) -> pa.Table:
        """See `Partners.of`."""
        alike = self.alike[part]
        near = alike.append_column("exact", pa.array(np.zeros(len(alike), np.bool_))).select(PARTNERS.names)
        return by_document(pa.concat_tables([near, *([] if self.copies is None else [self.copies[part]])]))


class Stored(NamedTuple):
    """Partners as they lie in the stage's files."""

    corpus: Corpus
    numbering: Numbering

    def of(self, part: int) -> pa.Table:
        """See `Partners.of`."""
        earlier = len(self.corpus.earlier)
        if part < earlier:
            return PARTNERS.empty_table()
        stored = self.corpus.judged(part, list(LISTS))
        lists = stored.column("partners").combine_chunks()
        rows = np.repeat(np.arange(len(lists)), pc.fill_null(pc.list_value_length(lists), 0).to_numpy())
        listed = lists.flatten()
        run, at, row, jaccard, exact = (listed.field(place) for place in range(_PARTNER.num_fields))
        columns = [
            self.numbering.span(part)[rows],
            numbers_of(self.corpus, self.numbering, Places(run, at, row), part),
            jaccard,
            exact,
            stored.column("more_partners").combine_chunks().take(pa.array(rows)),
        ]
        return pa.table(columns, schema=PARTNERS)


class Together(NamedTuple):
    """What is known from several."""

    several: tuple[Partners, ...]

    def of(self, part: int) -> pa.Table:
        """See `Partners.of`."""
        return by_document(pa.concat_tables([each.of(part) for each in self.several]))


def copies_known(corpus: Corpus, numbering: Numbering, copies: Rows) -> Rows:
    """`PARTNERS` of every part as far as texts are the same: of each copy, and of leaders their first copies.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        copies: from `curate.stages.near_dup.exact.find_copies`.
    """
    ask = functools.partial(_send_copies, copies, numbering)
    receive = functools.partial(_follow_leaders, corpus, numbering)
    followed = corpus.exchange(ask, numbering.parts, receive, numbering.parts, COPIES)
    send = functools.partial(send_home, followed, numbering, PARTNERS)
    return corpus.exchange(send, len(followed), _received, numbering.parts, PARTNERS)


def lists_of(corpus: Corpus, numbering: Numbering, partners: pa.Table, part: int) -> list[pa.Array]:
    """`LISTS` of one part, row for row."""
    rows = numbering.rows_in(part, column(partners, "document"))
    counts = np.bincount(rows, minlength=corpus.rows[part])
    ends = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    where = places_of(corpus, numbering, column(partners, "partner"))
    values = pa.StructArray.from_arrays(
        [where.run, where.part, where.row, *(partners.column(name).combine_chunks() for name in ("jaccard", "exact"))],
        fields=list(_PARTNER),
    )
    more = np.zeros(corpus.rows[part], np.bool_)
    more[rows[column(partners, "more").astype(np.bool_)]] = True
    none = pa.array(counts == 0)
    return [pa.ListArray.from_arrays(pa.array(ends), values, mask=none), pa.array(more, mask=counts == 0)]


def by_document(rows: pa.Table) -> pa.Table:
    """Each partner of a document once, the most similar first."""
    documents, partners = column(rows, "document"), column(rows, "partner")
    order = np.lexsort((partners, -column(rows, "jaccard"), documents))
    documents, partners = documents[order], partners[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (documents[1:] != documents[:-1]) | (partners[1:] != partners[:-1])
    return rows.combine_chunks().take(pa.array(order[first])).combine_chunks()


def _send_copies(copies: Rows, numbering: Numbering, part: int) -> Iterator[pa.RecordBatch]:
    """To the part of a leader: its copies in this run."""
    own = copies[part].filter(pc.greater_equal(copies[part].column("document"), numbering.first_new))
    columns = {name: own.column(name).combine_chunks() for name in COPIES.names}
    yield addressed(numbering.part_of(column(own, "leader")), **columns)


def _follow_leaders(corpus: Corpus, numbering: Numbering, part: int, rows: pa.Table) -> pa.Table:
    """What copies are like: their leader, or what stands for it where an earlier run removed that."""
    survivors, jaccard, exact = decided_before(corpus, numbering, part, len(rows))
    documents, leaders, listed = (column(rows, name) for name in COPIES.names)
    places = numbering.rows_in(part, leaders)
    gone = survivors[places] >= 0
    first = listed.astype(np.bool_) & (leaders >= numbering.first_new)
    columns = [
        np.concatenate((documents, leaders[first])),
        np.concatenate((np.where(gone, survivors[places], leaders), documents[first])),
        np.concatenate((np.where(gone, jaccard[places], 1.0), np.ones(first.sum()))),
        np.concatenate((~gone | exact[places], np.ones(first.sum(), np.bool_))),
        np.zeros(len(documents) + first.sum(), np.bool_),
    ]
    return pa.table(columns, schema=PARTNERS)


def decided_before(
    corpus: Corpus, numbering: Numbering, part: int, asked: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Survivor, Jaccard and exactness of each row of a part as far as an earlier run decided; -1 for all others.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        part: of this or an earlier run.
        asked: how many rows will be looked up; where none is, nothing is read.
    """
    if part >= len(corpus.earlier) or not asked:
        unknown = np.full(corpus.rows[part], -1, np.int64)
        return unknown, np.zeros(len(unknown)), np.zeros(len(unknown), np.bool_)
    return decided_of(corpus, numbering, part)


def decided_of(
    corpus: Corpus, numbering: Numbering, part: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Survivor, Jaccard and exactness of each row of a part, as the stage's file has them; -1 where it was kept."""
    decided = corpus.judged(part, ["survivor_run", "survivor_at", "jaccard", "exact"])
    where = decided.column("survivor_at").combine_chunks()
    places = Places(decided.column("survivor_run").combine_chunks(), *(pc.struct_field(where, at) for at in (0, 1)))
    return (
        numbers_of(corpus, numbering, places, part),
        column(decided, "jaccard").copy(),
        column(decided, "exact").astype(np.bool_),
    )


def _received(receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    return by_document(rows)
