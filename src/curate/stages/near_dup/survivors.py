"""Which documents are alike, and which stay: greedy selection in the order of preference by exact Jaccard.

A document is removed if, and only if, one kept before it is a candidate and reaches the similarity. Components are put
together into *chains*, each settled by itself. The documents of a chain are brought into the order of preference first,
then their shingle sets, computed anew from the texts, come in batches of that order. So whoever settles a chain holds
one batch and the sets of kept documents, even where one component spans the corpus. A long document comes in pieces,
each with a range of its hashes, which may lie in several batches.

Every pair that reaches the similarity is stored, including the first few removed for each kept document: by these,
survivors are chosen again without texts (`curate.stages.near_dup.choice`) when a later stage removes one.

Kept documents of the audit's sample are compared once more, with those of their cohort. Who is found then was missed.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.contract import Corpus, Rows, addressed
from curate.stages.near_dup.audit import COHORT, Sample, cohort_keys
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.partial import keys_of_bands
from curate.stages.near_dup.preference import preferred_order
from curate.stages.near_dup.routing import sent_home
from curate.stages.near_dup.settings import NearDupSettings
from curate.stages.partitioning import RANGE_BYTES, column, range_of_key, ranges_for
from curate.text.core.arrow import Offsets
from curate.text.core.hashes import mixed
from curate.text.dedup.greedy import LONG, Places, Selection, Sets
from curate.text.dedup.shingles import Hashes, shingle_sets, sorted_pieces

ALIKE = pa.schema(
    [
        ("document", pa.int64()),
        ("partner", pa.int64()),
        ("jaccard", pa.float64()),
        ("removed", pa.bool_()),
        ("more", pa.bool_()),
    ]
)
"""A document, one that it is like, their exact similarity, whether it is removed for that one, and whether it may be
similar to others that are not stored."""
BELOW = 0.75
"""Share of the similarity from which kept pairs of the audit's sample are reported, although they do not reach it."""
FOLLOWERS = 2
"""Documents removed for one that others are compared with too."""

BATCH_HASHES = RANGE_BYTES // 8
"""Buckets and shingles of one batch: twice what a chain has on the average, so that most chains have one batch."""

_RANKED = pa.schema([("priority", pa.uint64()), ("id", pa.string()), ("document", pa.int64()), ("hashes", pa.int64())])
WHOLE = -1
"""Instead of the number of pieces ``following``: the row has the whole set."""
_PLACES = pa.schema([("document", pa.int64()), ("chain", pa.int64()), ("reached", pa.int64())])
"""A document, its chain, and the hashes of the chain up to its own."""
_MEMBERS = pa.schema(
    [
        ("reached", pa.int64()),
        ("document", pa.int64()),
        ("following", pa.int64()),
        ("unfit", pa.bool_()),
        ("cohort", pa.uint64()),
        ("buckets", pa.list_(pa.uint64())),
        ("shingles", pa.large_list(pa.uint64())),
    ]
)


