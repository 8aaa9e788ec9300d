"""String arrays in which a few rows are replaced: one copy of the bytes, where Arrow's own kernel goes row by row."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.core.arrow import Bytes, Offsets, utf8_array, utf8_view
from curate.text.core.kernel import inner, kernel


def replaced(texts: pa.Array, rows: npt.NDArray[np.int64], by: pa.Array) -> pa.Array:
    """``texts`` with ``by`` in the place of some rows.

    Args:
        texts: ``large_string`` without nulls; may be a slice.
        rows: ascending row numbers.
        by: ``large_string`` without nulls, as long as ``rows``.

    Example:
        >>> texts = pa.array(["a", "b", "c"], pa.large_string())
        >>> replaced(texts, np.array([1]), pa.array(["new"], pa.large_string())).to_pylist()
        ['a', 'new', 'c']
    """
    if not len(rows):
        return texts
    data, offsets = utf8_view(texts)
    new_data, new_offsets = utf8_view(by)
    lengths = np.diff(offsets)
    lengths[rows] = np.diff(new_offsets)
    ends = np.zeros(len(offsets), np.int64)
    np.cumsum(lengths, out=ends[1:])
    out = np.empty(int(ends[-1]), np.uint8)
    _copy(data, offsets, rows, new_data, new_offsets, out, ends)
    return utf8_array(out, ends)


@kernel
def _copy(
    data: Bytes,
    offsets: Offsets,
    rows: npt.NDArray[np.int64],
    new_data: Bytes,
    new_offsets: Offsets,
    out: Bytes,
    ends: Offsets,
) -> None:
    row = 0
    for number in range(len(rows) + 1):
        stop = rows[number] if number < len(rows) else len(offsets) - 1
        copy_bytes(data[offsets[row] : offsets[stop]], out[ends[row] : ends[stop]])
        if number < len(rows):
            new = new_data[new_offsets[number] : new_offsets[number + 1]]
            copy_bytes(new, out[ends[stop] : ends[stop + 1]])
        row = stop + 1


@inner
def copy_bytes(source: Bytes, target: Bytes) -> None:
    """All of ``target`` from the front of ``source``."""
    for k in range(len(target)):  # becomes a memcpy; assigning a slice does not
        target[k] = source[k]
