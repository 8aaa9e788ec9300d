"""N-grams of words, hashed into buckets as scikit-learn's ``HashingVectorizer`` hashes them.

A *token* is a longest run of letters, digits and their marks, in lower case; a single symbol or punctuation mark; or,
in scripts written without spaces, a single letter. An n-gram is ``n`` consecutive tokens joined by spaces. Its bucket
is the absolute value of MurmurHash3 (32 bits, signed, seed 0) over its UTF-8, modulo the number of buckets: what
``HashingVectorizer(alternate_sign=False)`` makes of the same tokens. What counts is whether a text has an n-gram, not
how often.

Source: Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning"; Appleby, MurmurHash3_x86_32.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import int32, uint32, uint64

from curate.text.core.arrow import Bytes, Offsets, utf8_view
from curate.text.core.kernel import inlined, inner, kernel
from curate.text.core.words import (
    FNV_BASIS,
    FNV_PRIME,
    MARK,
    SPACE,
    SYMBOL,
    UNSPACED,
    Characters,
    append_code_point,
    characters,
    code_point_at,
)

Weights = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]


def hashed_ngrams(texts: pa.Array, longest: int, buckets: int) -> tuple[npt.NDArray[np.int32], Offsets]:
    """The set of buckets that the n-grams of every text fall into.

    Args:
        texts: ``large_string`` without nulls.
        longest: most tokens in an n-gram, at least 1.
        buckets: how many there are, a power of two.

    Returns:
        ``found`` (int32, in the order of first appearance) and ``offsets`` (int64, one longer than ``texts``): text
        ``i`` has ``found[offsets[i]:offsets[i + 1]]``.

    Example:
        >>> texts = pa.array(["So it goes.", "so it GOES . So it"], pa.large_string())
        >>> found, offsets = hashed_ngrams(texts, longest=2, buckets=1 << 18)
        >>> offsets.tolist(), set(found[:7].tolist()) < set(found[7:].tolist())  # and ". so"
        ([0, 7, 15], True)
    """
    data, offsets = utf8_view(texts)
    ends = np.zeros(len(texts) + 1, np.int64)
    found = np.empty(_count(data, offsets, characters(), longest), np.int32)
    _hash(data, offsets, characters(), longest, buckets, ends, found)
    return found[: ends[-1]].copy(), ends


def summed_weights(texts: pa.Array, weights: Weights, longest: int) -> tuple[npt.NDArray[np.float64], Positions]:
    """Sum of the weights of every text's set of buckets (float64), and the size of that set (int64).

    Args:
        texts: ``large_string`` without nulls.
        weights: of each bucket; a power of two of them.
        longest: most tokens in an n-gram.
    """
    data, offsets = utf8_view(texts)
    sums, counts = np.empty(len(texts), np.float64), np.empty(len(texts), np.int64)
    _sum(data, offsets, characters(), longest, weights, sums, counts)
    return sums, counts


def token_fingerprints(texts: pa.Array) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of the tokens of every text: equal texts but for case and white space have equal ones; 0: no token.

    Example:
        >>> found = token_fingerprints(pa.array(["So it goes.", "so  IT goes .", " "], pa.large_string()))
        >>> found[0] == found[1], int(found[2])
        (np.True_, 0)
    """
    data, offsets = utf8_view(texts)
    found = np.empty(len(texts), np.uint64)
    _fingerprint(data, offsets, characters(), found)
    return found


def ngrams(text: str, longest: int) -> list[str]:
    """All n-grams of a text as strings, in order, shorter ones first.

    Example:
        >>> ngrams("Don't panic", 2)
        ['don', "'", 't', 'panic', "don '", "' t", 't panic']
    """
    encoded = np.frombuffer(text.encode() or b" ", np.uint8)
    line, starts, ends = _room(len(encoded))
    tokens = _tokens(encoded, 0, len(encoded), characters(), line, starts, ends)
    return [
        bytes(line[starts[first] : ends[first + size]]).decode()
        for size in range(longest)
        for first in range(tokens - size)
    ]


@kernel
def _room(size: int) -> tuple[Bytes, Positions, Positions]:
    """Work space for a text of so many bytes: its tokens with a space after each, and where they begin and end.

    The lower case of a code point can take one byte more than the code point (two become three).
    """
    return np.empty(3 * size + 2, np.uint8), np.empty(size + 1, np.int64), np.empty(size + 1, np.int64)


@kernel
def _tokens(
    data: Bytes, start: int, end: int, characters: Characters, line: Bytes, starts: Positions, ends: Positions
) -> int:
    """Write the tokens of a text into ``line``, one space between; how many there are."""
    count, at = 0, 0
    inside = False  # a token that letters and marks go on with
    while start < end:
        code_point, start = code_point_at(data, start)
        kind = characters.classes[code_point]
        if kind & SPACE:
            inside = False
            continue
        if not (inside and (kind & MARK or not kind & (SYMBOL | UNSPACED))):
            if count:
                line[at] = 32
                at += 1
            starts[count] = at
            count += 1
        at = append_code_point(line, at, int32(characters.lowercase[code_point]))
        ends[count - 1] = at
        inside = not kind & SYMBOL
        if kind & UNSPACED:
            # Marks belong to it, the next letter does not.
            while start < end:
                code_point, after = code_point_at(data, start)
                if not characters.classes[code_point] & MARK:
                    break
                at = append_code_point(line, at, int32(characters.lowercase[code_point]))
                ends[count - 1] = at
                start = after
            inside = False
    return count


