"""MinHash signatures: short sketches that agree in each place with probability equal to the Jaccard
similarity.

Broder, "On the resemblance and containment of documents" (1997). The permutations are those of
``datasketch.MinHash`` 2.0 (scheme ``affine32``): MurmurHash3's 32-bit finaliser, then ``a * h + b`` modulo
2³² with odd ``a``. Signatures therefore equal that library's for the same seed and the same shingle hashes,
and load into it with ``MinHash(hashvalues=..., scheme="affine32")``.
"""

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import int64, uint32, uint64

from curate.text.core.arrow import Bytes, Offsets, utf8_view
from curate.text.core.hashes import mix64, mixed
from curate.text.core.kernel import inlined, inner, kernel
from curate.text.dedup.shingles import Hashes, Letters, letters, next_shingles, work_space

Signatures = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.uint32]

NO_SHINGLE = 0xFFFFFFFF
"""Every entry of the signature of a text without words."""


class Sketches(NamedTuple):
    """What is kept of the shingles of every text."""

    signatures: Signatures
    """uint32, texts × permutations."""
    shingles: Counts
    """Shingles of each text, repeats included (uint32)."""
    extremes: Counts
    """The lowest and the highest of the lower halves of each text's shingle hashes, mixed (uint32): two more MinHash
    entries, independent of the signature, which is made from the upper halves. So two texts agree with probability
    *s*² at Jaccard similarity *s* (or very nearly: the highest is drawn from one shingle less)."""


class Permutations(NamedTuple):
    """``h -> factors * h + shifts`` modulo 2³² (uint32, one entry for each permutation; factors are odd)."""

    factors: npt.NDArray[np.uint32]
    shifts: npt.NDArray[np.uint32]


def permutations(count: int, seed: int) -> Permutations:
    """The permutations that ``datasketch.MinHash(num_perm=count, seed=seed)`` draws.

    Args:
        count: length of a signature.
        seed: 0 … 2³² - 1.

    Example:
        >>> permutations(2, seed=1).factors % 2
        array([1, 1], dtype=uint32)
    """
    random = np.random.RandomState(seed)  # the reference's generator, whose stream is frozen
    factors = random.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return Permutations(factors, random.randint(0, 1 << 32, count, dtype=np.uint32))


def signatures(texts: pa.Array, size: int, permuted: Permutations) -> Sketches:
    """MinHash signatures of the word shingles of every text, and what else is known of them.

    Args:
        texts: ``large_string`` array without nulls.
        size: words in a shingle.
        permuted: what `permutations` returned.

    Example:
        >>> texts = pa.array(["one two three", "One, two; three!", "..."], pa.large_string())
        >>> found = signatures(texts, 2, permutations(64, seed=1))
        >>> bool((found.signatures[0] == found.signatures[1]).all()), found.shingles.tolist()
        (True, [2, 2, 0])
    """
    data, offsets = utf8_view(texts)
    sketches = np.full((len(texts), len(permuted.factors)), NO_SHINGLE, np.uint32)
    counts, extremes = np.zeros(len(texts), np.uint32), np.zeros(len(texts), np.uint32)
    _sketch_all(data, offsets, letters(), size, permuted.factors, permuted.shifts, sketches, counts, extremes)
    return Sketches(sketches, counts, extremes)


def shingle_hashes32(hashes: Hashes) -> Counts:
    """The 32-bit hashes (upper halves) from which a signature is made: what the reference is given."""
    return (hashes >> np.uint64(32)).astype(np.uint32)


def extremes_of(hashes: Hashes, offsets: Offsets) -> Counts:
    """`Sketches.extremes` of shingle sets laid out back to back.

    Args:
        hashes: members of all sets (uint64).
        offsets: where each begins, with the end of the last (int64).
    """
    halves, both = (hashes & np.uint64(NO_SHINGLE)), np.empty(len(offsets) - 1, np.uint64)
    for at, (start, end) in enumerate(itertools.pairwise(offsets)):
        lowest, highest = halves[start:end].min(initial=NO_SHINGLE), halves[start:end].max(initial=0)
        both[at] = lowest << np.uint64(32) | highest
    extremes: Counts = mixed(both).astype(np.uint32)
    return extremes


def band_keys(sketches: Signatures, bands: int, rows: int) -> Hashes:
    """One 64-bit key for each band of ``rows`` consecutive signature entries.

    Args:
        sketches: signatures (uint32, texts × at least ``bands * rows``).
        bands: number of bands.
        rows: entries hashed together.

    Returns:
        Keys (uint64, bands × texts): texts with the same key in a band agree in all of its rows.

    Example:
        >>> band_keys(np.array([[1, 2, 3, 4], [1, 2, 0, 4]], np.uint32), bands=2, rows=2).shape
        (2, 2)
    """
    keys = np.empty((bands, len(sketches)), np.uint64)
    _fold_bands(sketches, rows, keys)
    return keys


@inlined
def _finalise32(h: int) -> int:
    h = uint32(h ^ (h >> uint32(16)))
    h = uint32(h * uint32(0x85EBCA6B))
    h = uint32(h ^ (h >> uint32(13)))
    h = uint32(h * uint32(0xC2B2AE35))
    mixed: int = uint32(h ^ (h >> uint32(16)))
    return mixed


@kernel
def _sketch_all(
    data: Bytes, offsets: Offsets, letters: Letters, size: int,
    factors: Counts, shifts: Counts, sketches: Signatures, counts: Counts, extremes: Counts,
) -> None:  # fmt: skip
    work = work_space(size)
    for text in range(len(offsets) - 1):
        start, end, carried = offsets[text], offsets[text + 1], int64(-1)
        total, lowest, highest = 0, uint32(NO_SHINGLE), uint32(0)
        while start < end:
            made, carried, start = next_shingles(data, start, end, letters, size, work, carried)
            _sketch(work.shingles, made, factors, shifts, sketches[text])
            for i in range(made):
                half = uint32(work.shingles[i] & uint64(NO_SHINGLE))
                lowest, highest = min(lowest, half), max(highest, half)
            total += made
        extremes[text] = uint32(mix64(uint64(lowest) << uint64(32) | uint64(highest)))
        counts[text] = min(total, 0xFFFFFFFF)


@inner
def _sketch(shingles: Hashes, made: int, factors: Counts, shifts: Counts, sketch: Signatures) -> None:
    """Lower every entry of ``sketch`` to its least permuted hash; four hashes for each time that an entry is loaded."""
    last = made - 1  # where fewer than four are left, it stands for the others
    for i in range(0, made, 4):
        first = _finalise32(uint32(shingles[i] >> uint64(32)))
        second = _finalise32(uint32(shingles[min(i + 1, last)] >> uint64(32)))
        third = _finalise32(uint32(shingles[min(i + 2, last)] >> uint64(32)))
        fourth = _finalise32(uint32(shingles[min(i + 3, last)] >> uint64(32)))
        for k in range(len(factors)):  # numba widens; the casts keep every product in one SIMD lane
            factor, shift = factors[k], shifts[k]
            one = min(uint32(uint32(factor * first) + shift), uint32(uint32(factor * second) + shift))
            other = min(uint32(uint32(factor * third) + shift), uint32(uint32(factor * fourth) + shift))
            sketch[k] = min(sketch[k], one, other)


@kernel
def _fold_bands(sketches: Signatures, rows: int, keys: Hashes) -> None:
    for text in range(len(sketches)):
        for band in range(len(keys)):
            key = uint64(0)
            for entry in range(band * rows, (band + 1) * rows):
                key = mix64(key ^ uint64(sketches[text, entry])) + uint64(entry)
            keys[band, text] = key
