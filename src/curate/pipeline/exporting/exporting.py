"""The documents of a finished run as text: kept ones, or what was removed with its reasons, with all edits applied."""

import contextlib
import gzip
import io
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from curate.errors import UserError, listed
from curate.pipeline.document_rows import DocumentRows, Which
from curate.pipeline.exporting.exported_records import RECORD, as_lines, columns_of, schema_of
from curate.store.files import remove, unfinished, whole_file
from curate.store.objects.ranges import parquet_source
from curate.store.ownership.outputs import require_absent
from curate.store.run_directory import DOCUMENTS

KEPT_COLUMNS = ("id", "text", "source")
REMOVED_COLUMNS = ("id", "text", "source", "reasons")
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
STANDARD_OUTPUT = Path("-")
BUCKET_BYTES = 64_000_000
"""Text that is shuffled in memory at once."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to export.

    Attributes:
        removed: documents that were removed, not those kept.
        columns: names, of `OF_DOCUMENTS`, of `ALIASES`, or ``stage.measure``; empty takes the usual ones, and
            conversations in the shape they came in.
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


def export(run: Path, out: Path, wanted: Wanted, *, force: bool = False) -> Exported:
    """Write documents of a run to one file, which appears when whole.

    Args:
        run: a finished run.
        out: ends in one of `SUFFIXES`; ``-``: lines of JSON to standard output.
        wanted: what to write.
        force: replace a file that is there.

    Raises:
        InputError: there is no finished run, or it has no such column.
        UserError: the name of the file says no format, or the file is there already.
    """
    if not out.name.endswith(SUFFIXES) and out != STANDARD_OUTPUT:
        raise UserError(f"`{out}` must end in {listed(SUFFIXES)}", hint="curate export RUN -o kept.jsonl.zst")
    if out != STANDARD_OUTPUT:
        require_absent(out, force=force)
    columns = wanted.columns or (REMOVED_COLUMNS if wanted.removed else KEPT_COLUMNS)
    which: Which = "removed" if wanted.removed else "kept"
    source = DocumentRows(run, columns, which)
    if source.has_conversations and not wanted.columns:
        source = DocumentRows(run, (RECORD, "reasons") if wanted.removed else (RECORD,), which)
    schema = schema_of(source.rows()) if RECORD in source.columns[:1] and out.name.endswith(".parquet") else None
    with contextlib.ExitStack() as files:
        if out == STANDARD_OUTPUT:
            sys.stdout.flush()
            beside = Path(files.enter_context(tempfile.TemporaryDirectory())) / "kept"
            write = files.enter_context(_sink(sys.stdout.buffer, ""))
        else:
            beside = out
            write = files.enter_context(_sink(files.enter_context(whole_file(out)), out.name))
        documents = 0
        rows = source.rows() if wanted.order == "input" else shuffled(source, beside, wanted.seed)
        rows = columns_of(rows, schema) if schema else rows
        for table in rows:
            documents += len(table)
            write(table)
    return Exported(str(out), documents, out.stat().st_size if out != STANDARD_OUTPUT else 0)


def shuffled(source: DocumentRows, out: Path, seed: int) -> Iterator[pa.Table]:
    """The same rows in the order of a draw for each: in buckets on disk, each of which fits in memory."""
    size = sum(
        pq.read_metadata(parquet_source(source.directory.part(DOCUMENTS, part))).num_rows
        for part in range(source.parts)
    )
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
def _sink(to: Path | IO[bytes], name: str) -> Iterator[Callable[[pa.Table], None]]:
    """Writes tables in the format that the name ends in."""
    with contextlib.ExitStack() as files:
        if isinstance(to, Path) and name.endswith(".parquet"):
            yield _parquet(files, to)
            return
        raw = files.enter_context(to.open("wb")) if isinstance(to, Path) else to
        file: Any = raw
        if name.endswith(".gz"):
            file = files.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))
        elif name.endswith(".zst"):
            file = files.enter_context(zstandard.ZstdCompressor(3).stream_writer(raw, closefd=False))
        yield lambda table: _write_lines(table, file)


def _write_lines(table: pa.Table, file: IO[bytes]) -> None:
    if table.column_names[0] == RECORD and set(table.column_names) <= {RECORD, "reasons"}:
        file.write(as_lines(table))
        return
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
