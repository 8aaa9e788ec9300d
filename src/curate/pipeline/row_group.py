"""Row groups: some documents of a part in a row, the unit that is settled at once and written at once."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.corpus.documents import SCHEMA as DOCUMENTS_SCHEMA
from curate.corpus.memory import AT_WORK
from curate.pipeline.step import Mask, with_edits, with_moves
from curate.store.objects.ranges import parquet_source
from curate.text.core.arrow import one_array

GROUP_BYTES = 8_000_000
GROUP_ROWS = 16_384


class RowGroup(NamedTuple):
    """Some documents of a part in a row, with what is known of them already."""

    start: int
    rows: int
    entering: Mask
    columns: "Columns"
    stored: Mapping[str, pa.RecordBatch]


class Columns:
    """Columns of a row group, read when first asked for."""

    def __init__(
        self, known: Mapping[str, pa.Array], documents: tuple[Path, int, pq.FileMetaData] | None = None
    ) -> None:
        self._known = dict(known)
        self._documents = documents
        self._edits = [values for name, values in known.items() if name.endswith(".edits")]

    def __call__(self, name: str) -> pa.Array:
        """The column called ``name``.

        Raises:
            KeyError: there is no such column.
        """
        if name not in self._known:
            if self._documents is None or name not in DOCUMENTS_SCHEMA.names:
                raise KeyError(name)
            path, group, footer = self._documents
            with pq.ParquetFile(parquet_source(path), metadata=footer) as file:
                if name not in file.schema_arrow.names:
                    raise KeyError(name)
                values = one_array(file.read_row_group(group, columns=[name], use_threads=False).column(name))
            edit = {"text": with_edits, "turns": with_moves}.get(name)
            self._known[name] = functools.reduce(edit, self._edits, values) if edit else values
        return self._known[name]


def taken_bytes(group: RowGroup) -> int:
    """Bytes of memory that work on a group takes: stages look at one document at a time, and at all of it."""
    return AT_WORK * (pc.max(group.columns("raw_bytes")).as_py() or 0)


def row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in groups that end after the row that reaches `GROUP_BYTES` of text, or `GROUP_ROWS` rows.

    A text of so many bytes has a group of its own, so that nobody reads it for the sake of its neighbours.
    """
    waiting: list[pa.RecordBatch] = []
    size = rows = 0
    for batch in batches:
        lengths = _text_lengths(batch)
        alone = np.append(np.flatnonzero(lengths >= GROUP_BYTES), len(batch))
        start = 0
        while start < len(batch):
            reached = int(np.searchsorted(np.cumsum(lengths[start:]), GROUP_BYTES - size)) + 1
            take = min(reached, GROUP_ROWS - rows, len(batch) - start)
            before_long = int(alone[np.searchsorted(alone, start)]) - start
            ends = before_long < take and rows + before_long > 0
            take = before_long if ends else take
            waiting.append(batch.slice(start, take))
            size += int(lengths[start : start + take].sum())
            rows, start = rows + take, start + take
            if ends or size >= GROUP_BYTES or rows >= GROUP_ROWS:
                yield pa.concat_batches(waiting)
                waiting, size, rows = [], 0, 0
    if waiting:
        yield pa.concat_batches(waiting)


def _text_lengths(batch: pa.RecordBatch) -> np.ndarray:
    text = batch.column("text")
    offsets = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + len(text) + 1]
    return np.diff(offsets)


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """A table in one piece."""
    arrays = [one_array(table.column(name)) for name in table.schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=table.schema)
