"""From some pieces of an input to all of it: numbers, shares and copies, and by how much they may be off.

Source: Cochran, Sampling Techniques, 3rd ed., sections 6.3 and 6.10: a ratio to the stored bytes for each stratum.
"""

import math
from collections.abc import Collection, Hashable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

_NOBODY_KNOWS = 0.5
"""Error of a share of copies beyond which none is told."""
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
    x, y = np.array(sizes, float), np.array(values, float)
    value = variance = 0.0
    for stratum in strata:
        of, held = x[stratum.pieces], y[stratum.pieces]
        scale = stratum.size / float(of.sum())
        value += scale * float(held.sum())
        variance += _spread(scale * (held - held.sum() / of.sum() * of), scale * float(held.sum()), scale)
    error = 0.0 if whole else _error(variance, len(x), len(strata))
    return Guess(value * sample, error and error * sample)


def share(
    values: Sequence[float],
    documents: Sequence[int],
    sizes: Sequence[float],
    strata: Sequence[Stratum],
    *,
    whole: bool,
) -> Guess:
    """The share of documents that ``values`` are, each stratum counting with what it holds in all."""
    x, n, y = (np.array(each, float) for each in (sizes, documents, values))
    weights = np.zeros(len(x))
    for stratum in strata:
        weights[stratum.pieces] = stratum.size / x[stratum.pieces].sum()
    held = float((weights * n).sum())
    if not held:
        return Guess(0.0, 0.0 if whole else None)
    ratio, variance = float((weights * y).sum()) / held, 0.0
    for stratum in strata:
        of, off, scale = x[stratum.pieces], (y - ratio * n)[stratum.pieces], float(weights[stratum.pieces[0]])
        centred = off - off.sum() / of.sum() * of
        variance += _spread(scale / held * centred, scale / held * float(abs(off).sum()), scale)
    return Guess(ratio, 0.0 if whole else _error(variance, len(x), len(strata)))


def _spread(off: npt.NDArray[np.float64], all_of_it: float, scale: float) -> float:
    """The variance of a sum over a stratum; of one piece nothing is known, and it may be off by all of it."""
    if scale <= 1.0:
        return 0.0  # all of it was tried
    return float((off**2).sum()) * len(off) / (len(off) - 1) if len(off) > 1 else all_of_it**2


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
