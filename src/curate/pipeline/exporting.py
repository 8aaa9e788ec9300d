"""The documents of a finished run as text: kept ones, or what was removed with its reasons, with all edits applied."""

import contextlib
import gzip
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from curate.errors import InputError, UserError, listed, nearest
from curate.store.files import remove, unfinished, whole_file
from curate.store.manifest import read_manifest
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.text.core.edits import edited

ALIASES = {
    "language": "language.label",
    "score": "quality.score",
    "copies": "near_dup.copies",
    "tokens": "tokenize.n_tokens",
}
"""Short names of measures."""
OF_DOCUMENTS = ("id", "text", "source", "file", "position", "metadata", "raw_bytes", "reasons")
KEPT_COLUMNS = ("id", "text", "source")
REMOVED_COLUMNS = ("id", "text", "source", "reasons")
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
BUCKET_BYTES = 64_000_000
"""Text that is shuffled in memory at once."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to export.

    Attributes:
        removed: documents that were removed, not those kept.
        columns: names, of `OF_DOCUMENTS`, of `ALIASES`, or ``stage.measure``; empty takes the usual ones.
        order: ``input``, or ``shuffle`` by the seed.
        seed: of the shuffle.
    """

    removed: bool = False
    columns: tuple[str, ...] = ()
    order: str = "input"
    seed: int = 42


class Exported(NamedTuple):
    """What was written."""

    file: str
    documents: int
    bytes: int


def export(run: Path, out: Path, wanted: Wanted) -> Exported:
    """Write documents of a run to one file, which appears when whole.

    Args:
        run: a finished run.
        out: ends in one of `SUFFIXES`.
        wanted: what to write.

    Raises:
        InputError: there is no finished run, or it has no such column.
        UserError: the name of the file says no format.
    """
    if not out.name.endswith(SUFFIXES):
        raise UserError(f"`{out}` must end in {listed(SUFFIXES)}", hint="curate export RUN -o kept.jsonl.zst")
    source = _Source(run, wanted)
    with whole_file(out) as temporary, _sink(temporary, out.name) as write:
        documents = 0
        rows = source.rows() if wanted.order == "input" else _shuffled(source, out, wanted.seed)
        for table in rows:
            documents += len(table)
            write(table)
    return Exported(str(out), documents, out.stat().st_size)


class _Source:
    """The documents asked for, one row group at a time."""

    def __init__(self, run: Path, wanted: Wanted) -> None:
        manifest = read_manifest(run)
        self.directory = RunDirectory.finished(run, manifest)
        self.stages = [stage["name"] for stage in manifest["stages"]]
        self.parts, self._wanted = len(manifest["parts"]), wanted
        self.columns = wanted.columns or (REMOVED_COLUMNS if wanted.removed else KEPT_COLUMNS)
        known = self._known()
        for name in self.columns:
            if ALIASES.get(name, name) not in known:
                raise InputError(
                    f"`{run}` has no column `{name}`",
                    hint=nearest(name, [*known, *ALIASES]) or f"known: {listed(known)}",
                )

    def _known(self) -> list[str]:
        found = list(OF_DOCUMENTS)
        for stage in self.stages:
            if self.parts:
                names = pq.read_schema(self.directory.part(stage, 0)).names
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
            file = self.directory.part(stage, part)
            asked = {column for name, dot, column in needed if dot and name == stage}
            have = pq.read_schema(file).names
            judged[stage] = pq.read_table(file, columns=[n for n in have if n in asked | {"reasons", "edits"}])
        kept = np.ones(len(next(iter(judged.values()))), np.bool_) if judged else None
        for table in judged.values():
            kept &= pc.fill_null(pc.equal(pc.list_value_length(table["reasons"]), 0), False).to_numpy()
        with pq.ParquetFile(self.directory.part(DOCUMENTS, part)) as file:
            start = 0
            for group in range(file.num_row_groups):
                stop = start + file.metadata.row_group(group).num_rows
                mask = np.ones(stop - start, np.bool_) if kept is None else kept[start:stop]
                here = np.flatnonzero(~mask if self._wanted.removed else mask)
                if len(here):
                    yield self._table(file, group, start, here, judged)
                start = stop

    def _table(
        self, file: pq.ParquetFile, group: int, start: int, here: "np.ndarray[Any, Any]", judged: Mapping[str, pa.Table]
    ) -> pa.Table:
        names = ["id", "text", "source", "origin", *({"metadata", "raw_bytes"} & set(self.columns))]
        documents = file.read_row_group(group, columns=names).take(pa.array(here))
        rows = pa.array(here + start)
        columns = {}
        for name in self.columns:
            stage, dot, measure = ALIASES.get(name, name).partition(".")
            if dot:
                columns[name] = judged[stage][measure].take(rows)
            elif name == "text":
                text = documents["text"].cast(pa.large_string()).combine_chunks()
                text = text if isinstance(text, pa.Array) else pa.concat_arrays(text.chunks)
                for table in judged.values():
                    if "edits" in table.column_names:
                        text = edited(text, pa.concat_arrays(table["edits"].take(rows).chunks))
                columns[name] = text
            elif name in {"file", "position"}:
                columns[name] = pc.struct_field(documents["origin"], name)
            elif name == "reasons":
                columns[name] = _reasons(judged, rows)
            else:
                columns[name] = documents[name]
        return pa.table(columns)


