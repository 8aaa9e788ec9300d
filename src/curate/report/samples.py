"""A few documents to read: removed for each reason, kept, and nearest to each threshold.

Rows are chosen from judgments alone; then only the row groups that hold them are read. The choice is a spread
over the whole corpus that depends on row numbers only, so the same run always shows the same documents.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.report import quantities
from curate.report.judgments.judgments import ROW, Judgments
from curate.report.judgments.looking import REASONS, Documents
from curate.report.judgments.measures import Threshold
from curate.store.life import edited_text
from curate.store.objects.ranges import parquet_source
from curate.store.row_groups import groups_in
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.text.core.difference import Piece, difference, elided

MAX_CHARACTERS = 1200
READ_CHARACTERS = 20 * MAX_CHARACTERS
"""Read of a text before edits are made and the rest is cut off."""

COMPARED_WORDS = 5_000
"""Of a duplicate and its survivor, from the first difference on."""
MOST_PIECES = 24
"""Of a difference that the page shows."""

_GOLDEN = 0x9E3779B97F4A7C15
_MIXING = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""2⁶⁴ / φ: multiplying row numbers by it spreads any few of them evenly (Knuth, TAOCP 6.4)."""


class Twin(msgspec.Struct, frozen=True, kw_only=True):
    """The survivor kept instead of a duplicate."""

    id: str
    jaccard: float | None = None
    difference: tuple[Piece, ...] = ()
    """Where the texts differ: ``old`` is what only the survivor has, ``new`` what only the duplicate has."""
    alike: bool = False
    """No difference was found as far as the texts were read."""
    run: str = ""
    """Id of the earlier run that holds it; empty: this one does."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One document as the page shows it."""

    id: str
    source: str
    file: str
    position: int
    text: str
    bytes: int
    reasons: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()
    """What gave the reasons, as far as limits did: ``words 49 < 50``."""
    value: float | None = None
    """Of the measure whose limit it was chosen for."""
    language: str = ""
    """Its label, where the stage `language` gave it one."""
    twin: Twin | None = None


class Nearest(msgspec.Struct, frozen=True, kw_only=True):
    """Documents closest to a limit, from below and above, by value."""

    limit: Threshold
    documents: tuple[Sample, ...]


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """All documents that the page shows."""

    removed: dict[str, tuple[Sample, ...]] = {}
    """``stage.reason`` → documents it was given to."""
    kept: tuple[Sample, ...] = ()
    nearest: tuple[Nearest, ...] = ()
    """For every limit; a measure may have one on either side."""
    clusters: tuple[Sample, ...] = ()
    """Survivors of the largest clusters of duplicates."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the documents to show."""

    number: int = 0
    """Of each kind that were asked for."""
    by_reason: dict[str, tuple[int, ...]] = {}
    """``stage.reason`` → documents it was given to; of no reason: kept ones."""
    nearest: tuple[tuple[int, ...], ...] = ()
    """For each threshold, those nearest to it."""
    clusters: tuple[int, ...] = ()
    """Survivors of the largest clusters."""


def choose_samples(
    judgments: Judgments,
    rows: Shown,
    thresholds: Sequence[Threshold],
    shown_as: Callable[[str], str] | None = None,
) -> Samples:
    """The documents that a look found, with their texts.

    Args:
        judgments: what the stages wrote.
        rows: of the documents.
        thresholds: lines that some of them are near to.
        shown_as: what may be shown of a text, where a stage hides something.
    """
    pairs = zip(thresholds, rows.nearest, strict=True)
    lines = {(line.measure, line.side, line.value): (line, near) for line, near in pairs}  # of equal ones, the last
    every = {*rows.clusters, *(row for group in (*rows.by_reason.values(), *rows.nearest) for row in group)}
    documents = _Documents(judgments, every, thresholds, shown_as)

    def shown(rows: Iterable[int], measure: str = "") -> tuple[Sample, ...]:
        return tuple(documents.sample(row, measure) for row in rows)

    return Samples(
        removed={code: shown(group) for code, group in rows.by_reason.items() if code and group},
        kept=shown(rows.by_reason.get("", ())),
        nearest=tuple(
            Nearest(limit=line, documents=_by_value(shown(near, line.measure))) for line, near in lines.values() if near
        ),
        clusters=shown(rows.clusters),
    )


