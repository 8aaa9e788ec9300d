"""Greedy selection under exact Jaccard: keep a set unless one kept before it is similar enough.

Sets are taken in order of priority and compared with those *kept* so far that share one of their buckets. A
bucket of n similar sets therefore costs n comparisons: all are compared with the one that is kept. A bucket
of n sets that turn out to be dissimilar would cost n²/2; there each set is compared with the ``LEADERS`` most
recently kept members of the bucket. With longest-first priority these are the ones nearest in size, and sets
of similarity s differ in size by a factor of at most 1/s, so what the bound gives up is the least likely to
match.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from curate.text.jaccard import capacity_for, fill, least_shared, shared_at_least

Positions = npt.NDArray[np.int32]

LEADERS = 256
"""Kept members of one bucket that a newcomer is compared with."""


class Buckets(NamedTuple):
    """Which buckets each set lies in."""

    numbers: Positions
    """Buckets of all sets back to back (int32), numbered from 0; a set names each of its buckets once."""
    ends: npt.NDArray[np.int64]
    """Where the buckets of each set begin, with the end of the last (int64, one longer than there are sets)."""


def select_survivors(
    buckets: Buckets,
    hashes: npt.NDArray[np.uint64],
    starts: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.uint32],
    similarity: float,
    fixed: npt.NDArray[np.bool_] | None = None,
    leaders: int = LEADERS,
) -> tuple[Positions, npt.NDArray[np.float64]]:
    """For every set, the kept one that it is removed in favour of.

    Args:
        buckets: which buckets the sets lie in; sets that share none are never compared.
        hashes: members of all sets (uint64).
        starts: where each set begins in ``hashes`` (int64); may be one longer.
        sizes: members of each set (uint32), at least 1.
        similarity: least Jaccard similarity that removes a set.
        fixed: sets that are kept whatever they resemble; none by default.
        leaders: kept members of one bucket that a newcomer is compared with.

    Returns:
        Position of the most similar kept candidate, the earlier of equals (int32; -1 where the set is kept),
        and their Jaccard similarity (float64).

    Example:
        >>> sets = np.array([1, 2, 3, 4, 1, 2, 3, 7, 8, 9], np.uint64)
        >>> one_bucket = Buckets(np.zeros(3, np.int32), np.arange(4))
        >>> starts, sizes = np.array([0, 4, 7]), np.array([4, 3, 3], np.uint32)
        >>> removed, jaccard = select_survivors(one_bucket, sets, starts, sizes, 0.7)
        >>> removed.tolist(), jaccard.tolist()
        ([-1, 0, -1], [0.0, 0.75, 0.0])
    """
    survivors = np.full(len(sizes), -1, np.int32)
    similarities = np.zeros(len(sizes), np.float64)
    if fixed is None:
        fixed = np.zeros(len(sizes), np.bool_)
    table = np.empty(capacity_for(int(sizes.max(initial=0))), np.uint64)
    newest = np.full(int(buckets.numbers.max(initial=-1)) + 1, -1, np.int64)
    _select(
        buckets.numbers, buckets.ends, hashes, starts, sizes, similarity, fixed, leaders, table, newest, survivors,
        similarities,
    )  # fmt: skip
    return survivors, similarities


@njit(nogil=True, cache=True)
def _select(
    buckets: Positions, ends: npt.NDArray[np.int64], hashes: npt.NDArray[np.uint64], starts: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.uint32], similarity: float, fixed: npt.NDArray[np.bool_], leaders: int,
    table: npt.NDArray[np.uint64], newest: npt.NDArray[np.int64],
    survivors: Positions, similarities: npt.NDArray[np.float64],
) -> None:  # fmt: skip
    # The kept members of a bucket form a chain, newest first, of places in `buckets`: `newest` holds its head, `before`
    # what comes after each, `members` the set at each place.
    before = np.full(len(buckets), -1, np.int64)
    members = np.empty(len(buckets), np.int32)
    compared = np.full(len(sizes), -1, np.int32)
    for current in range(len(sizes)):
        size = np.int64(sizes[current])
        capacity, filled = capacity_for(size), False
        best, best_similarity = -1, similarity
        for place in range(ends[current], ends[current + 1]):
            if fixed[current]:
                break
            walking, walked = newest[buckets[place]], 0
            while walking >= 0 and walked < leaders:
                walked += 1
                kept = members[walking]
                other = np.int64(sizes[kept])
                if compared[kept] != current and min(size, other) >= best_similarity * max(size, other) - 1e-6:
                    if not filled:
                        fill(table, capacity, hashes[starts[current] : starts[current] + size])
                        filled = True
                    needed = least_shared(size, other, best_similarity)
                    shared = shared_at_least(table, capacity, hashes[starts[kept] : starts[kept] + other], needed)
                    found = shared / (size + other - shared)
                    nearer = found > best_similarity or (found == best_similarity and (best < 0 or kept < best))
                    if shared >= 0 and nearer:
                        best, best_similarity = kept, found
                compared[kept] = current
                walking = before[walking]
        if best >= 0:
            survivors[current], similarities[current] = best, best_similarity
            continue
        for place in range(ends[current], ends[current + 1]):
            members[place] = current
            before[place] = newest[buckets[place]]
            newest[buckets[place]] = place
