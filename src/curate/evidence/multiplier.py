"""From two loss curves to the compute multiplier, its interval, and what follows from it.

The multiplier is ``m = D_raw / D_curated`` at equal loss: m = 1.5 means that a model reaches on 1 M curated tokens what
takes 1.5 M raw ones. The raw curve is interpolated (loss linear in log D); beyond it there is a bound, never a guess.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.settings.compute_constants import REPETITION_DECAY

Floats = npt.NDArray[np.float64]
Bound = Literal["", "<", ">"]


class Crossing(NamedTuple):
    """Where the raw curve has the loss asked for: a multiplier, or a bound of it."""

    value: float
    bound: Bound = ""


class Interval(NamedTuple):
    """A multiplier with its 95 % interval; beyond the measured curve the end is 0 or infinite."""

    value: float
    low: float
    high: float
    bound: Bound = ""


def envelope(losses: npt.ArrayLike) -> Floats:
    """Losses by rising budget, none above the one before: noise must not make more text look worse.

    Example:
        >>> envelope([2.2, 2.0, 2.1, 1.9]).tolist()
        [2.2, 2.0, 2.0, 1.9]
    """
    return np.minimum.accumulate(np.asarray(losses, np.float64))


def crossing(budgets: npt.ArrayLike, raw: npt.ArrayLike, tokens: float, loss: float) -> Crossing:
    """How many times more raw tokens the same loss takes.

    Args:
        budgets: tokens of each point of the raw curve, ascending.
        raw: its losses.
        tokens: of the curated arm.
        loss: of the curated arm after them.

    Example:
        >>> budgets, raw = [0.5e6, 1e6, 2e6, 4e6], [2.20, 2.05, 1.93, 1.81]
        >>> round(crossing(budgets, raw, 1e6, 1.97).value, 6)
        1.587401
        >>> crossing(budgets, raw, 1e6, 2.30), crossing(budgets, raw, 1e6, 1.70)
        (Crossing(value=0.5, bound='<'), Crossing(value=4.0, bound='>'))
    """
    sizes, losses = np.asarray(budgets, np.float64), envelope(raw)
    points = np.log(sizes / tokens)
    if loss > losses[0]:
        return Crossing(float(sizes[0] / tokens), "<")
    if loss < losses[-1]:
        return Crossing(float(sizes[-1] / tokens), ">")
    falling = np.concatenate([[True], np.diff(losses) < 0])  # of a flat stretch the shortest budget counts
    at = np.interp(-loss, -losses[falling], points[falling])
    return Crossing(float(np.exp(at)))


def interval(found: Crossing, spread: float, seeds: int, documents_error: float, least: float, most: float) -> Interval:
    """The 95 % interval ``m · exp(±t · sqrt(spread² / n + error²))``, cut where nothing was measured.

    Args:
        found: the multiplier.
        spread: standard deviation of log m over seeds.
        seeds: n.
        documents_error: standard error of log m from the choice of evaluation documents.
        least: smallest multiplier that the raw curve can show.
        most: largest one.

    Example:
        >>> found = interval(Crossing(2 ** (2 / 3)), 0.08, 8, 0.04, 0.5, 4.0)
        >>> [round(end, 4) for end in found[:3]]
        [1.5874, 1.4138, 1.7824]
    """
    if found.bound == "<":
        return Interval(found.value, 0.0, found.value, "<")
    if found.bound == ">":
        return Interval(found.value, found.value, math.inf, ">")
    wide = student(seeds - 1) * math.sqrt(spread**2 / seeds + documents_error**2)
    low, high = found.value * math.exp(-wide), found.value * math.exp(wide)
    return Interval(found.value, low if low >= least else 0.0, high if high <= most else math.inf)


def student(freedom: int) -> float:
    """Two-sided 95 % point of Student's t for whole degrees of freedom, 1 or more.

    Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4, whose share within t is solved for t by halving.

    Example:
        >>> round(student(7), 4)
        2.3646
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _share_within(middle, freedom) > 0.95 else (middle, high)
    return math.sqrt(freedom) * math.tan(low)


