"""Arrow strings seen as the two buffers a kernel wants, and back: no copy, no Python string."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]

_EMPTY = np.frombuffer(bytes(8), np.uint8)  # read-only like every Arrow buffer, so kernels compile once


def utf8_view(texts: pa.Array) -> tuple[Bytes, Offsets]:
    """UTF-8 bytes and document offsets of ``texts``, without copying.

    Args:
        texts: ``large_string`` array without nulls; may be a slice.

    Returns:
        ``data`` (uint8, read-only) and ``offsets`` (int64, read-only, one longer than the array): document
        ``i`` is ``data[offsets[i]:offsets[i + 1]]``. Offsets need not start at 0.

    Example:
        >>> data, offsets = utf8_view(pa.array(["ab", "é"], pa.large_string()))
        >>> bytes(data[offsets[1] : offsets[2]]).decode()
        'é'
    """
    _, offset_buffer, data_buffer = texts.buffers()
    first, last = texts.offset, texts.offset + len(texts) + 1
    offsets = np.frombuffer(offset_buffer, np.int64)[first:last] if len(texts) else np.frombuffer(bytes(8), np.int64)
    has_bytes = data_buffer is not None and data_buffer.size > 0
    data = np.frombuffer(data_buffer, np.uint8) if has_bytes else _EMPTY
    data.flags.writeable = offsets.flags.writeable = False  # some Arrow buffers are mutable: one type for kernels
    return data, offsets


def read_only(data: Bytes) -> Bytes:
    """The same bytes, of the type that kernels get texts in."""
    view = data.view()
    view.flags.writeable = False
    return view


def utf8_array(data: Bytes, offsets: Offsets) -> pa.Array:
    """A ``large_string`` array over the given buffers (the inverse of `utf8_view`; the bytes must be valid UTF-8)."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, copied only where it has several chunks."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


EDITS = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("replacement", pa.string())]))
"""Edits of a document: byte offsets in its text, ascending, without overlap; null and empty mean none."""


def edit_lists(
    starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64], replacements: pa.Array, ends: npt.NDArray[np.int64]
) -> pa.Array:
    """An array of type `EDITS` from edits back to back.

    Args:
        starts: first byte of each edit.
        stops: byte behind its last.
        replacements: ``string`` for each.
        ends: for each document, how many edits it and those before it have.

    Example:
        >>> edit_lists(np.array([0]), np.array([2]), pa.array([""]), np.array([0, 1])).to_pylist()
        [[], [{'start': 0, 'end': 2, 'replacement': ''}]]
    """
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends
    items = pa.StructArray.from_arrays([pa.array(starts), pa.array(stops), replacements], fields=list(EDITS.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets), items, type=EDITS)
