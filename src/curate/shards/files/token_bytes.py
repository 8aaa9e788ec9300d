"""Token ids of documents as bytes: Arrow moves a binary value as a whole, and a list element by element.

Rows chosen or put in order as bytes cost a tenth of what lists cost. Nothing is copied on the way there and back.
"""

import numpy as np
import pyarrow as pa

BYTES = pa.large_binary()
"""Type of a column of ids as bytes."""
_LISTS = pa.large_list(pa.uint32())
_WIDTH = 4


def as_bytes(lists: pa.Array) -> pa.Array:
    """The little-endian ids of each document, ``large_binary``.

    Args:
        lists: ``large_list<uint32>``. What is null becomes something that is not: it is for rows that are not taken.

    Example:
        >>> lists = pa.array([[1, 2], [], [3]], pa.large_list(pa.uint32()))
        >>> as_lists(as_bytes(lists).take(pa.array([2, 0]))).to_pylist()
        [[3], [1, 2]]
    """
    values = lists.values
    offsets = (lists.offsets.to_numpy() + values.offset) * _WIDTH
    return pa.Array.from_buffers(BYTES, len(lists), [None, pa.py_buffer(offsets), values.buffers()[1]])


def as_lists(ids: pa.Array) -> pa.Array:
    """What `as_bytes` was made from: ``large_list<uint32>``.

    Args:
        ids: ``large_binary``, no null in it.
    """
    _, offsets, values = ids.buffers()
    starts = np.frombuffer(offsets, np.int64, len(ids) + 1, ids.offset * 8) // _WIDTH
    whole = pa.Array.from_buffers(pa.uint32(), values.size // _WIDTH if values else 0, [None, values])
    return pa.LargeListArray.from_arrays(pa.array(starts), whole).cast(_LISTS)
