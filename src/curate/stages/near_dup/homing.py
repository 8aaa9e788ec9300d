"""How rows about documents come home: to the part of their document, in its order."""

import functools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from curate.stages.contract import Corpus, Rows, addressed
from curate.stages.near_dup.numbering import Numbering
from curate.stages.sending import column


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
