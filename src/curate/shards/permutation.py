"""A pseudo-random order of ``0 … n - 1`` that needs no memory: any stretch of it is computed by itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_ROUNDS = 6
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Permutation:
    """A permutation by a seed: a Feistel network over the next power of four, walked until it falls inside.

    Example:
        >>> order = Permutation(10, seed=1)
        >>> sorted(order(np.arange(10)).tolist()) == list(range(10))
        True
    """

    def __init__(self, size: int, seed: int | Sequence[int]) -> None:
        self._size = size
        self._half = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
        self._keys = np.random.default_rng(seed).integers(0, 2**64, _ROUNDS, np.uint64)

    def __call__(self, places: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """What stands at these places, each below the size."""
        found = self._once(places.astype(np.uint64))
        outside = found >= self._size
        while outside.any():
            found[outside] = self._once(found[outside])
            outside = found >= self._size
        return found.astype(np.int64)

    def _once(self, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        bits, mask = np.uint64(self._half), np.uint64((1 << self._half) - 1)
        left, right = values >> bits, values & mask
        for key in self._keys:
            mixed = (right ^ key) * _MIX
            mixed ^= mixed >> np.uint64(29)
            mixed *= _MIX
            left, right = right, left ^ ((mixed >> np.uint64(32)) & mask)
        return (left << bits) | right
