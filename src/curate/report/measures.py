"""Histograms of measures, each with the threshold that decides on it.

Bins begin at round numbers and at the threshold, so that no bar holds documents of both sides. The numbers of documents
beyond and near the threshold are counted, not read off the bins.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from curate.report.judgments import REASONS, ROW, Judgments
from curate.store.manifest_entries import Judged, StageEntry

BINS = 36
NEAR = 0.05
"""A document is near the threshold when its measure is within 5 % of it."""

Side = Literal["min", "max"]

Edges = npt.NDArray[np.float64]

_KEPT, _TOKENS = "is kept", "kept tokens"
_SAMPLE = 50_000
_WITHOUT_THRESHOLD = ("tokenize.n_tokens", "quality.score")
"""Measures worth a chart although nothing decides on them."""


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """The line between kept and removed for one measure."""

    measure: str
    value: float
    side: Side
    """``min``: smaller values are removed; ``max``: larger ones."""
    at: bool = False
    """Whether the value itself is removed, too."""
    setting: str = ""
    reason: str = ""

    def is_beyond(self, value: float) -> bool:
        """Whether a value is removed."""
        if value == self.value:
            return self.at
        return value < self.value if self.side == "min" else value > self.value


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """How a measure is distributed over the documents that were measured."""

    measure: str
    documents: int
    scale: Literal["linear", "log"]
    edges: tuple[float, ...]
    """One more than ``counts``. The outer bins also hold everything beyond them."""
    counts: tuple[int, ...]
    median: float
    largest: float
    thresholds: tuple[Threshold, ...] = ()
    beyond: tuple[int, ...] = ()
    """Documents on the wrong side of each threshold."""
    near: tuple[int, ...] = ()
    """Documents within 5 % of each threshold, on either side."""
    kept: tuple[int, ...] = ()
    """Of the documents of each bin, those that the run kept: what it loses where the line moves past it."""
    tokens: tuple[int, ...] = ()
    """Tokens of these."""
    alone: tuple[tuple[int, ...], ...] = ()
    """For each threshold and bin: documents that the stage removed for its reason alone, which come back past it."""
    pairs: bool = False
    """Whether it is a similarity, which documents have only if they were removed for another one."""
    apart: int = 0
    """Documents that were measured and are in no bin: exact copies, whose similarity is known without a comparison."""
    below: tuple[float, ...] | None = None
    """For each bin: pairs of kept documents there, estimated from a sample. None where there is no such estimate."""


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a similarity beside what documents say of themselves."""

    measure: str
    exact: str
    """Column that is true where the similarity was not computed: the texts are the same."""
    below: tuple[tuple[float, float], ...] | None = None
    """Least value of a bin, and pairs of kept documents in it, estimated; None where no sample was looked at."""


def pairs_in(manifest: Judged, judgments: Judgments) -> tuple[Pairs, ...]:
    """Of each stage that removes duplicates, what its judgments and its audit know."""
    audits = manifest.audit or {}
    return tuple(
        Pairs(
            measure=f"{stage}.jaccard",
            exact=f"{stage}.exact",
            below=None if (known := audits.get(stage, {}).get("below")) is None else tuple(map(tuple, known)),
        )
        for stage in judgments.stages
        if judgments.has(f"{stage}.jaccard", f"{stage}.exact")
    )


def thresholds_in(manifest: Judged, judgments: Judgments) -> tuple[Threshold, ...]:
    """Thresholds of this run, in the order of the stages.

    A stage says them itself (``rules`` in its entry of ``run.json``: ``measure, side, limit, reason,
    setting``); else a setting called ``min_<measure>`` or ``max_<measure>`` is one.
    """
    found: list[Threshold] = []
    stages = {entry.name: entry for entry in manifest.stages}
    for stage in judgments.stages:
        settings = manifest.config.get(stage, {})
        found += (_declared(stages[stage]) if stage in stages else []) or _inferred(stage, settings, judgments)
    return tuple(threshold for threshold in found if _is_number(judgments, threshold.measure))


