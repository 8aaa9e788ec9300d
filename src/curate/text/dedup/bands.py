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

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.text.dedup.candidates import recurring

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


@functools.cache
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


class Meetings(NamedTuple):
    """Documents that share a bucket with a lower one, a row for each document and bucket."""

    documents: Index
    owners: Index
    """The lowest document in it."""


def meetings(keys: Hashes, documents: Index, least: int) -> Meetings:
    """Who meets whom among documents that were put into buckets.

    Args:
        keys: bucket of each row (uint64).
        documents: number of the document of each row (int64).
        least: buckets in which all documents are lower than this are skipped.

    Example:
        >>> met = meetings(np.array([7, 9, 7, 9, 5], np.uint64), np.array([4, 0, 2, 1, 3]), least=2)
        >>> met.documents.tolist(), met.owners.tolist()
        ([4], [2])
    """
    rows = recurring(keys)
    if not len(rows):
        return Meetings(documents[rows], documents[rows])
    keys, documents = keys[rows], documents[rows]
    order = np.argsort(keys)
    keys, documents = keys[order], documents[order]
    starts = np.concatenate(([0], np.flatnonzero(keys[1:] != keys[:-1]) + 1))
    owners = np.minimum.reduceat(documents, starts)
    owners[np.maximum.reduceat(documents, starts) < least] = -1
    owners = np.repeat(owners, np.diff(starts, append=len(keys)))
    met = (owners >= 0) & (documents != owners)
    return Meetings(documents[met], owners[met])
