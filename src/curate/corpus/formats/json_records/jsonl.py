"""JSON lines: one object per line, every value kept as it was written.

Lines are read many at a time by a kernel (`json_objects`), without the interpreter's lock. Those
around one that it is not certain of are split into their fields one by one, without decoding them (``msgspec.Raw``):
numbers in the metadata keep every digit there, too, and a line that cannot be read costs that line alone.
"""

import re
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.corpus.conversations import Conversations
from curate.corpus.documents import Rows, document_batch
from curate.corpus.formats.json_records.json_objects import Values, members
from curate.corpus.formats.json_records.json_strings import unescaped
from curate.corpus.formats.json_records.odd_json import is_doubtful, places_of, sound, value_at
from curate.corpus.formats.json_records.templated import parse_templated
from curate.corpus.input import InputFile
from curate.corpus.lines import BOM, Lines, bounds, halves, split
from curate.corpus.memory import too_large
from curate.corpus.quarantine import KEPT_BYTES, Quarantined
from curate.text.core.arrow import Bytes

_record = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode
_QUOTE = ord('"')
_NULL = ord("n")
_CONTAINERS = np.frombuffer(b"{[", np.uint8)
_PLAIN_NAME = re.compile(r"[^\x00-\x1f\"\\.\ud800-\udfff]+")
"""A key that stands in JSON as it is, and is no dotted path."""
_FEW_BYTES = 64 * 1024
"""Lines of which one is odd are halved down to so much."""
_UNREADABLE = (ValueError, RecursionError)  # msgspec's errors and UnicodeDecodeError are ValueErrors
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(lines: Lines, rows: Rows) -> None:
    """Append the documents of ``lines`` to ``rows``; blank lines are none."""
    file = lines.file
    if file.conversation:
        _parse_conversations(lines, rows)
        return
    if fields := file.text_fields:
        parse_templated(lines, fields, rows)
        return
    wanted = [file.text, *(name for name in (file.id, file.source) if name)]
    if len(set(wanted)) < len(wanted) or not all(map(_PLAIN_NAME.fullmatch, wanted)):
        parse_each(lines, rows)
    else:
        _parse_as_together_as_can_be(lines, wanted, rows)


def _parse_as_together_as_can_be(lines: Lines, wanted: list[str], rows: Rows) -> None:
    """Half of the lines at a time where not all can be read together, until few are left around an odd one."""
    if _is_utf8(lines.data) and parse_together(lines, wanted, rows):
        return
    pieces = halves(lines) if lines.nbytes > _FEW_BYTES else ()
    if len(pieces) < 2:
        parse_each(lines, rows)
        return
    for piece in pieces:
        _parse_as_together_as_can_be(piece, wanted, rows)


def _parse_conversations(lines: Lines, rows: Rows) -> None:
    """`parse` where a line is a conversation."""
    file, gathered = lines.file, Conversations(lines.file, rows)
    suspect = not _is_utf8(lines.data)
    for position, (start, line) in enumerate(split(lines), lines.first_line):
        written = bytes(line)
        if len(written) > file.longest_document:
            rows.quarantined.append(too_large(file, position, start, len(written), written[:KEPT_BYTES]))
        elif written and not written.isspace():
            try:
                if suspect:
                    written.decode()
                gathered.add(written.removeprefix(BOM), position, start)
            except _UNREADABLE:
                rows.quarantined.append(Quarantined(file.name, position, start, *_fault(written, file), written))
    gathered.put_away()


