"""Conversations of a run as the records that they came as, with what stages made of their turns."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from curate.errors import UserError
from curate.text.chats.spans import moved, restored
from curate.text.core.edits import edited

RECORD = "record"
"""Column of records: a JSON object each."""
REASONS = "curate_reasons"
"""Field with the reasons of a removed record."""
NEEDED = ("id", "text", "source", "metadata", "turns")
"""Columns of documents that records are made of."""


def records(documents: pa.Table, edits: Sequence[pa.Array]) -> pa.Array:
    """Conversations in the shape they came in; documents of one text as ``id``, ``text`` and ``source``.

    Args:
        documents: with the columns `NEEDED`.
        edits: of each stage that edits, row for row, in order.
    """
    text, turns = (pa.concat_arrays(documents[name].chunks) for name in ("text", "turns"))
    text = text.cast(pa.large_string())
    for each in edits:
        text, turns = edited(text, each), moved(turns, each)
    lines = []
    for row, (said, spans) in enumerate(zip(text.to_pylist(), turns.to_pylist(), strict=True)):
        if spans is None:
            found = {"id": documents["id"][row].as_py(), "text": said, "source": documents["source"][row].as_py()}
        else:
            found = restored(documents["metadata"][row].as_py(), spans, said.encode())
        lines.append(msgspec.json.encode(found).decode())
    return pa.array(lines, pa.large_string())


def as_lines(table: pa.Table) -> bytes:
    """JSON lines of a table with a column of records, and of their reasons where it has one."""
    if "reasons" not in table.column_names:
        return b"".join(line.encode() + b"\n" for line in table[RECORD].to_pylist())
    return b"".join(msgspec.json.encode(record) + b"\n" for record in _decoded(table))


def schema_of(tables: Iterable[pa.Table]) -> pa.Schema:
    """Columns that hold every record.

    Raises:
        UserError: a field holds text in one record and an object in another.
    """
    found = pa.schema([])
    try:
        for table in tables:
            here = pa.schema(list(pa.array(_decoded(table)).type))
            found = pa.unify_schemas([found, here], promote_options="permissive")
    except pa.ArrowException as error:
        raise UserError(
            f"the records do not fit the columns of one table: {str(error).partition(chr(10))[0]}",
            hint="curate export RUN -o kept.jsonl.zst",
        ) from error
    return found


def columns_of(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The records as columns."""
    for table in tables:
        rows = pa.array(_decoded(table), pa.struct(schema))
        yield pa.Table.from_arrays(rows.flatten(), schema=schema)


def _decoded(table: pa.Table) -> list[dict[str, Any]]:
    found = [msgspec.json.decode(line) for line in table[RECORD].to_pylist()]
    if "reasons" in table.column_names:
        found = [one | {REASONS: why} for one, why in zip(found, table["reasons"].to_pylist(), strict=True)]
    return found
