"""128-bit content hashes: two texts with the same hash are taken to be the same text.

MurmurHash3 x64 128 (Austin Appleby, public domain) with seed 0, equal to ``mmh3.hash128``. Among 10¹⁰
documents the probability that any two different ones collide by chance is 1.5 · 10⁻¹⁹. It is no cryptographic
hash: somebody who wants two texts to collide can construct them.
"""

import numpy as np
import pyarrow as pa
from numba import uint64

from curate.text.core.arrow import Bytes, Offsets, utf8_view
from curate.text.core.hashes import mix64
from curate.text.core.kernel import inlined, kernel


def content_hashes(texts: pa.Array) -> pa.Array:
    """MurmurHash3 x64 128 of the UTF-8 bytes of every text, as ``fixed_size_binary[16]``.

    Args:
        texts: ``large_string`` array without nulls.

    Example:
        >>> content_hashes(pa.array(["hello"], pa.large_string()))[0].as_py().hex()
        '029bbd41b3a7d8cb191dae486a901e5b'
    """
    data, offsets = utf8_view(texts)
    halves = np.empty((len(texts), 2), np.dtype("<u8"))
    _hash_all(data, offsets, halves)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(texts), [None, pa.py_buffer(halves)])


@inlined
def _rotate(x: int, by: int) -> int:
    rotated: int = uint64((x << uint64(by)) | (x >> uint64(64 - by)))
    return rotated


@inlined
def _word(data: Bytes, start: int, end: int) -> int:
    """Up to eight bytes as a little-endian integer."""
    word: int = uint64(0)
    if end - start >= 8:
        for i in range(8):  # a fixed count: compiled to one load
            word |= uint64(data[uint64(start + i)]) << uint64(8 * i)
        return word
    for i in range(end - start):
        word |= uint64(data[uint64(start + i)]) << uint64(8 * i)
    return word


@inlined
def _scramble_low(word: int) -> int:
    scrambled: int = _rotate(word * uint64(0x87C37B91114253D5), 31) * uint64(0x4CF5AD432745937F)
    return scrambled


@inlined
def _scramble_high(word: int) -> int:
    scrambled: int = _rotate(word * uint64(0x4CF5AD432745937F), 33) * uint64(0x87C37B91114253D5)
    return scrambled


@kernel
def _hash_all(data: Bytes, offsets: Offsets, halves: Bytes) -> None:
    for text in range(len(offsets) - 1):
        start, end = offsets[text], offsets[text + 1]
        length = uint64(end - start)
        low = high = uint64(0)
        while end - start >= 16:
            low ^= _scramble_low(_word(data, start, end))
            low = (_rotate(low, 27) + high) * uint64(5) + uint64(0x52DCE729)
            high ^= _scramble_high(_word(data, start + 8, end))
            high = (_rotate(high, 31) + low) * uint64(5) + uint64(0x38495AB5)
            start += 16
        low ^= _scramble_low(_word(data, start, end)) ^ length
        high ^= _scramble_high(_word(data, start + 8, end)) ^ length
        low += high
        high += low
        low, high = mix64(low), mix64(high)
        low += high
        high += low
        halves[text, 0], halves[text, 1] = low, high
