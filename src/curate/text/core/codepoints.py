"""Code points inside UTF-8 buffers, for kernels that look each one up in a table."""

from curate.text.core.arrow import Bytes
from curate.text.core.kernel import kernel

CODE_POINTS = 0x110000
"""Entries of a table that has one for each code point."""


@kernel
def decode(data: Bytes, start: int) -> tuple[int, int]:
    """The code point that begins at byte ``start``, and how many bytes it takes.

    Args:
        data: valid UTF-8 (uint8); nothing is checked.
        start: index of a first byte, never of a continuation byte.

    Example:
        >>> import numpy as np
        >>> code_point, width = decode(np.frombuffer("é!".encode(), np.uint8), 0)
        >>> chr(code_point), width
        ('é', 2)
    """
    first = data[start]
    if first < 0x80:
        return first & 0x7F, 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | (data[start + 1] & 0x3F), 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | (data[start + 1] & 0x3F) << 6 | (data[start + 2] & 0x3F), 3
    return (
        (first & 0x07) << 18
        | (data[start + 1] & 0x3F) << 12
        | (data[start + 2] & 0x3F) << 6
        | (data[start + 3] & 0x3F),
        4,
    )
