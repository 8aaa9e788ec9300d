"""All documents of a run, a few bytes each in memory, so that any question is answered at once."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.process.machine import cores
from curate.report.judgments.judgments import Judgments
from curate.report.masking import Masks
from curate.stages.reconsidering import Reconsidering
from curate.store.digest import digest
from curate.store.manifest import read_manifest
from curate.store.manifest_entries import Rule
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import read_columns
from curate.store.row_groups import groups_in
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.view.groups import group
from curate.view.stored import Stored

Rows = npt.NDArray[Any]

KEPT, REMOVED = "kept", "removed"
LABEL = "language.label"
MOST_REASONS = 64
"""Reasons that are distinguished, the most frequent ones: a bit for each."""
NEAREST = 20_000
"""Documents that are put in order where those nearest to a value are asked for."""
SEARCH_SECONDS = 1.5
"""How long texts are searched for one page."""


class Query(NamedTuple):
    """What is asked for; empty fields ask for anything."""

    outcome: str = ""
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
        InputError: it is not a finished run.
        DamagedFile: a file of it is missing or damaged.
    """

    def __init__(self, run: Path) -> None:
        self.run, self.manifest = run, read_manifest(run)
        self.directory = RunDirectory.finished(run, self.manifest)
        self.stages = self.manifest.stage_names
        pool = ThreadPoolExecutor(cores(), thread_name_prefix="index")
        files = [file for folder in (DOCUMENTS, *self.stages) for file in self.directory.parts(folder)]
        proof = [str(run.absolute()), digest(self.manifest.written()), self.manifest.run_id]
        self._stored = Stored(files, proof, sum(part.documents for part in self.manifest.parts))
        self.judgments = Judgments(self.directory, self.stages, pool.map, known=self._stored.is_there)
        self.masks = Masks(self.manifest.stages, self.manifest.config)
        self.reasons = self._codes()
        label = LABEL if self.judgments.has(LABEL) else ""
        self.groups = self._stored.groups(lambda: group(self.judgments, self.stages, self.reasons, label, pool.map))
        self._measure = lru_cache(maxsize=6)(self._read_measure)
        self.rows = lru_cache(maxsize=4)(self._rows)
        self.facets = lru_cache(maxsize=8)(self._facets)
        self.kept_tokens = lru_cache(maxsize=1)(self._kept_tokens)

    def _codes(self) -> list[str]:
        counts = self.manifest.counts.reasons
        given = sorted((code for code in counts if counts[code]), key=lambda code: (-counts[code], code))
        self.knows_all_reasons = len(given) <= MOST_REASONS
        return given[:MOST_REASONS]

    def _read_measure(self, name: str) -> npt.NDArray[np.float32]:
        return self._column(f"measure {name}", name, np.float32)

    def exactly(self, measure: str) -> npt.NDArray[np.float64]:
        """A measure of all documents as it was judged; NaN where it was not measured."""
        return self._column(f"exact {measure}", measure, np.float64)

    def tokens(self, encoder: str) -> npt.NDArray[np.float64]:
        """Tokens of all documents by the stage that encodes them; NaN where it did not."""
        return self._column(f"tokens {encoder}", f"{encoder}.n_tokens", np.float64)

    @property
    def sizes(self) -> npt.NDArray[np.float64]:
        """Raw bytes of all documents."""
        return self._column("sizes", f"{DOCUMENTS}.raw_bytes", np.float64)

    def _kept_tokens(self, encoder: str) -> tuple[float, float]:
        """Tokens of the documents that were kept, and raw bytes of those of them whose tokens nothing counted."""
        tokens, kept = self.tokens(encoder), (self.groups.removed_by < 0)[self.groups.of]
        counted = kept & ~np.isnan(tokens)
        lacking = np.flatnonzero(kept & ~counted)
        return float(tokens[counted].sum()), float(self.sizes[lacking].sum()) if len(lacking) else 0.0

    def gathered(self, stage: Reconsidering) -> Mapping[str, npt.NDArray[Any]]:
        """What a deduplicating stage needs to know of the run to choose again."""
        parts, columns = range(len(self.judgments.files)), stage.judged_columns
        return self._stored.arrays(
            f"gathered {stage.name}",
            lambda: stage.gathered(read_columns(self.directory.part(stage.name, part), columns) for part in parts),
        )

    def _column(self, key: str, name: str, kind: type[np.floating[Any]]) -> npt.NDArray[Any]:
        """A column of all parts, ``folder.column``, one below the other."""
        folder, _, column = name.partition(".")

        def of_part(part: int) -> npt.NDArray[Any]:
            values = read_columns(self.directory.part(folder, part), [column]).column(column)
            return np.asarray(pc.cast(values, pa.from_numpy_dtype(kind), safe=False).to_numpy())

        def read() -> npt.NDArray[Any]:
            whole, parts = np.empty(self.judgments.rows, kind), range(len(self.judgments.files))
            for first, values in zip(
                self.judgments.offsets.tolist(), self.judgments.spread(of_part, parts), strict=False
            ):
                whole[first : first + len(values)] = values
            return whole

        return self._stored.array(key, read)

    @cached_property
    def measures(self) -> list[str]:
        """Names of the measures that are numbers."""
        return [
            name for name, kind in self.judgments.schema.items()
            if "." in name and kind.is_numeric() and not name.endswith(".reasons")
        ]  # fmt: skip

    @cached_property
    def limits(self) -> dict[str, list[Rule]]:
        """Measure → its rules in ``run.json``."""
        found: dict[str, list[Rule]] = {}
        for stage in self.manifest.stages:
            for rule in stage.rules:
                found.setdefault(f"{stage.name}.{rule.measure}", []).append(rule)
        return found

    def _asked(self, query: Query) -> npt.NDArray[np.bool_]:
        """Groups whose documents have the outcome, reason, source and language that are asked for."""
        groups = self.groups
        mask = np.ones(len(groups.documents), np.bool_)
        if query.outcome == KEPT:
            mask &= groups.removed_by < 0
        elif query.outcome == REMOVED:
            mask &= groups.removed_by >= 0
        elif query.outcome:
            mask &= groups.removed_by == (self.stages.index(query.outcome) if query.outcome in self.stages else -2)
        if query.reason:
            bit = 1 << self.reasons.index(query.reason) if query.reason in self.reasons else 0
            mask &= (groups.given & np.uint64(bit)) != 0
        if query.source:
            mask &= groups.source == _place(groups.sources, query.source)
        if query.language:
            mask &= groups.language == _place(groups.languages, query.language)
        return mask

    def _rows(self, query: Query) -> Rows:
        """Rows that answer a query, in the order to show them."""
        mask = self._asked(query)
        whole = bool(mask.all())
        rows = np.arange(self.judgments.rows, dtype=np.int32) if whole else _int32(np.flatnonzero(mask[self.groups.of]))
        if query.measure not in self.measures:
            return rows
        values = self._measure(query.measure) if whole else self._measure(query.measure)[rows]
        if query.least is not None or query.most is not None:
            inside = values >= (-np.inf if query.least is None else query.least)
            inside &= values <= (np.inf if query.most is None else query.most)
            rows, values = rows[inside], values[inside]
        if query.near is not None:
            return rows[_nearest(np.abs(values - np.float32(query.near)))]
        return rows[~np.isnan(values)]

    def _facets(self, query: Query) -> Mapping[str, list[Facet]]:
        """How the documents that a query asks for are spread."""
        groups = self.groups
        if query.measure in self.measures:
            counts = np.bincount(groups.of[self.rows(query)], minlength=len(groups.documents))
        else:
            counts = np.where(self._asked(query), groups.documents, 0)
        by = _added(groups.removed_by, counts, len(self.stages))
        outcomes = [Facet(KEPT, int(counts.sum() - by.sum())), Facet(REMOVED, int(by.sum()))]
        outcomes += [Facet(stage, int(by[at])) for at, stage in enumerate(self.stages)]
        reasons = [
            Facet(code, int(counts[(groups.given & np.uint64(1 << at)) != 0].sum()))
            for at, code in enumerate(self.reasons)
        ]
        return {
            "outcome": [one for one in outcomes if one.documents],
            "reason": [one for one in reasons if one.documents],
            "source": _counted(groups.sources, _added(groups.source, counts, len(groups.sources))),
            "language": _counted(groups.languages, _added(groups.language, counts, len(groups.languages))),
        }

    def removed_by(self, row: int) -> int:
        """Place of the stage that removed a document, or -1: it was kept."""
        return int(self.groups.removed_by[self.groups.of[row]])

    def value(self, measure: str, row: int) -> float:
        """A measure of one document; NaN where it was not measured."""
        return float(self._measure(measure)[row])

    def reasons_of(self, row: int) -> list[str]:
        """Why a document was removed."""
        given = int(self.groups.given[self.groups.of[row]])
        return [code for at, code in enumerate(self.reasons) if given >> at & 1]

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
            for group, start, stop in groups_in(file.metadata):
                here = np.flatnonzero((inside >= start) & (inside < stop))
                if len(here):
                    texts = file.read_row_group(group, columns=["text"]).column("text")
                    hit = pc.match_substring(texts.take(pa.array(inside[here] - start)), text, ignore_case=True)
                    answer[here] = pc.fill_null(hit, False).to_numpy()
        return [bool(one) for one in answer]

    @cached_property
    def survivors(self) -> dict[str, npt.NDArray[Any]]:
        """Deduplicating stage → for each document the row of the one kept instead, -1: none in this run."""
        named = [stage.name for stage in self.manifest.stages if stage.deduplicates]
        return {name: self._stored.array(f"survivors {name}", partial(self._survivors, name)) for name in named}

    def _survivors(self, stage: str) -> Rows:
        rows = np.full(self.judgments.rows, -1, np.int32)
        for part, first in enumerate(self.judgments.offsets[:-1].tolist()):
            table = read_columns(self.directory.part(stage, part), ["survivor_at", "survivor_run"])
            where = table.column("survivor_at").combine_chunks()
            own = where.is_valid().to_numpy(zero_copy_only=False)
            own &= table.column("survivor_run").is_null().to_numpy()
            places = [pc.fill_null(pc.struct_field(where, name), 0).to_numpy() for name in ("part", "row")]
            rows[first : first + len(own)] = np.where(own, self.judgments.offsets[places[0]] + places[1], -1)
        return rows