def parse_together(lines: Lines, wanted: list[str], rows: Rows) -> bool:
    """`parse` of lines in valid UTF-8 that are all documents of the usual kind; else False, and nothing is done.

    Args:
        lines: to read.
        wanted: names of the text, and of id and source where there are such fields.
        rows: receives the documents.
    """
    file = lines.file
    data, (starts, ends) = np.frombuffer(lines.data, np.uint8), bounds(lines)
    if (ends - starts).max(initial=0) > file.longest_document:
        return False
    found = members(data, starts, ends, [name.encode() for name in wanted])
    if found is None:
        return False
    texts = found.values[:, 0]
    blank = np.flatnonzero(texts[:, 0] < 0)
    if any(lines.data[starts[row] : ends[row]].strip() for row in blank.tolist()):
        return False  # an object without a text
    here = np.delete(np.arange(len(starts)), blank)
    if not len(here):
        return True
    if (data[texts[here, 0]] != _QUOTE).any():
        return False
    positions = pa.array(lines.first_line + here)
    numbered = pc.binary_join_element_wise(file.name, positions.cast(pa.string()), "#")
    unnamed = pa.repeat(pa.scalar(file.default_source, pa.string()), len(here))
    values = {name: found.values[here, number] for number, name in enumerate(wanted)}
    ids, sources = _labels(data, values.get(file.id), numbered), _labels(data, values.get(file.source), unnamed)
    if ids is None or sources is None:
        return False
    rows.add_batch(
        document_batch(
            ids=ids,
            texts=unescaped(data, texts[here, 0] + 1, texts[here, 1] - 1),
            sources=sources,
            files=pa.repeat(pa.scalar(file.name, pa.string()), len(here)),
            positions=positions,
            metadata=found.rest if len(here) == len(starts) else found.rest.take(pa.array(here)),
        )
    )
    return True


def _labels(data: Bytes, values: Values | None, default: pa.Array) -> pa.Array | None:
    """Ids or sources as strings, numbers as written; the default where there is none or an empty one.

    None if there is an object or a list among them.
    """
    if values is None:
        return default
    first = np.where(values[:, 0] >= 0, data[values[:, 0]], _NULL)
    if np.isin(first, _CONTAINERS).any():
        return None
    quoted, some = first == _QUOTE, first != _NULL
    written = unescaped(data, some * (values[:, 0] + quoted), some * (values[:, 1] - quoted))
    return pc.if_else(pc.equal(pc.binary_length(written), 0), default, written.cast(pa.string()))


def parse_each(lines: Lines, rows: Rows) -> None:
    """`parse` line by line."""
    file = lines.file
    suspect, gathered, odd = not _is_utf8(lines.data), _Gathered(lines, rows), list[_Odd]()
    for position, (start, line) in enumerate(split(lines), lines.first_line):
        if len(line) > file.longest_document:
            rows.quarantined.append(too_large(file, position, start, len(line), bytes(line[:KEPT_BYTES])))
            continue
        try:
            if suspect:
                str(line, "utf-8")
            record = _record(line)
            _put_away(odd, file, rows)
            gathered.add(position, line, record)
        except _UNREADABLE:
            written = bytes(line)
            if not written or written.isspace():
                continue
            if document := _odd_document(written.removeprefix(BOM), file, position):
                gathered.put_away()
                odd.append(document)
            else:
                rows.quarantined.append(Quarantined(file.name, position, start, *_fault(written, file), written))
    gathered.put_away()
    _put_away(odd, file, rows)


class _Gathered:
    """Documents of lines that are JSON, to become a batch."""

    def __init__(self, lines: Lines, rows: Rows) -> None:
        self._data, self._file, self._rows = lines.data, lines.file, rows
        self._texts: list[msgspec.Raw] = []
        self._ids: list[str] = []
        self._sources: list[str] = []
        self._positions: list[int] = []
        self._metadata: list[bytes | None] = []

    def add(self, position: int, line: memoryview, record: dict[str, msgspec.Raw]) -> None:
        """Take the document of one line.

        Raises:
            ValueError, RecursionError: the text is no string, or not all of it is text.
        """
        file = self._file
        raw = record.pop(file.text, None)
        text = raw if raw is not None else _nested(record, file.text)
        if memoryview(text)[0] != _QUOTE:
            _string(text)  # the error that it is none
        own_id = _label(record, file.id) or f"{file.name}#{position}"
        source = _label(record, file.source) or file.default_source
        self._metadata.append(_metadata(record, line) if record else None)
        self._texts.append(text)
        self._ids.append(own_id)
        self._sources.append(source)
        self._positions.append(position)

    def put_away(self) -> None:
        """Hand on what was gathered."""
        if not self._texts:
            return
        self._rows.add_batch(
            document_batch(
                ids=pa.array(self._ids, pa.string()),
                texts=_texts(self._data, self._texts),
                sources=pa.array(self._sources, pa.string()),
                files=pa.array([self._file.name] * len(self._ids), pa.string()),
                positions=pa.array(self._positions, pa.int64()),
                metadata=pa.array(self._metadata, pa.large_string()),
            )
        )
        for column in (self._texts, self._ids, self._sources, self._positions, self._metadata):
            column.clear()


