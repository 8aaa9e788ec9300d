"""Parquet: batches of rows are read on one thread and made into documents, column by column, on another."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from curate.corpus.documents import SCHEMA, Rows, document_batch
from curate.corpus.fields import Seen
from curate.corpus.formats.parquet_file import Column, ParquetTable, is_text, shortly, texts_in
from curate.corpus.input import InputFile, Problem, RowGroup
from curate.corpus.memory import too_large
from curate.corpus.metadata import json_objects, json_values, plain, storage, valid_text
from curate.corpus.quarantine import KEPT_BYTES, Damaged, Quarantined

_GUESS_ROWS = 20
_PLACES = 3  # row groups that are looked at for a guess


class TableRows(NamedTuple):
    """Consecutive rows of one file."""

    file: InputFile
    first_row: int
    """Number of the first row, counted from 1."""
    batch: pa.RecordBatch

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        return int(self.batch.nbytes)


class Layout(NamedTuple):
    """What the footer of a file says, and some of its rows."""

    row_groups: tuple[RowGroup, ...]
    seen: Seen
    repeated: frozenset[str]
    """Names that more than one column has."""
    problem: Problem | None


def inspect(file: InputFile, *, look: Callable[[Seen], bool]) -> Layout:
    """Row groups and fields of a Parquet file.

    Args:
        file: to look at.
        look: whether rows must be read to tell which field is the text.

    Raises:
        Damaged: it cannot be read as Parquet.
    """
    with ParquetTable(file) as table:
        texts = [name for column in table.columns for name in texts_in(column.name, column.type)]
        seen = Seen(kinds={column.name: _kind(column.type) for column in table.columns}, texts=texts)
        error = _look(table, seen) if look(seen) and any(group.rows for group in table.row_groups) else ""
        problem = None
        if error:
            rows = sum(group.rows for group in table.row_groups)
            problem = Problem("corrupt_file", f"none of its {rows:,} rows can be read: {error}", rows)
        return Layout(table.row_groups, seen, table.repeated, problem)


def read(file: InputFile, start: int, stop: int, first_row: int, size: int) -> Iterator[TableRows | Quarantined]:
    """The rows of the row groups ``start`` to ``stop``, in batches of about ``size`` bytes.

    What cannot be read of a row group is one quarantine entry; the next one is tried.
    """
    groups = file.row_groups[start:stop]
    try:
        table = ParquetTable(file)
    except Damaged as damage:
        rows = sum(group.rows for group in groups)
        yield Quarantined(file.name, first_row, None, damage.reason, damage.detail, lost_documents=rows)
        return
    with table:
        row = first_row
        for index, group in enumerate(groups, start):
            yield from _row_group(table, file, index, row, size)
            row += group.rows


def _row_group(
    table: ParquetTable, file: InputFile, index: int, row: int, size: int
) -> Iterator[TableRows | Quarantined]:
    """One row group: all columns at once, and if that fails each for itself, and then as they are stored."""
    rows, done, error = file.row_groups[index].rows, 0, ""
    damaged: dict[str, str] = {}
    ways: tuple[Callable[[], Iterator[pa.RecordBatch]], ...] = (
        lambda: table.batches(index),
        lambda: _column_by_column(table, file, index, damaged),
        lambda: _as_stored(file, index, damaged),
    )
    for way in ways:
        at = 0
        damaged.clear()
        try:
            for batch in _of_size(way(), size):
                at += len(batch)
                if at > done:
                    yield TableRows(file, row + done, batch.slice(len(batch) - (at - done)))
                    done = at
            error = "" if done >= rows else f"the footer tells of {rows:,} rows, and {done:,} are there"
            break
        except Exception as failure:  # noqa: BLE001  (whatever a damaged page makes the library raise)
            error = error or shortly(failure)
    last = row + rows - 1
    if done < rows:
        detail = f"rows {row + done} to {last} are lost: {error}"
        yield Quarantined(file.name, row + done, None, "corrupt_file", detail, lost_documents=rows - done)
    for name, why in damaged.items():
        detail = f"`{name}` of rows {row} to {last} cannot all be read; the texts are: {why}"
        yield Quarantined(file.name, row, None, "corrupt_metadata", detail, lost_documents=0)


def _column_by_column(
    table: ParquetTable, file: InputFile, index: int, damaged: dict[str, str]
) -> Iterator[pa.RecordBatch]:
    """Batches in which a column that cannot be read is null, unless it is the text; ``damaged`` tells which and why."""
    names = [column.name for column in table.columns]
    text = next(name for name in names if _is_in(file.text, name))
    others = {name: table.batches(index, [name]) for name in names if name != text}
    for texts in table.batches(index, [text]):
        columns = {name: _next(name, values, len(texts), damaged) for name, values in others.items()}
        yield pa.RecordBatch.from_arrays([columns.get(name, texts.column(0)) for name in names], names)


def _as_stored(file: InputFile, index: int, damaged: dict[str, str]) -> Iterator[pa.RecordBatch]:
    """Batches without what Arrow's schema in the footer says of their types, which may be a lie."""
    with ParquetTable(file, arrow_schema=False) as table:
        yield from _column_by_column(table, file, index, damaged)


