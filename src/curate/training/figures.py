"""How good scores are on documents that the model never saw.

Source: Hanley and McNeil 1982, "The Meaning and Use of the Area under a Receiver Operating Characteristic (ROC) Curve";
Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning" (expected calibration error).
"""

import math

import msgspec
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Sides = npt.NDArray[np.bool_]

_BINS = 10
_95 = 1.96


class Bin(msgspec.Struct, frozen=True):
    """Documents with scores in one tenth of the range."""

    low: float
    high: float
    documents: int
    score: float
    """Mean score, weighted to the prior."""
    good: float
    """Share of good documents, weighted to the prior."""
    least: float
    """95 % interval of that share."""
    most: float


class Figures(msgspec.Struct, frozen=True):
    """What is measured on held-out documents."""

    good: int
    bad: int
    auc: float
    """Probability that a good document scores higher than a bad one."""
    auc_least: float
    auc_most: float
    calibration_error: float
    """Mean distance between score and share of good documents over ten bins, weighted to the prior."""
    length_auc: float
    """AUC of the number of bytes alone, whichever way round: what a model of length would reach."""
    bins: tuple[Bin, ...]


def figures(scores: Values, good: Sides, lengths: npt.NDArray[np.int64], *, prior: float) -> Figures:
    """Figures of calibrated ``scores``.

    Args:
        scores: 0 to 1.
        good: the side of each document.
        lengths: bytes of each document.
        prior: share of good documents that scores assume.
    """
    found = auc(scores, good)
    least, most = auc_interval(found, int(good.sum()), int((~good).sum()))
    by_length = auc(lengths.astype(np.float64), good)
    bins = calibration_bins(scores, good, prior=prior)
    return Figures(
        good=int(good.sum()),
        bad=int((~good).sum()),
        auc=found,
        auc_least=least,
        auc_most=most,
        calibration_error=calibration_error(scores, good, prior=prior),
        length_auc=max(by_length, 1 - by_length),
        bins=bins,
    )


def auc(scores: Values, good: Sides) -> float:
    """Area under the ROC curve, ties counted half.

    Example:
        >>> auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
        0.875
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(good, scores))


def auc_interval(found: float, good: int, bad: int) -> tuple[float, float]:
    """95 % interval of an AUC. Near 1 the spread is that of an AUC one half document lower: never none at all."""
    capped = min(max(found, 1 - found), 1 - 0.5 / min(good, bad))
    both_good, both_bad = capped / (2 - capped), 2 * capped**2 / (1 + capped)
    variance = capped * (1 - capped) + (good - 1) * (both_good - capped**2) + (bad - 1) * (both_bad - capped**2)
    spread = _95 * math.sqrt(max(variance, 0) / (good * bad))
    return max(0.0, found - spread), min(1.0, found + spread)


def calibration_bins(scores: Values, good: Sides, *, prior: float) -> tuple[Bin, ...]:
    """Ten bins of equal width; those without a document are omitted."""
    weights = _weights(good, prior)
    places = np.minimum((scores * _BINS).astype(np.int64), _BINS - 1)
    return tuple(
        _bin(place, scores[inside], good[inside], weights[inside])
        for place in range(_BINS)
        if (inside := places == place).any()
    )


def calibration_error(scores: Values, good: Sides, *, prior: float) -> float:
    """Expected calibration error over ten bins, 0 to 1."""
    weights = _weights(good, prior)
    places = np.minimum((scores * _BINS).astype(np.int64), _BINS - 1)
    gap = np.bincount(places, weights * (good - scores), minlength=_BINS)
    return float(np.abs(gap).sum() / weights.sum())


def _weights(good: Sides, prior: float) -> Values:
    return np.asarray(np.where(good, prior / max(good.sum(), 1), (1 - prior) / max((~good).sum(), 1)), np.float64)


def _bin(place: int, scores: Values, good: Sides, weights: Values) -> Bin:
    share = float(np.average(good, weights=weights))
    least, most = _wilson(share, float(weights.sum() ** 2 / (weights**2).sum()))
    mean = float(np.average(scores, weights=weights))
    return Bin(place / _BINS, (place + 1) / _BINS, len(scores), mean, share, least, most)


def _wilson(share: float, documents: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    square = _95**2 / documents
    middle = (share + square / 2) / (1 + square)
    spread = _95 / (1 + square) * math.sqrt(share * (1 - share) / documents + square / (4 * documents))
    return max(0.0, middle - spread), min(1.0, middle + spread)
