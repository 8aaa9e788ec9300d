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


def utf8_array(data: Bytes, offsets: Offsets) -> pa.Array:
    """A ``large_string`` array over the given buffers (the inverse of `utf8_view`; the bytes must be valid UTF-8)."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
