"""Columns of documents that follow each other, read from the files of their part: few texts, as codes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate.report.judgments.looking import REASONS, Documents
from curate.store.footers import footer_of
from curate.store.objects.ranges import parquet_source
from curate.store.row_groups import groups_in
from curate.store.run_directory import DOCUMENTS, RunDirectory

_CODED = {"source": "source", "label": "label", "standing": "standing", REASONS: f"{REASONS}.list.element"}
"""Columns of few different texts, and what Parquet calls them."""


def decoded(
    directory: RunDirectory,
    last: str,
    columns: Iterable[str],
    part: int,
    rows: range,
    first: int,
    *,
    known: bool,
) -> Documents:
    """Some documents of a part.

    Args:
        directory: the run.
        last: the stage that says which documents are kept; empty where nobody asks.
        columns: what is asked about, named as in `curate.report.judgments.judgments`.
        part: number of the part.
        rows: of the part.
        first: number in the run of the first document of the part.
        known: the files were checked before.

    Raises:
        DamagedFile: the run is finished, and a file is missing or is not what was written.
    """
    of: dict[str, list[str]] = {}
    for column in dict.fromkeys((*columns, *[f"{last}.{REASONS}"] * bool(last))):
        folder, _, name = column.rpartition(".")
        of.setdefault(folder, []).append(name)
    found: dict[str, pa.ChunkedArray] = {}
    for folder, names in of.items():
        footer = None if known else directory.footer(folder or DOCUMENTS, part, names, rows=rows)
        table = _rows(directory.part(folder or DOCUMENTS, part), names, rows, footer)
        prefix = f"{folder}." if folder else ""
        found |= {prefix + name: column for name, column in zip(names, table.columns, strict=True)}
    return Documents(first + rows.start, len(rows), found, last)


def _rows(file: Path, names: Sequence[str], rows: range, footer: pq.FileMetaData | None) -> pa.Table:
    """Columns of some rows of a file, by what row groups hold them; see `curate.store.row_file.read_columns`."""
    codes = [_CODED[name] for name in names if name in _CODED]
    footer = footer or footer_of(file)
    with pq.ParquetFile(parquet_source(file), metadata=footer, pre_buffer=False, read_dictionary=codes) as opened:
        groups = [group for group in groups_in(opened.metadata) if group.start < rows.stop and group.stop > rows.start]
        numbers = [group.number for group in groups]
        table = opened.read_row_groups(numbers, [name for name in names if name != REASONS], use_threads=False)
        if REASONS in names:  # Arrow reads lists of codes in one piece only
            apart = [opened.read_row_group(number, [REASONS], use_threads=False).column(0) for number in numbers]
            chunks = [chunk for column in apart for chunk in column.chunks]
            kind = opened.schema_arrow.field(REASONS).type
            table = table.append_column(REASONS, pa.chunked_array(chunks, None if chunks else kind))
    before = groups[0].start if groups else 0
    return table.select(names).slice(rows.start - before, len(rows))
