"""From some pieces of an input to all of it: numbers, shares and copies, and by how much they may be off.

Pieces lie where evenly spaced places fall, so that a long one is met more often: what counts of each is its ratio to
its size, and of a stratum the mean of these (Hansen and Hurwitz, 1943; Cochran, Sampling Techniques, 3rd ed., sections
9A.3 and 6.10).
"""

import math
from collections.abc import Collection, Hashable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

_NOBODY_KNOWS = 0.5
"""Error of a share of copies beyond which no share is reported."""
_STUDENT = {2: 12.7, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 8: 2.36, 12: 2.20, 24: 2.07}
"""Two-sided 95 % points of Student's t by the number of pieces; of the next smaller number where one is not here."""


class Guess(msgspec.Struct, frozen=True):
    """A number for the whole input, and by how much it may be off (95 %); None: nobody can tell from one piece."""

    value: float
    error: float | None


class Copies:
    """Which documents are copies of one before, by keys that copies have in common."""

    def __init__(self) -> None:
        self.pairs = 0
        """Copies that were met twice, in two pieces: of a few of many such pairs both are tried."""
        self._seen = dict[Hashable, tuple[int, int]]()
        """Of each key the last piece with it, and how many documents had it."""

    def add(self, keys: Collection[Hashable], piece: int) -> bool:
        """Whether a document of a piece is a copy."""
        known = [found for key in keys if (found := self._seen.get(key))]
        if known and all(other != piece for other, _ in known):
            met = max(count for _, count in known)
            self.pairs = max(0, self.pairs + (met == 1) - (met == 2))
        for key in keys:
            self._seen[key] = piece, self._seen.get(key, (0, 0))[1] + 1
        return bool(known)


class Stratum(NamedTuple):
    """A file, or all files of a kind: pieces of one are alike in how much they hold."""

    size: float
    """Stored bytes."""
    pieces: npt.NDArray[np.int64]


def total(
    values: Sequence[float], sizes: Sequence[float], strata: Sequence[Stratum], sample: float, *, whole: bool
) -> Guess:
    """What ``values`` come to in all, by their ratio to ``sizes`` in each stratum."""
    stands_for, y = _stand_for(sizes, strata), np.array(values, float)
    variance = sum(_spread(stands_for[of.pieces] * y[of.pieces], of, sizes) for of in strata)
    error = 0.0 if whole else _error(variance, len(y), len(strata))
    return Guess(float((stands_for * y).sum()) * sample, error and error * sample)


def share(
    values: Sequence[float],
    documents: Sequence[int],
    sizes: Sequence[float],
    strata: Sequence[Stratum],
    *,
    whole: bool,
) -> Guess:
    """The share of documents that ``values`` are, each stratum counting with what it holds in all."""
    stands_for, n, y = _stand_for(sizes, strata), np.array(documents, float), np.array(values, float)
    held = float((stands_for * n).sum())
    if not held:
        return Guess(0.0, 0.0 if whole else None)
    ratio = float((stands_for * y).sum()) / held
    off = stands_for * (y - ratio * n) / held
    variance = sum(_spread(off[of.pieces], of, sizes) for of in strata)
    return Guess(ratio, 0.0 if whole else _error(variance, len(y), len(strata)))


def _stand_for(sizes: Sequence[float], strata: Sequence[Stratum]) -> npt.NDArray[np.float64]:
    """How many pieces of its kind each piece stands for: one, where all of a stratum was tried."""
    x = np.array(sizes, float)
    found = np.ones(len(x))
    for stratum in strata:
        of = x[stratum.pieces]
        if stratum.size > of.sum():
            found[stratum.pieces] = stratum.size / len(of) / of
        else:
            found[stratum.pieces] = stratum.size / of.sum()
    return found


def _spread(parts: npt.NDArray[np.float64], stratum: Stratum, sizes: Sequence[float]) -> float:
    """The variance of the sum of a stratum's parts; of one piece nothing is known: it may be off by all of it."""
    if sum(sizes[piece] for piece in stratum.pieces) >= stratum.size:
        return 0.0  # all of it was tried
    if len(parts) == 1:
        return float(parts[0] ** 2)
    return float(((parts - parts.mean()) ** 2).sum()) * len(parts) / (len(parts) - 1)


def _error(variance: float, pieces: int, strata: int) -> float | None:
    if pieces < 2:
        return None
    free = pieces - strata + 1
    return _STUDENT[max((number for number in _STUDENT if number <= free), default=2)] * math.sqrt(variance)


def with_pairs(seen: Guess, pairs: int, documents: int, tried: float) -> Guess:
    """A share of copies with those of which the other is not among the pieces.

    Of two copies anywhere both are tried as rarely as the share that is tried squared: a pair that was met stands for
    that many, if it is one of two, and for itself if there are many copies of it, which nobody can tell.

    Args:
        seen: the share of documents that were found to be copies.
        pairs: as `Copies` counts them.
        documents: that were tried.
        tried: their share of all.
    """
    if seen.error is None or not documents:
        return seen
    each = (1.0 / min(1.0, tried) - 1.0) / documents
    unseen, chance = pairs * each, 1.96 * math.sqrt(pairs + 1) * each
    value, error = seen.value + unseen / 2, seen.error + unseen / 2 + chance
    return Guess(min(1.0, value), error if error < _NOBODY_KNOWS else None)