def _share_within(angle: float, freedom: int) -> float:
    """Share of Student's t between ``±sqrt(freedom) · tan(angle)``."""
    odd = freedom % 2
    term, total = math.cos(angle) if odd else 1.0, 0.0
    for power in range(2 + odd, freedom + 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (power - 1) / power
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total


def saving_of(multiplier: float) -> float:
    """``1 - 1/m``: the share of training compute not spent; negative where curation loses.

    Example:
        >>> [round(saving_of(m), 6) for m in (2 ** (2 / 3), 0.5, math.inf)]
        [0.370039, -1.0, 1.0]
    """
    return 1 - 1 / multiplier if multiplier > 0 else -math.inf


def value_of_removed(multiplier: float, kept_share: float) -> float:
    """What a removed token was worth beside a kept one: 1 as much, 0 nothing, less than 0 it did harm.

    Example:
        >>> round(value_of_removed(2 ** (2 / 3), 0.471), 6)
        0.300492
    """
    if kept_share >= 1:
        return math.nan
    return (1 / multiplier - kept_share) / (1 - kept_share) if multiplier > 0 else math.inf


def epochs_for(fresh: float) -> float:
    """Passes over the curated text that are worth ``fresh`` passes' worth of fresh tokens; infinite: out of reach.

    Example:
        >>> epochs_for(0.8), round(epochs_for(1.337496), 6), epochs_for(20)
        (0.8, 1.341252, inf)
    """
    if fresh <= 1:
        return fresh
    left = 1 - (fresh - 1) / REPETITION_DECAY
    return 1 - REPETITION_DECAY * math.log(left) if left > 0 else math.inf


def saving_at_equal_quality(multiplier: float, kept_share: float) -> float:
    """Share of a pass over the raw text not spent, when the curated text is repeated until it is worth that pass.

    Example:
        >>> round(saving_at_equal_quality(2 ** (2 / 3), 0.471), 6)
        0.36827
    """
    if not multiplier > 0:
        return -math.inf
    return 1 - epochs_for(1 / (multiplier * kept_share)) * kept_share


class Curves(NamedTuple):
    """Losses of both arms on one evaluation text."""

    raw_budgets: Sequence[int]
    budgets: Sequence[int]
    """Of the curated arm."""
    raw: Floats
    """Bits of each seed, raw budget and document."""
    curated: Floats
    """Bits of each seed, curated budget and document."""
    sizes: Floats
    """Bytes of each document."""

    def multiplier(self, which: int, seed: int = 0) -> Interval:
        """The multiplier at one curated budget.

        Args:
            which: number of the budget.
            seed: of the bootstrap over documents.
        """
        tokens = self.budgets[which]
        raw, curated = self.losses(self.raw), self.losses(self.curated)
        mean = float(envelope(curated.mean(axis=0))[which])
        found = crossing(self.raw_budgets, raw.mean(axis=0), tokens, mean)
        ends = self.raw_budgets[0] / tokens, self.raw_budgets[-1] / tokens
        if found.bound:
            return interval(found, 0.0, len(raw), 0.0, *ends)
        spread = float(np.std(self.by_seed(which, found.value), ddof=1))
        return interval(found, spread, len(raw), self.documents_error(which, found.value, seed), *ends)

    def losses(self, bits: Floats) -> Floats:
        """Bits a byte, for each seed and budget."""
        return np.asarray(bits.sum(axis=2) / self.sizes.sum())

    def by_seed(self, which: int, multiplier: float) -> Floats:
        """How far each seed's log m is from the mean, by the slope of the raw curve: no seed leaves the curve so."""
        raw, curated = self.losses(self.raw), self.losses(self.curated)[:, which]
        at, slope = self._at(multiplier * self.budgets[which], raw.mean(axis=0))
        return np.asarray((_between(raw, at) - curated) / slope)

    def documents_error(self, which: int, multiplier: float, seed: int, resamples: int = 200) -> float:
        """Standard error of log m from the choice of documents: a bootstrap over them, seeds averaged."""
        raw, curated = self.raw.mean(axis=0), self.curated.mean(axis=0)[which]
        at, slope = self._at(multiplier * self.budgets[which], raw.sum(axis=1) / self.sizes.sum())
        apart = _between(raw.T, at) - curated
        rng = np.random.default_rng(seed)
        drawn = rng.integers(0, len(self.sizes), (resamples, len(self.sizes)))
        return float(np.std(apart[drawn].sum(axis=1) / self.sizes[drawn].sum(axis=1), ddof=1) / slope)

    def _at(self, tokens: float, losses: Floats) -> tuple[tuple[int, float], float]:
        """Place of a budget on the raw curve, between which points, and how steeply the loss falls there."""
        points, curve = np.log(np.asarray(self.raw_budgets, np.float64)), envelope(losses)
        left = int(np.clip(np.searchsorted(points, np.log(tokens), side="right") - 1, 0, len(points) - 2))
        width = points[left + 1] - points[left]
        overall = (curve[0] - curve[-1]) / (points[-1] - points[0])
        slope = max((curve[left] - curve[left + 1]) / width, overall / 10, 1e-6)
        return (left, float((np.log(tokens) - points[left]) / width)), float(slope)


def _between(values: Floats, at: tuple[int, float]) -> Floats:
    """Values at a place on the curve, which is their last axis."""
    left, share = at
    return np.asarray((1 - share) * values[..., left] + share * values[..., left + 1])
