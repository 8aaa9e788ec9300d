"""Columns of documents that follow each other, read from the files of their part: few texts, as codes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate.report.judgments.looking import REASONS, Documents
from curate.store.objects.ranges import parquet_source
from curate.store.row_groups import groups_in
from curate.store.run_directory import DOCUMENTS, RunDirectory

_CODED = {"source": "source", "label": "label", "standing": "standing", REASONS: f"{REASONS}.list.element"}
"""Columns of few different texts, and what Parquet calls them."""


def decoded(
    directory: RunDirectory, stages: Sequence[str], columns: Iterable[str], part: int, rows: range, first: int
) -> Documents:
    """Some documents of a part.

    Args:
        directory: the run.
        stages: that ran, in order.
        columns: what is asked about, named as in `curate.report.judgments.judgments`.
        part: number of the part.
        rows: of the part.
        first: number in the run of the first document of the part.
    """
    last = stages[-1] if stages else ""
    of: dict[str, list[str]] = {}
    for column in dict.fromkeys((*columns, *[f"{last}.{REASONS}"] * bool(last))):
        folder, _, name = column.rpartition(".")
        of.setdefault(folder, []).append(name)
    found: dict[str, pa.ChunkedArray] = {}
    for folder, names in of.items():
        table = _rows(directory.part(folder or DOCUMENTS, part), names, rows)
        prefix = f"{folder}." if folder else ""
        found |= {prefix + name: column for name, column in zip(names, table.columns, strict=True)}
    return Documents(first + rows.start, len(rows), found, last)


def _rows(file: Path, names: Sequence[str], rows: range) -> pa.Table:
    """Columns of some rows of a file, by what row groups hold them; see `curate.store.row_file.read_columns`.

    One row group after another: Arrow reads lists of codes in one piece only.
    """
    codes = [_CODED[name] for name in names if name in _CODED]
    with pq.ParquetFile(parquet_source(file), pre_buffer=False, read_dictionary=codes) as opened:
        groups = [group for group in groups_in(opened.metadata) if group.start < rows.stop and group.stop > rows.start]
        tables = [opened.read_row_group(each.number, columns=names, use_threads=False) for each in groups]
        table = pa.concat_tables(tables) if tables else opened.read_row_groups([], columns=names)
    before = groups[0].start if groups else 0
    return table.select(names).slice(rows.start - before, len(rows))
