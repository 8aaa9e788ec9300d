"""Survivors chosen again, when later stages have removed some of those that were chosen: by what was compared before.

Nothing is removed for a document that has failed, so the next best of those like it takes its place, and whoever was
removed for the one and is not like the other comes back. That stays within the documents connected by partners: only
those that hold a document which has failed are looked at. They are sent to one place, in the order of preference.

A document of which not all partners are listed (`curate.stages.near_dup.partners`) may have to stand for others that
nobody has compared it with. Then those that it shares a bucket with are compared with it, by their texts.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.stages.contract import KEPT, PASSED_OVER, TRIED, Corpus, Rows, addressed
from curate.stages.near_dup.audit import NOBODY
from curate.stages.near_dup.candidates import EDGES, RowsOfParts, connected, find_company
from curate.stages.near_dup.exact import find_copies
from curate.stages.near_dup.judgments import JUDGMENTS, REMOVALS, Outcomes, decided, named
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.partners import Compared, Partners, Together, decided_of
from curate.stages.near_dup.preference import preferred_order
from curate.stages.near_dup.routing import sent_home
from curate.stages.near_dup.settings import NearDupSettings
from curate.stages.near_dup.survivors import find_survivors
from curate.stages.partitioning import column, range_of_key, ranges_for
from curate.text.core.hashes import mixed
from curate.text.dedup import choosing
from curate.text.dedup.choosing import Similar, choose
from curate.text.dedup.components import flatten, unite

Numbers = npt.NDArray[np.int64]

_ROW_BYTES = 120
"""Of a document with its partners, about."""
_NODES = pa.schema(
    [
        ("priority", pa.uint64()),
        ("id", pa.string()),
        ("document", pa.int64()),
        ("component", pa.int64()),
        ("failed", pa.bool_()),
        ("passed", pa.bool_()),
        ("more", pa.bool_()),
        ("partners", pa.list_(pa.int64())),
        ("jaccard", pa.list_(pa.float64())),
        ("exact", pa.list_(pa.bool_())),
    ]
)
_CHOSEN = pa.schema([*REMOVALS, ("standing", pa.int8()), ("unsure", pa.bool_())])
_STANDING = pa.schema([("document", pa.int64()), ("standing", pa.int8())])
_OF_REMOVED = ("survivor", "survivor_at", "survivor_run", "jaccard", "exact")
_NAMES = {choosing.KEPT: KEPT, choosing.PASSED_OVER: PASSED_OVER, choosing.TRIED: TRIED}

Where = Literal["failed", "changed", "everywhere"]
"""Documents connected with one that has failed; also with one that was passed over, by the stage's files; all."""

Judge = Callable[[int], pa.RecordBatch]


class Choice(NamedTuple):
    """What was decided anew; documents that are not in it keep what was decided before."""

    standing: Rows
    """By part: document, and a number of `curate.text.dedup.choosing`."""
    outcomes: Outcomes


def choose_again(
    corpus: Corpus, numbering: Numbering, partners: Partners, settings: NearDupSettings, where: Where
) -> Choice:
    """Choose survivors among the documents that have not failed.

    Args:
        corpus: what was observed, and which documents have failed.
        numbering: numbers of the documents.
        partners: what is known of each document.
        settings: what is preferred, and when two documents are alike.
        where: which documents are looked at.
    """
    nobody: RowsOfParts = [np.empty(0, np.int64)] * numbering.parts
    chosen, sure = _chosen(corpus, numbering, partners, settings, where, nobody), nobody
    copies: Rows | None = None
    while any(map(len, unsure := _unsure(corpus, numbering, chosen))):
        if copies is None:
            copies = find_copies(corpus, numbering, by_id=settings.by_id)
        company = find_company(corpus, numbering, copies, settings.banding.bands, unsure)
        alike = find_survivors(corpus, numbering, company, NOBODY, settings, unsure)
        partners = Together((partners, Compared(alike, None)))
        sure = [np.union1d(*both) for both in zip(sure, unsure, strict=True)]
        chosen = _chosen(corpus, numbering, partners, settings, where, sure)
    standing = sent_home(corpus, chosen, numbering, _STANDING)
    return Choice(standing, named(corpus, numbering, _Removed(chosen)))


def chosen_anew(before: Judge, corpus: Corpus, numbering: Numbering, choice: Choice, part: int) -> pa.RecordBatch:
    """Judgments of one part of this run: what ``before`` says of it, but for what was decided anew."""
    old, place = before(part), part + len(corpus.earlier)
    rows = choice.standing[place]
    here = numbering.rows_in(place, column(rows, "document"))
    now = decided(corpus, numbering, choice.outcomes, place)
    standing = np.full(len(old), choosing.REMOVED, np.int8)
    standing[here] = column(rows, "standing")
    names = pa.array([_NAMES.get(code) for code in range(4)], pa.string())
    removed = pa.array(standing == choosing.REMOVED)
    new = {
        name: pc.if_else(removed, values, pa.scalar(None, values.type))
        for name, values in zip(_OF_REMOVED, now.columns, strict=True)
    }
    new["copies"] = pa.array(now.copies, mask=standing == choosing.REMOVED)
    new["standing"] = names.take(pa.array(standing))
    take = np.arange(len(old))
    take[here] += len(old)
    columns = [
        pa.concat_arrays([old.column(name), new[name].cast(kind)]).take(pa.array(take))
        if name in new
        else old.column(name)
        for name, kind in JUDGMENTS.items()
    ]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(JUDGMENTS.items())))


