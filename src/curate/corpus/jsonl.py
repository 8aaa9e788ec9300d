"""JSON lines: one object a line, every value kept as it was written.

A record is split into its fields without decoding them (``msgspec.Raw``), so numbers in the metadata keep every digit.
Ids and sources are decoded one by one, texts all together. A line that cannot be read costs that line alone.
"""

import json
import re
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from curate.corpus.documents import Rows, document_batch
from curate.corpus.input import InputFile
from curate.corpus.lines import Lines, split, too_large
from curate.corpus.quarantine import KEPT_BYTES, Quarantined
from curate.text.json_strings import unescaped

_record = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode
_QUOTE = ord('"')
_UNREADABLE = (ValueError, RecursionError)  # msgspec's errors and UnicodeDecodeError are ValueErrors
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(lines: Lines, rows: Rows) -> None:
    """Append the documents of ``lines`` to ``rows``; blank lines are none."""
    file = lines.file
    name, text_field, limit = file.name, file.text, file.max_document_bytes
    default_source = file.default_source
    suspect = not _is_utf8(lines.data)
    written: list[msgspec.Raw] = []
    ids: list[str] = []
    sources: list[str] = []
    positions: list[int] = []
    metadata: list[bytes | None] = []
    for position, (start, line) in enumerate(split(lines), lines.first_line):
        if len(line) > limit:
            rows.quarantined.append(too_large(file, position, start, len(line), bytes(line[:KEPT_BYTES])))
            continue
        try:
            if suspect:
                str(line, "utf-8")
            record = _record(line)
            raw = record.pop(text_field, None)
            text = raw if raw is not None else _nested(record, text_field)
            if memoryview(text)[0] != _QUOTE:
                _string(text)  # the error that it is none
            own_id = _label(record, file.id) or f"{name}#{position}"
            source = _label(record, file.source) or default_source
        except _UNREADABLE:
            kept = bytes(line)
            if kept and not kept.isspace():
                reason, detail = _fault(kept, file)
                rows.quarantined.append(Quarantined(name, position, start, reason, detail, kept))
            continue
        written.append(text)
        ids.append(own_id)
        sources.append(source)
        positions.append(position)
        metadata.append(_encode(record) if record else None)
    if not written:
        return
    rows.add_batch(
        document_batch(
            ids=pa.array(ids, pa.string()),
            texts=_texts(lines.data, written),
            sources=pa.array(sources, pa.string()),
            files=pa.array([name] * len(ids), pa.string()),
            positions=pa.array(positions, pa.int64()),
            metadata=pa.array(metadata, pa.large_string()),
        )
    )


def _texts(data: bytes, written: list[msgspec.Raw]) -> pa.Array:
    """The texts of strings that stand in ``data``, found valid by msgspec; made without the interpreter's lock."""
    views = [pa.py_buffer(raw) for raw in written]
    starts = np.array([view.address for view in views], np.int64) - pa.py_buffer(data).address
    ends = starts + np.array([view.size for view in views], np.int64)
    assert starts.min() >= 0  # they are views of the data, not copies
    assert ends.max() <= len(data)
    return unescaped(np.frombuffer(data, np.uint8), starts + 1, ends - 1)


def _label(record: dict[str, msgspec.Raw], field: str) -> str:
    """An id or a source as a string (numbers as written), taken out of the record; empty: there is none."""
    if not field:
        return ""
    raw = record.pop(field, None) or _nested(record, field)
    written = bytes(raw)
    if written.startswith(b'"'):
        return _string(raw)
    return "" if written == b"null" else written.decode()


def _nested(record: dict[str, Any], field: str) -> msgspec.Raw:
    """The value at a dotted path, taken out of the objects that lead to it; JSON's null if none."""
    first, dot, rest = field.partition(".")
    if not dot or first not in record:
        return msgspec.Raw(b"null")
    try:
        inner = _record(record[first])
    except msgspec.ValidationError:
        return msgspec.Raw(b"null")
    value = inner.pop(rest, None) or _nested(inner, rest)
    if inner:
        record[first] = msgspec.Raw(_encode(inner))
    else:
        del record[first]
    return value


def _is_utf8(data: bytes) -> bool:
    """Whether all of ``data`` is UTF-8: one fast check of a run of lines, so that single lines need none."""
    offsets = pa.array([0, len(data)], pa.int64()).buffers()[1]
    try:
        pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _fault(line: bytes, file: InputFile) -> tuple[str, str]:
    """Reason and detail of a line that could not be read (looked at again, off the fast path)."""
    try:
        line.decode()
        record = _record(line)
    except UnicodeDecodeError as error:
        return "undecodable", f"not UTF-8: {error.reason} at byte {error.start} of the line"
    except msgspec.ValidationError as error:
        return "not_an_object", str(error).replace("`", "")
    except RecursionError:
        return "bad_json", "nested too deeply"
    except msgspec.DecodeError as error:
        return _bad_json(line, str(error))
    raw = record.pop(file.text, None) or _nested(record, file.text)
    if bytes(raw) == b"null":
        return "missing_text", f"no `{file.text}` among {', '.join(record) or 'no fields'}"[:500]
    try:
        _string(raw)
    except msgspec.ValidationError as error:
        return "text_not_a_string", str(error).replace("`", "")
    except _UNREADABLE as error:
        return "undecodable", str(error)
    return "bad_json", "the id or the source cannot be read"


def _bad_json(line: bytes, message: str) -> tuple[str, str]:
    """Tell apart what Python's more lenient reader accepts: half of a surrogate pair, or NaN."""
    try:
        json.loads(line)
    except _UNREADABLE:
        return "bad_json", message
    if _LONE_SURROGATE.search(line):
        return "undecodable", "an escape names half of a surrogate pair"
    return "bad_json", f"{message}; NaN and Infinity are not JSON"