def histograms(
    judgments: Judgments, thresholds: Sequence[Threshold], pairs: Sequence[Pairs] = ()
) -> tuple[Histogram, ...]:
    """A histogram of every measure that has a threshold, and of the few that are worth one without.

    Args:
        judgments: of the run.
        thresholds: from `thresholds_in`.
        pairs: from `pairs_in`.
    """
    of: dict[str, list[Threshold]] = {}
    for threshold in thresholds:
        of.setdefault(threshold.measure, []).append(threshold)
    for measure in _WITHOUT_THRESHOLD:
        if _is_number(judgments, measure):
            of.setdefault(measure, [])
    if not of:
        return ()
    sample = _sample(judgments, list(of))
    known = {one.measure: one for one in pairs}
    shapes = [_Shape(sample[measure], lines, known.get(measure)) for measure, lines in of.items()]
    only = [_only(judgments, stage).alias(f"only {stage}") for stage in {measure.partition(".")[0] for measure in of}]
    asked = (
        pl.col(*of).cast(pl.Float64),
        judgments.kept().alias(_KEPT),
        judgments.kept_tokens().alias(_TOKENS),
        *only,
        *(pl.col(known[measure].exact).fill_null(value=False) for measure in of if measure in known),
    )
    empty = copy.deepcopy(shapes)  # these are filled while others are still counted
    for counted in judgments.reduced(partial(_counted, empty), *asked):
        for shape, of_piece in zip(shapes, counted, strict=True):
            shape.add(of_piece)
    return tuple(shape.histogram() for shape in shapes if shape.documents)


def _counted(shapes: Sequence["_Shape"], values: pl.DataFrame) -> list["_Shape"]:
    """The same shapes with one piece of the documents in them."""
    counted = copy.deepcopy(list(shapes))
    for shape in counted:
        measured = values.select(shape.columns)  # a filter copies every column
        shape.count(measured.filter(measured[shape.measure].is_not_null() & measured[shape.measure].is_not_nan()))
    return counted


