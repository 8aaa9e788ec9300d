"""Which documents stay: greedy selection by priority, every removal proven by exact Jaccard.

A document is removed if, and only if, one kept before it is a candidate and reaches the similarity. That is
settled component by component on the workers; texts are read part by part, once, and only those of
candidates.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from curate.stages.contract import Corpus
from curate.stages.near_dup.candidates import Candidates, find_candidates
from curate.stages.near_dup.exact import OUT, group_exact
from curate.stages.near_dup.numbering import Index, Numbering
from curate.stages.near_dup.partial import column
from curate.stages.near_dup.settings import NearDupSettings
from curate.text.greedy import select_survivors
from curate.text.shingles import Hashes, shingle_sets

Offsets = npt.NDArray[np.int64]
Similarities = npt.NDArray[np.float64]

_BATCH_SHINGLES = 1 << 23
"""Shingles (8 bytes each) from which a batch of components is worth a task."""


class Survivors(NamedTuple):
    """For every document of the corpus, what becomes of it."""

    numbering: Numbering
    survivor: Index
    """The kept document that stands for it: itself if it is kept, `OUT` if an earlier stage left it out."""
    jaccard: Similarities
    """Exact similarity of the two where ``exact`` is false; 0 otherwise. In a file."""
    exact: npt.NDArray[np.bool_]
    """Whether their texts are the same byte for byte."""


class ShingleSets(NamedTuple):
    """Sets of shingles of all candidates in the order of `Candidates`, in a file."""

    hashes: Hashes
    starts: Offsets
    """Where each set begins, with the end of the last."""
    sizes: npt.NDArray[np.uint32]
    """Members of each set."""


class Batch(NamedTuple):
    """Some components, whole, with all that is needed to settle them."""

    first: int
    """Position of the first document."""
    buckets: npt.NDArray[np.int32]
    """Documents × bands: position in the batch of a document in the same bucket, -1 without company."""
    sets: ShingleSets


class Settled(NamedTuple):
    """The outcome of a batch."""

    first: int
    survivor: npt.NDArray[np.int32]
    """Position in the batch of the survivor, -1 where the document itself is kept."""
    jaccard: Similarities


def resolve_survivors(corpus: Corpus, settings: NearDupSettings) -> Survivors:
    """Find a kept survivor for every exact or near copy in the corpus."""
    numbering = Numbering(corpus.rows)
    survivor = group_exact(corpus, numbering)
    candidates = find_candidates(corpus, numbering, survivor, settings.banding.bands)
    sets = _collect_sets(corpus, numbering, candidates, settings.shingle_words)
    jaccard = corpus.scratch("jaccard", np.float64, numbering.documents)
    exact = np.ones(numbering.documents, np.bool_)

    def settle(batch: Batch) -> Settled:
        chosen, similarities = select_survivors(batch.buckets, *batch.sets, settings.similarity)
        return Settled(batch.first, chosen, similarities)

    for settled in corpus.map(settle, _batches(candidates, sets)):
        removed = np.flatnonzero(settled.survivor >= 0)
        documents = candidates.order[settled.first + removed]
        survivor[documents] = candidates.order[settled.first + settled.survivor[removed]]
        jaccard[documents] = settled.jaccard[removed]
        exact[documents] = False
    survivors = Survivors(numbering, survivor, jaccard, exact)
    _follow_leaders(survivors)
    return survivors


def _follow_leaders(survivors: Survivors) -> None:
    """Exact copies of a removed document take over its survivor: the same text has the same Jaccard."""
    numbering, survivor, jaccard, exact = survivors
    for part in numbering.parts:
        span = numbering.span(part)
        copies = span.start + np.flatnonzero(exact[span] & (survivor[span] != OUT))
        leaders = survivor[copies]
        survivor[copies], jaccard[copies], exact[copies] = survivor[leaders], jaccard[leaders], exact[leaders]


def _collect_sets(corpus: Corpus, numbering: Numbering, candidates: Candidates, size: int) -> ShingleSets:
    """Read the candidates' texts part by part; lay their shingle sets out in the order of candidates."""
    starts = np.zeros(len(candidates.order) + 1, np.int64)
    busy = []
    for part in numbering.parts:
        places = candidates.positions[numbering.span(part)]
        shingles = column(corpus.partial(part, ["shingles"]), "shingles")
        starts[1 + places[places >= 0]] = shingles[places >= 0]
        if (places >= 0).any():
            busy.append(part)
    np.cumsum(starts, out=starts)
    sizes = np.zeros(len(candidates.order), np.uint32)
    hashes = corpus.scratch("shingles", np.uint64, int(starts[-1]))

    def collect(part: int) -> tuple[Index, Hashes, Offsets]:
        places = candidates.positions[numbering.span(part)]
        rows = np.flatnonzero(places >= 0)
        return places[rows], *shingle_sets(corpus.texts(part, rows), size)

    for positions, members, offsets in corpus.map(collect, busy):
        sizes[positions] = np.diff(offsets)
        _scatter(members, offsets, positions, starts, hashes)
    return ShingleSets(hashes, starts, sizes)


@njit(nogil=True, cache=True)
def _scatter(members: Hashes, offsets: Offsets, positions: Index, starts: Offsets, hashes: Hashes) -> None:
    """Write set ``i`` of ``members`` to the place of document ``positions[i]``."""
    for i in range(len(positions)):
        start = starts[positions[i]]
        for at in range(offsets[i], offsets[i + 1]):
            hashes[start + at - offsets[i]] = members[at]


def _batches(candidates: Candidates, sets: ShingleSets) -> Iterator[Batch]:
    """Whole components, as many as make a task worth while."""
    ends = candidates.ends
    first = 0
    while first < len(candidates.order):
        enough = np.searchsorted(sets.starts, sets.starts[first] + _BATCH_SHINGLES)
        last = int(ends[min(np.searchsorted(ends, max(enough, first + 1)), len(ends) - 1)])
        yield _batch(candidates, sets, first, last)
        first = last


def _batch(candidates: Candidates, sets: ShingleSets, first: int, last: int) -> Batch:
    documents = candidates.order[first:last]
    buckets = np.empty((last - first, len(candidates.buckets)), np.int32)
    for band, owners in enumerate(candidates.buckets):
        owner = owners[documents]
        buckets[:, band] = np.where(owner > 0, candidates.positions[owner - 1] - first, -1)
    begin, end = sets.starts[first], sets.starts[last]
    mine = ShingleSets(sets.hashes[begin:end], sets.starts[first : last + 1] - begin, sets.sizes[first:last])
    return Batch(first, buckets, mine)