def _reasons(judged: Mapping[str, pa.Table], rows: pa.Array) -> pa.Array:
    """All reasons of each document as ``stage.reason``."""
    found: list[list[str]] = [[] for _ in range(len(rows))]
    for stage, table in judged.items():
        for row, reasons in enumerate(table["reasons"].take(rows).to_pylist()):
            found[row] += [f"{stage}.{reason}" for reason in reasons or ()]
    return pa.array(found, pa.list_(pa.string()))


def _shuffled(source: _Source, out: Path, seed: int) -> Iterator[pa.Table]:
    """The same rows in the order of a draw for each: in buckets on disk, each of which fits in memory."""
    size = sum(pq.read_metadata(source.directory.part(DOCUMENTS, part)).num_rows for part in range(source.parts))
    total = sum(source.directory.part(DOCUMENTS, part).stat().st_size * 3 for part in range(source.parts))
    buckets = max(1, min(512, -(-total // BUCKET_BYTES), size or 1))
    rng = np.random.default_rng(seed)
    with contextlib.ExitStack() as files:
        paths = [unfinished(out.with_name(f"{out.name}.{number}")) for number in range(buckets)]
        for path in paths:
            files.callback(remove, path)
        writers: dict[int, Any] = {}
        with contextlib.ExitStack() as writing:
            for table in source.rows():
                drawn = rng.random(len(table))
                keyed = table.append_column("key", pa.array(drawn))
                homes = (drawn * buckets).astype(np.int64)
                for number in np.unique(homes).tolist():
                    if number not in writers:
                        sink = writing.enter_context(pa.OSFile(str(paths[number]), "wb"))
                        writers[number] = writing.enter_context(pa.ipc.new_stream(sink, keyed.schema))
                    writers[number].write_table(keyed.take(pa.array(np.flatnonzero(homes == number))))
        for number in sorted(writers):
            with pa.OSFile(str(paths[number]), "rb") as stored:
                rows = pa.ipc.open_stream(stored).read_all()
            yield rows.take(pc.sort_indices(rows["key"])).drop_columns(["key"])
            remove(paths[number])


@contextlib.contextmanager
def _sink(path: Path, name: str) -> Iterator[Callable[[pa.Table], None]]:
    """Writes tables in the format that the name ends in."""
    with contextlib.ExitStack() as files:
        if name.endswith(".parquet"):
            yield _parquet(files, path)
            return
        raw = files.enter_context(path.open("wb"))
        file: Any = raw
        if name.endswith(".gz"):
            file = files.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))
        elif name.endswith(".zst"):
            file = files.enter_context(zstandard.ZstdCompressor(3).stream_writer(raw, closefd=False))
        yield lambda table: _write_lines(table, file)


def _write_lines(table: pa.Table, file: IO[bytes]) -> None:
    lines = io.BytesIO()
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    frame.write_ndjson(lines)
    file.write(lines.getvalue())


def _parquet(files: contextlib.ExitStack, path: Path) -> Callable[[pa.Table], None]:
    writers: list[pq.ParquetWriter] = []

    def write(table: pa.Table) -> None:
        if not writers:
            writers.append(files.enter_context(pq.ParquetWriter(path, table.schema, compression="zstd")))
        writers[0].write_table(table)

    def nothing() -> None:
        if not writers:
            pq.write_table(pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.large_string())}), path)

    files.callback(nothing)
    return write


def columns_from(texts: Sequence[str]) -> tuple[str, ...]:
    """Names given one by one or with commas between them.

    Example:
        >>> columns_from(["id,text", "language"])
        ('id', 'text', 'language')
    """
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())