@inner
def _murmur3(data: Bytes, start: int, end: int) -> np.int32:
    """MurmurHash3_x86_32 with seed 0."""
    state = uint32(0)
    at = start
    while at + 4 <= end:
        block = uint32(data[at]) | uint32(data[at + 1]) << uint32(8)
        block |= uint32(data[at + 2]) << uint32(16) | uint32(data[at + 3]) << uint32(24)
        state = _mixed_in(state, block)
        state = uint32(uint32(state << uint32(13)) | (state >> uint32(19)))
        state = uint32(uint32(state * uint32(5)) + uint32(0xE6546B64))
        at += 4
    rest = uint32(0)
    for offset in range(end - at):
        rest |= uint32(data[at + offset]) << uint32(8 * offset)
    if at < end:
        state = _mixed_in(state, rest)
    state ^= uint32(end - start)
    state = uint32((state ^ (state >> uint32(16))) * uint32(0x85EBCA6B))
    state = uint32((state ^ (state >> uint32(13))) * uint32(0xC2B2AE35))
    return int32(state ^ (state >> uint32(16)))  # type: ignore[no-any-return]


@inlined
def _mixed_in(state: np.uint32, block: np.uint32) -> np.uint32:
    block = uint32(block * uint32(0xCC9E2D51))
    block = uint32(uint32(block << uint32(15)) | (block >> uint32(17)))
    return uint32(state ^ uint32(block * uint32(0x1B873593)))  # type: ignore[no-any-return]


@inlined
def _bucket(line: Bytes, start: int, end: int, buckets: int) -> int:
    return abs(np.int64(_murmur3(line, start, end))) & (buckets - 1)  # type: ignore[return-value]


@kernel
def _fingerprint(data: Bytes, offsets: Offsets, characters: Characters, found: npt.NDArray[np.uint64]) -> None:
    """FNV-1a over the line of tokens, finalised as in SplitMix64."""
    line, starts, ends = _room(np.max(np.diff(offsets)) if len(offsets) > 1 else 0)
    for text in range(len(offsets) - 1):
        tokens = _tokens(data, offsets[text], offsets[text + 1], characters, line, starts, ends)
        state = uint64(FNV_BASIS)
        for at in range(ends[tokens - 1] if tokens else 0):
            state = (state ^ uint64(line[at])) * uint64(FNV_PRIME)
        state = (state ^ (state >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> uint64(27))) * uint64(0x94D049BB133111EB)
        state ^= state >> uint64(31)
        found[text] = max(state, uint64(1)) if tokens else uint64(0)


@kernel
def _count(data: Bytes, offsets: Offsets, characters: Characters, longest: int) -> int:
    """Number of n-grams of all texts, repeats included."""
    line, starts, ends = _room(np.max(np.diff(offsets)) if len(offsets) > 1 else 0)
    total = 0
    for text in range(len(offsets) - 1):
        tokens = _tokens(data, offsets[text], offsets[text + 1], characters, line, starts, ends)
        for size in range(min(longest, tokens)):
            total += tokens - size
    return total


@kernel
def _hash(
    data: Bytes,
    offsets: Offsets,
    characters: Characters,
    longest: int,
    buckets: int,
    counted: Offsets,
    found: npt.NDArray[np.int32],
) -> None:
    line, starts, ends = _room(np.max(np.diff(offsets)) if len(offsets) > 1 else 0)
    seen_in = np.full(buckets, -1, np.int32)
    at = 0
    for text in range(len(offsets) - 1):
        tokens = _tokens(data, offsets[text], offsets[text + 1], characters, line, starts, ends)
        for size in range(min(longest, tokens)):
            for first in range(tokens - size):
                bucket = _bucket(line, starts[first], ends[first + size], buckets)
                if seen_in[bucket] != text:
                    seen_in[bucket] = text
                    found[at] = bucket
                    at += 1
        counted[text + 1] = at


@kernel
def _sum(
    data: Bytes,
    offsets: Offsets,
    characters: Characters,
    longest: int,
    weights: Weights,
    sums: npt.NDArray[np.float64],
    counts: Positions,
) -> None:
    line, starts, ends = _room(np.max(np.diff(offsets)) if len(offsets) > 1 else 0)
    seen_in = np.full(len(weights), -1, np.int32)
    for text in range(len(offsets) - 1):
        tokens = _tokens(data, offsets[text], offsets[text + 1], characters, line, starts, ends)
        total, count = 0.0, 0
        for size in range(min(longest, tokens)):
            for first in range(tokens - size):
                bucket = _bucket(line, starts[first], ends[first + size], len(weights))
                if seen_in[bucket] != text:
                    seen_in[bucket] = text
                    total += weights[bucket]
                    count += 1
        sums[text], counts[text] = total, count
