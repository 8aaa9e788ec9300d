"""Histograms of measures, each with the threshold that decides on it.

Bins are aligned with the threshold, so that no bar holds documents of both sides. The numbers of documents
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

from curate.report.judgments import REASONS, Judgments, ask

BINS = 36
NEAR = 0.05
"""A document is near the threshold when its measure is within 5 % of it."""

Side = Literal["min", "max"]

_KEPT, _TOKENS = "is kept", "kept tokens"
_SAMPLE = 200_000
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


def thresholds_in(manifest: Mapping[str, Any], judgments: Judgments) -> tuple[Threshold, ...]:
    """Thresholds of this run, in the order of the stages.

    A stage says them itself (``rules`` in its entry of ``run.json``: ``measure, side, limit, reason,
    setting``); else a setting called ``min_<measure>`` or ``max_<measure>`` is one.
    """
    found: list[Threshold] = []
    stages = {entry["name"]: entry for entry in manifest.get("stages", ())}
    for stage in judgments.stages:
        settings = manifest.get("config", {}).get(stage, {})
        found += _declared(stage, stages.get(stage, {})) or _inferred(stage, settings, judgments)
    return tuple(threshold for threshold in found if _is_number(judgments, threshold.measure))


def histograms(judgments: Judgments, thresholds: Sequence[Threshold]) -> tuple[Histogram, ...]:
    """A histogram of every measure that has a threshold, and of the few that are worth one without."""
    of: dict[str, list[Threshold]] = {}
    for threshold in thresholds:
        of.setdefault(threshold.measure, []).append(threshold)
    for measure in _WITHOUT_THRESHOLD:
        if _is_number(judgments, measure):
            of.setdefault(measure, [])
    if not of:
        return ()
    sample = _sample(judgments, list(of))
    shapes = [_Shape(sample[measure], lines) for measure, lines in of.items()]
    alone = [
        _alone(judgments, line).alias(f"alone {m} {at}") for m, lines in of.items() for at, line in enumerate(lines)
    ]
    asked = (
        pl.col(*of).cast(pl.Float64),
        judgments.kept().alias(_KEPT),
        judgments.kept_tokens().alias(_TOKENS),
        *alone,
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
        shape.count(values.filter(values[shape.measure].is_not_null() & values[shape.measure].is_not_nan()))
    return counted


class _Shape:
    """One histogram in the making: scale and bins chosen from a sample of the values, then all of them counted."""

    def __init__(self, sample: pl.Series, thresholds: Sequence[Threshold]) -> None:
        values = sample.drop_nulls().cast(pl.Float64)
        self.measure, self.thresholds = sample.name, tuple(thresholds)
        self.whole = sample.dtype.is_integer()
        lines = [threshold.value for threshold in thresholds]
        low, high = (values.quantile(q, "nearest") or 0.0 for q in (0.005, 0.995))
        low, high = min([low, *lines]), max([high, *lines])
        self.median = float(values.median() or 0.0)  # type: ignore[arg-type]
        self.log = self.whole and high > 200
        if not self.log and 0 <= low < 0.3 * high:
            low = 0.0
        self._cut(self._scaled(low), self._scaled(high), lines)
        self.documents, self.largest = 0, 0.0
        self.beyond, self.near = [0] * len(lines), [0] * len(lines)
        self.kept, self.tokens = np.zeros((2, len(self.counts)))
        self.alone = np.zeros((len(lines), len(self.counts)))

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, 1.0)) if self.log else value

    def _cut(self, low: float, high: float, lines: Sequence[float]) -> None:
        width = (high - low) / BINS or 1.0
        if self.whole and not self.log:
            width, low = max(1.0, math.ceil(width)), math.floor(low)
        elif lines:  # an edge on the threshold: bins before it, whole
            before = math.ceil((self._scaled(lines[0]) - low) / width - 1e-9)
            low = self._scaled(lines[0]) - before * width
        self.low, self.width = low, width
        bins = max(1, math.floor((high - low) / width + 1e-9) + (1 if high > low or self.whole else 0))
        self.counts = np.zeros(bins, np.int64)

    def count(self, measured: pl.DataFrame) -> None:
        """Add some documents to the bins, and to the documents beyond and near each threshold."""
        values = measured[self.measure].to_numpy()
        scaled = np.log10(np.maximum(values, 1.0)) if self.log else values
        bins = np.floor((scaled - self.low) / self.width + 1e-9).clip(0, len(self.counts) - 1).astype(np.int64)
        self.counts += np.bincount(bins, minlength=len(self.counts))
        self.kept += np.bincount(bins, measured[_KEPT].to_numpy(), minlength=len(self.counts))
        self.tokens += np.bincount(bins, measured[_TOKENS].to_numpy(), minlength=len(self.counts))
        for number in range(len(self.thresholds)):
            spared = measured[f"alone {self.measure} {number}"].to_numpy()
            self.alone[number] += np.bincount(bins, spared, minlength=len(self.counts))
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
        self.largest = max(self.largest, other.largest)
        self.beyond = [mine + its for mine, its in zip(self.beyond, other.beyond, strict=True)]
        self.near = [mine + its for mine, its in zip(self.near, other.near, strict=True)]

    def _near(self, values: npt.NDArray[np.float64], line: float) -> int:
        distance = NEAR * abs(line)
        if self.whole and distance < 1:  # 5 % of 2 words is no distance
            return 0
        return int(np.count_nonzero(np.abs(values - line) <= distance))

    def histogram(self) -> Histogram:
        edges = [self.low + self.width * number for number in range(len(self.counts) + 1)]
        return Histogram(
            measure=self.measure,
            documents=self.documents,
            scale="log" if self.log else "linear",
            edges=tuple(10**edge if self.log else edge for edge in edges),
            counts=tuple(self.counts.tolist()),
            median=self.median,
            largest=self.largest,
            thresholds=self.thresholds,
            beyond=tuple(self.beyond),
            near=tuple(self.near),
            kept=tuple(self.kept.astype(int).tolist()),
            tokens=tuple(self.tokens.astype(int).tolist()),
            alone=tuple(tuple(line.astype(int).tolist()) for line in self.alone),
        )


def _alone(judgments: Judgments, line: Threshold) -> pl.Expr:
    """Documents that a stage removed for the reason of a threshold and for no other."""
    reasons = f"{line.measure.partition('.')[0]}.{REASONS}"
    if not line.reason or not judgments.has(reasons):
        return pl.lit(value=False)
    only = pl.col(reasons).list.len().eq(1) & pl.col(reasons).list.first().eq(line.reason)
    return only.fill_null(value=False)


def _declared(stage: str, entry: Mapping[str, Any]) -> list[Threshold]:
    return [
        Threshold(
            measure=f"{stage}.{rule['measure']}",
            value=float(rule["limit"]),
            side=rule["side"],
            at=rule.get("at", False),
            setting=rule.get("setting", ""),
            reason=rule.get("reason", ""),
        )
        for rule in entry.get("rules", ())
        if rule["limit"] is not None  # a rule for single languages alone
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
    (sample,) = ask([judgments.frame.select(columns).gather_every(step)])
    return sample
