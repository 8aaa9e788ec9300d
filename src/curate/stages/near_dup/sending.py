"""How rows about documents travel: to the range of a key, or home to the part of a document."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.contract import Corpus, Rows, addressed
from curate.stages.near_dup.numbering import Numbering

RANGE_BYTES = 64_000_000
"""Rows that one receiver gets, about: what sorting them takes is a few times that."""


def ranges_for(size: int) -> int:
    """How many receivers share so many bytes."""
    return max(1, -(-size // RANGE_BYTES))


def range_of_key(keys: npt.NDArray[np.uint64], ranges: int) -> npt.NDArray[np.int64]:
    """Which of so many equal ranges of 64-bit keys each lies in.

    Example:
        >>> range_of_key(np.array([0, 1 << 63, (1 << 64) - 1], np.uint64), 3).tolist()
        [0, 1, 2]
    """
    return (((keys >> np.uint64(32)) * np.uint64(ranges)) >> np.uint64(32)).astype(np.int64)


def column(table: pa.Table | pa.RecordBatch, name: str) -> npt.NDArray[Any]:
    """A numeric column without nulls as one array; nulls, where a document is out, read 0."""
    values = table.column(name)
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    if values.null_count:
        values = values.fill_null(pa.scalar(0).cast(values.type))
    array: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return array


def sent_home(corpus: Corpus, rows: Rows, numbering: Numbering, schema: pa.Schema) -> Rows:
    """Rows brought to the part of their ``document``, in the order of documents, each once."""
    send = functools.partial(_send_home, rows, numbering, schema)
    return corpus.exchange(send, len(rows), in_order, numbering.parts, schema)


def _send_home(rows: Rows, numbering: Numbering, schema: pa.Schema, sender: int) -> Iterator[pa.RecordBatch]:
    table = rows[sender]
    columns = {name: table.column(name).combine_chunks() for name in schema.names}
    yield addressed(numbering.part_of(column(table, "document")), **columns)


def in_order(receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    """Rows by ``document``, each once."""
    if not len(rows):
        return rows
    numbers = [name for name in rows.schema.names if not pa.types.is_string(rows.schema.field(name).type)]
    rows = rows.sort_by([("document", "ascending"), *((name, "ascending") for name in numbers if name != "document")])
    alike = np.ones(len(rows) - 1, np.bool_)
    for name in numbers:
        alike &= np.diff(column(rows, name)) == 0
    return rows.filter(pa.array(np.concatenate(([True], ~alike)))).combine_chunks() if alike.any() else rows
