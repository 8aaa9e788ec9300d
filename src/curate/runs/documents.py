"""The documents of a run as a lazy table of polars: only columns that are asked for are read, a row group at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from curate.corpus.documents import SCHEMA
from curate.pipeline.document_rows import DocumentRows, Which
from curate.store.objects.ranges import parquet_source

if TYPE_CHECKING:
    import polars as pl

_OF_ORIGIN = {"file": pa.string(), "position": pa.int64()}


def documents_of(run: Path, which: Which = "kept", reason: str = "") -> "pl.LazyFrame":
    """Documents with all edits made; ``reasons`` as ``stage.reason``, and every measure as ``stage.measure``.

    Args:
        run: a finished run.
        which: documents that were kept, that were removed, or all.
        reason: only those that were given it, as ``stage.reason``.

    Raises:
        InputError: there is no finished run.
        DamagedFile: a file of it is missing or damaged; also when the table is collected.
    """
    import polars as pl
    from polars.io.plugins import register_io_source

    rows = DocumentRows(run, (), which, reason)
    empty = pl.from_arrow(_schema(rows).empty_table())
    assert isinstance(empty, pl.DataFrame)

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, most: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        asked = list(empty.columns) if columns is None else columns
        left = most
        for table in DocumentRows(run, asked or ["id"], which, reason).rows():
            frame = pl.from_arrow(table)
            assert isinstance(frame, pl.DataFrame)
            frame = frame if left is None else frame.head(left)
            left = None if left is None else left - len(frame)
            frame = frame if predicate is None else frame.filter(predicate)
            yield frame.select(asked) if asked else frame.drop("id")
            if left == 0:
                return

    return register_io_source(read, schema=empty.schema)


def _schema(rows: DocumentRows) -> pa.Schema:
    """Types of every column that is stored; what `curate export` makes of several, it makes when asked."""
    types = {field.name: field.type for field in SCHEMA} | _OF_ORIGIN
    types |= {"text": pa.large_string(), "reasons": pa.list_(pa.string())}
    for stage in rows.stages if rows.parts else ():
        types |= {
            f"{stage}.{field.name}": field.type
            for field in pq.read_schema(parquet_source(rows.directory.part(stage, 0)))
        }
    return pa.schema([(name, types[name]) for name in rows.known() if name in types])
