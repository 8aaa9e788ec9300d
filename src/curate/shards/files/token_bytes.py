"""Token ids of documents as bytes: Arrow moves a binary value as a whole, and a list element by element.

Rows chosen or put in order as bytes cost a tenth of what lists cost. A file that is kept has the lower two bytes of
each id in one column and the rest in another, which is hardly anything once it is compressed.
"""

import numpy as np
import pyarrow as pa

BYTES = pa.large_binary()
"""Type of a column of ids as bytes."""
LOW, HIGH = "ids_low", "ids_high"
"""Columns of the lower two bytes of ids, and of the others."""
_LISTS = pa.large_list(pa.uint32())
_WIDTH = 4


def split(lists: pa.Array, *, wide: bool) -> tuple[pa.Array, pa.Array]:
    """Columns `LOW` and `HIGH` of the ids of each document, little-endian, both ``large_binary``.

    Args:
        lists: ``large_list<uint32>``. What is null becomes something that is not: it is for rows that are not taken.
        wide: ids may be 2^24 or more; else ``HIGH`` has one byte for each.

    Example:
        >>> lists = pa.array([[1, 70000], [], [3]], pa.large_list(pa.uint32()))
        >>> as_lists(brought_together(*split(lists, wide=False)).take(pa.array([2, 0]))).to_pylist()
        [[3], [1, 70000]]
    """
    offsets = lists.offsets.to_numpy()
    values = lists.values.to_numpy()[offsets[0] : offsets[-1]]
    words = values.view(np.uint16)
    high = words[1::2].copy() if wide else values.view(np.uint8)[2::4].copy()
    starts = offsets - offsets[0]
    return _binary(starts * 2, words[0::2].copy()), _binary(starts * (1 + wide), high)


def brought_together(low: pa.Array, high: pa.Array) -> pa.Array:
    """The little-endian ids of each document, four bytes each: ``large_binary``.

    Args:
        low: as `split` makes it; a null has no bytes, and becomes something that is not null.
        high: the other.
    """
    (lower, starts), (upper, others) = _parts(low), _parts(high)
    ids = np.empty(len(lower) // 2, np.uint32)
    words = ids.view(np.uint16)
    words[0::2] = lower.view(np.uint16)
    words[1::2] = upper.view(np.uint16) if others[-1] == starts[-1] else upper
    return _binary(starts * 2, ids)


def as_lists(ids: pa.Array) -> pa.Array:
    """The ids of each document: ``large_list<uint32>``; nothing is copied.

    Args:
        ids: as `brought_together` makes them, no null in it.
    """
    _, offsets, values = ids.buffers()
    starts = np.frombuffer(offsets, np.int64, len(ids) + 1, ids.offset * 8) // _WIDTH
    whole = pa.Array.from_buffers(pa.uint32(), values.size // _WIDTH if values else 0, [None, values])
    return pa.LargeListArray.from_arrays(pa.array(starts), whole).cast(_LISTS)


def _binary(offsets: np.ndarray, values: np.ndarray) -> pa.Array:
    return pa.Array.from_buffers(BYTES, len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(values)])


def _parts(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of all rows, and where each begins in them."""
    _, offsets, data = values.buffers()
    starts = np.frombuffer(offsets, np.int64, len(values) + 1, values.offset * 8) if offsets else np.zeros(1, np.int64)
    size = int(starts[-1] - starts[0])
    return np.frombuffer(data, np.uint8, size, int(starts[0])) if size else np.zeros(0, np.uint8), starts - starts[0]