class _Shape:
    """One histogram in the making: scale and bins chosen from a sample of the values, then all of them counted."""

    def __init__(self, sample: pl.Series, thresholds: Sequence[Threshold], pairs: Pairs | None) -> None:
        values, self._pairs = sample.drop_nulls().cast(pl.Float64), pairs
        self.measure, self.thresholds = sample.name, tuple(thresholds)
        self.whole = sample.dtype.is_integer()
        self.columns = [self.measure, _KEPT, _TOKENS, f"only {self.measure.partition('.')[0]}"]
        self.columns += [pairs.exact] if pairs else []
        lines = [threshold.value for threshold in thresholds]
        low, high = (values.quantile(q, "nearest") or 0.0 for q in (0.005, 0.995))
        low, high = (
            min([low, *lines, *(at for at, _ in pairs.below or ())] if pairs else [low, *lines]),
            max([high, *lines]),
        )
        self.median = float(values.median() or 0.0)  # type: ignore[arg-type]
        self.log = self.whole and high > 200
        if not self.log and 0 <= low < 0.3 * high:
            low = 0.0
        self.edges = (_log_edges if self.log else _edges)(low, high, lines, whole=self.whole)
        self.counts = np.zeros(len(self.edges) - 1, np.int64)
        self.documents, self.largest, self.apart = 0, 0.0, 0
        self.beyond, self.near = [0] * len(lines), [0] * len(lines)
        self.kept, self.tokens = np.zeros((2, len(self.counts)))
        self.alone = np.zeros((len(lines), len(self.counts)))

    def count(self, measured: pl.DataFrame) -> None:
        """Add some documents to the bins, and to the documents beyond and near each threshold."""
        if self._pairs:
            self.apart += int(measured[self._pairs.exact].sum())
            measured = measured.filter(~measured[self._pairs.exact])
        values = measured[self.measure].to_numpy()
        bins = self._bins(values)
        self.counts += np.bincount(bins, minlength=len(self.counts))
        self.kept += np.bincount(bins, measured[_KEPT].to_numpy(), minlength=len(self.counts))
        self.tokens += np.bincount(bins, measured[_TOKENS].to_numpy(), minlength=len(self.counts))
        for number in range(len(self.thresholds)):
            if reason := self.thresholds[number].reason:
                alone = bins[(measured[self.columns[3]] == reason).fill_null(value=False).to_numpy()]
                self.alone[number] += np.bincount(alone, minlength=len(self.counts))
        self.documents += len(values)
        self.largest = max(self.largest, float(values.max(initial=0.0)))
        for number, line in enumerate(self.thresholds):
            beyond = values < line.value if line.side == "min" else values > line.value
            if line.at:
                beyond |= values == line.value
            self.beyond[number] += int(np.count_nonzero(beyond))
            self.near[number] += self._near(values, line.value)

    def add(self, other: "_Shape") -> None:
        """Add the documents of another one, which has the same bins."""
        self.counts += other.counts
        self.kept += other.kept
        self.tokens += other.tokens
        self.alone += other.alone
        self.documents += other.documents
        self.apart += other.apart
        self.largest = max(self.largest, other.largest)
        self.beyond = [mine + its for mine, its in zip(self.beyond, other.beyond, strict=True)]
        self.near = [mine + its for mine, its in zip(self.near, other.near, strict=True)]

    def _near(self, values: npt.NDArray[np.float64], line: float) -> int:
        distance = NEAR * abs(line)
        if self.whole and distance < 1:  # 5 % of 2 words is no distance
            return 0
        return int(np.count_nonzero(np.abs(values - line) <= distance))

    def _bins(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        bins: npt.NDArray[np.int64] = np.searchsorted(self.edges, values, side="right") - 1
        return bins.clip(0, len(self.counts) - 1)

    def _below(self) -> tuple[float, ...] | None:
        """Estimated pairs of each bin, put where their own bins begin."""
        if not self._pairs or self._pairs.below is None:
            return None
        places, pairs = np.array(self._pairs.below).reshape(-1, 2).T
        found = np.bincount(self._bins(places + 1e-9), pairs, minlength=len(self.counts))
        return tuple(found.round(1).tolist())

    def histogram(self) -> Histogram:
        return Histogram(
            measure=self.measure,
            documents=self.documents,
            scale="log" if self.log else "linear",
            edges=tuple(self.edges.tolist()),
            counts=tuple(self.counts.tolist()),
            median=self.median,
            largest=self.largest,
            thresholds=self.thresholds,
            beyond=tuple(self.beyond),
            near=tuple(self.near),
            kept=tuple(self.kept.astype(int).tolist()),
            tokens=tuple(self.tokens.astype(int).tolist()),
            alone=tuple(tuple(line.astype(int).tolist()) for line in self.alone),
            pairs=self._pairs is not None,
            apart=self.apart,
            below=self._below(),
        )


def _edges(low: float, high: float, lines: Sequence[float], *, whole: bool) -> Edges:
    """Round numbers from ``low`` or before to ``high`` or behind, about `BINS` apart, the thresholds among them.

    Example:
        >>> _edges(0.0, 0.37, [0.1], whole=False)[:4].tolist(), _edges(3, 90, [50], whole=True)[-3:].tolist()
        ([0.0, 0.02, 0.04, 0.06], [86.0, 89.0, 92.0])
    """
    step, anchor = _step((high - low) / BINS, lines, whole=whole), lines[0] if lines else 0.0
    first = math.floor((low - anchor) / step + 1e-9)
    last = math.ceil((high - anchor) / step - 1e-9)
    if anchor + step * last <= high + 1e-9 * step and (whole or high in lines or high == low):
        last += 1  # a bin of the largest value itself
    edges = np.round(anchor + step * np.arange(first, max(last, first + 1) + 1), 10)
    return _with(np.maximum(edges, 0.0) if low >= 0 else edges, lines)


def _step(least: float, lines: Sequence[float], *, whole: bool) -> float:
    """A round width of bins, no smaller than ``least``; one that thresholds are multiples of, where one is near."""
    if whole:
        return max(1.0, math.ceil(least))
    if least <= 1e-9:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    round_ones = [power * ten * one for ten in (1, 10) for one in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)]
    fitting = [one for one in round_ones if least * (1 - 1e-9) <= one <= 3 * least]
    whole_steps = [one for one in fitting if all(abs(line / one - round(line / one)) < 1e-9 for line in lines)]
    return (whole_steps or fitting)[0]


