"""Excerpts of documents: evenly spaced pieces, in an order in which every beginning is an excerpt too.

What language a document is in shows in some hundred bytes, but not in the *first* few hundred, where licences, menus
and tables of options stand. So pieces come in the order first, middle, quarter, three quarters …: who reads an excerpt
may stop as soon as it is sure, and has seen all of the document in outline.
"""

import numpy as np
import pyarrow as pa

from curate.text.core.arrow import Bytes, Offsets, utf8_array, utf8_view
from curate.text.core.kernel import inner, kernel

MOST_PIECES = 32
LEAST_PIECE = 60  # bytes: shorter ones would be more torn words than words


def excerpts(texts: pa.Array, max_bytes: int, whole_below: int = 0) -> pa.Array:
    """Of each text at most ``max_bytes``, in pieces joined by spaces.

    A piece begins and ends at white space where it has any, and never inside a code point: the words of a text that
    fits are all there, in another order.

    Args:
        texts: ``large_string`` without nulls.
        max_bytes: most bytes of UTF-8 taken from a text, at least `LEAST_PIECE`; 0 takes every text whole.
        whole_below: texts up to this many bytes stay as they are; 0: all that fit do.

    Returns:
        ``large_string``, row for row; ``texts`` itself when nothing is to do.

    Example:
        >>> words = pa.array([" ".join(f"{n:02}" for n in range(80)), "short"], pa.large_string())
        >>> excerpts(words, 128).to_pylist()[1]
        'short'
        >>> excerpts(words, 0, whole_below=10)[0].as_py()[:23]
        '00 01 02 40 41 42 20 21'
        >>> len(excerpts(words, 128)[0].as_py()) <= 128
        True
    """
    data, offsets = utf8_view(texts)
    sizes = np.diff(offsets)
    longest = int(sizes.max(initial=0))
    if (max_bytes == 0 or longest <= max_bytes) and (whole_below == 0 or longest <= whole_below):
        return texts
    out_offsets = np.zeros(len(offsets), np.int64)
    np.cumsum(np.minimum(sizes, max_bytes) if max_bytes else sizes, out=out_offsets[1:])
    out = np.empty(int(out_offsets[-1]), np.uint8)
    _excerpt_all(data, offsets, max_bytes, whole_below, _order(max_bytes), out, out_offsets)
    return utf8_array(out, out_offsets)


def _order(max_bytes: int) -> Offsets:
    """Numbers of the pieces in the order of van der Corput; their count is a power of two."""
    bits = MOST_PIECES.bit_length() - 1
    while bits and max_bytes and max_bytes < LEAST_PIECE << bits:
        bits -= 1
    return np.array([int(f"{piece:0{bits}b}"[::-1], 2) if bits else 0 for piece in range(1 << bits)], np.int64)


@kernel
def _excerpt_all(
    data: Bytes, offsets: Offsets, max_bytes: int, whole_below: int, order: Offsets, out: Bytes, out_offsets: Offsets
) -> None:
    """Write excerpts to ``out`` and where they really end to ``out_offsets``."""
    pieces = len(order)
    starts, stops = np.empty(pieces, np.int64), np.empty(pieces, np.int64)
    at = 0
    for text in range(len(offsets) - 1):
        first, last = offsets[text], offsets[text + 1]
        fits = max_bytes == 0 or last - first <= max_bytes
        if fits and (whole_below == 0 or last - first <= whole_below):
            starts[0], stops[0] = first, last
            starts[1:], stops[1:] = first, first
        elif fits:
            _divide(data, first, last, starts, stops)
        else:
            _choose(data, first, last, (max_bytes - pieces + 1) // pieces, starts, stops)
        begin = at
        for piece in order:
            if stops[piece] > starts[piece]:
                if at > begin:
                    out[at] = 32
                    at += 1
                for source in range(starts[piece], stops[piece]):
                    out[at] = data[source]
                    at += 1
        out_offsets[text + 1] = at


@inner
def _is_space(byte: int) -> bool:
    return bool(byte == 32 or 9 <= byte <= 13)


@inner
def _divide(data: Bytes, first: int, last: int, starts: Offsets, stops: Offsets) -> None:
    """Cut all of a text at white space near even places; a piece without any is part of the one before."""
    at = first
    for piece in range(len(starts)):
        stop = max(at, first + (last - first) * (piece + 1) // len(starts))
        while stop < last and not _is_space(data[stop]):
            stop += 1
        starts[piece], stops[piece] = at, stop
        at = min(stop + 1, last)


@inner
def _choose(data: Bytes, first: int, last: int, size: int, starts: Offsets, stops: Offsets) -> None:
    """Evenly spaced pieces of ``size`` bytes, without the torn words at their ends."""
    for piece in range(len(starts)):
        start = first + (last - first - size) * piece // max(len(starts) - 1, 1)
        stop = start + size
        begin, end = start, stop
        while start > first and begin < stop and not _is_space(data[begin]):
            begin += 1
        while stop < last and end > begin and not _is_space(data[end - 1]):
            end -= 1
        if end - begin < size // 2:  # hardly any white space: whole characters will do
            begin, end = start, stop
            while begin < last and data[begin] & 0xC0 == 0x80:
                begin += 1
            while end < last and end > begin and data[end] & 0xC0 == 0x80:
                end -= 1
        starts[piece], stops[piece] = begin, end
