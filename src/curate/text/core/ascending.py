"""Looking things up in ascending arrays, inside of kernels."""

from typing import Any

import numpy.typing as npt

from curate.text.core.kernel import inner


@inner
def place_in(ascending: npt.NDArray[Any], value: int) -> int:
    """Where ``value`` stands or would stand: `numpy.searchsorted`, which takes five times as long to compile."""
    low, high = 0, len(ascending)
    while low < high:
        middle = (low + high) >> 1
        if ascending[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def holds(ascending: npt.NDArray[Any], value: int) -> bool:
    """Whether ``value`` is among them."""
    place = place_in(ascending, value)
    return bool(place < len(ascending) and ascending[place] == value)
