"""Histograms of measures, each with the threshold that decides on it.

Bins begin at round numbers and at the threshold, so that no bar holds documents of both sides. The numbers of documents
beyond and near the threshold are counted, not read off the bins.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from curate.report.judgments.bins import put_into_bins
from curate.report.judgments.judgments import Judgments
from curate.report.judgments.looking import REASONS, Documents, Given
from curate.store.manifest_entries import Judged, StageEntry

BINS = 36
NEAR = 0.05
"""A document is near the threshold when its measure is within 5 % of it."""

Side = Literal["min", "max"]

Edges = npt.NDArray[np.float64]

Counts = npt.NDArray[np.int64]

_SAMPLE = 50_000
_NO_REASON = -2
"""The code of no reason, of any document."""
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
    """Of a sample, where the run has very many documents."""
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


class Found(NamedTuple):
    """What a look at documents finds of one measure; see `curate.report.judgments.bins.put_into_bins`."""

    totals: Edges
    """Documents in bins, documents apart, and the largest value."""
    sums: Counts
    alone: Counts
    sides: Counts
    distances: Edges
    rows: Counts


class Measuring:
    """Histograms of every measure that has a threshold, of the few that are worth one without, and who is nearest.

    Args:
        judgments: of the run.
        thresholds: from `thresholds_in`.
        pairs: from `pairs_in`.
        nearest: documents to find on each side of a threshold.
    """

    def __init__(
        self, judgments: Judgments, thresholds: Sequence[Threshold], pairs: Sequence[Pairs] = (), nearest: int = 0
    ) -> None:
        of: dict[str, list[Threshold]] = {}
        for threshold in thresholds:
            of.setdefault(threshold.measure, []).append(threshold)
        for measure in _WITHOUT_THRESHOLD:
            if _is_number(judgments, measure):
                of.setdefault(measure, [])
        known = {one.measure: one for one in pairs}
        sample = judgments.sample(list(of), _SAMPLE) if of else pl.DataFrame()
        self._shapes = [_Shape(sample[measure], lines, known.get(measure)) for measure, lines in of.items()]
        self._nearest, self._thresholds = nearest, tuple(thresholds)
        stages = list(dict.fromkeys(measure.partition(".")[0] for measure in of))
        self.columns = [*of, *(known[measure].exact for measure in of if measure in known)]
        self.columns += [column for stage in stages if judgments.has(column := f"{stage}.{REASONS}")]

    def of(self, piece: Documents) -> list[Found]:
        """See `curate.report.judgments.looking.Question`."""
        return [shape.of(piece, self._nearest) for shape in self._shapes]

    def joined(self, found: list[Found], behind: list[Found]) -> list[Found]:
        """See `curate.report.judgments.looking.Question`."""
        return list(map(_joined, found, behind))

    def histograms(self, found: Sequence[Found] | None) -> tuple[Histogram, ...]:
        """Of the measures that documents have, in the order of the stages."""
        pairs = zip(self._shapes, found or (), strict=bool(found))
        return tuple(shape.histogram(one) for shape, one in pairs if one.totals[0])

    def nearest(self, found: Sequence[Found] | None) -> tuple[tuple[int, ...], ...]:
        """Rows of the documents nearest to each threshold, ascending."""
        rows: dict[tuple[str, int], tuple[int, ...]] = {}
        for shape, one in zip(self._shapes, found or (), strict=bool(found)):
            for place, (inside, distances) in enumerate(zip(one.rows, one.distances, strict=True)):
                rows[shape.measure, place] = tuple(sorted(inside[np.isfinite(distances)].tolist()))
        of = Counter[str]()
        nearest = []
        for line in self._thresholds:
            nearest.append(rows.get((line.measure, of[line.measure]), ()))
            of[line.measure] += 1
        return tuple(nearest)


def _joined(found: Found, behind: Found) -> Found:
    """Both together; of documents equally near to a threshold, those that come first."""
    (documents, aside, largest), (more, further, larger) = found.totals, behind.totals
    distances, rows = found.distances, found.rows
    if (behind.distances < distances[:, :, -1:]).any():  # most pieces have none that is nearer
        both = np.concatenate([distances, behind.distances], axis=2)
        order = np.argsort(both, axis=2, kind="stable")[:, :, : distances.shape[2]]
        distances = np.take_along_axis(both, order, 2)
        rows = np.take_along_axis(np.concatenate([rows, behind.rows], axis=2), order, 2)
    return Found(
        np.array([documents + more, aside + further, max(largest, larger)]),
        found.sums + behind.sums,
        found.alone + behind.alone,
        found.sides + behind.sides,
        distances,
        rows,
    )


class _Shape:
    """Scale and bins of one histogram, chosen from a sample of the values."""

    def __init__(self, sample: pl.Series, thresholds: Sequence[Threshold], pairs: Pairs | None) -> None:
        numbers, self._pairs = sample.cast(pl.Float64), pairs
        values = numbers.filter(numbers.is_finite())  # a stage of somebody else may divide by 0
        self.measure, self.thresholds = sample.name, tuple(thresholds)
        self.whole = sample.dtype.is_integer()
        lines = [threshold.value for threshold in thresholds]
        low, high = (values.quantile(q, "nearest") or 0.0 for q in (0.005, 0.995))
        low, high = (
            min([low, *lines, *(at for at, _ in pairs.below or ())] if pairs else [low, *lines]),
            max([high, *lines]),
        )
        self.median = float(values.median() or 0.0)  # type: ignore[arg-type]
        self.log = self.whole and high > 200 and min(lines, default=1) >= 1  # no logarithm of a limit of 0
        if not self.log and 0 <= low < 0.3 * high:
            low = 0.0
        self.edges = (_log_edges if self.log else _edges)(low, high, lines, whole=self.whole)
        self._bins, (first, end) = len(self.edges) - 1, self._on_scale(self.edges[[0, -1]])
        begin = np.concatenate([[-np.inf], self.edges[1:-1], [np.nan, np.nan]])
        self._places = (begin, float(first), float(self._bins / (end - first)))
        self._limits = (
            np.array(lines, np.float64),
            np.array([threshold.side == "min" for threshold in thresholds], np.bool_),
            np.array([threshold.at for threshold in thresholds], np.bool_),
            np.array([self._near(line) for line in lines], np.float64),
        )

    def of(self, piece: Documents, nearest: int) -> Found:
        """What is found in a piece."""
        values, lines, stage = piece.values(self.measure), len(self.thresholds), self.measure.partition(".")[0]
        given = piece.given(stage) if piece.has(f"{stage}.{REASONS}") else Given.nothing(piece.rows)
        codes = {name: code for code, name in enumerate(given.names)}
        apart = piece.flags(self._pairs.exact) & ~np.isnan(values) if self._pairs else np.zeros(0, np.bool_)
        if self._pairs:
            values = np.where(apart, np.nan, values)
        sums, alone = np.zeros((self._bins + 1, 3), np.int64), np.zeros((lines, self._bins + 1), np.int64)
        sides, distances = np.zeros((2, lines), np.int64), np.full((lines, 2, nearest), np.inf)
        rows = np.zeros(distances.shape, np.int64)
        largest = put_into_bins(
            values,
            self._on_scale(values),
            piece.kept,
            piece.tokens,
            given.only,
            piece.first,
            *self._places,
            *self._limits,
            np.array([codes.get(line.reason, _NO_REASON) for line in self.thresholds], np.int32),
            sums,
            alone,
            sides,
            distances,
            rows,
        )
        sums, alone = sums[:-1].T, alone[:, :-1]
        return Found(np.array([sums[0].sum(), apart.sum(), largest]), sums, alone, sides, distances, rows)

    def _on_scale(self, values: Edges) -> Edges:
        """Values as they are, or numbers that grow with their logarithms: how a float is kept in memory."""
        return values.view(np.int64).astype(np.float64) if self.log else values

    def _near(self, line: float) -> float:
        """The distance up to which a value is near a threshold; below 0 where none is."""
        distance = NEAR * abs(line)
        return -1.0 if self.whole and distance < 1 else distance  # 5 % of 2 words is no distance

    def _below(self) -> tuple[float, ...] | None:
        """Estimated pairs of each bin, put where their own bins begin."""
        if not self._pairs or self._pairs.below is None:
            return None
        places, pairs = np.array(self._pairs.below).reshape(-1, 2).T
        bins = (np.searchsorted(self.edges, places + 1e-9, side="right") - 1).clip(0, len(self.edges) - 2)
        found = np.bincount(bins, pairs, minlength=len(self.edges) - 1)
        return tuple(found.round(1).tolist())

    def histogram(self, found: Found) -> Histogram:
        counts, kept, tokens = found.sums.tolist()
        beyond, near = found.sides.tolist()
        return Histogram(
            measure=self.measure,
            documents=int(found.totals[0]),
            scale="log" if self.log else "linear",
            edges=tuple(self.edges.tolist()),
            counts=tuple(counts),
            median=self.median,
            largest=float(found.totals[2]),
            thresholds=self.thresholds,
            beyond=tuple(beyond),
            near=tuple(near),
            kept=tuple(kept),
            tokens=tuple(tokens),
            alone=tuple(map(tuple, found.alone.tolist())),
            pairs=self._pairs is not None,
            apart=int(found.totals[1]),
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