def _next(name: str, batches: Iterator[pa.RecordBatch], rows: int, damaged: dict[str, str]) -> pa.Array:
    """The next rows of a column; nulls from where it cannot be read on."""
    if name not in damaged:
        try:
            values = next(batches).column(0)
            if len(values) == rows:
                return values
            damaged[name] = f"{len(values)} values for {rows} rows"
        except StopIteration:
            damaged[name] = "it ends too early"
        except Exception as error:  # noqa: BLE001  (whatever a damaged page makes the library raise)
            damaged[name] = shortly(error)
    return pa.nulls(rows)


def _of_size(batches: Iterator[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of about ``size`` bytes."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        pieces = max(1, min(len(batch), batch.nbytes // max(size, 1)))
        step = -(-len(batch) // pieces)
        for start in range(0, len(batch), step):
            held.append(batch.slice(start, step))
            if sum(one.nbytes for one in held) >= size:
                yield from _together(held)
                held = []
    yield from _together(held)


def _together(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """One batch instead of many, where Arrow can put their types together."""
    try:
        return [pa.concat_batches(batches)] if len(batches) > 1 else batches
    except pa.ArrowNotImplementedError:
        return batches


def parse(piece: TableRows, rows: Rows) -> None:
    """Append the documents of a batch of rows to ``rows``; rows without readable text go to quarantine."""
    file, name, count = piece.file, pa.scalar(piece.file.name), piece.batch.num_rows
    columns = dict(zip(piece.batch.schema.names, map(storage, piece.batch.columns), strict=True))
    positions = pa.array(np.arange(piece.first_row, piece.first_row + count))
    texts = storage(_column(columns, file.text)).cast(pa.large_binary())
    numbered = pc.binary_join_element_wise(name, positions.cast(pa.string()), pa.scalar("#"))
    others = dict(columns)
    for field in {file.text, file.id, file.source} - {""}:
        _drop(others, field)
    ids = _labels(columns, file.id, numbered)
    sources = _labels(columns, file.source, pa.repeat(pa.scalar(file.default_source), count))
    metadata, readable = json_objects(others, count), _readable(file, texts, positions, rows)
    if not readable.all():  # columns of text can all be filtered, others cannot
        made = [values.filter(pa.array(readable)) for values in (ids, texts, sources, positions, metadata)]
        ids, texts, sources, positions, metadata = made
    rows.add_batch(
        document_batch(
            ids=ids,
            texts=texts.cast(pa.large_string()),
            sources=sources,
            files=pa.repeat(name, len(positions)),
            positions=positions,
            metadata=metadata,
        )
    )


def _kind(kind: pa.DataType) -> str:
    return "text" if is_text(kind) else str(kind)


def _look(table: ParquetTable, seen: Seen) -> str:
    """Look at some rows of the first, the middle and the last row group that can be read; why none can."""
    count = len(table.row_groups)
    order = dict.fromkeys([0, count // 2, count - 1, *range(count)])
    looked, error = 0, ""
    names = [column.name for column in table.columns if _may_hold_text(column)]
    for index in order:
        try:
            batch = next(table.batches(index, names), None)
        except Exception as failure:  # noqa: BLE001  (whatever a damaged page makes the library raise)
            error = error or shortly(failure)
            continue
        if batch is None or not len(batch):
            continue
        looked += 1
        _add(seen, batch.slice(0, _GUESS_ROWS))
        if looked == _PLACES:
            break
    return "" if looked else error or "there are none"


def _add(seen: Seen, rows: pa.RecordBatch) -> None:
    values = {name: [plain(value) for value in rows.column(at)] for at, name in enumerate(rows.schema.names)}
    for row in range(len(rows)):
        record: dict[str, Any] = {name: column[row] for name, column in values.items()}
        seen.add({name: _decoded(value) for name, value in record.items() if value is not None})


def _decoded(value: Any) -> Any:
    """Bytes as the text they may be; nothing where they are none."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return ""


def _may_hold_text(column: Column) -> bool:
    return is_text(column.type) or types.is_nested(column.type)


def _is_in(field: str, column: str) -> bool:
    return field == column or field.startswith(f"{column}.")


def _column(columns: dict[str, pa.Array], field: str) -> pa.Array:
    """A column by its name, else by its dotted path."""
    if field in columns:
        return columns[field]
    first, *rest = field.split(".")
    return pc.struct_field(columns[first], rest)


def _drop(columns: dict[str, pa.Array], field: str) -> None:
    """Take a column, or the leaf of a dotted path, out of ``columns``."""
    first, dot, rest = field.partition(".")
    if field in columns:
        del columns[field]
    elif dot and first in columns and types.is_struct(columns[first].type):
        whole = columns[first]
        inner = dict(zip(whole.type.names, whole.flatten(), strict=True))
        _drop(inner, rest)
        if inner:
            columns[first] = pa.StructArray.from_arrays(list(inner.values()), list(inner), mask=whole.is_null())
        else:
            del columns[first]


def _readable(file: InputFile, texts: pa.Array, positions: pa.Array, rows: Rows) -> npt.NDArray[np.bool_]:
    """True where the text can be a document; the others are put in quarantine."""
    suspects = np.asarray(pc.fill_null(pc.greater(pc.binary_length(texts), file.longest_document), True))
    try:
        texts.cast(pa.large_string())
    except pa.ArrowInvalid:
        suspects = np.ones(len(texts), np.bool_)
    readable = np.ones(len(texts), np.bool_)
    for i in np.flatnonzero(suspects):
        entry = _fault(file, positions[i].as_py(), texts[i])
        if entry:
            rows.quarantined.append(entry)
            readable[i] = False
    return readable


def _fault(file: InputFile, position: int, value: pa.Scalar) -> Quarantined | None:
    if not value.is_valid:
        return Quarantined(file.name, position, None, "missing_text", f"`{file.text}` is null")
    written = memoryview(value.as_buffer())
    if len(written) > file.longest_document:
        return too_large(file, position, None, len(written), bytes(written[:KEPT_BYTES]))
    text = bytes(written)
    try:
        text.decode()
    except UnicodeDecodeError as error:
        detail = f"not UTF-8: {error.reason} at byte {error.start} of the text"
        return Quarantined(file.name, position, None, "undecodable", detail, text)
    return None


def _labels(columns: dict[str, pa.Array], field: str, fallback: pa.Array) -> pa.Array:
    """Ids or sources as strings; ``fallback`` where there is none."""
    kind = SCHEMA.field("id").type
    try:
        values = _column(columns, field) if field else None
    except (KeyError, pa.ArrowException):  # no such column
        values = None
    if values is None:
        return fallback
    try:
        labels = valid_text(storage(values)).cast(kind)
    except (pa.ArrowException, ValueError):  # objects, lists, times beyond the calendar
        written = json_values(values)
        labels = pa.array([None if one == "null" else one for one in written.to_pylist()], kind)
    return pc.coalesce(pc.if_else(pc.equal(labels, ""), pa.scalar(None, kind), labels), fallback)