def _log_edges(low: float, high: float, lines: Sequence[float], *, whole: bool) -> Edges:  # noqa: ARG001
    """Whole numbers with equal ratios, as far as whole ones have them.

    Example:
        >>> _log_edges(1, 100_000, [50.0], whole=True)[[0, 1, 2, -1]].tolist()
        [1.0, 2.0, 3.0, 100001.0]
    """
    edges = np.unique(np.rint(np.geomspace(max(low, 1.0), max(high, 2.0), BINS + 1)))
    if edges[-1] <= high:
        edges = np.append(edges, edges[-1] + 1)  # of the largest value itself
    return _with(edges, lines)


def _with(edges: Edges, lines: Sequence[float]) -> Edges:
    """Edges of which the nearest to each threshold lies on it; the outer ones stay."""
    edges, free = edges.copy(), np.ones(len(edges), np.bool_)
    for line in lines:
        if line in edges:
            free[edges == line] = False
            continue
        inner = free & (np.arange(len(edges)) > 0) & (np.arange(len(edges)) < len(edges) - 1)
        if not inner.any():
            edges, free = np.append(edges, line), np.append(free, False)
            continue
        nearest = np.where(inner, np.abs(edges - line), np.inf).argmin()
        edges[nearest], free[nearest] = line, False
    return np.unique(edges)


def _only(judgments: Judgments, stage: str) -> pl.Expr:
    """The reason of documents for which a stage gave no other; null for all others."""
    reasons = f"{stage}.{REASONS}"
    if not judgments.has(reasons):
        return pl.lit(None, pl.String)
    return pl.when(pl.col(reasons).list.len().eq(1)).then(pl.col(reasons).list.first())


def _declared(stage: StageEntry) -> list[Threshold]:
    return [
        Threshold(
            measure=f"{stage.name}.{rule.measure}",
            value=float(rule.limit),
            side=rule.side,
            at=rule.at,
            setting=rule.setting,
            reason=rule.reason,
        )
        for rule in stage.rules
        if rule.limit is not None  # a rule for single languages alone
    ]


def _inferred(stage: str, settings: Mapping[str, Any], judgments: Judgments) -> list[Threshold]:
    found: list[Threshold] = []
    for column in judgments.schema:
        if not column.startswith(f"{stage}."):
            continue
        name = column.removeprefix(f"{stage}.")
        named: list[tuple[str, Side]] = [(f"min_{name}", "min"), (f"max_{name}", "max")]
        for key, side in named:
            value = settings.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool):
                found.append(Threshold(measure=column, value=float(value), side=side, setting=f"{stage}.{key}"))
    return found


def _is_number(judgments: Judgments, column: str) -> bool:
    return column in judgments.schema and judgments.schema[column].is_numeric()


def _sample(judgments: Judgments, columns: list[str]) -> pl.DataFrame:
    """Every k-th row: enough to choose a scale, the same rows every time."""
    step = max(1, judgments.rows // _SAMPLE)
    found = judgments.answers(*map(pl.col, columns), where=pl.col(ROW) % step == 0)
    return pl.concat([judgments.frame.head(0).select(columns).collect(), *found])
