"""Locality-sensitive hashing: which texts are worth comparing.

A signature of ``bands * rows`` entries is cut into bands; two texts are candidates when all rows of at least
one band agree, which for Jaccard similarity *s* happens with probability ``1 - (1 - s**rows) ** bands``
(Leskovec, Rajaraman, Ullman, *Mining of Massive Datasets*, section 3.4): an S-shaped curve.

``datasketch.MinHashLSH`` places the curve where the areas of false positives and false negatives balance,
because its candidates are its answer. Here every candidate is verified by exact Jaccard: a false positive
costs some CPU time and never a document, a false negative stays in the training data. So the curve is placed
by a promise instead: the most selective bands that still find the share ``recall`` of pairs lying exactly at
the threshold.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

Hashes = npt.NDArray[np.uint64]
Index = npt.NDArray[np.signedinteger]


class Banding(NamedTuple):
    """How a signature is cut: ``bands`` keys of ``rows`` entries each."""

    bands: int
    rows: int

    def catch_probability(self, similarity: float) -> float:
        """Probability that two texts of this Jaccard similarity become candidates.

        Example:
            >>> round(Banding(14, 8).catch_probability(0.8), 3)  # FineWeb's choice
            0.924
        """
        return float(1.0 - (1.0 - similarity**self.rows) ** self.bands)


def choose_banding(similarity: float, permutations: int, recall: float) -> Banding:
    """The most selective banding within a budget that finds ``recall`` of the pairs at ``similarity``.

    Args:
        similarity: Jaccard threshold, 0 < similarity <= 1.
        permutations: most signature entries to use.
        recall: least catch probability at the threshold, 0 < recall < 1.

    Returns:
        As many rows as the promise allows, then as few bands as it needs.

    Raises:
        ValueError: no banding within ``permutations`` keeps the promise.

    Example:
        >>> choose_banding(0.8, permutations=112, recall=0.99)
        Banding(bands=16, rows=6)
    """
    for rows in range(permutations, 0, -1):
        for bands in range(1, permutations // rows + 1):
            if Banding(bands, rows).catch_probability(similarity) >= recall:
                return Banding(bands, rows)
    raise ValueError(
        f"no bands of {permutations} permutations find {recall:.1%} of the pairs at similarity {similarity}"
    )


def table_for(documents: int, index: npt.DTypeLike) -> tuple[Hashes, Index]:
    """Empty keys and owners of a hash table for up to ``documents`` different keys, at most half full."""
    capacity = 1 << max(4, (2 * documents - 1).bit_length())
    return np.zeros(capacity, np.uint64), np.full(capacity, -1, index)


@njit(nogil=True, cache=True)
def join_buckets(
    keys: Hashes,
    first: int,
    slice_of: int,
    slices: int,
    table: Hashes,
    owners: Index,
    buckets: Index,
    parents: Index,
) -> None:
    """Put documents into the buckets of one band, and join those that meet there.

    Args:
        keys: band keys of consecutive documents (uint64).
        first: number of the first of them in the corpus.
        slice_of: which of ``slices`` equal ranges of keys to handle; the others are skipped.
        slices: number of ranges.
        table: keys seen so far in this range (from `table_for`), kept between calls.
        owners: the document that first had each key, -1 where free.
        buckets: for each document of the corpus, receives 1 + the owner of its bucket when it has company.
        parents: union-find forest over the corpus; -1 for documents that take no part.
    """
    mask = uint64(len(table) - 1)
    for i in range(len(keys)):
        document = first + i
        key = keys[i]
        if parents[document] < 0 or (uint64(key >> uint64(32)) * uint64(slices)) >> uint64(32) != slice_of:
            continue
        slot = key & mask
        while owners[slot] >= 0 and table[slot] != key:
            slot = (slot + uint64(1)) & mask
        if owners[slot] < 0:
            table[slot], owners[slot] = key, document
            continue
        owner = owners[slot]
        buckets[owner] = buckets[document] = owner + 1
        _unite(parents, owner, document)


@njit(nogil=True, cache=True)
def flatten(parents: Index) -> None:
    """Let every document point at the root of its component: the lowest-numbered document in it."""
    for document in range(len(parents)):
        if parents[document] >= 0:
            parents[document] = _root(parents, document)


@njit(nogil=True, cache=True)
def _root(parents: Index, document: int) -> int:
    while parents[document] != document:
        parents[document] = parents[parents[document]]
        document = parents[document]
    return document


@njit(nogil=True, cache=True)
def _unite(parents: Index, first: int, second: int) -> None:
    first, second = _root(parents, first), _root(parents, second)
    if first < second:
        parents[second] = first
    elif second < first:
        parents[first] = second
