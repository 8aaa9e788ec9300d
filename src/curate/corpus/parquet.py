"""Parquet: batches of rows are read on one thread and made into documents, column by column, on another."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from curate.corpus.documents import SCHEMA, Rows, document_batch
from curate.corpus.fields import Fields, resolve
from curate.corpus.input import InputFile, InputSettings, RowGroup
from curate.corpus.lines import too_large
from curate.corpus.metadata import json_objects, valid_text
from curate.corpus.quarantine import Damaged, Quarantined
from curate.errors import InputError, nearest

_READ_BUFFER = 1024 * 1024  # streamed, so that a row group of any size fits in memory
_GUESS_ROWS = 20
_LARGEST_BATCH = 65_536


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
    """What the footer of a file says."""

    row_groups: tuple[RowGroup, ...]
    fields: Fields


def inspect(file: InputFile, settings: InputSettings) -> Layout:
    """Row groups and fields of a Parquet file.

    Raises:
        InputError: it has no column of text, or not the one that was asked for.
        Damaged: it cannot be read as Parquet.
    """
    try:
        with _open(file.path) as table:
            meta, schema = table.metadata, table.schema_arrow
            groups = tuple(
                RowGroup(meta.row_group(i).num_rows, meta.row_group(i).total_byte_size)
                for i in range(meta.num_row_groups)
            )
            lengths = {name: 0 for name, kind in zip(schema.names, schema.types, strict=True) if _is_text(kind)}
            if not settings.text and meta.num_rows:
                lengths = _lengths(table, list(lengths))
    except (OSError, pa.ArrowException) as error:
        raise Damaged("corrupt_file", f"not readable as Parquet: {error}"[:500]) from error
    fields = resolve(settings, schema.names, lengths)
    _check_text(file, fields.text, schema)
    return Layout(groups, fields)


def read(file: InputFile, start: int, stop: int, first_row: int, size: int) -> Iterator[TableRows | Quarantined]:
    """The rows of the row groups ``start`` to ``stop``, in batches of about ``size`` bytes.

    A row group that cannot be read is one quarantine entry; the next one is tried.
    """
    try:
        table = _open(file.path)
    except (OSError, pa.ArrowException) as error:
        reason = "corrupt_file" if os.access(file.path, os.R_OK) else "unreadable_file"
        lost = sum(group.rows for group in file.row_groups[start:stop])
        yield Quarantined(file.name, first_row, None, reason, str(error)[:500], lost_documents=lost)
        return
    with table:
        row = first_row
        for index in range(start, stop):
            group = file.row_groups[index]
            after = row + group.rows
            rows = max(1, min(_LARGEST_BATCH, group.rows * size // max(group.bytes, 1)))
            try:
                for batch in table.iter_batches(batch_size=rows, row_groups=[index], use_threads=False):
                    yield TableRows(file, row, batch)
                    row += batch.num_rows
            except (OSError, pa.ArrowException) as error:
                detail = f"rows {row} to {after - 1} are lost: {error}"[:500]
                yield Quarantined(file.name, row, None, "corrupt_file", detail, lost_documents=after - row)
            row = after


def parse(piece: TableRows, rows: Rows) -> None:
    """Append the documents of a batch of rows to ``rows``; rows without readable text go to quarantine."""
    file, name, count = piece.file, pa.scalar(piece.file.name), piece.batch.num_rows
    columns = dict(zip(piece.batch.schema.names, map(_without_view, piece.batch.columns), strict=True))
    positions = pa.array(np.arange(piece.first_row, piece.first_row + count))
    texts = _text_bytes(_column(columns, file.text))
    readable = _readable(file, texts, positions, rows)
    if not readable.all():
        kept = pa.array(readable)
        columns = {key: values.filter(kept) for key, values in columns.items()}
        texts, positions, count = texts.filter(kept), positions.filter(kept), int(readable.sum())
    numbered = pc.binary_join_element_wise(name, positions.cast(pa.string()), pa.scalar("#"))
    others = dict(columns)
    for field in {file.text, file.id, file.source} - {""}:
        _drop(others, field)
    rows.add_batch(
        document_batch(
            ids=_labels(columns, file.id, numbered, count),
            texts=texts.cast(pa.large_string()),
            sources=_labels(columns, file.source, pa.scalar(file.default_source), count),
            files=pa.repeat(name, count),
            positions=positions,
            metadata=json_objects(others, count),
        )
    )


def _open(path: str) -> pq.ParquetFile:
    return pq.ParquetFile(path, buffer_size=_READ_BUFFER, pre_buffer=False)


def _is_text(kind: pa.DataType) -> bool:
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    )


def _lengths(table: pq.ParquetFile, columns: Sequence[str]) -> dict[str, int]:
    first = next(table.iter_batches(batch_size=_GUESS_ROWS, columns=columns, use_threads=False))
    return {name: pc.sum(pc.binary_length(_text_bytes(first.column(name)))).as_py() or 0 for name in columns}


def _check_text(file: InputFile, field: str, schema: pa.Schema) -> None:
    """The text column exists and holds text."""
    fields = dict(zip(schema.names, schema.types, strict=True))
    kind = fields.get(field)
    if kind is None and "." in field:
        first, *rest = field.split(".")
        kind = fields.get(first)
        for name in rest:
            index = kind.get_field_index(name) if kind is not None and types.is_struct(kind) else -1
            kind = kind.field(index).type if kind is not None and index >= 0 else None
    if kind is None:
        columns = ", ".join(fields)
        raise InputError(
            f"`{file.name}` has no column `{field}` for the text; its columns are {columns}",
            where=file.path,
            hint=f"set `input.text`: {nearest(field, fields)}",
        )
    if not _is_text(kind):
        holders = ", ".join(name for name, other in fields.items() if _is_text(other)) or "none"
        raise InputError(
            f"column `{field}` of `{file.name}` holds {kind}, not text",
            where=file.path,
            hint=f"set `input.text` to a column of text; there is: {holders}",
        )


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


def _without_view(values: pa.Array) -> pa.Array:
    """The same strings in a layout that all kernels know (views cannot be filtered)."""
    if types.is_string_view(values.type):
        return values.cast(pa.large_string())
    return values.cast(pa.large_binary()) if types.is_binary_view(values.type) else values


def _text_bytes(values: pa.Array) -> pa.Array:
    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return _without_view(values).cast(pa.large_binary())


def _readable(file: InputFile, texts: pa.Array, positions: pa.Array, rows: Rows) -> npt.NDArray[np.bool_]:
    """True where the text can be a document; the others are put in quarantine."""
    suspects = np.asarray(pc.fill_null(pc.greater(pc.binary_length(texts), file.max_document_bytes), True))
    try:
        texts.cast(pa.large_string())
    except pa.ArrowInvalid:
        suspects = np.ones(len(texts), np.bool_)
    readable = np.ones(len(texts), np.bool_)
    for i in np.flatnonzero(suspects):
        entry = _fault(file, positions[i].as_py(), texts[i].as_py())
        if entry:
            rows.quarantined.append(entry)
            readable[i] = False
    return readable


def _fault(file: InputFile, position: int, text: bytes | None) -> Quarantined | None:
    if text is None:
        return Quarantined(file.name, position, None, "missing_text", f"`{file.text}` is null")
    if len(text) > file.max_document_bytes:
        return too_large(file, position, None, len(text), text)
    try:
        text.decode()
    except UnicodeDecodeError as error:
        detail = f"not UTF-8: {error.reason} at byte {error.start} of the text"
        return Quarantined(file.name, position, None, "undecodable", detail, text)
    return None


def _labels(columns: dict[str, pa.Array], field: str, fallback: pa.Array | pa.Scalar, count: int) -> pa.Array:
    """Ids or sources as strings; ``fallback`` where there is none."""
    kind = SCHEMA.field("id").type
    try:
        values = valid_text(_column(columns, field)).cast(kind) if field else pa.nulls(count, kind)
    except (KeyError, pa.ArrowException):  # no such column, or one that has no plain text form
        values = pa.nulls(count, kind)
    values = pc.if_else(pc.equal(values, ""), pa.scalar(None, kind), values)
    return pc.coalesce(values, fallback)
