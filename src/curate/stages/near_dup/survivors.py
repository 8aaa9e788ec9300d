"""Which documents stay: greedy selection in the order of preference, every removal proven by exact Jaccard.

A document is removed if, and only if, one kept before it is a candidate and reaches the similarity. Components are put
together into *chains*, each settled by itself. The documents of a chain are brought into the order of preference first,
then their shingle sets, computed anew from the texts, come in batches of that order. So whoever settles a chain holds
one batch and the sets of kept documents, even where one component spans the corpus. A long document comes in pieces,
each with a range of its hashes, which may lie in several batches.

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
from curate.stages.near_dup.homing import in_order, sent_home
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.partial import band_column
from curate.stages.near_dup.preference import preferred_order
from curate.stages.near_dup.settings import NearDupSettings
from curate.stages.sending import RANGE_BYTES, column, range_of_key, ranges_for
from curate.text.arrow import Offsets
from curate.text.greedy import LONG, Places, Selection, Sets
from curate.text.hashes import mixed
from curate.text.shingles import Hashes, shingle_sets, sorted_pieces

REMOVALS = pa.schema([("document", pa.int64()), ("survivor", pa.int64()), ("jaccard", pa.float64())])
"""A removed document, the kept one that stands for it, and their exact similarity."""

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
        ("cohort", pa.uint64()),
        ("buckets", pa.list_(pa.uint64())),
        ("shingles", pa.large_list(pa.uint64())),
    ]
)


def find_survivors(
    corpus: Corpus, numbering: Numbering, components: Rows, sample: Sample, settings: NearDupSettings
) -> Rows:
    """`REMOVALS` of every part, and behind them those that were missed: rows of the same kind.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        components: from `curate.stages.near_dup.candidates.find_candidates`.
        sample: of `curate.stages.near_dup.audit.draw`.
        settings: what counts as a near-duplicate, and what is preferred.
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
    send = functools.partial(_send_members, corpus, numbering, places, firsts, bands, settings.shingle_words)
    batches = corpus.exchange(send, numbering.parts, _receive_members, int(firsts[-1]), _MEMBERS)
    settle = functools.partial(_settle, corpus, numbering, batches, firsts, sizes, sample, settings)
    return corpus.exchange(settle, chains, in_order, numbering.parts + 1, REMOVALS)


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
    bands: int,
    size: int,
    part: int,
) -> Iterator[pa.RecordBatch]:
    """To the batch of each document: its buckets, and its shingle set."""
    documents, reached = (column(places[part], name) for name in ("document", "reached"))
    rows = numbering.rows_in(part, documents)
    if not len(rows):
        return
    chains, counts = column(places[part], "chain"), column(corpus.partial(part, ["shingles"]), "shingles")[rows]
    cohorts = cohort_keys(corpus.partial(part, [COHORT]))[rows]
    keys = [column(corpus.partial(part, [name]), name)[rows] for name in map(band_column, range(bands))]

    def batch_of(some: Places, reached: Places) -> Places:
        batches: Places = firsts[chains[some]] + (reached - 1) // BATCH_HASHES
        return batches

    def members(some: Places, reached: Places, following: int, sets: Hashes, ends: Offsets) -> pa.RecordBatch:
        return addressed(
            batch_of(some, reached),
            reached=reached,
            document=documents[some],
            following=np.full(len(some), following),
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
    """To the part of each removed document: what stands for it. Behind the parts: what does for each missed one."""
    documents, hashes = sizes[chain]
    selection, audited = (
        Selection(settings.similarity, _room(corpus, hashes), documents, buckets)
        for buckets in (settings.banding.bands, 1)
    )
    decide = functools.partial(_decide, numbering, selection, audited, sample)
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
                held = selection.held(sets.labels[some], sets.buckets[some], sets.fixed[some])
                yield from decide(held, cohorts[some])


def _decide(
    numbering: Numbering,
    selection: Selection,
    audited: Selection,
    sample: Sample,
    sets: Sets,
    cohorts: npt.NDArray[np.uint64],
) -> Iterator[pa.RecordBatch]:
    survivors, jaccard = selection.take(sets)
    removed = np.flatnonzero(survivors >= 0)
    yield _found(numbering.part_of(sets.labels[removed]), sets.labels[removed], survivors[removed], jaccard[removed])
    kept = np.flatnonzero((survivors < 0) & sample.holds(cohorts))
    survivors, jaccard = audited.take(_some(sets, kept)._replace(buckets=cohorts[kept, None]))
    missed = np.flatnonzero(survivors >= 0)
    behind = np.full(len(missed), numbering.parts)
    yield _found(behind, sets.labels[kept[missed]], survivors[missed], jaccard[missed])


def _room(corpus: Corpus, hashes: int) -> npt.NDArray[np.uint64]:
    """For the shingles of a chain's kept documents: in a file where the chain has more than one batch."""
    return np.empty(hashes, np.uint64) if hashes <= BATCH_HASHES else corpus.scratch(np.uint64, hashes)


def _found(
    to: npt.NDArray[np.int64],
    documents: npt.NDArray[np.int64],
    survivors: npt.NDArray[np.int64],
    jaccard: npt.NDArray[np.float64],
) -> pa.RecordBatch:
    return addressed(to, document=documents, survivor=survivors, jaccard=jaccard)


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
    )
    return sets, column(rows, "cohort")[order], column(rows, "following")[order]


def _some(sets: Sets, which: npt.NDArray[np.int64]) -> Sets:
    return sets._replace(
        labels=sets.labels[which],
        buckets=sets.buckets[which],
        starts=sets.starts[which],
        sizes=sets.sizes[which],
        fixed=sets.fixed[which],
    )
