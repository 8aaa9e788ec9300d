"""Documents of a finished run with their judgments beside them, all edits applied, one row group at a time."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.errors import InputError, listed, nearest
from curate.pipeline.exporting.exported_records import NEEDED, RECORD, records
from curate.store.manifest import read_manifest
from curate.store.objects.ranges import parquet_source
from curate.store.row_groups import groups_in
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.text.chats.spans import moved
from curate.text.core.edits import edited

ALIASES = {
    "language": "language.label",
    "score": "quality.score",
    "copies": "near_dup.copies",
    "tokens": "tokenize.n_tokens",
}
"""Short names of measures."""
OF_DOCUMENTS = ("id", "text", "source", "file", "position", "metadata", "raw_bytes", "turns", "reasons", RECORD)

Which = Literal["kept", "removed", "all"]


class DocumentRows:
    """The documents asked for.

    Args:
        run: a finished run.
        columns: of `OF_DOCUMENTS`, of `ALIASES`, or ``stage.measure``.
        which: documents that every stage kept, those that one removed, or both.
        reason: only those that got it, as ``stage.reason``.

    Raises:
        InputError: there is no finished run, or it has no such column.
        DamagedFile: a file of it is missing or damaged; also while rows are read.
    """

    def __init__(self, run: Path, columns: Sequence[str], which: Which = "kept", reason: str = "") -> None:
        manifest = read_manifest(run)
        self.directory = RunDirectory.finished(run, manifest)
        self.stages = manifest.stage_names
        self.parts, self._which, self._reason = len(manifest.parts), which, reason
        self.columns = tuple(columns)
        self.has_conversations = any(file.conversation for file in manifest.inputs)
        known = self.known()
        for name in self.columns:
            if ALIASES.get(name, name) not in known:
                raise InputError(
                    f"`{run}` has no column `{name}`",
                    hint=nearest(name, [*known, *ALIASES]) or f"known: {listed(known)}",
                )

    def known(self) -> list[str]:
        """Every column there is, aliases apart."""
        found = list(OF_DOCUMENTS)
        for stage in self.stages:
            if self.parts:
                names = pq.read_schema(parquet_source(self.directory.part(stage, 0))).names
                found += [f"{stage}.{name}" for name in names]
        return found

    def rows(self) -> Iterator[pa.Table]:
        """Tables of the columns asked for, in the order of the input."""
        for part in range(self.parts):
            yield from self._of_part(part)

    def _of_part(self, part: int) -> Iterator[pa.Table]:
        needed = [ALIASES.get(name, name).partition(".") for name in self.columns]
        judged = {}
        for stage in self.stages:
            asked = {column for name, dot, column in needed if dot and name == stage} | {"reasons"}
            asked |= {"edits"} if {"text", "turns", RECORD} & set(self.columns) else set()
            have = pq.read_schema(parquet_source(self.directory.part(stage, part))).names
            columns = [name for name in have if name in asked]
            judged[stage] = self.directory.columns(stage, part, columns)
        wanted = self._wanted(judged, pq.read_metadata(parquet_source(self.directory.part(DOCUMENTS, part))).num_rows)
        with pq.ParquetFile(parquet_source(self.directory.part(DOCUMENTS, part))) as file:
            for group, start, stop in groups_in(file.metadata):
                here = np.flatnonzero(wanted[start:stop])
                if len(here):
                    self.directory.checked(DOCUMENTS, part, self._of_documents(), group=group)
                    yield self._table(file, group, start, here, judged)

    def _wanted(self, judged: Mapping[str, pa.Table], rows: int) -> npt.NDArray[np.bool_]:
        """Which documents of a part are asked for."""
        mask = np.ones(rows, np.bool_)
        if self._which != "all":
            for table in judged.values():
                mask &= pc.fill_null(pc.equal(pc.list_value_length(table["reasons"]), 0), False).to_numpy()
            mask = ~mask if self._which == "removed" else mask
        if self._reason:
            stage, _, code = self._reason.partition(".")
            reasons = judged[stage]["reasons"].combine_chunks()
            given = np.zeros(len(mask), np.bool_)
            given[pc.list_parent_indices(reasons).filter(pc.equal(pc.list_flatten(reasons), code)).to_numpy()] = True
            mask &= given
        return mask

    def _of_documents(self) -> list[str]:
        """Columns of the documents that are read."""
        names = {"file": ("origin",), "position": ("origin",), RECORD: NEEDED, "reasons": ()}
        asked = [each for name in self.columns if name in OF_DOCUMENTS for each in names.get(name, (name,))]
        return list(dict.fromkeys(asked or ["id"]))

    def _table(
        self, file: pq.ParquetFile, group: int, start: int, here: npt.NDArray[np.int64], judged: Mapping[str, pa.Table]
    ) -> pa.Table:
        documents = file.read_row_group(group, columns=self._of_documents()).take(pa.array(here))
        rows = pa.array(here + start)
        edits = [_one(table["edits"].take(rows)) for table in judged.values() if "edits" in table.column_names]
        columns = {}
        for name in self.columns:
            stage, dot, measure = ALIASES.get(name, name).partition(".")
            if dot:
                columns[name] = judged[stage][measure].take(rows)
            elif name == "text":
                columns[name] = functools.reduce(edited, edits, _one(documents["text"].cast(pa.large_string())))
            elif name == "turns":
                columns[name] = functools.reduce(moved, edits, _one(documents["turns"]))
            elif name == RECORD:
                columns[name] = records(documents, edits)
            elif name in {"file", "position"}:
                columns[name] = pc.struct_field(documents["origin"], name)
            elif name == "reasons":
                columns[name] = _reasons(judged, rows)
            else:
                columns[name] = documents[name]
        return pa.table(columns)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks)


def _reasons(judged: Mapping[str, pa.Table], rows: pa.Array) -> pa.Array:
    """All reasons of each document as ``stage.reason``."""
    found: list[list[str]] = [[] for _ in range(len(rows))]
    for stage, table in judged.items():
        for row, reasons in enumerate(table["reasons"].take(rows).to_pylist()):
            found[row] += [f"{stage}.{reason}" for reason in reasons or ()]
    return pa.array(found, pa.list_(pa.string()))
