"""Which of many keys may occur more than once, found in two passes over a table of two bits per slot.

Nearly all keys of a corpus occur once. What this drops need not be sorted, which takes four times as long.
"""

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.text.core.kernel import kernel

Keys = npt.NDArray[np.uint64]


@kernel
def recurring(keys: Keys) -> npt.NDArray[np.int64]:
    """Places of all keys that occur more than once, and of up to an eighth of the others.

    Args:
        keys: well mixed in their low bits, which choose the slot (uint64).

    Example:
        >>> recurring(np.array([7, 8, 7, 9], np.uint64)).tolist()
        [0, 2]
    """
    slots = 32
    while slots < 8 * len(keys):
        slots *= 2
    mask = uint64(slots - 1)
    seen = np.zeros(slots // 32, np.uint64)
    for key in keys:
        slot = key & mask
        bit = (slot & uint64(31)) << uint64(1)
        once = (seen[slot >> uint64(5)] >> bit) & uint64(1)
        seen[slot >> uint64(5)] |= (uint64(1) + once) << bit
    places = np.empty(len(keys), np.int64)
    found = 0
    for place in range(len(keys)):
        slot = keys[place] & mask
        bit = (slot & uint64(31)) << uint64(1)
        places[found] = place
        found += int((seen[slot >> uint64(5)] >> (bit + uint64(1))) & uint64(1))
    return places[:found].copy()