def _nearest(distance: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Places of the smallest ones that are numbers, in order: all, or `NEAREST` of many."""
    near = np.flatnonzero(distance <= _near_enough(distance)) if len(distance) > NEAREST else np.arange(0)
    if len(near) < NEAREST:  # few documents, or an unlucky guess
        near = np.flatnonzero(~np.isnan(distance))
    if len(near) > NEAREST:
        near = near[distance[near] <= np.partition(distance[near], NEAREST - 1)[NEAREST - 1]]
    return near[np.argsort(distance[near], kind="stable")][:NEAREST]


def _near_enough(distance: npt.NDArray[np.float32]) -> np.float32:
    """A distance that about twice as many stay within as are wanted, guessed from some in little time."""
    some = distance[:: max(1, len(distance) // 100_000)]
    place = min(len(some) - 1, 2 * NEAREST * len(some) // len(distance) + 20)
    return np.float32(np.partition(some, place)[place])


def _int32(rows: npt.NDArray[np.int64]) -> Rows:
    return rows.astype(np.int32)


def _place(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else -2


def _added(places: npt.NDArray[Any], counts: npt.NDArray[Any], number: int) -> npt.NDArray[np.int64]:
    """Documents at each place; -1 is none."""
    return np.bincount(places[places >= 0], counts[places >= 0], minlength=number).astype(np.int64)


def _counted(names: Sequence[str], counts: npt.NDArray[np.int64]) -> list[Facet]:
    return sorted(
        (Facet(name, int(n)) for name, n in zip(names, counts, strict=True) if n),
        key=lambda one: (-one.documents, one.value),
    )
