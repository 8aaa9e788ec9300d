"""From labelled documents to a calibrated model, by scikit-learn's logistic regression.

Source: Platt 1999, "Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized Likelihood
Methods", section 2.2, for the targets of the calibration.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.models.ngram_features import Weights, hashed_ngrams
from curate.models.ngram_model import Facts, NgramModel
from curate.training.split import FOLDS, Labelled

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BUCKETS = 1 << 18
LONGEST = 2
_STRENGTHS = (1.0, 10.0, 100.0)
"""Inverse regularisation strengths tried; the one with the best AUC on left-out documents is taken."""
_ENOUGH = 1_000
"""Left-out documents of each side on which it is good to calibrate."""


class Calibration(NamedTuple):
    """From a margin to a probability: ``1 / (1 + exp(-(slope × margin + intercept)))``."""

    slope: float
    intercept: float


def fit_model(examples: Labelled, *, prior: float) -> NgramModel:
    """A model whose weights come from all documents, and whose calibration from held-out documents.

    Documents are scored by weights fitted without their fold; on these scores the strength of regularisation is chosen
    and slope and intercept are fitted. Thus few examples are enough for both; of many, not every fold is needed.

    Args:
        examples: documents of both sides.
        prior: share of good documents for which scores are probabilities, between 0 and 1.
    """
    from sklearn.metrics import roc_auc_score

    places = examples.folds
    inputs = vectors(examples.texts)
    used = np.unique(inputs.indices)  # most buckets are empty: the fewer columns, the faster
    inputs = inputs[:, used]
    needed = _folds_needed(examples.good, places)
    scored = places < needed
    best: tuple[float, float, npt.NDArray[np.float64]] | None = None
    for strength in _STRENGTHS:
        left_out = np.zeros(len(places))
        for fold in range(needed):
            out = places == fold
            left_out[out] = inputs[out] @ _coefficients(inputs[~out], examples.good[~out], strength)
        found = round(float(roc_auc_score(examples.good[scored], left_out[scored])), 4)
        if best is None or found > best[0]:
            best = found, strength, left_out
    assert best is not None
    slope, intercept = calibrated(best[2][scored], examples.good[scored], prior=prior)
    weights = np.zeros(BUCKETS, np.float32)
    weights[used] = _coefficients(inputs, examples.good, best[1])
    return NgramModel(weights, Facts(longest=LONGEST, slope=slope, intercept=intercept, prior=prior))


def _folds_needed(good: npt.NDArray[np.bool_], places: npt.NDArray[np.int64]) -> int:
    """How many folds hold enough documents of both sides to calibrate on."""
    held = [min((good & (places < fold)).sum(), (~good & (places < fold)).sum()) for fold in range(1, FOLDS + 1)]
    return next((fold for fold, documents in enumerate(held, 1) if documents >= _ENOUGH), FOLDS)


def _coefficients(inputs: "csr_matrix", good: npt.NDArray[np.bool_], strength: float) -> Weights:
    """One for each column, by a logistic regression to which both sides count the same."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    regression = LogisticRegression(C=strength, class_weight="balanced", max_iter=500, tol=1e-3)
    with threadpool_limits(1):  # results do not depend on the number of cores
        regression.fit(inputs, good)
    return regression.coef_[0].astype(np.float32)  # type: ignore[no-any-return]


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
