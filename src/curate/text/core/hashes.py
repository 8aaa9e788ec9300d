"""Hashes of stretches of text, eight bytes at a time, and of integers."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.text.core.arrow import Bytes
from curate.text.core.bits import address, eight
from curate.text.core.kernel import inlined, inner, kernel

_ODD = uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio
_PRIME = uint64(0xD6E8FEB86659FD93)
_HIGH, _LOW = uint64(0x8080808080808080), uint64(0x7F7F7F7F7F7F7F7F)
_FROM_A, _BEHIND_Z = uint64(0x3F3F3F3F3F3F3F3F), uint64(0x2525252525252525)  # what lifts A, and [, to 0x80


@inner
def hash_all(
    text: Bytes,
    begins: npt.NDArray[np.int32],
    ends: npt.NDArray[np.int32],
    n: int,
    lower: bool,
    hashes: npt.NDArray[np.uint64],
) -> None:
    """Hash ``n`` stretches of text; those of up to eight bytes collide with none of the same length.

    Args:
        text: bytes, of which eight more than the last stretch has can be read.
        begins: first byte of each stretch.
        ends: byte behind it.
        n: how many.
        lower: whether to hash ASCII in lower case.
        hashes: out.
    """
    place = address(text)
    for i in range(n):
        hashes[i] = hashed(place + begins[i], ends[i] - begins[i], lower)


@inlined
def hashed(place: int, length: int, lower: bool) -> np.uint64:
    """The hash of one stretch, that of ``length`` bytes from an address."""
    running = uint64(length) * _ODD
    left = length
    while left > 8:
        running = _with(running, eight(place), lower)
        place += 8
        left -= 8
    if left:
        running = _with(running, eight(place) << uint64(64 - 8 * left), lower)
    return running  # type: ignore[no-any-return]


@inlined
def _with(running: np.uint64, eight_bytes: np.uint64, lower: bool) -> np.uint64:
    if lower:
        eight_bytes = lowered(eight_bytes)
    running = (running ^ eight_bytes) * _PRIME
    return running ^ running >> uint64(32)  # type: ignore[no-any-return]


@inlined
def lowered(eight_bytes: np.uint64) -> np.uint64:
    """Eight bytes with A to Z in lower case."""
    low = eight_bytes & _LOW
    capitals = (low + _FROM_A) & ~(low + _BEHIND_Z) & ~eight_bytes & _HIGH
    return eight_bytes | capitals >> uint64(2)  # type: ignore[no-any-return]


@inlined
def mix64(x: int) -> int:
    """MurmurHash3's 64-bit finaliser: every bit of ``x`` reaches every bit of the result (a bijection)."""
    x = uint64(x)
    x ^= x >> uint64(33)
    x *= uint64(0xFF51AFD7ED558CCD)
    x ^= x >> uint64(33)
    x *= uint64(0xC4CEB9FE1A85EC53)
    bits: int = uint64(x ^ (x >> uint64(33)))
    return bits


@kernel
def mixed(values: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """`mix64` of every integer of an array: spread over all 64 bits, so that ranges of them are equally full."""
    bits = np.empty(len(values), np.uint64)
    for i in range(len(values)):
        bits[i] = mix64(values[i])
    return bits
