"""Lines of JSON of which the text is made from several fields, one line at a time."""

from typing import Any

import msgspec

from curate.corpus.documents import Rows
from curate.corpus.formats.json_records.odd_json import is_doubtful, places_of, sound
from curate.corpus.input import InputFile
from curate.corpus.inspection.template import filled
from curate.corpus.lines import BOM, Lines, split
from curate.corpus.memory import too_large
from curate.corpus.quarantine import KEPT_BYTES, Quarantined

_record = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def parse_templated(lines: Lines, fields: tuple[str, ...], rows: Rows) -> None:
    """Append the documents of ``lines``; fields of the text that are missing or null are empty in it.

    Args:
        lines: of a file of which ``text`` is a template.
        fields: those that it names.
        rows: receives the documents, and lines of which no field has text.
    """
    file = lines.file
    for position, (start, line) in enumerate(split(lines), lines.first_line):
        if len(line) > file.longest_document:
            rows.quarantined.append(too_large(file, position, start, len(line), bytes(line[:KEPT_BYTES])))
            continue
        written = bytes(line).removeprefix(BOM)
        if not written.strip():
            continue
        try:
            _append(written, file, position, fields, rows)
        except _NoTextError as error:
            rows.quarantined.append(Quarantined(file.name, position, start, "missing_text", str(error), written))
        except msgspec.ValidationError as error:
            rows.quarantined.append(Quarantined(file.name, position, start, "not_an_object", str(error), written))
        except UnicodeDecodeError as error:
            rows.quarantined.append(Quarantined(file.name, position, start, "undecodable", str(error), written))
        except (ValueError, RecursionError) as error:
            rows.quarantined.append(Quarantined(file.name, position, start, "bad_json", str(error), written))


class _NoTextError(Exception):
    """None of the fields has a value."""


def _append(line: bytes, file: InputFile, position: int, fields: tuple[str, ...], rows: Rows) -> None:
    record = _fields_of(line)
    values = {name: value for name in fields if (value := _taken(record, name))}
    if not any(value.strip() for value in values.values()):
        raise _NoTextError(f"none of {', '.join(f'`{name}`' for name in fields)} has text")
    own_id, source = (_taken(record, name) if name else "" for name in (file.id, file.source))
    rows.texts.append(filled(file.text, values).encode())
    rows.ids.append(own_id or f"{file.name}#{position}")
    rows.sources.append(source or file.default_source)
    rows.files.append(file.name)
    rows.positions.append(position)
    rows.metadata.append(_encode(record) if record else None)


def _fields_of(line: bytes) -> dict[str, Any]:
    """The fields of an object, values as written unless some readers of JSON refuse them."""
    line.decode()
    try:
        record: dict[str, Any] = _record(line)
    except msgspec.ValidationError:
        raise
    except ValueError:
        places = places_of(line)
        if places is None:
            raise
        return {name: msgspec.Raw(sound(line[slice(*place)])) for name, place in places.items()}
    return {name: msgspec.Raw(sound(bytes(value))) for name, value in record.items()} if is_doubtful(line) else record


def _taken(record: dict[str, Any], path: str) -> str:
    """A value as text (numbers as written), taken out of the record; empty: there is none."""
    first, dot, rest = path.partition(".")
    if path in record:
        written = bytes(record.pop(path))
        return _string(written) if written.startswith(b'"') else "" if written == b"null" else written.decode()
    if not dot or first not in record or not bytes(record[first]).lstrip().startswith(b"{"):
        return ""
    inner: dict[str, Any] = dict(_record(record[first]))
    found = _taken(inner, rest)
    if inner:
        record[first] = msgspec.Raw(_encode(inner))
    else:
        del record[first]
    return found