def find_survivors(
    corpus: Corpus,
    numbering: Numbering,
    components: Rows,
    sample: Sample,
    settings: NearDupSettings,
    fit: Sequence[npt.NDArray[np.int64]] | None = None,
) -> Rows:
    """`ALIKE` of every part, by document, and behind them kept pairs of the audit's sample: rows of the same kind.

    Of the sample there are documents that were missed, each with what it is most like, and pairs from `BELOW` of the
    similarity up to it, which are no near-duplicates.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        components: from `curate.stages.near_dup.candidates.find_candidates`.
        sample: of `curate.stages.near_dup.audit.draw`.
        settings: what counts as a near-duplicate, and what is preferred.
        fit: rows of each part of documents that others are compared with; None are all.
    """
    bands = settings.banding.bands
    count = functools.partial(_hashes, corpus, numbering, components, bands)
    chains = ranges_for(2 * 8 * sum(corpus.map(count, range(numbering.parts))))
    rank = functools.partial(_send_ranked, corpus, numbering, components, bands, chains)
    receive = functools.partial(_receive_ranked, numbering, settings.by_id)
    ranked = corpus.exchange(rank, numbering.parts, receive, chains, _RANKED)
    sizes = list(corpus.map(functools.partial(_size, ranked), range(chains)))
    firsts = np.cumsum([0, *(-(-size.hashes // BATCH_HASHES) for size in sizes)])
    places = sent_home(corpus, ranked, numbering, _PLACES)
    send = functools.partial(_send_members, corpus, numbering, places, firsts, fit, settings)
    batches = corpus.exchange(send, numbering.parts, _receive_members, int(firsts[-1]), _MEMBERS)
    settle = functools.partial(_settle, corpus, numbering, batches, firsts, sizes, sample, settings)
    return corpus.exchange(settle, chains, _by_document, numbering.parts + 1, ALIKE)


def _hashes(corpus: Corpus, numbering: Numbering, components: Rows, bands: int, part: int) -> int:
    """Hashes of all candidates of a part: their band keys and shingles, repeats counted."""
    rows = numbering.rows_in(part, column(components[part], "document"))
    if not len(rows):
        return 0
    return bands * len(rows) + int(column(corpus.partial(part, ["shingles"]), "shingles")[rows].sum(dtype=np.int64))


def _send_ranked(
    corpus: Corpus, numbering: Numbering, components: Rows, bands: int, chains: int, part: int
) -> Iterator[pa.RecordBatch]:
    documents = column(components[part], "document")
    rows = numbering.rows_in(part, documents)
    if not len(rows):
        return
    table = corpus.partial(part, ["priority", "id", "shingles"])
    yield addressed(
        range_of_key(mixed(column(components[part], "component")), chains),
        priority=column(table, "priority")[rows],
        id=table.column("id").combine_chunks().take(pa.array(rows)),
        document=documents,
        hashes=bands + column(table, "shingles")[rows].astype(np.int64),
    )


def _receive_ranked(numbering: Numbering, by_id: bool, chain: int, rows: pa.Table) -> pa.Table:
    """The documents of a chain in the order of preference."""
    order = preferred_order(rows, numbering, by_id=by_id)
    reached = np.cumsum(column(rows, "hashes")[order])
    return pa.table([column(rows, "document")[order], np.full(len(order), chain), reached], schema=_PLACES)


class _Size(NamedTuple):
    """Of a chain."""

    documents: int
    hashes: int


def _size(ranked: Rows, chain: int) -> _Size:
    rows = ranked[chain]
    return _Size(len(rows), int(rows.column("reached")[-1].as_py()) if len(rows) else 0)


def _send_members(
    corpus: Corpus,
    numbering: Numbering,
    places: Rows,
    firsts: npt.NDArray[np.int64],
    fit: Sequence[npt.NDArray[np.int64]] | None,
    settings: NearDupSettings,
    part: int,
) -> Iterator[pa.RecordBatch]:
    """To the batch of each document: its buckets, and its shingle set."""
    bands, size = settings.banding.bands, settings.shingle_words
    documents, reached = (column(places[part], name) for name in ("document", "reached"))
    rows = numbering.rows_in(part, documents)
    if not len(rows):
        return
    chains, counts = column(places[part], "chain"), column(corpus.partial(part, ["shingles"]), "shingles")[rows]
    cohorts = cohort_keys(corpus.partial(part, [COHORT]))[rows]
    unfit = np.zeros(len(rows), np.bool_) if fit is None else ~np.isin(rows, fit[part])
    keys = [each[rows] for each in keys_of_bands(corpus, part, bands)]

    def batch_of(some: Places, reached: Places) -> Places:
        batches: Places = firsts[chains[some]] + (reached - 1) // BATCH_HASHES
        return batches

    def members(some: Places, reached: Places, following: int, sets: Hashes, ends: Offsets) -> pa.RecordBatch:
        return addressed(
            batch_of(some, reached),
            reached=reached,
            document=documents[some],
            following=np.full(len(some), following),
            unfit=unfit[some],
            cohort=cohorts[some],
            buckets=_lists([own[some] for own in keys]),
            shingles=pa.LargeListArray.from_arrays(pa.array(ends), pa.array(sets)),
        )

    begin = 0
    for texts in corpus.texts(part, rows):
        long = counts[begin : begin + len(texts)] > LONG
        some = begin + np.flatnonzero(~long)
        some = some[np.argsort(batch_of(some, reached[some]), kind="stable")]  # or the exchange would sort the sets
        yield members(some, reached[some], WHOLE, *shingle_sets(texts, size, some - begin))
        for one in np.flatnonzero(long):
            place, shingles = np.array([begin + one]), int(counts[begin + one])
            pieces = _pieces(shingles)
            for following, piece in enumerate(sorted_pieces(texts.slice(one, 1), size, pieces), 1 - pieces):
                there = reached[place] + following * (bands + shingles) // pieces
                yield members(place, there, -following, piece, np.array([0, len(piece)]))
        begin += len(texts)
        del texts  # before the next are read


def _pieces(shingles: int) -> int:
    """Into how many pieces a long document is cut: a power of two, so that each has `LONG` to 2 `LONG` shingles."""
    return max(2, 1 << (-(-shingles // (2 * LONG)) - 1).bit_length())


def _lists(columns: Sequence[npt.NDArray[np.uint64]]) -> pa.ListArray:
    values = np.stack(columns, axis=1)
    ends = np.arange(0, values.size + 1, len(columns), dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values.ravel()))


def _receive_members(batch: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    return rows.combine_chunks()


def _settle(
    corpus: Corpus,
    numbering: Numbering,
    batches: Rows,
    firsts: npt.NDArray[np.int64],
    sizes: Sequence[_Size],
    sample: Sample,
    settings: NearDupSettings,
    chain: int,
) -> Iterator[pa.RecordBatch]:
    """To the part of each document: what it is like. Behind the parts: what each missed one is like."""
    documents, hashes = sizes[chain]
    selection, audited, below = (
        Selection(similarity, _room(corpus, hashes), documents, buckets, followers)
        for similarity, buckets, followers in (
            (settings.similarity, settings.banding.bands, FOLLOWERS),
            (settings.similarity, 1, 0),
            (BELOW * settings.similarity, 1, documents),  # whoever is like another is compared with others, too
        )
    )
    decide = functools.partial(_decide, numbering, selection, audited, below, sample, settings.similarity)
    for batch in range(firsts[chain], firsts[chain + 1]):
        if not len(rows := batches[batch]):
            continue
        sets, cohorts, following = _sets(rows, numbering)
        for some in np.split(np.arange(len(rows)), np.flatnonzero(following[1:] + following[:-1] != 2 * WHOLE) + 1):
            if following[some[0]] == WHOLE:
                yield from decide(_some(sets, some), cohorts[some])
                continue
            piece = sets.starts[some[0]]
            selection.hold(sets.hashes[piece : piece + sets.sizes[some[0]]])
            if following[some[0]] == 0:
                held = selection.held(sets.labels[some], sets.buckets[some], sets.fixed[some], sets.unfit[some])
                yield from decide(held, cohorts[some])


def _decide(
    numbering: Numbering,
    selection: Selection,
    audited: Selection,
    below: Selection,
    sample: Sample,
    similarity: float,
    sets: Sets,
    cohorts: npt.NDArray[np.uint64],
) -> Iterator[pa.RecordBatch]:
    selected = selection.take(sets)
    pairs, labels = selected.pairs, sets.labels[selected.pairs.newcomers]
    removed, more = pairs.others == selected.survivors[pairs.newcomers], selected.more[pairs.newcomers]
    yield _alike(numbering.part_of(labels), labels, pairs.others, pairs.similarities, removed, more)
    listed = pairs.listed & (pairs.others >= numbering.first_new)
    labels, others, no = labels[listed], pairs.others[listed], np.zeros(int(listed.sum()), np.bool_)
    yield _alike(numbering.part_of(others), others, labels, pairs.similarities[listed], no, no)
    kept = np.flatnonzero((selected.survivors < 0) & sample.holds(cohorts))
    inside = _some(sets, kept)._replace(buckets=cohorts[kept, None])
    found = audited.take(inside)
    missed = np.flatnonzero(found.survivors >= 0)
    behind, no = np.full(len(missed), numbering.parts), np.zeros(len(missed), np.bool_)
    yield _alike(behind, sets.labels[kept[missed]], found.survivors[missed], found.similarities[missed], no, no)
    pairs = below.take(inside).pairs
    under = np.flatnonzero(pairs.similarities < similarity)
    behind, no = np.full(len(under), numbering.parts), np.zeros(len(under), np.bool_)
    labels = inside.labels[pairs.newcomers[under]]
    yield _alike(behind, labels, pairs.others[under], pairs.similarities[under], no, no)


def _by_document(receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    """Most similar partners first."""
    order = np.lexsort((column(rows, "partner"), -column(rows, "jaccard"), column(rows, "document")))
    return rows.combine_chunks().take(pa.array(order)).combine_chunks()


def _room(corpus: Corpus, hashes: int) -> npt.NDArray[np.uint64]:
    """For the shingles of a chain's kept documents: in a file where the chain has more than one batch."""
    return np.empty(hashes, np.uint64) if hashes <= BATCH_HASHES else corpus.scratch(np.uint64, hashes)


def _alike(
    to: npt.NDArray[np.int64],
    documents: npt.NDArray[np.int64],
    partners: npt.NDArray[np.int64],
    jaccard: npt.NDArray[np.float64],
    removed: npt.NDArray[np.bool_],
    more: npt.NDArray[np.bool_],
) -> pa.RecordBatch:
    return addressed(to, document=documents, partner=partners, jaccard=jaccard, removed=removed, more=more)


def _sets(rows: pa.Table, numbering: Numbering) -> tuple[Sets, npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """A batch in the order of preference, cohorts, and how many pieces follow; the shingles stay where they are."""
    order = np.argsort(column(rows, "reached"))
    documents = column(rows, "document")[order]
    buckets, shingles = (rows.column(name).chunk(0) for name in ("buckets", "shingles"))
    starts = shingles.offsets.to_numpy()
    sets = Sets(
        labels=documents,
        buckets=buckets.flatten().to_numpy().reshape(len(rows), -1)[order],
        hashes=shingles.values.to_numpy(),
        starts=starts[:-1][order],
        sizes=np.diff(starts)[order],
        fixed=documents < numbering.first_new,
        unfit=rows.column("unfit").to_numpy()[order],
    )
    return sets, column(rows, "cohort")[order], column(rows, "following")[order]


def _some(sets: Sets, which: npt.NDArray[np.int64]) -> Sets:
    return sets._replace(
        labels=sets.labels[which],
        buckets=sets.buckets[which],
        starts=sets.starts[which],
        sizes=sets.sizes[which],
        fixed=sets.fixed[which],
        unfit=sets.unfit[which],
    )
