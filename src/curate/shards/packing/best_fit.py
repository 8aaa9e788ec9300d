"""Best fit, decreasing: items laid into sequences of one length, largest first, each where least room stays.

Ding, Wang, Paolini, Kumar, Deoras, Roth and Soatto, "Fewer Truncations Improve Language Modeling" (ICML 2024).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from curate.text.core.kernel import kernel

Int64 = npt.NDArray[np.int64]


def best_fit(sizes: Int64, ends: npt.NDArray[np.bool_], length: int) -> Int64:
    """The sequence of each item.

    Args:
        sizes: 1 to ``length``.
        ends: items that must lie at one end of their sequence; at most two of them share one.
        length: of a sequence.

    Example:
        >>> best_fit(np.array([6, 5, 5, 4]), np.zeros(4, np.bool_), 10).tolist()
        [0, 1, 1, 0]
    """
    order = np.argsort(-sizes, kind="stable")
    found = np.empty(len(sizes), np.int64)
    found[order] = _placed(sizes[order], ends[order], length)
    return found


@kernel
def _placed(sizes: Int64, ends: npt.NDArray[np.bool_], length: int) -> Any:
    """Sequences by the room in them, in two groups of lists: those that take another item of an end, and the others."""
    many, words = len(sizes), length // 64 + 1
    found = np.empty(many, np.int64)
    heads = np.full((2, length + 1), -1, np.int64)
    marks = np.zeros((2, words), np.uint64)
    following = np.empty(many, np.int64)
    taken = np.zeros(many, np.int8)
    made = 0
    for item in range(many):
        size = sizes[item]
        best, group = length + 1, 0
        for kind in range(1 if ends[item] else 2):
            word = size >> 6
            left = marks[kind, word] >> np.uint64(size & 63)
            at = size
            while left == 0 and word + 1 < words:
                word += 1
                at = word << 6
                left = marks[kind, word]
            if left != 0:
                while left & np.uint64(1) == 0:
                    left >>= np.uint64(1)
                    at += 1
                if at < best:
                    best, group = at, kind
        if best <= length:
            home = heads[group, best]
            heads[group, best] = following[home]
            if heads[group, best] < 0:
                marks[group, best >> 6] &= ~(np.uint64(1) << np.uint64(best & 63))
        else:
            home, best = made, length
            made += 1
        found[item] = home
        taken[home] += ends[item]
        room, group = best - size, 1 if taken[home] > 1 else 0
        if room:
            following[home] = heads[group, room]
            heads[group, room] = home
            marks[group, room >> 6] |= np.uint64(1) << np.uint64(room & 63)
    return found
