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
from numba import uint64

from curate.text.hashes import mix64
from curate.text.jaccard import (
    MARKS,
    capacity_for,
    fill,
    least_shared,
    mark,
    may_share,
    shared_at_least,
    shared_with_sorted,
)
from curate.text.kernel import inlined, inner, kernel

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Links = npt.NDArray[np.signedinteger[Any]]
"""int32 as long as that is enough, then int64."""

LEADERS = 256
"""Kept members of one bucket that a newcomer is compared with."""
LONG = 1 << 19
"""Members from which a set is compared without a table; it must be in ascending order."""
_AT_ONCE = 1 << 12
"""Sets before which the table gets room for all of them to be kept."""


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

    Every kept set has a link for each of its buckets, one after another; a link names the one before it in its bucket,
    and a table finds the newest of each.
    """

    labels: Places
    ends: Places
    """Where each set ends among the kept members, after a leading 0."""
    compared: Places
    """The newcomer each was last compared with."""
    buckets: Hashes
    """Of each link."""
    before: Links
    """The link before each in its bucket, or -1."""
    newest: Links
    """Slots of the table: a link, or -1 where the slot is free."""
    counts: Places
    """Kept sets, taken slots, newcomers so far."""


class Selection:
    """Survivors among sets that come batch by batch.

    Args:
        similarity: least Jaccard similarity that removes a set.
        members: room for the members of all sets that may be kept (uint64).
        sets: how many may be kept. Room for them is reserved, and memory taken as they are.
        buckets: in how many buckets each is.
        leaders: kept members of one bucket that a newcomer is compared with.
        long: sets of more members come in ascending order.

    Example:
        >>> members = np.array([1, 2, 3, 4, 1, 2, 3, 7, 8, 9], np.uint64)
        >>> selection = Selection(0.7, np.empty(10, np.uint64), sets=3, buckets=1)
        >>> batch = Sets(np.array([30, 31, 32]), np.zeros((3, 1), np.uint64), members, np.array([0, 4, 7]),
        ...     np.array([4, 3, 3]), np.zeros(3, np.bool_))
        >>> [found.tolist() for found in selection.take(batch)]
        [[-1, 30, -1], [0.0, 0.75, 0.0]]
    """

    def __init__(
        self, similarity: float, members: Hashes, sets: int, buckets: int, leaders: int = LEADERS, long: int = LONG
    ) -> None:
        self._similarity, self._members, self._leaders, self._long = similarity, members, leaders, long
        self._held, self._links = 0, buckets
        link = np.int32 if sets * buckets < 1 << 31 else np.int64
        self._kept = _Kept(
            labels=np.empty(sets, np.int64),
            ends=np.empty(sets + 1, np.int64),
            compared=np.empty(sets, np.int64),
            buckets=np.empty(sets * buckets, np.uint64),
            before=np.empty(sets * buckets, link),
            newest=np.empty(0, link),
            counts=np.zeros(3, np.int64),
        )
        self._kept.ends[0] = 0

    def take(self, sets: Sets) -> tuple[Places, npt.NDArray[np.float64]]:
        """Decide about the next sets.

        Returns:
            Label of the most similar kept candidate, the earlier of equals (int64; -1 where the set is kept), and their
            Jaccard similarity (float64).
        """
        survivors = np.full(len(sets.sizes), -1, np.int64)
        similarities = np.zeros(len(sets.sizes), np.float64)
        table = np.empty(capacity_for(min(int(sets.sizes.max(initial=0)), self._long)), np.uint64)
        marks = np.empty(len(table) * MARKS // 2 // 64 + 1, np.uint64)
        for start in range(0, len(survivors), _AT_ONCE):
            stop = min(start + _AT_ONCE, len(survivors))
            self._make_room((stop - start) * self._links)
            _select(
                sets,
                start,
                stop,
                self._similarity,
                self._leaders,
                self._long,
                table,
                marks,
                self._kept,
                self._members,
                survivors,
                similarities,
            )
        return survivors, similarities

    def hold(self, piece: Hashes) -> None:
        """Lay the next piece of a long set behind the members of the kept sets; `held` then gives it."""
        first = int(self._kept.ends[self._kept.counts[0]]) + self._held
        self._members[first : first + len(piece)] = piece
        self._held += len(piece)

    def held(self, label: Places, buckets: Hashes, fixed: npt.NDArray[np.bool_]) -> Sets:
        """The set that was laid there, for `take`; all arguments have length 1."""
        members = self._members.view(np.ndarray)
        members.flags.writeable = False  # as those of other sets, so that kernels compile once
        size, self._held = self._held, 0
        return Sets(label, buckets, members, self._kept.ends[self._kept.counts[:1]], np.array([size]), fixed)

    def _make_room(self, links: int) -> None:
        """In the table, for so many more buckets that nobody was in; at most three quarters of it are taken."""
        capacity = capacity_for((int(self._kept.counts[1]) + links) * 2 // 3 + 1)
        if capacity > len(self._kept.newest):
            number = self._kept.newest.dtype
            self._kept = self._kept._replace(newest=np.empty(0, number))  # so that the old one is gone before
            newest = np.full(capacity, -1, number)
            self._kept = self._kept._replace(newest=newest)
            _note_all(self._kept.buckets[: self._links * int(self._kept.counts[0])], newest)


@inlined
def _slot_of(bucket: int, newest: Links, buckets: Hashes) -> int:
    """The slot of a bucket, or the free one where it would be."""
    mask = uint64(len(newest) - 1)
    slot = mix64(bucket) & mask
    while newest[slot] >= 0 and buckets[newest[slot]] != bucket:
        slot = (slot + uint64(1)) & mask
    found: int = slot
    return found


@kernel
def _note_all(buckets: Hashes, newest: Links) -> None:
    for link in range(len(buckets)):
        newest[_slot_of(buckets[link], newest, buckets)] = link


@kernel
def _select(
    sets: Sets, start: int, stop: int, similarity: float, leaders: int, long: int, table: Hashes, marks: Hashes,
    kept: _Kept, members: Hashes, survivors: Places, similarities: npt.NDArray[np.float64],
) -> None:  # fmt: skip
    for current in range(start, stop):
        own = sets.hashes[sets.starts[current] : sets.starts[current] + sets.sizes[current]]
        size, capacity, filled = len(own), capacity_for(len(own)), False
        marked = False
        best, best_similarity = -1, similarity
        newcomer = kept.counts[2]
        kept.counts[2] += 1
        for bucket in sets.buckets[current]:
            if sets.fixed[current]:
                break
            link, walked = int(kept.newest[_slot_of(bucket, kept.newest, kept.buckets)]), 0
            while link >= 0 and walked < leaders:
                walked += 1
                earlier = link // sets.buckets.shape[1]
                link = int(kept.before[link])
                if kept.compared[earlier] == newcomer:
                    continue
                kept.compared[earlier] = newcomer
                other = kept.ends[earlier + 1] - kept.ends[earlier]
                if min(size, other) < best_similarity * max(size, other) - 1e-6:
                    continue
                needed = least_shared(size, other, best_similarity)
                others = members[kept.ends[earlier] : kept.ends[earlier + 1]]
                if size > long:
                    shared = shared_with_sorted(own, others, needed)
                else:
                    if not marked:
                        mark(marks, capacity, own)
                        marked = True
                    if not may_share(marks, capacity, others, needed):
                        continue
                    if not filled:
                        fill(table, capacity, own)
                        filled = True
                    shared = shared_at_least(table, capacity, others, needed)
                found = shared / (size + other - shared)
                nearer = found > best_similarity or (found == best_similarity and (best < 0 or earlier < best))
                if shared >= 0 and nearer:
                    best, best_similarity = earlier, found
        if best >= 0:
            survivors[current], similarities[current] = kept.labels[best], best_similarity
        else:
            _keep(sets.labels[current], sets.buckets[current], own, newcomer, kept, members)


@inner
def _keep(label: int, buckets: Hashes, own: Hashes, newcomer: int, kept: _Kept, members: Hashes) -> None:
    number = kept.counts[0]
    kept.labels[number], kept.compared[number] = label, newcomer
    kept.ends[number + 1] = kept.ends[number] + len(own)
    for place in range(len(own)):  # assigning a slice takes 1.5 s to compile
        members[kept.ends[number] + place] = own[place]
    for place in range(len(buckets)):
        slot, link = _slot_of(buckets[place], kept.newest, kept.buckets), number * len(buckets) + place
        kept.counts[1] += kept.newest[slot] < 0
        kept.buckets[link], kept.before[link], kept.newest[slot] = buckets[place], kept.newest[slot], link
    kept.counts[0] += 1
