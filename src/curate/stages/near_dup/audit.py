"""How many near-duplicates were missed: an estimate from a random sample that the bands had no part in.

Every document carries the lowest of the lower halves of its shingle hashes, which the signatures do not use. It works
as a MinHash of its own: two documents at Jaccard similarity *s* have the same lowest half with probability *s*. The
sample is all documents whose lowest half, mixed, lies below a bound. So whoever is in the sample is joined by a twin at
*s* with probability *s*, however large the corpus and however small the sample (coordinated sampling: Cohen and Kaplan,
"Leveraging discarded samples for tighter estimation of multiple-set aggregates", SIGMETRICS 2009). Kept documents of
the sample that share their lowest half are compared exactly; each miss found at *s* stands for 1 / *s* of them.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.contract import Corpus
from curate.stages.near_dup.candidates import COMPONENTS
from curate.stages.near_dup.numbering import Numbering
from curate.stages.near_dup.settings import NearDupSettings
from curate.stages.near_dup.survivors import find_survivors
from curate.stages.sending import column
from curate.text.shingles import mixed

SAMPLE = 1 << 16
"""Documents in the sample, about."""
MOST_SHINGLES = 1 << 24
"""Shingles compared at most: a bound on memory where a common phrase puts many documents together."""


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


class _Chosen(NamedTuple):
    """Kept documents of one part that are in the sample, with those that were removed as near-duplicates."""

    rows: npt.NDArray[np.int64]
    cohorts: npt.NDArray[np.uint32]
    shingles: npt.NDArray[np.uint32]
    removed: int


def audit(corpus: Corpus, numbering: Numbering, settings: NearDupSettings) -> Audit:
    """Compare a sample of the kept documents with each other, other than by their bands.

    Args:
        corpus: what was observed and judged.
        numbering: numbers of the documents.
        settings: what counts as a near-duplicate.
    """
    bound = min(SAMPLE / max(numbering.documents, 1), 1.0)
    chosen = list(corpus.map(functools.partial(_choose, corpus, bound), range(numbering.parts)))
    shared = _shared(chosen)
    groups = [_group(part, shared, first) for part, first in zip(chosen, numbering.firsts, strict=False)]
    found = find_survivors(corpus, numbering, groups, ["cohort"], settings)
    jaccard = [column(found[part], "jaccard") for part in range(len(corpus.earlier), numbering.parts)]
    own = chosen[len(corpus.earlier) :]
    return _estimate(
        documents=sum(len(part.rows) + part.removed for part in own),
        removed=sum(part.removed for part in own),
        jaccard=np.concatenate([np.empty(0), *jaccard]),
        similarity=settings.similarity,
    )


def _choose(corpus: Corpus, bound: float, part: int) -> _Chosen:
    table = corpus.partial(part, ["shingles", "cohort"])
    verdicts = corpus.verdicts(part)
    cohorts = column(table, "cohort")
    inside = (column(table, "shingles") > 0) & (mixed(cohorts.astype(np.int64)) < bound * 2.0**64)
    removed = verdicts.column("survivor_part").is_valid().to_numpy()
    near = removed & ~column(verdicts, "exact").astype(np.bool_)
    rows = np.flatnonzero(inside & ~removed)
    return _Chosen(rows, cohorts[rows], column(table, "shingles")[rows], int((inside & near).sum()))


def _shared(chosen: list[_Chosen]) -> npt.NDArray[np.uint32]:
    """Cohorts of two documents or more, lowest first, as many as may be compared."""
    cohorts = np.concatenate([part.cohorts for part in chosen] or [np.empty(0, np.uint32)])
    shingles = np.concatenate([part.shingles for part in chosen] or [np.empty(0, np.uint32)])
    values, places, counts = np.unique(cohorts, return_inverse=True, return_counts=True)
    sizes = np.where(counts > 1, np.bincount(places, shingles, len(values)), 0)
    return values[(counts > 1) & (np.cumsum(sizes) <= MOST_SHINGLES)]


def _group(chosen: _Chosen, shared: npt.NDArray[np.uint32], first: int) -> pa.Table:
    """Documents of a part that are compared, each with those of its cohort."""
    compared = np.isin(chosen.cohorts, shared)
    return pa.table([first + chosen.rows[compared], chosen.cohorts[compared]], schema=COMPONENTS)


def _estimate(documents: int, removed: int, jaccard: npt.NDArray[np.float64], similarity: float) -> Audit:
    """Misses weighted by the inverse of the chance that the sample shows them.

    Example:
        >>> _estimate(documents=5000, removed=990, jaccard=np.full(8, 0.8), similarity=0.8)
        Audit(documents=5000, twins=998, missed=8, share=0.01, upper=0.0179)
    """
    missed = float((1 / jaccard).sum())
    most = poisson_upper(len(jaccard)) / (similarity if not len(jaccard) else float(len(jaccard)) / missed)
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
