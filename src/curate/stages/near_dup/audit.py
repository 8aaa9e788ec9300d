"""How many near-duplicates were missed: an estimate from a random sample that the bands had no part in.

Every document carries the lowest and the highest of the lower halves of its shingle hashes, which the signatures do not
use. They work as a MinHash of their own: two documents at Jaccard similarity *s* share both with probability *s*². The
sample is all documents for which the two, mixed, lie below a bound. So whoever is in the sample is joined by a twin at
*s* with probability *s*², however large the corpus and however small the sample (coordinated sampling: Cohen and
Kaplan, "Leveraging discarded samples for tighter estimation of multiple-set aggregates", SIGMETRICS 2009). Kept
documents of the sample that share both, a *cohort*, are compared exactly; each miss found at *s* stands for 1 / *s*² of
them. They are read and compared together with the candidates of the bands (`curate.stages.near_dup.survivors`).

The lowest alone would lose fewer twins, but brings two to three times as many documents together that are not alike,
and those are what an audit costs.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.contract import Corpus, Rows
from curate.stages.near_dup.exact import comparable
from curate.stages.near_dup.numbering import Numbering
from curate.stages.partitioning import column
from curate.text.core.hashes import mixed

COHORT = "cohort"
"""Column of the partials with both, `curate.text.dedup.minhash.Sketches.extremes`."""
SAMPLE = 1 << 16
"""Documents in the sample, about."""
STEP = 0.02
"""Width of the bins of pairs below the similarity."""
MOST_SHINGLES = 1 << 24
"""Shingles compared at most, about: the sample is smaller where a common phrase puts many documents together."""

Keys = npt.NDArray[np.uint64]


class Audit(NamedTuple):
    """What the sample showed."""

    documents: int
    """Documents in the sample."""
    twins: int
    """Near-duplicates among them: removed ones, and those found to be missed."""
    missed: int
    """Of those, kept though a kept document reaches the similarity."""
    share: float
    """Share of all near-duplicates that was missed, estimated."""
    upper: float
    """Upper end of its 95 % interval (one-sided, Poisson)."""
    below: tuple[tuple[float, float], ...] = ()
    """Pairs of kept documents that do not reach the similarity, of the whole corpus, estimated: the least Jaccard of a
    bin `STEP` wide, and how many; empty bins are omitted."""


class Sample(NamedTuple):
    """The documents of some cohorts, each chosen with the same probability."""

    bound: float
    """Below it lie the `cohort_keys` of those in the sample."""

    def holds(self, cohorts: Keys) -> npt.NDArray[np.bool_]:
        """Whether documents of these cohorts are in the sample."""
        inside: npt.NDArray[np.bool_] = cohorts < self.bound
        return inside


NOBODY = Sample(0.0)
"""No sample: nothing is compared for the sake of an audit."""


def cohort_keys(partial: pa.Table) -> Keys:
    """Cohort of every document, spread over 64 bits."""
    keys: Keys = mixed(column(partial, COHORT).astype(np.int64))
    return keys


def draw(corpus: Corpus, numbering: Numbering, copies: Rows) -> Sample:
    """The largest sample within `SAMPLE` and `MOST_SHINGLES`.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        copies: from `curate.stages.near_dup.exact.find_copies`; they lie in no cohort.
    """
    sample = Sample(2.0**64 * min(SAMPLE / max(numbering.documents, 1), 1.0))
    lengths = functools.partial(_lengths, corpus, numbering, copies, sample)
    parts = list(corpus.map(lengths, range(numbering.parts)))
    cohorts = np.concatenate([cohorts for cohorts, _ in parts] or [np.empty(0, np.uint64)])
    shingles = np.concatenate([shingles for _, shingles in parts] or [np.empty(0, np.uint32)])
    values, places, counts = np.unique(cohorts, return_inverse=True, return_counts=True)
    compared = np.cumsum(np.where(counts > 1, np.bincount(places, shingles, len(values)), 0))
    too_many = np.searchsorted(compared, MOST_SHINGLES, side="right")
    return sample if too_many == len(values) else Sample(float(values[too_many]))


def _lengths(
    corpus: Corpus, numbering: Numbering, copies: Rows, sample: Sample, part: int
) -> tuple[Keys, npt.NDArray[np.uint32]]:
    """Cohort and number of shingles of the documents of a part that are in the sample."""
    table = corpus.partial(part, ["shingles", COHORT])
    rows = comparable(corpus, numbering, copies, part)
    cohorts = cohort_keys(table)[rows]
    inside = sample.holds(cohorts)
    return cohorts[inside], column(table, "shingles")[rows][inside]


def audit(
    corpus: Corpus,
    numbering: Numbering,
    sample: Sample,
    removed: Rows,
    jaccard: npt.NDArray[np.float64],
    similarity: float,
) -> Audit:
    """What the comparison of the sample's cohorts says of the whole corpus.

    Args:
        corpus: what was observed.
        numbering: numbers of the documents.
        sample: whose cohorts were compared.
        removed: from `curate.stages.near_dup.judgments.find_outcomes`.
        jaccard: of the pairs of kept documents that were found: those that reach the similarity were missed.
        similarity: from which two documents are near-duplicates.
    """
    count = functools.partial(_count, corpus, numbering, sample, removed)
    counted = list(corpus.map(count, range(len(corpus.earlier), numbering.parts)))
    kept, twins = (sum(each) for each in zip((0, 0), *counted, strict=True))
    missed, under = jaccard[jaccard >= similarity], jaccard[jaccard < similarity]
    found = _estimate(documents=kept + twins, removed=twins, jaccard=missed, similarity=similarity)
    return found._replace(below=_bins(under, min(1.0, sample.bound / 2.0**64), similarity))


def _bins(jaccard: npt.NDArray[np.float64], share: float, similarity: float) -> tuple[tuple[float, float], ...]:
    """Pairs by similarity, each weighted by the inverse of the chance that a sample of this share shows it.

    Example:
        >>> _bins(np.array([0.71, 0.71, 0.795]), share=1.0, similarity=0.8)
        ((0.7, 4.0), (0.78, 1.6))
    """
    steps = np.floor((jaccard - similarity) / STEP + 1e-9).astype(np.int64)
    pairs = {int(step): float((1 / jaccard[steps == step] ** 2).sum()) / share for step in np.unique(steps)}
    return tuple((round(similarity + step * STEP, 4), round(number, 1)) for step, number in pairs.items())


def _count(corpus: Corpus, numbering: Numbering, sample: Sample, removed: Rows, part: int) -> tuple[int, int]:
    """Documents of a part in the sample: kept ones, and those removed as near-duplicates."""
    table, rows = corpus.partial(part, ["shingles", COHORT]), removed[part]
    inside = sample.holds(cohort_keys(table)) & (column(table, "shingles") > 0)
    places = numbering.rows_in(part, column(rows, "document"))
    twins = inside[places[~column(rows, "exact").astype(np.bool_)]].sum()
    inside[places] = False
    return int(inside.sum()), int(twins)


def _estimate(documents: int, removed: int, jaccard: npt.NDArray[np.float64], similarity: float) -> Audit:
    """Misses weighted by the inverse of the chance that the sample shows them.

    Example:
        >>> _estimate(documents=5000, removed=990, jaccard=np.full(8, 0.8), similarity=0.8)
        Audit(documents=5000, twins=998, missed=8, share=0.0125, upper=0.0223, below=())
    """
    missed = float((1 / jaccard**2).sum())
    most = poisson_upper(len(jaccard)) / (similarity**2 if not len(jaccard) else float(len(jaccard)) / missed)
    return Audit(
        documents=documents,
        twins=removed + len(jaccard),
        missed=len(jaccard),
        share=round(missed / max(removed + missed, 1), 4),
        upper=round(most / (removed + most), 4),
    )


def poisson_upper(seen: int, confidence: float = 0.95) -> float:
    """The largest mean under which seeing so few is still as likely as ``1 - confidence``.

    Example:
        >>> round(poisson_upper(0), 3), round(poisson_upper(8), 2)
        (2.996, 14.43)
    """

    def at_most_seen(mean: float) -> float:
        return sum(math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(seen + 1))

    low, high = 1e-9, 3.0 + 3 * seen
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if at_most_seen(middle) > 1 - confidence else (low, middle)
    return high
