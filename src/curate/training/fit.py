"""From labelled documents to a calibrated model, by scikit-learn's logistic regression.

Source: Platt 1999, "Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized Likelihood
Methods", section 2.2, for the targets of the calibration.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.hashed_ngrams import Weights, hashed_ngrams
from curate.text.ngram_model import Facts, NgramModel
from curate.training.split import Labelled

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BUCKETS = 1 << 18
LONGEST = 2
_STRENGTHS = (1.0, 10.0, 100.0)
"""Inverse regularisation strengths tried; the one with the best AUC on the documents that calibrate is taken."""


class Calibration(NamedTuple):
    """From a margin to a probability: ``1 / (1 + exp(-(slope × margin + intercept)))``."""

    slope: float
    intercept: float


def fit_model(fit: Labelled, calibrate: Labelled, *, prior: float) -> NgramModel:
    """Weights from one share, slope and intercept from another.

    Args:
        fit: documents to fit weights on.
        calibrate: others, to choose the strength of regularisation and to calibrate.
        prior: share of good documents for which scores are probabilities, between 0 and 1.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    inputs = vectors(fit.texts)
    regression = LogisticRegression(class_weight="balanced", max_iter=500, tol=1e-3, warm_start=True)
    best: tuple[float, Weights] | None = None
    for strength in _STRENGTHS:
        regression.set_params(C=strength).fit(inputs, fit.good)
        weights = regression.coef_[0].astype(np.float32)
        auc = round(float(roc_auc_score(calibrate.good, margins(weights, calibrate.texts))), 4)
        if best is None or auc > best[0]:
            best = auc, weights
    assert best is not None
    slope, intercept = calibrated(margins(best[1], calibrate.texts), calibrate.good, prior=prior)
    return NgramModel(best[1], Facts(longest=LONGEST, slope=slope, intercept=intercept, prior=prior))


def vectors(texts: pa.Array) -> "csr_matrix":
    """One row of length 1 for each text: which buckets its n-grams fall into."""
    from scipy.sparse import csr_matrix

    found, offsets = hashed_ngrams(texts, LONGEST, BUCKETS)
    sizes = np.diff(offsets)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
    return csr_matrix((values, found, offsets), shape=(len(texts), BUCKETS))


def margins(weights: Weights, texts: pa.Array) -> npt.NDArray[np.float64]:
    """Scores before calibration, by the kernel that a run uses; 0 for a text without a token."""
    uncalibrated = Facts(longest=LONGEST, slope=1.0, intercept=0.0, prior=0.5)
    return np.nan_to_num(NgramModel(weights, uncalibrated).margins(texts))


def calibrated(values: npt.NDArray[np.float64], good: npt.NDArray[np.bool_], *, prior: float) -> Calibration:
    """Platt's calibration, both sides weighted so that they make up ``prior`` and ``1 - prior``.

    Platt's targets, (n + 1) / (n + 2) instead of 1, keep few and well separated documents from certainty.

    Example:
        >>> values = np.array([-2.0, -1.0, 0.5, -0.5, 1.0, 2.0])
        >>> good = np.array([False, False, False, True, True, True])
        >>> slope, intercept = calibrated(values, good, prior=0.5)
        >>> slope > 0, abs(intercept) < 0.01
        (True, True)
    """
    from sklearn.linear_model import LogisticRegression

    counts = good.sum(), (~good).sum()
    certain = [(count + 1) / (count + 2) for count in counts]
    target = np.where(good, certain[0], 1 - certain[1])
    weight = np.where(good, prior / counts[0], (1 - prior) / counts[1]) * len(good)
    twice = np.concatenate([values, values])[:, None]
    side = np.repeat([True, False], len(values))
    scale = float(np.std(values)) or 1.0
    regression = LogisticRegression(C=np.inf, max_iter=1000, tol=1e-8)
    regression.fit(twice / scale, side, sample_weight=np.concatenate([weight * target, weight * (1 - target)]))
    return Calibration(float(regression.coef_[0, 0] / scale), float(regression.intercept_[0]))
