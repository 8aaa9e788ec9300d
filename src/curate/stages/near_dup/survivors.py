"""Which documents stay: greedy selection in the order of preference, every removal proven by exact Jaccard.

A document is removed if, and only if, one kept before it is a candidate and reaches the similarity. Components are put
together into *chains*, each settled by itself. The documents of a chain are brought into the order of preference first,
then their shingle sets, computed anew from the texts, come in batches of that order. So whoever settles a chain holds
one batch and the sets of kept documents, even where one component spans the corpus.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.contract import Corpus, Rows, addressed
from curate.stages.near_dup.homing import in_order, sent_home
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.preference import preferred_order
from curate.stages.near_dup.settings import NearDupSettings
from curate.stages.sending import RANGE_BYTES, column, range_of_key, ranges_for
from curate.text.greedy import Selection, Sets
from curate.text.shingles import mixed, shingle_sets

REMOVALS = pa.schema([("document", pa.int64()), ("survivor", pa.int64()), ("jaccard", pa.float64())])
"""A removed document, the kept one that stands for it, and their exact similarity."""

BATCH_HASHES = RANGE_BYTES // 8
"""Buckets and shingles of one batch: twice what a chain has on the average, so that most chains have one batch."""

_RANKED = pa.schema([("priority", pa.uint64()), ("id", pa.string()), ("document", pa.int64()), ("hashes", pa.int64())])
_PLACES = pa.schema([("document", pa.int64()), ("chain", pa.int64()), ("reached", pa.int64())])
"""A document, its chain, and the hashes of the chain up to its own."""
_MEMBERS = pa.schema(
    [
        ("reached", pa.int64()),
        ("document", pa.int64()),
        ("buckets", pa.list_(pa.uint64())),
        ("shingles", pa.large_list(pa.uint64())),
    ]
)
_AT_ONCE = 1 << 20
"""Shingles (8 bytes each) from which documents of a part are sent on."""
_IN_MEMORY = 1 << 23
"""Hashes of one chain from which shingles of kept documents are kept in a file."""


def find_survivors(
    corpus: Corpus, numbering: Numbering, components: Rows, buckets: Sequence[str], settings: NearDupSettings
) -> Rows:
    """`REMOVALS` of every part.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        components: of every part, its candidates (``document``, ascending) and what each belongs to (``component``).
        buckets: columns of the partials; documents that agree in none are not compared.
        settings: what counts as a near-duplicate, and what is preferred.
    """
    count = functools.partial(_hashes, corpus, numbering, components, len(buckets))
    chains = ranges_for(2 * 8 * sum(corpus.map(count, range(numbering.parts))))
    rank = functools.partial(_send_ranked, corpus, numbering, components, len(buckets), chains)
    receive = functools.partial(_receive_ranked, numbering, settings.by_id)
    ranked = corpus.exchange(rank, numbering.parts, receive, chains, _RANKED)
    hashes = list(corpus.map(functools.partial(_reached, ranked), range(chains)))
    firsts = np.cumsum([0, *(-(-reached // BATCH_HASHES) for reached in hashes)])
    places = sent_home(corpus, ranked, numbering, _PLACES)
    send = functools.partial(_send_members, corpus, numbering, places, firsts, buckets, settings.shingle_words)
    batches = corpus.exchange(send, numbering.parts, _receive_members, int(firsts[-1]), _MEMBERS)
    settle = functools.partial(_settle, corpus, numbering, batches, firsts, hashes, settings)
    return corpus.exchange(settle, chains, in_order, numbering.parts, REMOVALS)


def _hashes(corpus: Corpus, numbering: Numbering, components: Rows, buckets: int, part: int) -> int:
    """Hashes of all candidates of a part: their buckets and shingles, repeats counted."""
    rows = numbering.rows_in(part, column(components[part], "document"))
    if not len(rows):
        return 0
    return buckets * len(rows) + int(column(corpus.partial(part, ["shingles"]), "shingles")[rows].sum(dtype=np.int64))


def _send_ranked(
    corpus: Corpus, numbering: Numbering, components: Rows, buckets: int, chains: int, part: int
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
        hashes=buckets + column(table, "shingles")[rows].astype(np.int64),
    )


def _receive_ranked(numbering: Numbering, by_id: bool, chain: int, rows: pa.Table) -> pa.Table:
    """The documents of a chain in the order of preference."""
    order = preferred_order(rows, numbering, by_id=by_id)
    reached = np.cumsum(column(rows, "hashes")[order])
    return pa.table([column(rows, "document")[order], np.full(len(order), chain), reached], schema=_PLACES)


def _reached(ranked: Rows, chain: int) -> int:
    """Hashes of a chain."""
    rows = ranked[chain]
    return int(rows.column("reached")[-1].as_py()) if len(rows) else 0


def _send_members(
    corpus: Corpus,
    numbering: Numbering,
    places: Rows,
    firsts: npt.NDArray[np.int64],
    buckets: Sequence[str],
    size: int,
    part: int,
) -> Iterator[pa.RecordBatch]:
    """To the batch of each document: its buckets, and its shingle set."""
    documents, reached = (column(places[part], name) for name in ("document", "reached"))
    rows = numbering.rows_in(part, documents)
    if not len(rows):
        return
    to = firsts[column(places[part], "chain")] + (reached - 1) // BATCH_HASHES
    keys = [column(corpus.partial(part, [name]), name)[rows].astype(np.uint64) for name in buckets]
    for some in _slices(column(corpus.partial(part, ["shingles"]), "shingles")[rows]):
        sets, offsets = shingle_sets(corpus.texts(part, rows[some]), size)
        yield addressed(
            to[some],
            reached=reached[some],
            document=documents[some],
            buckets=_lists([own[some] for own in keys]),
            shingles=pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(sets)),
        )


def _lists(columns: Sequence[npt.NDArray[np.uint64]]) -> pa.ListArray:
    values = np.stack(columns, axis=1)
    ends = np.arange(0, values.size + 1, len(columns), dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values.ravel()))


def _slices(shingles: npt.NDArray[np.uint32]) -> Iterator[slice]:
    """Documents in a row with about `_AT_ONCE` shingles together."""
    reached = np.cumsum(shingles, dtype=np.int64) // _AT_ONCE
    bounds = np.concatenate(([0], np.flatnonzero(np.diff(reached)) + 1, [len(shingles)]))
    for start, stop in itertools.pairwise(bounds):
        yield slice(int(start), int(stop))


def _receive_members(batch: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    return rows.combine_chunks()


def _settle(
    corpus: Corpus,
    numbering: Numbering,
    batches: Rows,
    firsts: npt.NDArray[np.int64],
    hashes: Sequence[int],
    settings: NearDupSettings,
    chain: int,
) -> Iterator[pa.RecordBatch]:
    """To the part of each removed document: what stands for it."""
    room = hashes[chain]
    members = np.empty(room, np.uint64) if room <= _IN_MEMORY else corpus.scratch(np.uint64, room)
    selection = Selection(settings.similarity, members)
    for batch in range(firsts[chain], firsts[chain + 1]):
        if not len(rows := batches[batch]):
            continue
        sets = _sets(rows, numbering)
        survivors, jaccard = selection.take(sets)
        removed = survivors >= 0
        documents = sets.labels[removed]
        yield addressed(
            numbering.part_of(documents), document=documents, survivor=survivors[removed], jaccard=jaccard[removed]
        )


def _sets(rows: pa.Table, numbering: Numbering) -> Sets:
    """A batch in the order of preference; the shingles stay where they are."""
    order = np.argsort(column(rows, "reached"))
    documents = column(rows, "document")[order]
    buckets, shingles = (rows.column(name).chunk(0) for name in ("buckets", "shingles"))
    starts = shingles.offsets.to_numpy()
    return Sets(
        labels=documents,
        buckets=buckets.flatten().to_numpy().reshape(len(rows), -1)[order],
        hashes=shingles.values.to_numpy(),
        starts=starts[:-1][order],
        sizes=np.diff(starts)[order],
        fixed=documents < numbering.first_new,
    )
