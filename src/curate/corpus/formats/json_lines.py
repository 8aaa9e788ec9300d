"""Files of JSON lines: what is in them, and where they are cut. `curate.corpus.formats.jsonl` parses their lines."""

from typing import ClassVar

import msgspec

from curate.corpus.documents import Rows
from curate.corpus.fields import Seen, json_object
from curate.corpus.formats.format import Looked
from curate.corpus.formats.jsonl import parse
from curate.corpus.formats.line_file import LineFormat
from curate.corpus.formats.plain_text import wide_characters
from curate.corpus.input import COMPRESSIONS, InputFile, InputSettings, Problem
from curate.corpus.lines import BOM, Lines
from curate.corpus.records import look, look_at_all


class JsonLines(LineFormat):
    """One JSON object a line."""

    name: ClassVar[str] = "jsonl"
    about: ClassVar[str] = "JSON lines: one object a line"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson", ".json")
    fields: ClassVar[bool] = True

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:
        """The fields of some records, from several places."""
        if problem := wide_characters(head) or _spread_json(file, head):
            return Looked(msgspec.structs.replace(file, problem=problem))
        seen = look(file, head, settings)
        return Looked(file, seen if seen.records else None)

    def look_at_all(self, file: InputFile, settings: InputSettings) -> Seen | None:
        """The fields of all records."""
        return look_at_all(file, settings)

    def parse(self, piece: Lines, rows: Rows) -> None:
        """A document a line."""
        parse(piece, rows)


def _spread_json(file: InputFile, head: bytes) -> Problem | None:
    """A ``.json`` file that is one array, or one object spread over lines, rather than an object a line."""
    if not file.name.lower().endswith((".json", *(f".json{packed}" for packed in COMPRESSIONS))):
        return None
    start = head.removeprefix(BOM).lstrip()[:1]
    is_torn = b"\n" not in head.strip()[:-1] and start == b"{"
    if start not in {b"[", b"{"} or is_torn or any(json_object(line) for line in head.split(b"\n")):
        return None
    command = "jq -c '.[]' " if start == b"[" else "jq -c . "
    return Problem("bad_json", f"one JSON value, not one object a line; convert it with `{command}{file.name}`")