def draw_key(seed: int) -> pl.Expr:
    """Sorting by it draws rows at random: another seed, another draw; the same seed draws the same everywhere.

    Example:
        >>> rows = pl.DataFrame({ROW: range(1000)})
        >>> [rows.sort(draw_key(seed))[ROW][:3].to_list() for seed in (1, 2)]
        [[675, 663, 221], [846, 958, 916]]
    """
    key = pl.col(ROW).cast(pl.UInt64) + _unsigned((seed + 1) * _GOLDEN % 2**64)
    for factor in _MIXING:  # SplitMix64
        key = (key ^ (key // _unsigned(2**31))) * _unsigned(factor)
    return key ^ (key // _unsigned(2**31))


def _unsigned(value: int) -> pl.Expr:
    return pl.lit(value, dtype=pl.UInt64)


class Best:
    """The first ``number`` rows in an order, then by row, of those offered piece by piece."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.rows, self.order = np.empty(0, np.int64), np.empty(0, np.float64)

    def offer(self, rows: npt.NDArray[np.int64], order: npt.NDArray[Any]) -> None:
        """Rows that ascend, behind all that were offered before."""
        if len(self.rows) == self.number > 0:  # most pieces have none that comes before the last of these
            near = order < self.order.max()
            rows, order = rows[near], order[near]
        if not len(rows) or not self.number:
            return
        rows, order = np.concatenate([self.rows, rows]), np.concatenate([self.order.astype(order.dtype), order])
        if len(rows) > self.number:
            near = np.flatnonzero(order <= np.partition(order, self.number - 1)[self.number - 1])
            chosen = near[np.argsort(order[near], kind="stable")[: self.number]]
            rows, order = rows[chosen], order[chosen]
        by_row = np.argsort(rows)
        self.rows, self.order = rows[by_row], order[by_row]


def _spread(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Sorting by these puts numbers in an order whose first few are spread over all of them."""
    keys: npt.NDArray[np.uint64] = numbers.astype(np.uint64) * np.uint64(_GOLDEN)
    return keys


_TWIN = ("near_dup.survivor_run", "near_dup.survivor_at", "near_dup.survivor", "near_dup.jaccard")
_STRETCH = 4_096
"""Documents of which one is shown for a reason, where that is enough: about as many as a row group has."""
_MANY_STRETCHES = 200
"""A run of fewer is not large: what is read for the page does not matter."""
_LANGUAGE = "language.label"
_NONE, _ONE, _BEHIND = np.uint64(0), np.uint64(1), np.uint64(2**63)
_SHOWN = ["id", "source", "origin", "text"]
"""Columns of a document that are read to be shown."""


class Search:
    """Which documents to show: kept ones, and removed ones for each reason.

    Args:
        reasons: ``stage.reason`` codes that were given.
        number: documents of each kind.
        documents: in the run.

    Of a large run, the documents of a kind come from about that many stretches, the same ones for every kind that has
    any there: each needs a row group of texts to be read. A kind that is in fewer has several documents of a stretch.
    """

    def __init__(self, reasons: Sequence[str], number: int, documents: int) -> None:
        self._reasons, self._number = reasons, number
        self._stretch = _STRETCH if documents >= _MANY_STRETCHES * _STRETCH else 1
        self._stages = list(dict.fromkeys(code.partition(".")[0] for code in reasons))
        self.columns = [f"{stage}.{REASONS}" for stage in self._stages]

    def of(self, piece: Documents) -> dict[str, Best]:
        """See `curate.report.judgments.looking.Question`; kept ones are those of no reason."""
        found = {code: Best(self._number) for code in ("", *self._reasons)}
        found[""].offer(*self._apart(np.flatnonzero(piece.kept) + piece.first))
        for stage in self._stages:
            given = piece.given(stage)
            for code, name in enumerate(given.names):
                if best := found.get(f"{stage}.{name}"):
                    best.offer(*self._apart(given.places[given.codes == code] + piece.first))
        return found

    def _apart(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
        """The first of these rows in each stretch in the order of their stretches; others behind if these are few."""
        stretches = rows // self._stretch
        is_first = np.diff(stretches, prepend=-1) > 0
        first = np.flatnonzero(is_first)
        if len(first) >= min(self._number, len(rows)):
            return rows[first], _spread(stretches[first]) >> _ONE
        return rows, (_spread(np.where(is_first, stretches, rows)) >> _ONE) | np.where(is_first, _NONE, _BEHIND)

    def joined(self, found: dict[str, Best], behind: dict[str, Best]) -> dict[str, Best]:
        """See `curate.report.judgments.looking.Question`."""
        for code, best in behind.items():
            found[code].offer(best.rows, best.order)
        return found


def _by_value(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    return tuple(sorted(samples, key=lambda sample: sample.value or 0.0))


class _Documents:
    """Chosen documents with their judgments, and the survivors they point to."""

    def __init__(
        self,
        judgments: Judgments,
        rows: set[int],
        thresholds: Sequence[Threshold],
        shown_as: Callable[[str], str] | None,
    ) -> None:
        self.judgments, self.thresholds, self.shown_as = judgments, thresholds, shown_as
        measures = (line.measure for line in thresholds)
        self.judged = self._judged(rows, (REASONS, "edits"), *_TWIN, _LANGUAGE, *measures)
        self.twins = {row: twin for row in rows if (twin := self._twin_row(row)) is not None}
        self.judged |= self._judged(set(self.twins.values()) - rows, ("edits",))
        self.documents = read_beginnings(judgments, rows | set(self.twins.values()))

    def sample(self, row: int, measure: str) -> Sample:
        document, judged = self.documents[row], self.judged[row]
        origin = document.get("origin") or {}
        return Sample(
            id=document["id"] or "",
            source=document["source"] or "",
            file=str(origin.get("file") or ""),
            position=int(origin.get("position") or 0),
            text=self._text(row, self.judgments.stages)[:MAX_CHARACTERS],
            bytes=document["bytes"],
            reasons=tuple(
                f"{stage}.{reason}" for stage in self.judgments.stages for reason in judged[f"{stage}.{REASONS}"] or ()
            ),
            beyond=tuple(self._beyond(judged)),
            value=None if not measure else float(judged[measure]),
            language=judged.get(_LANGUAGE) or "",
            twin=self._twin(row),
        )

    def _beyond(self, judged: Mapping[str, Any]) -> Iterator[str]:
        """The limits that a document is beyond, where they gave a reason: others hold for its language alone."""
        for line in self.thresholds:
            stage, _, name = line.measure.partition(".")
            value = judged.get(line.measure)
            if value is not None and line.reason in (judged.get(f"{stage}.{REASONS}") or ()) and line.is_beyond(value):
                yield f"{name} {quantities.beside(value, line.value)}"

    def _judged(self, rows: set[int], of_stages: Sequence[str], *others: str) -> dict[int, dict[str, Any]]:
        """By row, columns of every stage and other columns, as far as the run has them."""
        names = [f"{stage}.{column}" for stage in self.judgments.stages for column in of_stages]
        columns = [name for name in dict.fromkeys((*names, *others)) if self.judgments.has(name)]
        if not columns:
            return {row: {} for row in rows}
        return self.judgments.rows_of(rows, columns)

    def _text(self, row: int, stages: Sequence[str]) -> str:
        """The beginning of the text with the edits of the given stages, as it may be shown."""
        text = self.documents[row]["text"]
        for stage in stages:
            text = edited_text(text, self.judged[row].get(f"{stage}.edits"))
        return self.shown_as(text) if self.shown_as else text

    def _twin_row(self, row: int) -> int | None:
        judged = self.judged[row]
        place = None if judged.get("near_dup.survivor_run") else judged.get("near_dup.survivor_at")
        return None if place is None or place["part"] is None else self.judgments.row_at(place["part"], place["row"])

    def _twin(self, row: int) -> Twin | None:
        judged = self.judged[row]
        if run := judged.get("near_dup.survivor_run"):
            return Twin(id=judged["near_dup.survivor"] or "", jaccard=judged.get("near_dup.jaccard"), run=run)
        if row not in self.twins or self.twins[row] == row:
            return None
        twin, stages = self.twins[row], self.judgments.stages
        seen = stages[: stages.index("near_dup")]
        pieces = difference(self._text(twin, seen), self._text(row, seen), COMPARED_WORDS)
        alike = all(piece.kind == "same" for piece in pieces)
        return Twin(
            id=self.documents[twin]["id"] or "",
            jaccard=judged.get("near_dup.jaccard"),
            difference=() if alike else tuple(elided(pieces, MOST_PIECES)),
            alike=alike,
        )


def read_beginnings(judgments: Judgments, rows: set[int]) -> dict[int, Mapping[str, Any]]:
    """Row → id, source, origin, beginning of the text and its bytes; only row groups that are needed are read."""
    places = sorted((*judgments.place(row), row) for row in rows)
    parts = [(part, {at: row for _, at, row in group}) for part, group in groupby(places, key=lambda place: place[0])]
    found = judgments.spread(partial(_read_part, judgments.directory), parts)
    return {row: document for documents in found for row, document in documents.items()}


def _read_part(directory: RunDirectory, asked: tuple[int, Mapping[int, int]]) -> dict[int, Mapping[str, Any]]:
    """Documents of a part, of whose places it is said which rows of the run they are."""
    part, wanted = asked
    found: dict[int, Mapping[str, Any]] = {}
    with pq.ParquetFile(parquet_source(directory.part(DOCUMENTS, part))) as file:
        for group in groups_in(file.metadata):
            inside = [index for index in wanted if group.start <= index < group.stop]
            if inside:
                directory.checked(DOCUMENTS, part, _SHOWN, group=group.number)
                documents = _beginnings(file, group.number, [index - group.start for index in inside])
                found.update(zip((wanted[index] for index in inside), documents, strict=True))
    return found


def _beginnings(file: pq.ParquetFile, group: int, rows: list[int]) -> list[dict[str, Any]]:
    """Documents of a row group, which is read as far as the last of them."""
    documents = next(file.iter_batches(max(rows) + 1, row_groups=[group], columns=_SHOWN, use_threads=False)).take(
        pa.array(rows)
    )
    texts = documents.column("text")
    shown = pc.utf8_slice_codeunits(texts, 0, READ_CHARACTERS)
    cut = documents.drop_columns(["text"]).append_column("text", shown)
    found: list[dict[str, Any]] = cut.append_column("bytes", pc.binary_length(texts)).to_pylist()
    return found
