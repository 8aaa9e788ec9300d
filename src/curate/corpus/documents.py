"""What a document is once read: the same columns, whatever format it came from."""

from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.corpus.quarantine import Quarantined, quarantine_batch
from curate.text.chats.spans import TURNS

ORIGIN = pa.struct([("file", pa.string()), ("position", pa.int64())])

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("source", pa.string()),
        ("origin", ORIGIN),
        ("metadata", pa.large_string()),
        ("raw_bytes", pa.int64()),
        ("turns", TURNS),
    ]
)
"""One document.

- ``id``: the input's own, else ``file#position``.
- ``text``: never null.
- ``source``: a field of the input, else the first folder of the file, else its stem.
- ``origin.position``: line or row, counted from 1.
- ``metadata``: all other fields of the input as one JSON object, values as written; null when there are none.
- ``raw_bytes``: length of the text as it was read, in bytes of UTF-8.
- ``turns``: of a conversation, its turns in the text (`curate.text.chats.spans`); ``metadata`` is then the record
  without these texts. Null for other documents.
"""


class Parsed(NamedTuple):
    """What one chunk of input held."""

    documents: pa.RecordBatch
    """Rows of `SCHEMA`, in the order of the input."""
    quarantined: pa.RecordBatch
    """Rows of `curate.corpus.quarantine.SCHEMA`."""


class Rows:
    """Documents and quarantined input gathered while a chunk is parsed.

    Parsers append to the six lists, one item each for a document, or add whole batches. Texts are in UTF-8.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.texts: list[bytes] = []
        self.sources: list[str] = []
        self.files: list[str] = []
        self.positions: list[int] = []
        self.metadata: list[bytes | None] = []
        self.quarantined: list[Quarantined] = []
        self._batches: list[pa.RecordBatch] = []

    def add(self, name: str, position: int, text: str | bytes, source: str, own_id: str = "", **metadata: Any) -> None:
        """Append a document.

        Args:
            name: of the file.
            position: in the file, counted from 1.
            text: the document; bytes that are known to be UTF-8 are taken as they are.
            source: where it comes from.
            own_id: the id that the input gives it; empty: ``name#position``.
            metadata: what else is known of it; fields that are None are omitted.
        """
        known = {key: value for key, value in metadata.items() if value is not None}
        self.texts.append(text if isinstance(text, bytes) else text.encode())
        self.ids.append(own_id or f"{name}#{position}")
        self.sources.append(source)
        self.files.append(name)
        self.positions.append(position)
        self.metadata.append(msgspec.json.encode(known) if known else None)

    def add_batch(self, batch: pa.RecordBatch) -> None:
        """Append documents that are columns already (rows of `SCHEMA`)."""
        self._gather()
        self._batches.append(batch)

    def parsed(self) -> Parsed:
        """Everything gathered, in order."""
        self._gather()
        if len(self._batches) == 1:
            documents = self._batches[0]
        else:
            table = pa.Table.from_batches(self._batches, SCHEMA).combine_chunks()
            batches = table.to_batches()
            documents = batches[0] if batches else pa.RecordBatch.from_pylist([], SCHEMA)
        return Parsed(documents, quarantine_batch(self.quarantined))

    def _gather(self) -> None:
        if not self.texts:
            return
        self._batches.append(
            document_batch(
                ids=pa.array(self.ids, pa.string()),
                texts=_joined(self.texts),
                sources=pa.array(self.sources, pa.string()),
                files=pa.array(self.files, pa.string()),
                positions=pa.array(self.positions, pa.int64()),
                metadata=_metadata(self.metadata),
            )
        )
        for column in (self.ids, self.texts, self.sources, self.files, self.positions, self.metadata):
            column.clear()


def _metadata(found: list[bytes | None]) -> pa.Array:
    whole = [one for one in found if one is not None]
    return _joined(whole) if len(whole) == len(found) else pa.array(found, pa.large_string())


def _joined(texts: list[bytes]) -> pa.Array:
    """An array of texts in UTF-8: one copy, as large as it is, where a builder would let it grow."""
    ends = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=ends[1:])
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))


def document_batch(
    *,
    ids: pa.Array,
    texts: pa.Array,
    sources: pa.Array,
    files: pa.Array,
    positions: pa.Array,
    metadata: pa.Array,
    turns: pa.Array | None = None,
) -> pa.RecordBatch:
    """Rows of `SCHEMA` from its columns; ``raw_bytes`` is measured here."""
    origin = pa.StructArray.from_arrays([files, positions], fields=list(ORIGIN))
    raw_bytes = pc.binary_length(texts).cast(pa.int64())
    spans = pa.nulls(len(ids), TURNS) if turns is None else turns
    return pa.RecordBatch.from_arrays([ids, texts, sources, origin, metadata, raw_bytes, spans], schema=SCHEMA)
