"""All documents of a run, a few bytes each in memory, so that any question is answered at once."""

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.report.judgments import Judgments
from curate.report.masking import Masks
from curate.store.manifest import read_manifest
from curate.store.ranges import parquet_source
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS, RunDirectory

Rows = npt.NDArray[np.int64]

KEPT, REMOVED = "kept", "removed"
LABEL = "language.label"
MOST_REASONS = 64
"""Reasons that are told apart: a bit for each, the most frequent ones."""
SEARCH_SECONDS = 1.5
"""How long texts are searched for one page."""


class Query(NamedTuple):
    """What is asked for; empty fields ask for anything."""

    fate: str = ""
    """``kept``, ``removed``, or a stage that removed."""
    reason: str = ""
    source: str = ""
    language: str = ""
    measure: str = ""
    least: float | None = None
    most: float | None = None
    near: float | None = None
    """Order by distance of the measure to this value."""


class Facet(NamedTuple):
    """A value that documents have, and how many of those asked for."""

    value: str
    documents: int


class Index:
    """The documents of a finished run.

    Args:
        run: its directory.

    Raises:
        InputError: it is no finished run.
        DamagedFile: a file of it is missing or damaged.
    """

    def __init__(self, run: Path) -> None:
        self.run, self.manifest = run, read_manifest(run)
        self.directory = RunDirectory.finished(run, self.manifest)
        self.stages = [stage["name"] for stage in self.manifest["stages"]]
        pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="index")
        self.judgments = Judgments(self.directory, self.stages, pool.map)
        self.masks = Masks(self.manifest)
        self.reasons = self._codes()
        rows = self.judgments.rows
        self.removed_by, self._given = np.full(rows, -1, np.int8), np.zeros(rows, np.uint64)
        self._read_verdicts()
        self.sources, self._source = self._names("source")
        has_label = self.judgments.has(LABEL)
        self.languages, self._language = self._names(LABEL) if has_label else ([], np.zeros(rows, np.int32))
        self._measure = lru_cache(maxsize=6)(self._read_measure)
        self.rows = lru_cache(maxsize=8)(self._rows)
        self.facets = lru_cache(maxsize=8)(self._facets)

    def _codes(self) -> list[str]:
        counts = {
            f"{stage}.{code}": count
            for stage, entry in self.manifest["counts"]["removed"].items()
            for code, count in entry["reasons"].items()
        }
        return sorted((code for code in counts if counts[code]), key=lambda code: (-counts[code], code))[:MOST_REASONS]

    def _read_verdicts(self) -> None:
        bits = {code: np.uint64(1 << at) for at, code in enumerate(self.reasons)}
        for part, first in enumerate(self.judgments.offsets[:-1].tolist()):
            for number, stage in enumerate(self.stages):
                column = read_columns(self.directory.part(stage, part), ["reasons"]).column("reasons").combine_chunks()
                given = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
                here = slice(first, first + len(column))
                newly = (given > 0) & (self.removed_by[here] < 0)
                self.removed_by[here][newly] = number
                flat = pc.dictionary_encode(column.flatten())
                known = [bits.get(f"{stage}.{code}", np.uint64(0)) for code in flat.dictionary.to_pylist()]
                parents = np.repeat(np.arange(len(given)), given)
                np.bitwise_or.at(self._given[here], parents, np.array(known, np.uint64)[flat.indices.to_numpy()])

    def _names(self, column: str) -> tuple[list[str], npt.NDArray[np.int32]]:
        """Distinct values, the most frequent first, and for each document the place of its value; -1: none."""
        pieces = [frame[column] for frame in self.judgments.answers(pl.col(column).cast(pl.Categorical))]
        values = pl.concat(pieces) if pieces else pl.Series(column, [], pl.Categorical)
        counted = values.drop_nulls().value_counts(sort=True)
        codes, numbers = (each.to_physical().fill_null(0).to_numpy() for each in (values, counted[column]))
        place = np.full(1 + max(codes.max(initial=0), numbers.max(initial=0)), -1, np.int32)
        place[numbers] = np.arange(len(counted))
        places = np.where(values.is_not_null().to_numpy(), place[codes], -1).astype(np.int32)
        return counted[column].cast(pl.String).to_list(), places

    def _read_measure(self, name: str) -> npt.NDArray[np.float32]:
        pieces = [frame[name] for frame in self.judgments.answers(pl.col(name).cast(pl.Float32))]
        return (pl.concat(pieces) if pieces else pl.Series(name, [], pl.Float32)).to_numpy()

    @cached_property
    def measures(self) -> list[str]:
        """Names of the measures that are numbers."""
        return [
            name for name, kind in self.judgments.schema.items()
            if "." in name and kind.is_numeric() and not name.endswith(".reasons")
        ]  # fmt: skip

    @cached_property
    def limits(self) -> dict[str, list[dict[str, Any]]]:
        """Measure → its rules in ``run.json``."""
        found: dict[str, list[dict[str, Any]]] = {}
        for stage in self.manifest["stages"]:
            for rule in stage.get("rules", ()):
                found.setdefault(f"{stage['name']}.{rule['measure']}", []).append(rule)
        return found

    def _rows(self, query: Query) -> Rows:
        """Rows that answer a query, in the order to show them."""
        mask = np.ones(self.judgments.rows, np.bool_)
        if query.fate == KEPT:
            mask &= self.removed_by < 0
        elif query.fate == REMOVED:
            mask &= self.removed_by >= 0
        elif query.fate:
            mask &= self.removed_by == (self.stages.index(query.fate) if query.fate in self.stages else -2)
        if query.reason:
            bit = self.reasons.index(query.reason) if query.reason in self.reasons else None
            mask &= (self._given >> np.uint64(bit)) & np.uint64(1) == 1 if bit is not None else False
        if query.source:
            mask &= self._source == _place(self.sources, query.source)
        if query.language:
            mask &= self._language == _place(self.languages, query.language)
        if query.measure not in self.measures:
            return np.flatnonzero(mask)
        values = self._measure(query.measure)
        mask &= ~np.isnan(values)
        if query.least is not None:
            mask &= values >= query.least
        if query.most is not None:
            mask &= values <= query.most
        rows = np.flatnonzero(mask)
        if query.near is None:
            return rows
        return rows[np.argsort(np.abs(values[rows] - query.near), kind="stable")]

    def _facets(self, query: Query) -> Mapping[str, list[Facet]]:
        """How the documents that a query asks for are spread."""
        rows = self.rows(query)
        by = np.bincount(self.removed_by[rows] + 1, minlength=len(self.stages) + 1)
        fates = [Facet(KEPT, int(by[0])), Facet(REMOVED, int(by[1:].sum()))]
        fates += [Facet(stage, int(by[at + 1])) for at, stage in enumerate(self.stages)]
        given = self._given[rows]
        reasons = [
            Facet(code, int(np.count_nonzero(given & np.uint64(1 << at)))) for at, code in enumerate(self.reasons)
        ]
        return {
            "fate": [one for one in fates if one.documents],
            "reason": [one for one in reasons if one.documents],
            "source": _counted(self.sources, self._source[rows]),
            "language": _counted(self.languages, self._language[rows]),
        }

    def value(self, measure: str, row: int) -> float:
        """A measure of one document; NaN where it was not measured."""
        return float(self._measure(measure)[row])

    def reasons_of(self, row: int) -> list[str]:
        """Why a document was removed."""
        return [code for at, code in enumerate(self.reasons) if int(self._given[row]) >> at & 1]

    def search(self, rows: Rows, text: str, start: int, most: int) -> tuple[list[int], int]:
        """Documents whose text holds a piece of text, in any case; and the place in ``rows`` to go on from.

        Args:
            rows: documents to look at, in order.
            text: what to find.
            start: place in ``rows`` to begin at.
            most: documents to find.
        """
        found: list[int] = []
        clock, at = time.monotonic(), start
        while at < len(rows) and len(found) < most and time.monotonic() - clock < SEARCH_SECONDS:
            part, _ = self.judgments.place(int(rows[at]))
            end = self.judgments.offsets[part + 1]
            stop = at
            while stop < len(rows) and stop - at < 2000 and self.judgments.offsets[part] <= rows[stop] < end:
                stop += 1
            hits = self._holding(part, rows[at:stop], text)
            for place, hit in enumerate(hits):
                if hit:
                    found.append(int(rows[at + place]))
                    if len(found) == most:
                        return found, at + place + 1
            at = stop
        return found, at

    def _holding(self, part: int, rows: Rows, text: str) -> Sequence[bool]:
        """Which of some documents of a part hold a piece of text."""
        inside = rows - self.judgments.offsets[part]
        answer = np.zeros(len(rows), np.bool_)
        with pq.ParquetFile(parquet_source(self.directory.part(DOCUMENTS, part))) as file:
            start = 0
            for group in range(file.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                here = np.flatnonzero((inside >= start) & (inside < end))
                if len(here):
                    texts = (
                        file.read_row_group(group, columns=["text"]).column("text").take(pa.array(inside[here] - start))
                    )
                    hit = pc.match_substring(texts, text, ignore_case=True)
                    answer[here] = pc.fill_null(hit, False).to_numpy()
                start = end
        return [bool(one) for one in answer]

    @cached_property
    def survivors(self) -> dict[str, Rows]:
        """Deduplicating stage → for each document the row of the one kept instead, -1: none in this run."""
        found: dict[str, Rows] = {}
        for stage in self.manifest["stages"]:
            if not stage.get("deduplicates"):
                continue
            rows = np.full(self.judgments.rows, -1, np.int64)
            for part, first in enumerate(self.judgments.offsets[:-1].tolist()):
                columns = ["survivor_at", "survivor_run"]
                table = read_columns(self.directory.part(stage["name"], part), columns)
                where = table.column("survivor_at").combine_chunks()
                own = where.is_valid().to_numpy(zero_copy_only=False)
                own &= table.column("survivor_run").is_null().to_numpy()
                places = [pc.fill_null(pc.struct_field(where, name), 0).to_numpy() for name in ("part", "row")]
                rows[first : first + len(own)] = np.where(own, self.judgments.offsets[places[0]] + places[1], -1)
            found[stage["name"]] = rows
        return found


def _place(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else -2


def _counted(names: Sequence[str], places: npt.NDArray[np.int32]) -> list[Facet]:
    counts = np.bincount(places[places >= 0], minlength=len(names))
    return sorted(
        (Facet(name, int(n)) for name, n in zip(names, counts, strict=True) if n),
        key=lambda one: (-one.documents, one.value),
    )