def judged_before(corpus: Corpus, part: int) -> pa.RecordBatch:
    """What the stage's file says of a part of this run.

    A document without a listed partner was removed only because it was compared once more; that holds no longer.
    """
    table = corpus.judged(part + len(corpus.earlier), list(JUDGMENTS)).combine_chunks()
    again = pc.and_(table.column("partners").is_null(), table.column("survivor_at").is_valid())
    columns = {name: table.column(name).combine_chunks().cast(kind) for name, kind in JUDGMENTS.items()}
    for name in _OF_REMOVED:
        columns[name] = pc.if_else(again.combine_chunks(), pa.scalar(None, columns[name].type), columns[name])
    columns["copies"] = pc.if_else(again.combine_chunks(), 1, columns["copies"])
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=pa.schema(list(JUDGMENTS.items())))


@dataclass(frozen=True)
class _Edges:
    """Partners as edges of a graph."""

    partners: Partners
    parts: int

    def __len__(self) -> int:
        return self.parts

    def __getitem__(self, part: int) -> pa.Table:
        rows = self.partners.of(part)
        return pa.table([rows.column("document"), rows.column("partner")], schema=EDGES)


@dataclass(frozen=True)
class _Some:
    """Of components, those that are named."""

    components: Rows
    which: Numbers

    def __len__(self) -> int:
        return len(self.components)

    def __getitem__(self, part: int) -> pa.Table:
        rows = self.components[part]
        return rows.filter(pa.array(np.isin(column(rows, "component"), self.which)))


@dataclass(frozen=True)
class _Removed:
    """The removals, those of documents that are only tried included, so that nothing else depends on who is tried."""

    chosen: Rows

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, receiver: int) -> pa.Table:
        rows = self.chosen[receiver]
        return rows.filter(pc.greater_equal(rows.column("survivor"), 0)).select(REMOVALS.names)


def _chosen(
    corpus: Corpus,
    numbering: Numbering,
    partners: Partners,
    settings: NearDupSettings,
    where: Where,
    sure: RowsOfParts,
) -> Rows:
    """`_CHOSEN`, component by component; ``sure`` are rows of each part of which all partners are known."""
    components = connected(corpus, numbering, _Edges(partners, numbering.parts))
    if where != "everywhere":
        find = functools.partial(_touched, corpus, numbering, partners, components, where)
        touched = list(corpus.map(find, range(numbering.parts)))
        components = _Some(components, np.unique(np.concatenate([*touched, np.empty(0, np.int64)])))
    size = _ROW_BYTES * sum(corpus.map(functools.partial(_length, components), range(numbering.parts)))
    receivers = ranges_for(size)
    send = functools.partial(_send_nodes, corpus, numbering, partners, components, sure, receivers)
    receive = functools.partial(_decide, numbering, settings.by_id, settings.similarity)
    return corpus.exchange(send, numbering.parts, receive, receivers, _NODES)


def _touched(
    corpus: Corpus, numbering: Numbering, partners: Partners, components: Rows, where: Where, part: int
) -> Numbers:
    """Components that hold a document which has failed, or which was not decided by its partners alone before."""
    own = part - len(corpus.earlier)
    if own < 0:
        return np.empty(0, np.int64)
    rows = [corpus.failed[own]]
    if where == "changed":
        standing = corpus.judged(part, ["standing"]).column("standing")
        rows.append(np.flatnonzero(pc.fill_null(pc.not_equal(standing, KEPT), False).to_numpy()))
        rows.append(_removed_for_others(corpus, numbering, partners, part))
    documents = numbering.firsts[part] + np.concatenate(rows)
    inside = np.isin(column(components[part], "document"), documents)
    return np.unique(column(components[part], "component")[inside])


def _removed_for_others(corpus: Corpus, numbering: Numbering, partners: Partners, part: int) -> Numbers:
    """Rows that have partners, of whom none stands for them: they were compared once more. Copies follow a partner."""
    survivors, _, _ = decided_of(corpus, numbering, part)
    known = partners.of(part)
    rows = numbering.rows_in(part, column(known, "document"))
    found, alike = np.zeros((2, len(survivors)), np.bool_)
    alike[rows[~column(known, "exact").astype(np.bool_)]] = True
    found[rows[column(known, "partner") == survivors[rows]]] = True
    return np.flatnonzero(alike & (survivors >= 0) & ~found)


def _length(rows: Rows, part: int) -> int:
    return len(rows[part])


