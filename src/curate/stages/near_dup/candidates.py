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


def find_candidates(
    corpus: Corpus, numbering: Numbering, leaders: Index, bands: int, longest_first: bool
) -> Candidates:
    """Gather the documents that share a bucket, among those that lead their group of exact copies.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        leaders: from `group_exact`.
        bands: number of band columns.
        longest_first: whether longer documents come first within a component, else the order of the input
            decides.
    """
    parents, lengths = _forest(corpus, numbering, leaders, longest_first)
    buckets = corpus.scratch("buckets", numbering.dtype, bands * numbering.documents).reshape(bands, -1)
    met = np.zeros(numbering.documents, np.bool_)
    for band in range(bands):
        _join_band(corpus, numbering, band, buckets[band], parents)
        met |= buckets[band] > 0
    flatten(parents)
    order = np.flatnonzero(met).astype(numbering.dtype)
    if longest_first:
        order = order[np.argsort(np.uint32(2**32 - 1) - lengths[order], kind="stable")]
    order = order[np.argsort(parents[order], kind="stable")]
    ends = np.flatnonzero(np.diff(parents[order], append=-1)) + 1
    parents[:] = -1
    parents[order] = np.arange(len(order), dtype=numbering.dtype)
    return Candidates(order, ends, parents, buckets)


def _forest(
    corpus: Corpus, numbering: Numbering, leaders: Index, with_lengths: bool
) -> tuple[Index, npt.NDArray[np.uint32]]:
    """Every group leader that has words as a tree of its own (-1: takes no part), and lengths if needed."""
    parents = np.full(numbering.documents, -1, numbering.dtype)
    lengths = np.zeros(numbering.documents if with_lengths else 0, np.uint32)
    for part in numbering.parts:
        span = numbering.span(part)
        numbers = np.arange(span.start, span.stop, dtype=numbering.dtype)
        table = corpus.partial(part, ["shingles", "length"])
        parents[span] = np.where((leaders[span] == numbers) & (column(table, "shingles") > 0), numbers, -1)
        if with_lengths:
            lengths[span] = column(table, "length")
    return parents, lengths


def _join_band(corpus: Corpus, numbering: Numbering, band: int, buckets: Index, parents: Index) -> None:
    slices = max(1, -(-numbering.documents // _AT_ONCE))
    table, owners = table_for(min(numbering.documents, 2 * _AT_ONCE), numbering.dtype)
    for slice_of in range(slices):
        owners[:] = -1
        for part in numbering.parts:
            keys = column(corpus.partial(part, [band_column(band)]), band_column(band))
            first = int(numbering.firsts[part])
            join_buckets(keys, first, slice_of, slices, table, owners, buckets, parents)