def _metadata(record: dict[str, msgspec.Raw], line: memoryview) -> bytes:
    """All other fields, values as written unless some readers refuse them."""
    if is_doubtful(bytes(line)):
        record = {name: msgspec.Raw(sound(bytes(value))) for name, value in record.items()}
    return _encode(record)


class _Odd(NamedTuple):
    """A document of a line that is no strict JSON."""

    id: str
    text: str
    source: str
    position: int
    metadata: bytes | None


def _put_away(odd: list[_Odd], file: InputFile, rows: Rows) -> None:
    """Hand on those that follow each other as one batch: a batch for each takes as long as reading it."""
    if not odd:
        return
    ids, texts, sources, positions, metadata = zip(*odd, strict=True)
    rows.add_batch(
        document_batch(
            ids=pa.array(ids, pa.string()),
            texts=pa.array(texts, pa.large_string()),
            sources=pa.array(sources, pa.string()),
            files=pa.array([file.name] * len(odd), pa.string()),
            positions=pa.array(positions, pa.int64()),
            metadata=pa.array(metadata, pa.large_string()),
        )
    )
    odd.clear()


def _odd_document(line: bytes, file: InputFile, position: int) -> _Odd | None:
    """The document of a line that is no strict JSON, if its text is sound; None if it is not."""
    places = places_of(line)
    if places is None:
        return None
    written = line[slice(*places[file.text])] if file.text in places else value_at(line, file.text)
    if written is None:
        return None
    try:
        text = _string(written)
        record = {name: msgspec.Raw(sound(line[slice(*place)])) for name, place in places.items()}
        if record.pop(file.text, None) is None:
            _nested(record, file.text)
        own_id, source = _label(record, file.id), _label(record, file.source)
    except _UNREADABLE:
        return None
    return _Odd(
        own_id or f"{file.name}#{position}",
        text,
        source or file.default_source,
        position,
        _encode(record) if record else None,
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
    if file.conversation:
        return _bad_json(line, "not all of it can be read")
    raw = _there(record, file.text)
    if raw is None:
        return "missing_text", f"no `{file.text}` among {', '.join(record) or 'no fields'}"[:500]
    if bytes(raw) == b"null":
        return "missing_text", f"`{file.text}` is null"
    try:
        _string(raw)
    except msgspec.ValidationError as error:
        return "text_not_a_string", str(error).replace("`", "")
    except _UNREADABLE as error:
        return "undecodable", str(error)
    return "bad_json", "the id or the source cannot be read"


def _there(record: dict[str, msgspec.Raw], field: str) -> msgspec.Raw | None:
    """The value under a name, else at a dotted path, left where it is; None: there is no such field."""
    first, dot, rest = field.partition(".")
    if field in record or not dot or first not in record:
        return record.get(field)
    try:
        return _there(_record(record[first]), rest)
    except msgspec.ValidationError:
        return None


def _bad_json(line: bytes, message: str) -> tuple[str, str]:
    """Tell half of a surrogate pair in the text apart from what is no JSON at all."""
    if _LONE_SURROGATE.search(line) and places_of(line) is not None:
        return "undecodable", "an escape names half of a surrogate pair"
    return "bad_json", message
