"""How rows travel by key: how many receivers share them, and which gets a key."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.core.arrow import one_array

RANGE_BYTES = 16_000_000
"""Rows that one receiver gets, about: what sorting them takes is a few times that."""


def ranges_for(size: int) -> int:
    """How many receivers share so many bytes."""
    return max(1, -(-size // RANGE_BYTES))


def range_of_key(keys: npt.NDArray[np.uint64], ranges: int) -> npt.NDArray[np.int64]:
    """Which of so many equal ranges of 64-bit keys each lies in.

    Example:
        >>> range_of_key(np.array([0, 1 << 63, (1 << 64) - 1], np.uint64), 3).tolist()
        [0, 1, 2]
    """
    return (((keys >> np.uint64(32)) * np.uint64(ranges)) >> np.uint64(32)).astype(np.int64)


def column(table: pa.Table | pa.RecordBatch, name: str) -> npt.NDArray[Any]:
    """A numeric column without nulls as one array; nulls, where a document is out, read 0."""
    values = table.column(name)
    if isinstance(values, pa.ChunkedArray):
        values = one_array(values)
    if values.null_count:
        values = values.fill_null(pa.scalar(0).cast(values.type))
    array: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return array
