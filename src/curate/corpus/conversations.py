"""Records that are conversations, whatever format they came in, as documents."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa

from curate.corpus.documents import Rows, document_batch
from curate.corpus.input import InputFile
from curate.corpus.inspection.fields import value_at
from curate.corpus.quarantine import Quarantined
from curate.text.chats.shape import Shape, parsed
from curate.text.chats.spans import TURNS, Span, conversation
from curate.text.chats.turns import Malformed, turns_of

_Fields = dict[str, msgspec.Raw]
_fields = msgspec.json.Decoder(_Fields).decode
_encode = msgspec.json.Encoder().encode


class Conversations:
    """Documents of records of one file, to become a batch.

    Args:
        file: its conversations lie where `InputFile.conversation` says.
        rows: receives the documents.
    """

    def __init__(self, file: InputFile, rows: Rows) -> None:
        self._file, self._rows, self._shape = file, rows, parsed(file.conversation)
        self._ids: list[str] = []
        self._texts: list[bytes] = []
        self._sources: list[str] = []
        self._positions: list[int] = []
        self._metadata: list[bytes] = []
        self._turns: list[list[dict[str, Any]]] = []

    def add(self, record: bytes, position: int, offset: int | None = None) -> None:
        """Take the conversation of a record, or put the record into quarantine.

        Args:
            record: a JSON object.
            position: line or row, counted from 1.
            offset: bytes before it in the file, where that is known.

        Raises:
            ValueError, RecursionError: it is no JSON object, or not all of it is text.
        """
        fields = _decoded(record, self._shape)
        try:
            one = conversation(fields, turns_of(fields, self._shape))
        except Malformed as problem:
            entry = Quarantined(self._file.name, position, offset, problem.reason, problem.detail, record)
            self._rows.quarantined.append(entry)
            return
        self._ids.append(_label(fields, self._file.id) or f"{self._file.name}#{position}")
        self._sources.append(_label(fields, self._file.source) or self._file.default_source)
        self._texts.append(one.text)
        self._positions.append(position)
        self._metadata.append(one.rest)
        self._turns.append([Span._asdict(span) for span in one.spans])

    def put_away(self) -> None:
        """Hand on what was gathered."""
        if not self._texts:
            return
        self._rows.add_batch(
            document_batch(
                ids=pa.array(self._ids, pa.string()),
                texts=pa.array(self._texts, pa.large_binary()).cast(pa.large_string()),
                sources=pa.array(self._sources, pa.string()),
                files=pa.array([self._file.name] * len(self._ids), pa.string()),
                positions=pa.array(self._positions, pa.int64()),
                metadata=pa.array(self._metadata, pa.large_binary()).cast(pa.large_string()),
                turns=pa.array(self._turns, TURNS),
            )
        )
        for column in (self._ids, self._texts, self._sources, self._positions, self._metadata, self._turns):
            column.clear()


def _decoded(record: bytes, shape: Shape) -> dict[str, Any]:
    """The fields: those with turns decoded, others as they are written."""
    found: dict[str, Any] = dict(_fields(record))
    for name in shape.fields:
        first = name if name in found else name.partition(".")[0]
        if isinstance(found.get(first), msgspec.Raw):
            found[first] = msgspec.json.decode(found[first])
    return found


def _label(fields: Mapping[str, Any], name: str) -> str:
    """An id or a source as text, numbers as written; empty: there is none."""
    if not name:
        return ""
    first = name.partition(".")[0]
    if name not in fields and isinstance(fields.get(first), msgspec.Raw):
        fields = {first: msgspec.json.decode(fields[first])}
    value = value_at(fields, name)
    if isinstance(value, msgspec.Raw):
        value = msgspec.json.decode(value)
        return value if isinstance(value, str) else "" if value is None else _encode(value).decode()
    return value if isinstance(value, str) else ""