def _send_nodes(
    corpus: Corpus,
    numbering: Numbering,
    partners: Partners,
    components: Rows,
    sure: RowsOfParts,
    receivers: int,
    part: int,
) -> Iterator[pa.RecordBatch]:
    """Documents of this run with their partners."""
    own = part - len(corpus.earlier)
    documents = column(components[part], "document")
    if own < 0 or not len(documents):
        return
    known = partners.of(part)
    known = known.filter(pa.array(np.isin(column(known, "document"), documents)))
    order = np.searchsorted(documents, column(known, "document"))
    ends = np.concatenate(([0], np.cumsum(np.bincount(order, minlength=len(documents))))).astype(np.int32)
    more = np.zeros(len(documents), np.bool_)
    more[order[column(known, "more").astype(np.bool_)]] = True
    rows = numbering.rows_in(part, documents)
    more[np.isin(rows, sure[part])] = False
    table = corpus.partial(part, ["priority", "id"])
    lists = {
        name: pa.ListArray.from_arrays(pa.array(ends), known.column(of).combine_chunks())
        for name, of in (("partners", "partner"), ("jaccard", "jaccard"), ("exact", "exact"))
    }
    yield addressed(
        range_of_key(mixed(column(components[part], "component")), receivers),
        priority=column(table, "priority")[rows],
        id=table.column("id").combine_chunks().take(pa.array(rows)),
        document=documents,
        component=column(components[part], "component"),
        failed=np.isin(rows, corpus.failed[own]),
        passed=np.isin(rows, corpus.passed[own]) if corpus.trying else np.ones(len(rows), np.bool_),
        more=more,
        **lists,
    )


def _decide(numbering: Numbering, by_id: bool, similarity: float, receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    """`_CHOSEN` of some components. Documents of earlier runs are there as partners; they come first and stay."""
    if not len(rows):
        return _CHOSEN.empty_table()
    rows = rows.take(pa.array(preferred_order(rows, numbering, by_id=by_id))).combine_chunks()
    own = column(rows, "document")
    lists = rows.column("partners").combine_chunks()
    partners, jaccard, exact = (
        rows.column(name).combine_chunks().flatten().to_numpy(zero_copy_only=False)
        for name in ("partners", "jaccard", "exact")
    )
    fixed = np.unique(partners[partners < numbering.first_new])
    documents = np.concatenate((fixed, own))
    by_number = np.argsort(documents)
    ones = np.repeat(len(fixed) + np.arange(len(own)), lists.value_lengths().to_numpy())
    others = by_number[np.searchsorted(documents, partners, sorter=by_number)]
    clusters = np.concatenate((np.full(len(fixed), -1), column(rows, "component")))
    similar = similar_texts(clusters, ones, others, jaccard, exact.astype(np.bool_), similarity)
    failed, passed, more = (
        np.concatenate((np.zeros(len(fixed), np.bool_), column(rows, name).astype(np.bool_)))
        for name in ("failed", "passed", "more")
    )
    chosen = choose(similar, np.arange(len(documents)) < len(fixed), failed, passed)
    more = np.bincount(similar.texts, more) > 0
    standing = chosen.standing[len(fixed) :]
    columns = [
        own,
        np.where(chosen.survivors < 0, -1, documents[chosen.survivors])[len(fixed) :],
        chosen.similarities[len(fixed) :],
        chosen.exact[len(fixed) :],
        standing,
        more[similar.texts[len(fixed) :]] & (standing == choosing.KEPT),
    ]
    return pa.table(columns, schema=_CHOSEN)


def similar_texts(
    clusters: Numbers,
    ones: Numbers,
    others: Numbers,
    jaccard: npt.NDArray[np.float64],
    exact: npt.NDArray[np.bool_],
    similarity: float,
) -> Similar:
    """The graph of some documents, from pairs of them that may occur in either direction and more than once."""
    documents = len(clusters)
    same = np.arange(documents)
    unite(ones[exact], others[exact], same)
    flatten(same)
    _, texts = np.unique(same, return_inverse=True)
    near = ~exact & (jaccard >= similarity)
    ones, others, jaccard = texts[ones[near]], texts[others[near]], jaccard[near]
    both = np.concatenate((ones, others)) * documents + np.concatenate((others, ones))
    pairs, first = np.unique(both, return_index=True)
    starts = np.searchsorted(pairs // documents, np.arange(texts.max() + 2))
    clusters = np.unique(clusters, return_inverse=True)[1]
    return Similar(texts, clusters, starts, pairs % documents, np.concatenate((jaccard, jaccard))[first])


def _unsure(corpus: Corpus, numbering: Numbering, chosen: Rows) -> RowsOfParts:
    """Rows of each part of documents that are kept, and of which not all partners are known."""
    found = list(corpus.map(functools.partial(_unsure_of, chosen), range(len(chosen))))
    documents = np.sort(np.concatenate(found))
    ends = np.searchsorted(documents, numbering.firsts)
    return [documents[ends[part] : ends[part + 1]] - numbering.firsts[part] for part in range(numbering.parts)]


def _unsure_of(chosen: Rows, receiver: int) -> Numbers:
    rows = chosen[receiver]
    found: Numbers = column(rows, "document")[column(rows, "unsure").astype(np.bool_)]
    return found
