"""Which field holds the text, the id and the source, when the user did not say.

The guess looks at the names first and at the first records second, and is always told to the user.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from curate.corpus.input import InputSettings

TEXT_NAMES = ("text", "content", "raw_content", "body", "document", "article", "page_content", "passage")
ID_NAMES = ("id", "_id", "doc_id", "document_id", "docid", "uuid", "guid")
SOURCE_NAMES = ("source", "dataset", "subset")

_NEVER_TEXT = frozenset({*ID_NAMES, *SOURCE_NAMES, "url", "uri", "date", "timestamp"})
_RECORDS = 20  # enough to meet every usual field; more would read more of a file than its first lines


class Fields(NamedTuple):
    """Where a file keeps what; an empty name means that it has no such field."""

    text: str
    id: str
    source: str
    guessed: frozenset[str]


def resolve(settings: InputSettings, names: Collection[str], string_lengths: Mapping[str, int]) -> Fields:
    """The fields of one file: those set by the user, the others guessed.

    Args:
        settings: the section ``[input]``.
        names: all top-level fields seen.
        string_lengths: for each field that holds strings, the length of all values seen.

    Example:
        >>> resolve(InputSettings(), ["id", "title", "story"], {"title": 9, "story": 4000})[:3]
        ('story', 'id', '')
    """
    text = settings.text or _guess_text(string_lengths)
    named_id = settings.id or next((name for name in ID_NAMES if name in names), "")
    source = settings.source or next((name for name in SOURCE_NAMES if name in names), "")
    found = {"text": text, "id": named_id, "source": source}
    guessed = frozenset(key for key, name in found.items() if name and not getattr(settings, key))
    return Fields(text, named_id, source, guessed)


def of_json_lines(head: bytes, settings: InputSettings) -> Fields:
    """The fields of a file of JSON lines, from the records in its first bytes.

    Example:
        >>> of_json_lines(b'{"doc_id": 7, "content": "some text"}', InputSettings())[:2]
        ('content', 'doc_id')
    """
    names: dict[str, None] = {}
    lengths: dict[str, int] = {}
    for record in json_objects(head):
        for name, value in record.items():
            names[name] = None
            if isinstance(value, str):
                lengths[name] = lengths.get(name, 0) + len(value)
    return resolve(settings, names, lengths)


def json_objects(head: bytes) -> list[dict[str, Any]]:
    """The first objects among the lines of ``head``; anything else is passed over."""
    found: list[dict[str, Any]] = []
    for line in head.split(b"\n"):
        try:
            record = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            found.append(record)
            if len(found) == _RECORDS:
                break
    return found


def _guess_text(string_lengths: Mapping[str, int]) -> str:
    for name in TEXT_NAMES:
        if name in string_lengths:
            return name
    candidates = [(length, name) for name, length in string_lengths.items() if name not in _NEVER_TEXT]
    return max(candidates)[1] if candidates else TEXT_NAMES[0]
