"""A conversation as one text that stages read, and its turns as spans of it.

The text is a rendering for reading, ``role: what was said``, with an empty line between turns. The column ``turns``
says where in it each text of the record lies, and by which path it is found there. The record itself, with these texts
removed, is the document's metadata: so every text is written once, and the record can be put together again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.text.chats.turns import ANSWERS, Key, Role, Turn

SPAN = pa.struct([("role", pa.string()), ("path", pa.string()), ("start", pa.int64()), ("end", pa.int64())])
TURNS = pa.list_(SPAN)
"""Texts of a conversation, in order: who says them, where in the record they lie (a JSON pointer), and bytes from
``start`` to ``end`` of the document's text. Null for documents that are no conversations."""

View = Literal["conversation", "prompt", "answers"]
"""What of a conversation a stage reads: all of it; what comes before the first answer; what the assistant says."""

_BETWEEN = b"\n\n"


class Span(NamedTuple):
    """One item of `TURNS`."""

    role: str
    path: str
    start: int
    end: int


class Conversation(NamedTuple):
    """A record as a document.

    Attributes:
        text: for stages to read.
        spans: its turns in it.
        rest: the record without its texts, as JSON.
    """

    text: bytes
    spans: tuple[Span, ...]
    rest: bytes


def pointer(path: Sequence[Key]) -> str:
    """A JSON pointer (RFC 6901).

    Example:
        >>> pointer(("messages", 0, "a/b"))
        '/messages/0/a~1b'
    """
    return "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in path)


def keys_of(written: str) -> list[str]:
    """The keys of a JSON pointer; numbers of a list as text."""
    return [key.replace("~1", "/").replace("~0", "~") for key in written.split("/")[1:]]


def rendered(pieces: Iterable[tuple[str, str, bytes]]) -> tuple[bytes, tuple[Span, ...]]:
    r"""The text of a conversation and its spans.

    Args:
        pieces: role, JSON pointer and UTF-8 of each text.

    Example:
        >>> rendered([("user", "/q", b"2 + 2?"), ("assistant", "/a", b"4")])[0]
        b'user: 2 + 2?\n\nassistant: 4'
    """
    parts: list[bytes] = []
    spans: list[Span] = []
    size = 0
    for role, path, text in pieces:
        label = (_BETWEEN if parts else b"") + role.encode() + b": "
        parts += (label, text)
        size += len(label)
        spans.append(Span(role, path, size, size + len(text)))
        size += len(text)
    return b"".join(parts), tuple(spans)


def conversation(record: dict[str, Any], turns: Sequence[Turn]) -> Conversation:
    """A record as a document; its texts are taken out of ``record``.

    Args:
        record: decoded JSON, changed here; values of fields without turns may be ``msgspec.Raw``.
        turns: its turns.
    """
    slots: list[tuple[Role, Any]] = [(turn.role, slot) for turn in turns for slot in turn.slots]
    text, spans = rendered((role, pointer(slot.path), slot.text.encode()) for role, slot in slots)
    for _, slot in slots:
        _put(record, [str(key) for key in slot.path], None if slot.is_json else "")
    return Conversation(text, spans, msgspec.json.encode(record))


def restored(rest: str | bytes, spans: Iterable[Any], text: bytes) -> dict[str, Any]:
    """The record with the texts put back.

    Args:
        rest: as `conversation` left it.
        spans: of the text: mappings or `Span`.
        text: UTF-8, whatever stages made of it; the spans must have moved with it (`moved`).

    Example:
        >>> from curate.text.chats.shape import parsed
        >>> from curate.text.chats.turns import turns_of
        >>> record = {"q": "2 + 2?", "a": "4", "by": "me"}
        >>> one = conversation(dict(record), turns_of(record, parsed("q -> a")))
        >>> one.rest, restored(one.rest, one.spans, one.text) == record
        (b'{"q":"","a":"","by":"me"}', True)
    """
    record: dict[str, Any] = msgspec.json.decode(rest)
    for span in spans:
        _, path, start, end = (
            span if isinstance(span, Span) else (span["role"], span["path"], span["start"], span["end"])
        )
        keys, said = keys_of(path), text[start:end]
        _put(record, keys, _object(said) if _get(record, keys) is None else said.decode())
    return record


