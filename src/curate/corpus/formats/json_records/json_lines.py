"""Files of JSON lines: what is in them, and where they are cut. `jsonl` beside it parses their lines."""

import json
from typing import ClassVar

from curate.corpus.documents import Rows
from curate.corpus.formats.format import Looked
from curate.corpus.formats.json_records.json_values import JsonValues
from curate.corpus.formats.json_records.jsonl import parse
from curate.corpus.formats.line_file import LineFormat
from curate.corpus.input import COMPRESSIONS, InputFile, InputSettings
from curate.corpus.inspection.fields import Enough, Seen, json_object, never
from curate.corpus.inspection.records import look, look_at_all
from curate.corpus.lines import BOM, Lines

_decoder = json.JSONDecoder()


class JsonLines(LineFormat):
    """One JSON object a line."""

    name: ClassVar[str] = "jsonl"
    about: ClassVar[str] = "JSON lines: one object per line"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson", ".json")
    fields: ClassVar[bool] = True
    encoded: ClassVar[bool] = True

    def actual(self, file: InputFile, head: bytes) -> str:
        """JSON that is no object a line is read value by value."""
        return JsonValues.name if is_spread(file, head) else self.name

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:
        """The fields of some records, from several places."""
        seen = look(file, head, settings)
        return Looked(file, seen if seen.records else None)

    def look_at_all(self, file: InputFile, settings: InputSettings, enough: Enough = never) -> Seen | None:
        """The fields of all records."""
        return look_at_all(file, settings, enough)

    def parse(self, piece: Lines, rows: Rows) -> None:
        """A document a line."""
        parse(piece, rows)


def is_spread(file: InputFile, head: bytes) -> bool:
    """Whether JSON that begins like this is an array, or objects that are not each on a line."""
    text = head.removeprefix(BOM).lstrip().decode(errors="replace")
    if text[:1] not in {"[", "{"} or any(json_object(line) for line in head.split(b"\n")):
        return False
    try:
        first, end = _decoder.raw_decode(text)
    except (ValueError, RecursionError):  # longer than the head, or no JSON
        of_objects = text[0] == "[" and text[1:].lstrip()[:1] == "{"
        return of_objects or (_is_dot_json(file) and (text[0] == "[" or "\n" in text.strip()))
    behind = text[end:].lstrip(" \t\r,")
    is_followed = bool(behind) and behind[0] in "[{"
    return is_followed or "\n" in text[:end] or (isinstance(first, list) and (_is_dot_json(file) or not behind.strip()))


def _is_dot_json(file: InputFile) -> bool:
    return file.name.lower().endswith((".json", *(f".json{packed}" for packed in COMPRESSIONS)))
