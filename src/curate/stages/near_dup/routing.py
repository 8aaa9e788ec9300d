"""How rows about documents come home: to the part of their document, in its order."""

import functools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from curate.stages.contract import Corpus, Rows, addressed
from curate.stages.near_dup.numbering import Numbering
from curate.stages.partitioning import column


def sent_home(corpus: Corpus, rows: Rows, numbering: Numbering, schema: pa.Schema) -> Rows:
    """Rows brought to the part of their ``document``, in the order of documents."""
    send = functools.partial(send_home, rows, numbering, schema)
    return corpus.exchange(send, len(rows), in_order, numbering.parts, schema)


def send_home(rows: Rows, numbering: Numbering, schema: pa.Schema, sender: int) -> Iterator[pa.RecordBatch]:
    """Rows of one sender, each addressed to the part of its ``document``."""
    table = rows[sender]
    columns = {name: table.column(name).combine_chunks() for name in schema.names}
    yield addressed(numbering.part_of(column(table, "document")), **columns)


def in_order(receiver: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    """One row for each ``document``, by its number; rows about the same one are alike."""
    documents = column(rows, "document")
    order = np.argsort(documents, kind="stable")
    first = np.ones(len(order), np.bool_)
    first[1:] = np.diff(documents[order]) > 0
    return rows.combine_chunks().take(pa.array(order[first])).combine_chunks()
