"""Strings as JSON writes them, to the text that they stand for: many at once, from their bytes to Arrow's.

No Python string is made of any of them, so other threads run meanwhile.
"""

import numpy as np
import pyarrow as pa

from curate.text.core.arrow import Bytes, Offsets, utf8_array
from curate.text.core.bits import BLOCK, address, copy, equal, lowest
from curate.text.core.kernel import inner, kernel
from curate.text.core.words import append_code_point

_MEANINGS = np.arange(256, dtype=np.uint8)
"""By the letter of an escape: the character it stands for."""
_MEANINGS[list(b"bfnrt")] = list(b"\b\f\n\r\t")


def unescaped(data: Bytes, starts: Offsets, ends: Offsets) -> pa.Array:
    r"""``large_string`` of the text of every string.

    Args:
        data: bytes (uint8) that hold the strings; each is valid JSON (RFC 8259, section 7) in valid UTF-8.
        starts: int64, the first byte of each, behind the quotation mark.
        ends: int64, its closing quotation mark.

    Example:
        >>> written = rb'["one\n", "\u00e9\ud83d\ude00"]'
        >>> data = np.frombuffer(written, np.uint8)
        >>> unescaped(data, np.array([2, 11]), np.array([7, 29])).to_pylist()
        ['one\n', 'é😀']
    """
    out = np.empty(int((ends - starts).sum()) + BLOCK, np.uint8)
    offsets = np.zeros(len(starts) + 1, np.int64)
    _unescape(data, starts, ends, _MEANINGS, out, offsets)
    return utf8_array(out[: offsets[-1]], offsets)


@kernel
def _unescape(data: Bytes, starts: Offsets, ends: Offsets, meanings: Bytes, out: Bytes, offsets: Offsets) -> None:
    source, target, written = address(data), address(out), 0
    for row in range(len(starts)):
        at, end = starts[row], ends[row]
        while at < end:
            plain = 0
            if at + BLOCK <= end:
                plain = lowest(equal(source + at, 0x5C))
                copy(source + at, target + written)  # all of them is quicker than some; the rest is written over
            else:
                while at + plain < end and data[at + plain] != 0x5C:
                    out[written + plain] = data[at + plain]
                    plain += 1
            at, written = at + plain, written + plain
            if at == end or data[at] != 0x5C:
                continue
            letter = data[at + 1]
            if letter != 0x75:  # u
                out[written] = meanings[letter]
                at, written = at + 2, written + 1
                continue
            code = _hexadecimal(data, at + 2)
            at += 6
            if code & 0xFC00 == 0xD800:
                code = 0x10000 + ((code & 0x3FF) << 10 | _hexadecimal(data, at + 2) & 0x3FF)
                at += 6
            written = append_code_point(out, written, code)
        offsets[row + 1] = written


@inner
def _hexadecimal(data: Bytes, at: int) -> int:
    """Four digits as a number."""
    value = 0
    for k in range(4):
        digit = int(data[at + k])
        value = value << 4 | (digit - 0x30 if digit <= 0x39 else (digit | 0x20) - 0x61 + 10)
    return value