def _object(said: bytes) -> Any:
    """What JSON says; the text itself where an edit made it something else."""
    try:
        return msgspec.json.decode(said)
    except ValueError:
        return said.decode()


def _get(record: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        record = record[int(key)] if isinstance(record, list) else record[key]
    return record


def _put(record: Any, keys: Sequence[str], value: Any) -> None:
    holder = _get(record, keys[:-1])
    holder[int(keys[-1]) if isinstance(holder, list) else keys[-1]] = value


def is_seen(spans: Sequence[Any], view: View) -> list[bool]:
    """Which of the spans a view has.

    ``answers`` leaves calls of tools out, unless the assistant says nothing else; ``prompt`` ends before the first
    answer.
    """
    roles = [span["role"] for span in spans]
    if view == "conversation":
        return [True] * len(spans)
    if view == "prompt":
        first = next((at for at, role in enumerate(roles) if role in ANSWERS), len(roles))
        return [at < first for at in range(len(roles))]
    said = [role in {"assistant", "chosen"} for role in roles]
    words = [one and not _is_call(span["path"]) for one, span in zip(said, spans, strict=True)]
    return words if any(words) else said


def _is_call(path: str) -> bool:
    return "/tool_calls/" in path or path.endswith("/function_call")


def viewed(texts: pa.Array, turns: pa.Array, view: View) -> pa.Array:
    """What a stage reads of each text: of conversations the turns of a view with an empty line between; others whole.

    Args:
        texts: ``large_string`` without nulls.
        turns: `TURNS`, row for row.
        view: which turns.

    Example:
        >>> text, spans = rendered([("user", "/q", b"2 + 2?"), ("assistant", "/a", b"4")])
        >>> turns = pa.array([[span._asdict() for span in spans], None], TURNS)
        >>> viewed(pa.array([text.decode(), "user: no"], pa.large_string()), turns, "answers").to_pylist()
        ['4', 'user: no']
    """
    if view == "conversation" or turns.null_count == len(turns):
        return texts
    seen = [
        text if spans is None else _BETWEEN.join(text[start:end] for start, end in _pieces(spans, view))
        for text, spans in zip(texts.cast(pa.large_binary()).to_pylist(), turns.to_pylist(), strict=True)
    ]
    return pa.array(seen, pa.large_binary()).cast(pa.large_string())


def _pieces(spans: Sequence[Any], view: View) -> list[tuple[int, int]]:
    shown = is_seen(spans, view)
    return [(span["start"], span["end"]) for span, here in zip(spans, shown, strict=True) if here]


def edits_of_whole(edits: pa.Array, turns: pa.Array, view: View) -> pa.Array:
    """Edits of what a stage read of each text as edits of the texts themselves.

    An edit over the border of two turns is one in each: the first has its replacement.

    Args:
        edits: `curate.text.core.arrow.EDITS`, of what `viewed` gave.
        turns: row for row.
        view: the same.
    """
    if view == "conversation" or not pc.any(pc.greater(pc.list_value_length(edits), 0)).as_py():
        return edits
    rows = [
        found if spans is None or not found else _on_whole(found, _pieces(spans, view))
        for found, spans in zip(edits.to_pylist(), turns.to_pylist(), strict=True)
    ]
    return pa.array(rows, edits.type)


def _on_whole(edits: Sequence[dict[str, Any]], pieces: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for edit in edits:
        seen, unused = 0, edit["replacement"]
        for start, end in pieces:
            size = end - start
            first, last = max(edit["start"] - seen, 0), min(edit["end"] - seen, size)
            if first < last or (first == last and edit["start"] == edit["end"] and unused):
                made.append({"start": start + first, "end": start + last, "replacement": unused})
                unused = ""
            seen += size + len(_BETWEEN)
    return made


def moved(turns: pa.Array, edits: pa.Array) -> pa.Array:
    """Spans of the texts with their edits applied; ``turns`` itself if there are none.

    A border that lies in an edit is behind its replacement: what took the place of the end of one turn and the
    beginning of the next is the first one's.

    Args:
        turns: `TURNS`.
        edits: `curate.text.core.arrow.EDITS`, row for row.

    Example:
        >>> from curate.text.core.arrow import EDITS
        >>> turns = pa.array([[{"role": "user", "path": "/q", "start": 6, "end": 12}]], TURNS)
        >>> cut = pa.array([[{"start": 6, "end": 9, "replacement": "x"}]], EDITS)
        >>> moved(turns, cut).to_pylist()[0][0]["end"]
        10
    """
    counts = pc.fill_null(pc.list_value_length(edits), 0).to_numpy(zero_copy_only=False)
    if not (counts > 0).any() or turns.null_count == len(turns):
        return turns
    rows = turns.to_pylist()
    for row in np.flatnonzero(counts).tolist():
        if rows[row]:
            rows[row] = moved_spans(rows[row], edits[row].as_py())
    return pa.array(rows, TURNS)


def moved_spans(spans: Sequence[Mapping[str, Any]], edits: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`moved` of the turns of one text."""
    return [{**span, "start": _behind(span["start"], edits), "end": _behind(span["end"], edits)} for span in spans]


def turn_names(spans: Sequence[Mapping[str, Any]]) -> list[str]:
    """What people call the turn that each text is of.

    Example:
        >>> paths = ["/messages/0/content", "/messages/1/reasoning", "/messages/1/content"]
        >>> turn_names([{"role": role, "path": path} for role, path in zip("uaa", paths)])
        ['turn 1, u', 'turn 2, a', 'turn 2, a']
    """
    names: list[str] = []
    seen: dict[tuple[str, ...], int] = {}
    for span in spans:
        keys = keys_of(span["path"])
        number = next((at for at, key in enumerate(keys) if key.isdigit()), None)
        turn = tuple(keys if number is None else keys[: number + 1])
        names.append(f"turn {seen.setdefault(turn, len(seen) + 1)}, {span['role']}")
    return names


def turn_at(spans: Sequence[Mapping[str, Any]] | None, place: int) -> str:
    """Which turn a byte of the text is in; empty where the text is no conversation or it is between two.

    Example:
        >>> turn_at([{"role": "user", "path": "/q", "start": 6, "end": 9}], 7)
        'turn 1, user'
    """
    inside = [name for name, span in zip(turn_names(spans or ()), spans or (), strict=True)
              if span["start"] <= place < span["end"]]  # fmt: skip
    return inside[0] if inside else ""


def _behind(place: int, edits: Sequence[Mapping[str, Any]]) -> int:
    """Where a border is once the edits before it are made."""
    shift = 0
    for edit in edits:
        if edit["end"] <= place:
            shift += len(edit["replacement"].encode()) - (edit["end"] - edit["start"])
        elif edit["start"] < place:
            return int(edit["start"]) + shift + len(edit["replacement"].encode())
        else:
            break
    return place + shift


def split(texts: pa.Array, turns: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Every text of every conversation as a row of its own, others as they are.

    Returns:
        The texts (``large_string``), and the row that each is from.
    """
    found: list[bytes] = []
    rows: list[int] = []
    for row, (text, spans) in enumerate(zip(texts.cast(pa.large_binary()).to_pylist(), turns.to_pylist(), strict=True)):
        pieces = [text] if spans is None else [text[span["start"] : span["end"]] for span in spans]
        found += pieces
        rows += [row] * len(pieces)
    return pa.array(found, pa.large_binary()).cast(pa.large_string()), pa.array(rows, pa.int64())


def joined(pieces: pa.Array, turns: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The inverse of `split`, for changed texts: the texts of all documents, and the turns in them.

    Args:
        pieces: as many as `split` gave.
        turns: as `split` had them. What was JSON and is none any more is the caller's to keep.
    """
    values = iter(pieces.cast(pa.large_binary()).to_pylist())
    texts: list[bytes] = []
    rows: list[list[dict[str, Any]] | None] = []
    for spans in turns.to_pylist():
        if spans is None:
            texts.append(next(values))
            rows.append(None)
            continue
        text, made = rendered((span["role"], span["path"], next(values)) for span in spans)
        texts.append(text)
        rows.append([span._asdict() for span in made])
    return pa.array(texts, pa.large_binary()).cast(pa.large_string()), pa.array(rows, TURNS)
