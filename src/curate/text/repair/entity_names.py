"""HTML entities as ftfy knows them, for kernels: which names are some."""

import functools

import numpy as np
import numpy.typing as npt
from ftfy.chardata import HTML_ENTITIES

from curate.text.core.arrow import Bytes
from curate.text.core.ascending import holds
from curate.text.core.kernel import inner, kernel


@functools.cache
def entity_names() -> npt.NDArray[np.int64]:
    """Sorted `name_hash` of all names."""
    names = [np.frombuffer(entity[1:-1].encode(), np.uint8) for entity in HTML_ENTITIES]
    return np.unique([name_hash(name, 0, len(name)) for name in names])


@kernel
def name_hash(data: Bytes, start: int, end: int) -> int:
    """A 31-bit polynomial hash of ``data[start:end]``, the same on every machine."""
    value = 0
    for i in range(start, end):
        value = (value * 1_000_003 + data[i]) & 0x7FFFFFFF
    return value


@inner
def is_entity(data: Bytes, start: int, end: int, names: npt.NDArray[np.int64]) -> bool:
    """Is what follows an ampersand, at ``start``, a numeric character reference or an entity of one of ``names``?"""
    numeric = start < end and data[start] == 0x23
    first = start + 1 if numeric else start
    i = first
    while i < end and i - first <= 24:
        upper = data[i] & 0xDF  # ASCII letters without their case
        if not (0x30 <= data[i] <= 0x39 or 0x41 <= upper <= 0x5A):
            break
        i += 1
    if not 1 <= i - first <= 24 or i == end or data[i] != 0x3B:
        return False
    return bool(numeric or holds(names, name_hash(data, first, i)))
