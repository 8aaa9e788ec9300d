"""Excerpts of long documents: a few evenly spaced pieces instead of the whole or of the head.

Why this exists: what language a document is in shows in a few thousand bytes, but not in the *first* few
thousand, where licences, menus and tables of options stand.
"""

import numpy as np
import pyarrow as pa
from numba import njit

from curate.text.arrow import Bytes, Offsets, utf8_array, utf8_view

PIECES = 4
"""Pieces of an excerpt: the first starts at the head, the last ends at the end."""


def excerpts(texts: pa.Array, max_bytes: int) -> pa.Array:
    """Each text, or at most ``max_bytes`` of it: `PIECES` evenly spaced pieces, joined by spaces.

    A piece never splits a code point, so an excerpt can be some bytes shorter than asked for. Depends on each
    text alone.

    Args:
        texts: ``large_string`` without nulls.
        max_bytes: most bytes of UTF-8 taken from a text, at least ``8 * PIECES``; 0 takes every text whole.

    Returns:
        ``large_string``, row for row; ``texts`` itself when none is longer.

    Example:
        >>> words = pa.array([" ".join(f"{n:02}" for n in range(40)), "short"], pa.large_string())
        >>> excerpts(words, 32).to_pylist()
        ['00 01 0 2 13 14  25 26  7 38 39', 'short']
    """
    data, offsets = utf8_view(texts)
    if max_bytes == 0 or len(texts) == 0 or int(np.diff(offsets).max()) <= max_bytes:
        return texts
    out_offsets = np.zeros(len(offsets), np.int64)
    np.cumsum(np.minimum(np.diff(offsets), max_bytes), out=out_offsets[1:])
    out = np.empty(int(out_offsets[-1]), np.uint8)
    _cut(data, offsets, max_bytes, out, out_offsets)
    return utf8_array(out, out_offsets)


@njit(nogil=True, cache=True)
def _cut(data: Bytes, offsets: Offsets, max_bytes: int, out: Bytes, out_offsets: Offsets) -> None:
    """Write excerpts to ``out`` and where they really end to ``out_offsets``."""
    piece = (max_bytes - (PIECES - 1)) // PIECES  # leaves room for the spaces between
    at = 0
    for text in range(len(offsets) - 1):
        first, last = offsets[text], offsets[text + 1]
        whole = last - first <= max_bytes
        for index in range(1 if whole else PIECES):
            start, end = first, last
            if not whole:
                start = first + (last - first - piece) * index // (PIECES - 1)
                end = start + piece
                while start < last and (data[start] & 0xC0) == 0x80:
                    start += 1
                while end < last and end > start and (data[end] & 0xC0) == 0x80:
                    end -= 1
            if index > 0:
                out[at] = 32
                at += 1
            for source in range(start, end):
                out[at] = data[source]
                at += 1
        out_offsets[text + 1] = at
