"""Exact Jaccard similarity of sets of 64-bit hashes: the members shared over all members.

One set is laid out as an open-addressing table, then any number of others are counted against it. This takes
sets in any order, so nobody has to sort them, and a set that cannot reach the similarity asked for is given
up after a part of its members.

Hashes must be well mixed (their low bits choose the slot) and different from 0 (a free slot).
"""

import numpy as np
import numpy.typing as npt
from numba import int64, uint64

from curate.text.core.kernel import inlined, inner, kernel

Hashes = npt.NDArray[np.uint64]


MARKS = 16
"""Bits of `mark` for each member, at least."""
_AT_ONCE = 32


def jaccard(first: Hashes, second: Hashes) -> float:
    """Jaccard similarity of two sets, 0.0 when both are empty.

    Args:
        first: distinct hashes (uint64, none 0).
        second: the same.

    Example:
        >>> jaccard(np.array([1, 2, 3], np.uint64), np.array([2, 3, 4], np.uint64))
        0.5
    """
    table = np.zeros(capacity_for(len(first)), np.uint64)
    fill(table, len(table), first)
    shared: int = shared_at_least(table, len(table), second, 0)
    return shared / max(len(first) + len(second) - shared, 1)


@kernel
def capacity_for(members: int) -> int:
    """Slots for a set of ``members``: a power of two, at most half of them taken.

    Example:
        >>> capacity_for(0), capacity_for(100)
        (2, 256)
    """
    capacity = 2
    while capacity < 2 * members:
        capacity *= 2
    return capacity


@inlined
def insert(table: Hashes, capacity: int, member: int) -> bool:
    """Put ``member`` into ``table[:capacity]``; false when it was there already."""
    mask = uint64(capacity - 1)
    slot = member & mask
    while table[slot]:
        if table[slot] == member:
            return False
        slot = (slot + uint64(1)) & mask
    table[slot] = member
    return True


@kernel
def fill(table: Hashes, capacity: int, members: Hashes) -> None:
    """Make ``table[:capacity]`` hold exactly ``members`` (a set)."""
    table[:capacity] = 0
    for member in members:
        insert(table, capacity, member)


@inner
def mark(marks: Hashes, capacity: int, members: Hashes) -> None:
    """Set a bit for each member in the first ``MARKS / 2 * capacity`` bits: little room, and quickly done."""
    mask = uint64(MARKS // 2 * capacity - 1)
    for i in range(capacity * MARKS // 2 // 64 + 1):
        marks[i] = 0
    for member in members:
        bit = member & mask
        marks[bit >> uint64(6)] |= uint64(1) << (bit & uint64(63))


@inner
def may_share(marks: Hashes, capacity: int, members: Hashes, needed: int) -> bool:
    """Whether so many of ``members`` may be among those marked; at most one in sixteen that is not looks as if it were.

    It asks without a branch for each member, as no processor foresees which is shared. So sets that are not alike, and
    most that meet are not, cost a fifth of looking their members up.
    """
    mask = uint64(MARKS // 2 * capacity - 1)
    may_miss, missed, length = len(members) - needed, 0, uint64(len(members))
    for start in range(uint64(0), length, uint64(_AT_ONCE)):
        for at in range(start, min(start + uint64(_AT_ONCE), length)):
            bit = members[at] & mask
            missed += int64(~(marks[bit >> uint64(6)] >> (bit & uint64(63))) & uint64(1))
        if missed > may_miss:
            return False
    return True


@kernel
def shared_at_least(table: Hashes, capacity: int, members: Hashes, needed: int) -> int:
    """How many of ``members`` are in ``table[:capacity]``, or -1 as soon as ``needed`` is out of reach."""
    mask = uint64(capacity - 1)
    may_miss = len(members) - needed
    missed = 0
    if may_miss < 0:
        return -1
    for member in members:
        slot = member & mask
        while table[slot] and table[slot] != member:
            slot = (slot + uint64(1)) & mask
        if not table[slot]:
            missed += 1
            if missed > may_miss:
                return -1
    return len(members) - missed


@kernel
def shared_with_sorted(ascending: Hashes, members: Hashes, needed: int) -> int:
    """The same for a set in ascending order, without a table; fast where ``members`` ascend too."""
    may_miss = len(members) - needed
    missed, at, before = 0, 0, uint64(0)
    if may_miss < 0:
        return -1
    for member in members:
        low, step = at if member >= before else 0, 1
        while low + step < len(ascending) and ascending[low + step] <= member:
            low += step
            step *= 2
        high = min(low + step, len(ascending))
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if ascending[middle] <= member else (low, middle)
        at, before = low, member
        if ascending[at] != member:
            missed += 1
            if missed > may_miss:
                return -1
    return len(members) - missed


@kernel
def least_shared(first: int, second: int, similarity: float) -> int:
    """Members that sets of these sizes must share to reach ``similarity``, never overstated.

    From ``shared / (first + second - shared) >= similarity``; rounded down, because the exact quotient
    decides.
    """
    return int(similarity * (first + second) / (1.0 + similarity))
