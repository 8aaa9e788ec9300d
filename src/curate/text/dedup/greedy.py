"""Greedy selection under exact Jaccard: keep a set unless one kept before it is similar enough.

Sets are taken in order of priority and compared with those *kept* so far that share one of their buckets. A
bucket of n similar sets therefore costs n comparisons: all are compared with the one that is kept. A bucket
of n sets that turn out to be dissimilar would cost n²/2; there each set is compared with the ``LEADERS`` most
recently kept members of the bucket. With longest-first priority these are the ones nearest in size, and sets
of similarity s differ in size by a factor of at most 1/s, so what the bound gives up is the least likely to
match.

The first ``followers`` sets that a kept one removes are remembered too, and later sets compared with them. They decide
nothing, but their similar sets are recorded, so that one of them can replace the kept one without a new comparison.

Sets may come in any number of batches. Between two of them only those that are remembered take memory.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.text.core.hashes import mix64
from curate.text.core.kernel import inlined, inner, kernel
from curate.text.dedup.jaccard import (
    MARKS,
    capacity_for,
    fill,
    least_shared,
    mark,
    may_share,
    shared_at_least,
    shared_with_sorted,
)

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Links = npt.NDArray[np.signedinteger[Any]]
"""int32 as long as that is enough, then int64."""

LEADERS = 256
"""Kept members of one bucket that a newcomer is compared with."""
PAIRS = 32
"""Similar sets that are recorded for one newcomer."""
LISTED = 16
"""Later sets that are recorded for one that is remembered; each of them records it, too."""
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
    unfit: npt.NDArray[np.bool_]
    """Sets that are compared, but never remembered: nothing is removed for them."""


class Pairs(NamedTuple):
    """Sets that reach the similarity, as far as they were compared."""

    newcomers: Places
    """Place of each in its batch (int64), ascending."""
    others: Places
    """Label of one before it (int64)."""
    similarities: npt.NDArray[np.float64]
    listed: npt.NDArray[np.bool_]
    """Whether the newcomer is among the first later sets that are recorded for the other."""


class Selected(NamedTuple):
    """What was decided about a batch of sets."""

    survivors: Places
    """Label of the most similar kept candidate, the earlier of equals (int64; -1 where the set is kept)."""
    similarities: npt.NDArray[np.float64]
    """Their Jaccard similarity, 0.0 where there is none."""
    pairs: Pairs
    more: npt.NDArray[np.bool_]
    """Sets that may be similar to others than is recorded: not remembered, or similar to more before them."""


class _Held(NamedTuple):
    """The remembered sets, and for each bucket the chain of those that lie in it, newest first.

    Every one has a link for each of its buckets, one after another; a link names the one before it in its bucket, and a
    table finds the newest of each.
    """

    labels: Places
    ends: Places
    """Where each set ends among the members, after a leading 0."""
    removed: npt.NDArray[np.bool_]
    """Followers: remembered, but not kept."""
    followers: npt.NDArray[np.int32]
    """How many of each are remembered."""
    listed: npt.NDArray[np.int32]
    """How many later sets were recorded for each."""
    compared: Places
    """The newcomer each was last compared with."""
    buckets: Hashes
    """Of each link."""
    before: Links
    """The link before each in its bucket, or -1."""
    newest: Links
    """Slots of the table: a link, or -1 where the slot is free."""
    counts: Places
    """Remembered sets, taken slots, newcomers so far."""


class Selection:
    """Survivors among sets that come batch by batch.

    Args:
        similarity: least Jaccard similarity that removes a set.
        members: room for the members of all sets that may be remembered (uint64).
        sets: how many may be. Room for them is reserved, and memory taken as they are.
        buckets: in how many buckets each is.
        followers: sets remembered of those that one kept set removes.
        pairs: similar sets recorded for one newcomer.
        listed: later sets recorded for one that is remembered.
        leaders: kept members of one bucket that a newcomer is compared with.
        long: sets of more members come in ascending order.

    Example:
        >>> members = np.array([1, 2, 3, 4, 1, 2, 3, 7, 8, 9], np.uint64)
        >>> selection = Selection(0.7, np.empty(10, np.uint64), sets=3, buckets=1)
        >>> no = np.zeros(3, np.bool_)
        >>> batch = Sets(np.array([30, 31, 32]), np.zeros((3, 1), np.uint64), members, np.array([0, 4, 7]),
        ...     np.array([4, 3, 3]), no, no)
        >>> selected = selection.take(batch)
        >>> selected.survivors.tolist(), selected.similarities.tolist(), selected.pairs.others.tolist()
        ([-1, 30, -1], [0.0, 0.75, 0.0], [30])
    """

    def __init__(
        self,
        similarity: float,
        members: Hashes,
        sets: int,
        buckets: int,
        followers: int = 0,
        pairs: int = PAIRS,
        listed: int = LISTED,
        leaders: int = LEADERS,
        long: int = LONG,
    ) -> None:
        self._similarity, self._members, self._pairs = similarity, members, pairs
        self._bounds = followers, pairs, listed, leaders, long
        self._long = long
        self._laid, self._links = 0, buckets
        link = np.int32 if sets * buckets < 1 << 31 else np.int64
        self._held = _Held(
            labels=np.empty(sets, np.int64),
            ends=np.empty(sets + 1, np.int64),
            removed=np.empty(sets, np.bool_),
            followers=np.empty(sets, np.int32),
            listed=np.empty(sets, np.int32),
            compared=np.empty(sets, np.int64),
            buckets=np.empty(sets * buckets, np.uint64),
            before=np.empty(sets * buckets, link),
            newest=np.empty(0, link),
            counts=np.zeros(3, np.int64),
        )
        self._held.ends[0] = 0

    def take(self, sets: Sets) -> Selected:
        """Decide about the next sets."""
        number = len(sets.sizes)
        survivors, similarities = np.full(number, -1, np.int64), np.zeros(number, np.float64)
        more = np.zeros(number, np.bool_)
        table = np.empty(capacity_for(min(int(sets.sizes.max(initial=0)), self._long)), np.uint64)
        marks = np.empty(len(table) * MARKS // 2 // 64 + 1, np.uint64)
        told = [_room_for_pairs(0)]
        for start in range(0, number, _AT_ONCE):
            stop = min(start + _AT_ONCE, number)
            self._make_room((stop - start) * self._links)
            pairs = _room_for_pairs((stop - start) * self._pairs)
            found = _select(
                sets,
                start,
                stop,
                self._similarity,
                *self._bounds,
                table,
                marks,
                self._held,
                self._members,
                survivors,
                similarities,
                pairs,
                more,
            )
            told.append(Pairs._make(column[:found].copy() for column in pairs))
        return Selected(survivors, similarities, Pairs._make(map(np.concatenate, zip(*told, strict=True))), more)

    def hold(self, piece: Hashes) -> None:
        """Lay the next piece of a long set behind the members of the remembered sets; `held` then gives it."""
        first = int(self._held.ends[self._held.counts[0]]) + self._laid
        self._members[first : first + len(piece)] = piece
        self._laid += len(piece)

    def held(self, label: Places, buckets: Hashes, fixed: npt.NDArray[np.bool_], unfit: npt.NDArray[np.bool_]) -> Sets:
        """The set that was laid there, for `take`; all arguments have length 1."""
        members = self._members.view(np.ndarray)
        members.flags.writeable = False  # as those of other sets, so that kernels compile once
        size, self._laid = self._laid, 0
        starts = self._held.ends[self._held.counts[:1]]
        return Sets(label, buckets, members, starts, np.array([size]), fixed, unfit)

    def _make_room(self, links: int) -> None:
        """In the table, for so many more buckets that nobody was in; at most three quarters of it are taken."""
        capacity = capacity_for((int(self._held.counts[1]) + links) * 2 // 3 + 1)
        if capacity > len(self._held.newest):
            number = self._held.newest.dtype
            self._held = self._held._replace(newest=np.empty(0, number))  # so that the old one is gone before
            newest = np.full(capacity, -1, number)
            self._held = self._held._replace(newest=newest)
            _note_all(self._held.buckets[: self._links * int(self._held.counts[0])], newest)


def _room_for_pairs(number: int) -> Pairs:
    return Pairs(np.empty(number, np.int64), np.empty(number, np.int64), np.empty(number), np.empty(number, np.bool_))


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
    sets: Sets, start: int, stop: int, similarity: float, followers: int, most: int, listed: int, leaders: int,
    long: int, table: Hashes, marks: Hashes, held: _Held, members: Hashes, survivors: Places,
    similarities: npt.NDArray[np.float64], pairs: Pairs, more: npt.NDArray[np.bool_],
) -> int:  # fmt: skip
    """Decide about sets ``start`` to ``stop``; returns how many pairs were recorded."""
    told = 0
    for current in range(start, stop):
        own = sets.hashes[sets.starts[current] : sets.starts[current] + sets.sizes[current]]
        size, capacity, filled = len(own), capacity_for(len(own)), False
        marked = False
        best, best_similarity, first = -1, similarity, told
        newcomer = held.counts[2]
        held.counts[2] += 1
        for bucket in sets.buckets[current]:
            if sets.fixed[current]:
                break
            link, walked = int(held.newest[_slot_of(bucket, held.newest, held.buckets)]), 0
            while link >= 0 and walked < leaders:
                earlier = link // sets.buckets.shape[1]
                link = int(held.before[link])
                walked += not held.removed[earlier]
                if held.compared[earlier] == newcomer:
                    continue
                held.compared[earlier] = newcomer
                other = held.ends[earlier + 1] - held.ends[earlier]
                if min(size, other) < similarity * max(size, other) - 1e-6:
                    continue
                needed = least_shared(size, other, similarity)
                others = members[held.ends[earlier] : held.ends[earlier + 1]]
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
                if shared < 0 or found < similarity:
                    continue
                nearer = found > best_similarity or (found == best_similarity and (best < 0 or earlier < best))
                nearer = nearer and not held.removed[earlier]
                if nearer:
                    best, best_similarity = earlier, found
                more[current] |= told == first + most
                if told < first + most or nearer:
                    told -= told == first + most  # its survivor is always recorded
                    pairs.newcomers[told], pairs.others[told], pairs.similarities[told] = current, earlier, found
                    told += 1
        for pair in range(first, told):
            earlier = pairs.others[pair]
            pairs.others[pair], pairs.listed[pair] = held.labels[earlier], held.listed[earlier] < listed
            held.listed[earlier] += 1
        if best >= 0:
            survivors[current], similarities[current] = held.labels[best], best_similarity
        if sets.unfit[current] or (best >= 0 and held.followers[best] >= followers):
            more[current] = True
            continue
        if best >= 0:
            held.followers[best] += 1
        held.removed[held.counts[0]] = best >= 0
        _hold(sets.labels[current], sets.buckets[current], own, newcomer, held, members)
    return told


@inner
def _hold(label: int, buckets: Hashes, own: Hashes, newcomer: int, held: _Held, members: Hashes) -> None:
    number = held.counts[0]
    held.labels[number], held.compared[number] = label, newcomer
    held.followers[number] = held.listed[number] = 0
    held.ends[number + 1] = held.ends[number] + len(own)
    for place in range(len(own)):  # assigning a slice takes 1.5 s to compile
        members[held.ends[number] + place] = own[place]
    for place in range(len(buckets)):
        slot, link = _slot_of(buckets[place], held.newest, held.buckets), number * len(buckets) + place
        held.counts[1] += held.newest[slot] < 0
        held.buckets[link], held.before[link], held.newest[slot] = buckets[place], held.newest[slot], link
    held.counts[0] += 1
