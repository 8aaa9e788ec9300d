"""Histograms of measures, each with the threshold that decides on it.

Bins are aligned with the threshold, so that no bar holds documents of both sides. The numbers of documents
beyond and near the threshold are counted, not read off the bins.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import polars as pl

from curate.report.judgments import Judgments, ask

BINS = 36
NEAR = 0.05
"""A document is near the threshold when its measure is within 5 % of it."""

Side = Literal["min", "max"]

_SAMPLE = 200_000
_SIMILARITY = ("near_dup.jaccard", "similarity")
"""The one threshold whose setting is not called ``min_<measure>`` or ``max_<measure>``: what reaches it is
left out."""
_WITHOUT_THRESHOLD = ("tokenize.n_tokens", "quality.score")
"""Measures worth a chart although nothing decides on them."""


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """The line between kept and left out for one measure."""

    measure: str
    value: float
    side: Side
    """``min``: smaller values are left out; ``max``: larger ones."""
    at: bool = False
    """Whether the value itself is left out, too."""
    setting: str = ""
    reason: str = ""


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
    shapes = {measure: _Shape(sample[measure], lines) for measure, lines in of.items()}
    exact, *binned = ask(
        [
            judgments.frame.select(*(shape.exact_counts() for shape in shapes.values())),
            *(shape.bins(judgments.frame) for shape in shapes.values()),
        ]
    )
    drawn = (
        shape.histogram(exact.select(pl.col(measure).struct.unnest()).to_dicts()[0], table)
        for (measure, shape), table in zip(shapes.items(), binned, strict=True)
    )
    return tuple(histogram for histogram in drawn if histogram.documents)


class _Shape:
    """Scale and bins of one histogram, chosen from a sample of the values."""

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
        self.count = max(1, math.floor((high - low) / width + 1e-9) + (1 if high > low or self.whole else 0))

    def bins(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Number of bin → documents in it, counted over all documents."""
        value = pl.col(self.measure).cast(pl.Float64)
        scaled = pl.max_horizontal(value, 1.0).log(10) if self.log else value
        number = ((scaled - self.low) / self.width + 1e-9).floor().clip(0, self.count - 1).cast(pl.Int32)
        return frame.filter(value.is_not_null()).select(bin=number).group_by("bin").len()

    def exact_counts(self) -> pl.Expr:
        """Documents measured, beyond and near each threshold, as one struct."""
        value = pl.col(self.measure).cast(pl.Float64)
        counts = [value.count().alias("documents"), value.max().alias("largest")]
        for number, line in enumerate(self.thresholds):
            beyond = value < line.value if line.side == "min" else value > line.value
            if line.at:
                beyond |= value == line.value
            counts += [
                beyond.sum().alias(f"beyond{number}"),
                self._near(value, line.value).alias(f"near{number}"),
            ]
        return pl.struct(counts).alias(self.measure)

    def _near(self, value: pl.Expr, line: float) -> pl.Expr:
        distance = NEAR * abs(line)
        if self.whole and distance < 1:  # 5 % of 2 words is no distance
            return pl.lit(0, pl.UInt32)
        return (value - line).abs().le(distance).sum()

    def histogram(self, exact: Mapping[str, Any], binned: pl.DataFrame) -> Histogram:
        counts = [0] * self.count
        for number, documents in binned.iter_rows():
            counts[number] = documents
        edges = [self.low + self.width * number for number in range(self.count + 1)]
        lines = range(len(self.thresholds))
        return Histogram(
            measure=self.measure,
            documents=exact["documents"],
            scale="log" if self.log else "linear",
            edges=tuple(10**edge if self.log else edge for edge in edges),
            counts=tuple(counts),
            median=self.median,
            largest=float(exact["largest"] or 0.0),
            thresholds=self.thresholds,
            beyond=tuple(exact[f"beyond{number}"] for number in lines),
            near=tuple(exact[f"near{number}"] for number in lines),
        )


def _declared(stage: str, entry: Mapping[str, Any]) -> list[Threshold]:
    return [
        Threshold(
            measure=f"{stage}.{rule['measure']}",
            value=float(rule["limit"]),
            side=rule["side"],
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
        if column == _SIMILARITY[0]:
            named.append((_SIMILARITY[1], "max"))
        for key, side in named:
            value = settings.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool):
                at = key == _SIMILARITY[1]
                line = Threshold(measure=column, value=float(value), side=side, at=at, setting=f"{stage}.{key}")
                found.append(line)
    return found


def _is_number(judgments: Judgments, column: str) -> bool:
    return column in judgments.schema and judgments.schema[column].is_numeric()


def _sample(judgments: Judgments, columns: list[str]) -> pl.DataFrame:
    """Every k-th row: enough to choose a scale, the same rows every time."""
    step = max(1, judgments.rows // _SAMPLE)
    (sample,) = ask([judgments.frame.select(columns).gather_every(step)])
    return sample
