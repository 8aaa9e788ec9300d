"""What fields the records of a file have, seen in some of them: names, kinds, and how long their texts are."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from curate.corpus.input import InputSettings
from curate.corpus.inspection.template import template_fields
from curate.text.chats.shape import is_turn

ID_NAMES = ("id", "_id", "doc_id", "document_id", "docid", "uuid", "guid")
SOURCE_NAMES = ("source", "dataset", "subset")

_DEEPEST = 3  # names in a dotted path that may be the text
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "text"),
    (bool, "true or false"),
    ((int, float), "numbers"),
    (list, "lists"),
    (dict, "objects"),
    (type(None), "null"),
)


class Schema(NamedTuple):
    """The fields of a file; files of one schema share one."""

    names: tuple[str, ...]
    """All fields of the records themselves."""
    texts: tuple[str, ...]
    """Those that hold strings, dotted where they stand in objects."""
    lists: tuple[str, ...]
    """Those that hold lists with strings in them, however deep."""
    chats: tuple[str, ...]
    """Lists of turns, each with a role and a content."""
    kinds: tuple[str, ...]
    """Of each name, what it holds."""


class Lengths(NamedTuple):
    """How much text a field holds, over some records."""

    records: int = 0
    """In which it was seen."""
    characters: int = 0
    words: int = 0
    """Records in which it is more than one run of ASCII letters, digits and signs, as ids, links and labels are."""

    def plus(self, other: "Lengths") -> "Lengths":
        """Both together."""
        return Lengths(self.records + other.records, self.characters + other.characters, self.words + other.words)

    @property
    def mean(self) -> float:
        """Characters of a record."""
        return self.characters / max(1, self.records)


class Seen:
    """Gathers what the records of a file hold.

    Args:
        settings: the section ``[input]``: the fields that it names are looked for, however deep; None: no matter.
        kinds: what is known of the fields beforehand.
        texts: names of fields that hold strings.
    """

    def __init__(
        self, settings: InputSettings | None = None, kinds: Mapping[str, str] | None = None, texts: Iterable[str] = ()
    ) -> None:
        self.records = 0
        self.nbytes = 0
        """Of the decompressed file, where all of its records are looked at."""
        self.kinds = dict(kinds or {})
        self.labels: set[str] = set()
        """Of the fields that the user names as id or source, those that are there."""
        self._wanted = text_fields(settings) if settings else ()
        self._labels = {settings.id, settings.source} - {""} if settings else set[str]()
        self.lengths: dict[str, Lengths] = dict.fromkeys(texts, Lengths())
        self.lists: dict[str, Lengths] = {}
        self.chats: dict[str, None] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """Look at one record."""
        self.records += 1
        for wanted in self._wanted:
            if isinstance(value_at(record, wanted), str):
                self.lengths.setdefault(wanted, Lengths())
        self.labels |= {label for label in self._labels - self.labels if value_at(record, label) is not None}
        for name, value in record.items():
            if self.kinds.get(name, "null") == "null":
                self.kinds[name] = next(kind for types, kind in _KINDS if isinstance(value, types))
            self._look(name, value, 1)

    def schema(self) -> Schema:
        """The fields seen so far."""
        return Schema(
            tuple(self.kinds), tuple(self.lengths), tuple(self.lists), tuple(self.chats), tuple(self.kinds.values())
        )

    def _look(self, name: str, value: Any, depth: int) -> None:
        if isinstance(value, str):
            one = Lengths(1, len(value), _is_worded(value))
            self.lengths[name] = self.lengths.get(name, Lengths()).plus(one)
        elif isinstance(value, list):
            if _is_chat(value):
                self.chats[name] = None
            characters = _characters(value)
            if characters:
                self.lists[name] = self.lists.get(name, Lengths()).plus(Lengths(1, characters))
        elif isinstance(value, dict) and depth < _DEEPEST and "." not in name.rpartition(".")[2]:
            for inner, one in value.items():
                if "." not in inner:
                    self._look(f"{name}.{inner}", one, depth + 1)


Enough = Callable[[Seen], bool]
"""Whether no more records need be looked at."""


def never(_: Seen) -> bool:
    """All are looked at."""
    return False


def text_fields(settings: InputSettings) -> tuple[str, ...]:
    """The fields that the user names as the text: one, or those of a template.

    Example:
        >>> text_fields(InputSettings(text="{title}: {body}")), text_fields(InputSettings())
        (('title', 'body'), ())
    """
    return template_fields(settings.text) or ((settings.text,) if settings.text else ())


def value_at(record: Mapping[str, Any], path: str) -> Any:
    """The value under a name, else at a dotted path; None if there is none.

    Example:
        >>> value_at({"page": {"body": "b"}}, "page.body"), value_at({"a.b": 1}, "a.b"), value_at({"a": 1}, "a.b")
        ('b', 1, None)
    """
    first, dot, rest = path.partition(".")
    if path in record:
        return record[path]
    inner = record.get(first)
    return value_at(inner, rest) if dot and isinstance(inner, dict) else None


def labels(settings: InputSettings, names: Collection[str]) -> tuple[str, str]:
    """The fields of id and source: those set by the user, else the usual ones among ``names``.

    Example:
        >>> labels(InputSettings(id="key"), ["key", "id", "subset"])
        ('key', 'subset')
    """
    named_id = settings.id or next((name for name in ID_NAMES if name in names), "")
    return named_id, settings.source or next((name for name in SOURCE_NAMES if name in names), "")


def json_object(line: bytes) -> dict[str, Any] | None:
    """The object in a line; None if it is anything else, or cannot be read.

    Example:
        >>> json_object(b'{"n": NaN}'), json_object(b"[1]"), json_object(b"{")
        ({'n': nan}, None, None)
    """
    try:
        value = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        try:
            value = json.loads(line.decode(errors="replace"))
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _is_chat(value: list[Any]) -> bool:
    return bool(value) and all(map(is_turn, value))


def _is_worded(text: str) -> bool:
    return not text.isascii() or len(text.split(maxsplit=1)) > 1


def _characters(value: Any) -> int:
    """Characters of all strings of words in a value."""
    waiting, found = [value], 0
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            found += len(one) if _is_worded(one) else 0
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += one.values()
    return found
