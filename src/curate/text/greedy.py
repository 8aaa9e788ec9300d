"""Greedy selection under exact Jaccard: keep a set unless one kept before it is similar enough.

Sets are taken in order of priority and compared with those *kept* so far that share one of their buckets. A
bucket of n similar sets therefore costs n comparisons: all are compared with the one that is kept. A bucket
of n sets that turn out to be dissimilar would cost n²/2; there each set is compared with the ``LEADERS`` most
recently kept members of the bucket. With longest-first priority these are the ones nearest in size, and sets
of similarity s differ in size by a factor of at most 1/s, so what the bound gives up is the least likely to
match.

Sets may come in any number of batches. Between two of them only the kept ones are remembered.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from curate.text.jaccard import capacity_for, fill, least_shared, shared_at_least
from curate.text.shingles import mix64

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

LEADERS = 256
"""Kept members of one bucket that a newcomer is compared with."""


class Sets(NamedTuple):
    """A batch of sets in order of priority."""

    labels: Places
    """What each is called (int64, 0 or more)."""
    buckets: Hashes
    """Buckets of each (uint64, sets × buckets); sets that share none are never compared."""
    hashes: Hashes
    """Members of all sets (uint64), a set back to back, the sets in any order."""
    starts: Places
    """Where each begins in ``hashes`` (int64)."""
    sizes: Places
    """Members of each, at least 1 (int64)."""
    fixed: npt.NDArray[np.bool_]
    """Sets that are kept whatever they resemble."""


class _Kept(NamedTuple):
    """The kept sets, and for each bucket the chain of those that lie in it, newest first.

    Links stand side by side, one for each kept set and bucket; the table finds the newest link of a bucket.
    """

    labels: Places
    ends: Places
    """Where each set ends among the kept members, after a leading 0."""
    compared: Places
    """The newcomer each was last compared with."""
    link_sets: npt.NDArray[np.int32]
    link_before: Places
    table_buckets: Hashes
    table_links: Places
    """-1 where the slot is free."""
    counts: Places
    """Sets, links, buckets, newcomers so far."""


class Selection:
    """Survivors among sets that come batch by batch.

    Args:
        similarity: least Jaccard similarity that removes a set.
        members: room for the members of all sets that may be kept (uint64).
        leaders: kept members of one bucket that a newcomer is compared with.

    Example:
        >>> members = np.array([1, 2, 3, 4, 1, 2, 3, 7, 8, 9], np.uint64)
        >>> selection = Selection(0.7, np.empty(10, np.uint64))
        >>> batch = Sets(np.array([30, 31, 32]), np.zeros((3, 1), np.uint64), members, np.array([0, 4, 7]),
        ...     np.array([4, 3, 3]), np.zeros(3, np.bool_))
        >>> [found.tolist() for found in selection.take(batch)]
        [[-1, 30, -1], [0.0, 0.75, 0.0]]
    """

    def __init__(self, similarity: float, members: Hashes, leaders: int = LEADERS) -> None:
        self._similarity, self._members, self._leaders = similarity, members, leaders
        self._kept = _Kept(
            labels=np.empty(0, np.int64),
            ends=np.zeros(1, np.int64),
            compared=np.empty(0, np.int64),
            link_sets=np.empty(0, np.int32),
            link_before=np.empty(0, np.int64),
            table_buckets=np.empty(2, np.uint64),
            table_links=np.full(2, -1, np.int64),
            counts=np.zeros(4, np.int64),
        )

    def take(self, sets: Sets) -> tuple[Places, npt.NDArray[np.float64]]:
        """Decide about the next sets.

        Returns:
            Label of the most similar kept candidate, the earlier of equals (int64; -1 where the set is kept), and their
            Jaccard similarity (float64).
        """
        self._make_room(*sets.buckets.shape)
        survivors = np.full(len(sets.sizes), -1, np.int64)
        similarities = np.zeros(len(sets.sizes), np.float64)
        table = np.empty(capacity_for(int(sets.sizes.max(initial=0))), np.uint64)
        _select(sets, self._similarity, self._leaders, table, self._kept, self._members, survivors, similarities)
        return survivors, similarities

    def _make_room(self, sets: int, buckets: int) -> None:
        """For as many more kept sets, each in as many buckets."""
        kept = self._kept
        most, links = int(kept.counts[0]) + sets, int(kept.counts[1]) + sets * buckets
        capacity = capacity_for(int(kept.counts[2]) + sets * buckets)
        table_buckets, table_links = kept.table_buckets, kept.table_links
        if capacity > len(table_links):
            table_buckets, table_links = np.empty(capacity, np.uint64), np.full(capacity, -1, np.int64)
            _move(kept.table_buckets, kept.table_links, table_buckets, table_links)
        self._kept = kept._replace(
            labels=_grown(kept.labels, most),
            ends=_grown(kept.ends, most + 1),
            compared=_grown(kept.compared, most),
            link_sets=_grown(kept.link_sets, links),
            link_before=_grown(kept.link_before, links),
            table_buckets=table_buckets,
            table_links=table_links,
        )


def _grown(values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """The same values with room for so many, at least a half more than before."""
    if size <= len(values):
        return values
    longer = np.empty(max(size, len(values) * 3 // 2), values.dtype)
    longer[: len(values)] = values
    return longer


@njit(nogil=True, cache=True, inline="always")
def _slot_of(bucket: int, table_buckets: Hashes, table_links: Places) -> int:
    """The slot that holds a bucket, or the free one where it would be."""
    mask = uint64(len(table_links) - 1)
    slot = mix64(bucket) & mask
    while table_links[slot] >= 0 and table_buckets[slot] != bucket:
        slot = (slot + uint64(1)) & mask
    found: int = slot
    return found


@njit(nogil=True, cache=True)
def _move(from_buckets: Hashes, from_links: Places, table_buckets: Hashes, table_links: Places) -> None:
    for slot in range(len(from_links)):
        if from_links[slot] >= 0:
            to = _slot_of(from_buckets[slot], table_buckets, table_links)
            table_buckets[to], table_links[to] = from_buckets[slot], from_links[slot]


@njit(nogil=True, cache=True)
def _select(
    sets: Sets, similarity: float, leaders: int, table: Hashes, kept: _Kept, members: Hashes,
    survivors: Places, similarities: npt.NDArray[np.float64],
) -> None:  # fmt: skip
    for current in range(len(sets.sizes)):
        own = sets.hashes[sets.starts[current] : sets.starts[current] + sets.sizes[current]]
        size, capacity, filled = len(own), capacity_for(len(own)), False
        best, best_similarity = -1, similarity
        newcomer = kept.counts[3]
        kept.counts[3] += 1
        for bucket in sets.buckets[current]:
            if sets.fixed[current]:
                break
            link = kept.table_links[_slot_of(bucket, kept.table_buckets, kept.table_links)]
            walked = 0
            while link >= 0 and walked < leaders:
                walked += 1
                earlier = int(kept.link_sets[link])
                link = kept.link_before[link]
                if kept.compared[earlier] == newcomer:
                    continue
                kept.compared[earlier] = newcomer
                other = kept.ends[earlier + 1] - kept.ends[earlier]
                if min(size, other) < best_similarity * max(size, other) - 1e-6:
                    continue
                if not filled:
                    fill(table, capacity, own)
                    filled = True
                needed = least_shared(size, other, best_similarity)
                shared = shared_at_least(table, capacity, members[kept.ends[earlier] : kept.ends[earlier + 1]], needed)
                found = shared / (size + other - shared)
                nearer = found > best_similarity or (found == best_similarity and (best < 0 or earlier < best))
                if shared >= 0 and nearer:
                    best, best_similarity = earlier, found
        if best >= 0:
            survivors[current], similarities[current] = kept.labels[best], best_similarity
        else:
            _keep(sets.labels[current], sets.buckets[current], own, newcomer, kept, members)


@njit(nogil=True, cache=True)
def _keep(label: int, buckets: Hashes, own: Hashes, newcomer: int, kept: _Kept, members: Hashes) -> None:
    number = kept.counts[0]
    kept.labels[number], kept.compared[number] = label, newcomer
    kept.ends[number + 1] = kept.ends[number] + len(own)
    members[kept.ends[number] : kept.ends[number + 1]] = own
    for bucket in buckets:
        slot, link = _slot_of(bucket, kept.table_buckets, kept.table_links), kept.counts[1]
        kept.link_sets[link], kept.link_before[link] = number, kept.table_links[slot]
        kept.counts[2] += kept.table_links[slot] < 0
        kept.table_buckets[slot], kept.table_links[slot] = bucket, link
        kept.counts[1] += 1
    kept.counts[0] += 1
