"""Which n-grams tell good documents from bad ones, as far as a model goes by them."""

from collections import Counter

import msgspec
import numpy as np
import numpy.typing as npt

from curate.models.ngram_features import hashed_ngrams, ngrams
from curate.models.ngram_model import NgramModel
from curate.training.split import Labelled

_SHOWN = 20
_GIVEAWAY = 0.95
_LONGEST_READ = 20_000
_FEWEST_DOCUMENTS = 3


class Telling(msgspec.Struct, frozen=True):
    """One n-gram."""

    ngram: str
    """The most frequent one of its bucket."""
    weight: float
    in_good: float
    """Share of good documents that have it."""
    in_bad: float

    @property
    def auc(self) -> float:
        """AUC of having it or not."""
        return (1 + abs(self.in_good - self.in_bad)) / 2

    @property
    def giveaway(self) -> bool:
        """Whether it alone nearly tells the sides apart: more likely a trace of where they come from than quality."""
        return self.auc >= _GIVEAWAY


def telling(model: NgramModel, fitted: Labelled) -> tuple[Telling, ...]:
    """The n-grams that move the two sides' scores furthest apart; those that speak for good first.

    Args:
        model: as fitted.
        fitted: the documents it was fitted on.
    """
    found, offsets = hashed_ngrams(fitted.texts, model.facts.longest, len(model.weights))
    rows = np.repeat(np.arange(len(fitted.texts)), np.diff(offsets))
    in_good, in_bad = (_shares(found[side[rows]], int(side.sum()), model) for side in (fitted.good, ~fitted.good))
    often = in_good * fitted.good.sum() + in_bad * (~fitted.good).sum() >= _FEWEST_DOCUMENTS
    apart = model.weights * (in_good - in_bad) * often
    speaks_for = [
        [int(bucket) for bucket in np.argsort(-apart, kind="stable") if apart[bucket] > 0 and side[bucket]][:_SHOWN]
        for side in (model.weights > 0, model.weights < 0)
    ]
    wanted = [bucket for side in speaks_for for bucket in side]
    names = _names(wanted, fitted, model, found, offsets)
    return tuple(
        Telling(names[bucket], float(model.weights[bucket]), float(in_good[bucket]), float(in_bad[bucket]))
        for bucket in wanted
        if bucket in names
    )


def _shares(found: npt.NDArray[np.int32], documents: int, model: NgramModel) -> npt.NDArray[np.float64]:
    return np.bincount(found, minlength=len(model.weights)) / max(documents, 1)


def _names(
    wanted: list[int],
    fitted: Labelled,
    model: NgramModel,
    found: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
) -> dict[int, str]:
    """The most frequent n-gram of each bucket, in the first documents that have it."""
    counts: dict[int, Counter[str]] = {bucket: Counter() for bucket in wanted}
    missing = Counter(dict.fromkeys(wanted, _FEWEST_DOCUMENTS))
    for row in range(len(fitted.texts)):
        here = [int(bucket) for bucket in found[offsets[row] : offsets[row + 1]] if missing.get(int(bucket), 0) > 0]
        if not here:
            continue
        for ngram, bucket in _buckets(fitted.texts[row].as_py()[:_LONGEST_READ], model):
            if bucket in counts:
                counts[bucket][ngram] += 1
        missing.subtract(here)
    return {bucket: min(count, key=lambda ngram: (-count[ngram], ngram)) for bucket, count in counts.items() if count}


def _buckets(text: str, model: NgramModel) -> list[tuple[str, int]]:
    """Each different n-gram of a text with its bucket."""
    import pyarrow as pa

    different = sorted(set(ngrams(text, model.facts.longest)))
    # An n-gram of n tokens is its own longest n-gram: the last bucket that its text falls into.
    found, offsets = hashed_ngrams(pa.array(different, pa.large_string()), model.facts.longest, len(model.weights))
    return [
        (ngram, int(found[offsets[row + 1] - 1]))
        for row, ngram in enumerate(different)
        if offsets[row] < offsets[row + 1]
    ]
