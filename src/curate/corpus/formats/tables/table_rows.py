"""Rows of a table (Parquet, Arrow, CSV) made into documents, column by column."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from curate.corpus.conversations import Conversations
from curate.corpus.documents import SCHEMA, Rows, document_batch
from curate.corpus.formats.tables.parquet_file import has_field, is_text, texts_in
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.inspection.fields import Seen
from curate.corpus.inspection.template import filled
from curate.corpus.memory import too_large
from curate.corpus.metadata import json_objects, json_values, plain, storage, valid_text
from curate.corpus.quarantine import KEPT_BYTES, Quarantined

_FEW_BYTES = 1 << 26
"""Of rows that are put together with others."""


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

    def follows(self, before: "TableRows") -> bool:
        """Whether it begins where others end, and both are columns that can be put together."""
        return (
            self.file is before.file
            and self.first_row == before.first_row + len(before.batch)
            and max(self.nbytes, before.nbytes) < _FEW_BYTES
            and self.batch.schema.equals(before.batch.schema)
            and all(map(_is_flat, self.batch.schema.types))
        )

    def joined(self, pieces: "Sequence[TableRows]") -> "TableRows":
        """Rows that follow each other, of which these are the first, as one."""
        return self._replace(batch=pa.concat_batches([piece.batch for piece in pieces])) if len(pieces) > 1 else self


def parse(piece: TableRows, rows: Rows) -> None:
    """Append the documents of a batch of rows to ``rows``; rows without readable text go to quarantine."""
    file, name, count = piece.file, pa.scalar(piece.file.name), piece.batch.num_rows
    columns = dict(zip(piece.batch.schema.names, map(storage, piece.batch.columns), strict=True))
    if file.conversation:
        _parse_conversations(piece, columns, rows)
        return
    positions = pa.array(np.arange(piece.first_row, piece.first_row + count))
    fields = file.text_fields
    texts = _templated(columns, file.text, fields) if fields else storage(_column(columns, file.text))
    numbered = pc.binary_join_element_wise(name, positions.cast(pa.string()), pa.scalar("#"))
    others = dict(columns)
    for field in {*(fields or (file.text,)), file.id, file.source} - {""}:
        _drop(others, field)
    ids = _labels(columns, file.id, numbered)
    sources = _labels(columns, file.source, pa.repeat(pa.scalar(file.default_source), count))
    metadata = json_objects(others, count)
    texts, readable = _readable(file, texts.cast(pa.large_binary()), positions, rows)
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


def _parse_conversations(piece: TableRows, columns: dict[str, pa.Array], rows: Rows) -> None:
    """The same, where a row is a conversation; what is null in it is as if it were not there."""
    gathered, fits = Conversations(piece.file, rows), piece.file.longest_document
    for position, written in enumerate(json_objects(columns, piece.batch.num_rows).to_pylist(), piece.first_row):
        record = written.encode()
        if len(record) > fits:
            rows.quarantined.append(too_large(piece.file, position, None, len(record), record[:KEPT_BYTES]))
        else:
            gathered.add(record, position)
    gathered.put_away()


def _templated(columns: dict[str, pa.Array], text: str, fields: tuple[str, ...]) -> pa.Array:
    """The template with the values of each row; null where no field has text."""
    values: dict[str, list[str | None]] = {}
    for name in fields:
        try:
            values[name] = valid_text(storage(_column(columns, name))).to_pylist()
        except (KeyError, pa.ArrowException):  # no such column, or one of objects
            continue
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    found = [{name: value for name, value in row.items() if value} for row in rows]
    made = [filled(text, row) if any(value.strip() for value in row.values()) else None for row in found]
    return pa.array(made, pa.large_string())


def columns_seen(columns: Mapping[str, pa.DataType], settings: InputSettings) -> Seen:
    """What the columns of a table tell of its records, before any is read."""
    texts = [name for column, kind in columns.items() for name in texts_in(column, kind)]
    seen = Seen(settings, kinds={name: kind_of(kind) for name, kind in columns.items()}, texts=texts)
    seen.labels |= {name for name in (settings.id, settings.source) if name and has_field(columns, name)}
    return seen


def kind_of(kind: pa.DataType) -> str:
    """What columns of a type hold, in words."""
    return "text" if is_text(kind) else str(kind)


def add_records(seen: Seen, rows: pa.RecordBatch) -> None:
    """Look at the records of a batch of rows."""
    values = {name: [plain(value) for value in rows.column(at)] for at, name in enumerate(rows.schema.names)}
    for row in range(len(rows)):
        record: dict[str, Any] = {name: column[row] for name, column in values.items()}
        seen.add({name: _decoded(value) for name, value in record.items() if value is not None})


def _decoded(value: Any) -> Any:
    """Bytes as the text they may be; nothing if they are not text."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return ""


def _is_flat(kind: pa.DataType) -> bool:
    return bool(types.is_primitive(kind) or types.is_string(kind) or types.is_large_string(kind))


def may_hold_text(kind: pa.DataType) -> bool:
    """Whether columns of a type can hold a text, however deep."""
    return is_text(kind) or types.is_nested(kind)


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


def _readable(
    file: InputFile, texts: pa.Array, positions: pa.Array, rows: Rows
) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """The texts, checked where all are UTF-8; true where one can be a document. The others are put in quarantine."""
    suspects = np.asarray(pc.fill_null(pc.greater(pc.binary_length(texts), file.longest_document), True))
    try:
        texts = texts.cast(pa.large_string())
    except pa.ArrowInvalid:
        suspects = np.ones(len(texts), np.bool_)
    readable = np.ones(len(texts), np.bool_)
    for i in np.flatnonzero(suspects):
        entry = _fault(file, positions[i].as_py(), texts[i])
        if entry:
            rows.quarantined.append(entry)
            readable[i] = False
    return texts, readable


def _fault(file: InputFile, position: int, value: pa.Scalar) -> Quarantined | None:
    if not value.is_valid:
        return Quarantined(file.name, position, None, "missing_text", _without(file))
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


def _without(file: InputFile) -> str:
    fields = file.text_fields
    return f"none of {', '.join(f'`{name}`' for name in fields)} has text" if fields else f"`{file.text}` is null"


def _labels(columns: dict[str, pa.Array], field: str, fallback: pa.Array) -> pa.Array:
    """Ids or sources as strings; ``fallback`` if there is none."""
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
