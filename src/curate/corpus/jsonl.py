"""JSON lines: one object a line, every value kept as it was written.

A record is split into its fields without decoding them (``msgspec.Raw``); only text, id and source are
decoded, so numbers in the metadata keep every digit. A line that cannot be read costs that line alone.
"""

import json
import re
from typing import Any

import msgspec
import pyarrow as pa

from curate.corpus.documents import Rows
from curate.corpus.input import InputFile
from curate.corpus.lines import Lines, split, too_large
from curate.corpus.quarantine import KEPT_BYTES, Quarantined

_record = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (ValueError, RecursionError)  # msgspec's errors and UnicodeDecodeError are ValueErrors
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(lines: Lines, rows: Rows) -> None:
    """Append the documents of ``lines`` to ``rows``; blank lines are none."""
    file = lines.file
    name, text_field, limit = file.name, file.text, file.max_document_bytes
    default_source = file.default_source
    suspect = not _is_utf8(lines.data)
    for position, (start, line) in enumerate(split(lines), lines.first_line):
        if len(line) > limit:
            rows.quarantined.append(too_large(file, position, start, len(line), bytes(line[:KEPT_BYTES])))
            continue
        try:
            if suspect:
                str(line, "utf-8")
            record = _record(line)
            raw = record.pop(text_field, None)
            text = _string(raw if raw is not None else _nested(record, text_field))
            own_id = _label(record, file.id) or f"{name}#{position}"
            source = _label(record, file.source) or default_source
        except _UNREADABLE:
            written = bytes(line)
            if written and not written.isspace():
                reason, detail = _fault(written, file)
                rows.quarantined.append(Quarantined(name, position, start, reason, detail, written))
            continue
        rows.ids.append(own_id)
        rows.texts.append(text)
        rows.sources.append(source)
        rows.files.append(name)
        rows.positions.append(position)
        rows.metadata.append(_encode(record) if record else None)


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
