"""Which documents must be compared: those that meet in a bucket of some band.

Bands are read one at a time, and of each band one range of keys at a time, through a hash table of fixed
size. What is kept for each document and band, the bucket, lies in a scratch file; in memory stays a
union-find forest.

Components are only units of work: documents in different ones share no bucket, so each can be settled by
itself.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.stages.contract import Corpus
from curate.stages.near_dup.numbering import Index, Numbering
from curate.stages.near_dup.partial import band_column, column
from curate.text.lsh import flatten, join_buckets, table_for

_AT_ONCE = 1 << 21
"""Documents in the hash table at a time: about 50 MB."""


class Candidates(NamedTuple):
    """Documents with company in some bucket, ordered by component and, within one, by priority."""

    order: Index
    """Their numbers."""
    ends: npt.NDArray[np.int64]
    """Where in ``order`` each component ends."""
    positions: Index
    """For every document of the corpus, its place in ``order``; -1 for those without company."""
    buckets: Index
    """Bands × documents: 1 + a document that shares the bucket for all in it; 0 without company. In a
    file."""


def find_candidates(corpus: Corpus, numbering: Numbering, leaders: Index, bands: int) -> Candidates:
    """Gather the documents that share a bucket, among those that lead their group of exact copies.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        leaders: from `group_exact`.
        bands: number of band columns.
    """
    parents = _forest(corpus, numbering, leaders)
    buckets = corpus.scratch("buckets", numbering.dtype, bands * numbering.documents).reshape(bands, -1)
    met = np.zeros(numbering.documents, np.bool_)
    for band in range(bands):
        _join_band(corpus, numbering, band, buckets[band], parents)
        met |= buckets[band] > 0
    flatten(parents)
    order = np.flatnonzero(met).astype(numbering.dtype)
    order = order[np.argsort(~_priorities(corpus, numbering, order), kind="stable")]
    order = order[np.argsort(parents[order], kind="stable")]
    ends = np.flatnonzero(np.diff(parents[order], append=-1)) + 1
    parents[:] = -1
    parents[order] = np.arange(len(order), dtype=numbering.dtype)
    return Candidates(order, ends, parents, buckets)


def _forest(corpus: Corpus, numbering: Numbering, leaders: Index) -> Index:
    """Every group leader that has words as a tree of its own (-1: takes no part)."""
    parents = np.full(numbering.documents, -1, numbering.dtype)
    for part in numbering.parts:
        span = numbering.span(part)
        numbers = np.arange(span.start, span.stop, dtype=numbering.dtype)
        shingles = column(corpus.partial(part, ["shingles"]), "shingles")
        parents[span] = np.where((leaders[span] == numbers) & (shingles > 0), numbers, -1)
    return parents


def _priorities(corpus: Corpus, numbering: Numbering, documents: Index) -> npt.NDArray[np.uint64]:
    """Of the given documents, in ascending order."""
    bounds = np.searchsorted(documents, numbering.firsts)
    found = np.empty(len(documents), np.uint64)
    for part in numbering.parts:
        mine = slice(int(bounds[part]), int(bounds[part + 1]))
        rows = documents[mine] - numbering.firsts[part]
        found[mine] = column(corpus.partial(part, ["priority"]), "priority")[rows]
    return found


def _join_band(corpus: Corpus, numbering: Numbering, band: int, buckets: Index, parents: Index) -> None:
    slices = max(1, -(-numbering.documents // _AT_ONCE))
    table, owners = table_for(min(numbering.documents, 2 * _AT_ONCE), numbering.dtype)
    for slice_of in range(slices):
        owners[:] = -1
        for part in numbering.parts:
            keys = column(corpus.partial(part, [band_column(band)]), band_column(band))
            first = int(numbering.firsts[part])
            join_buckets(keys, first, slice_of, slices, table, owners, buckets, parents)
