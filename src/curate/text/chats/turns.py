"""The turns of a record, one after the other, and what is wrong with them.

A turn is a message as chat templates have it: a dictionary with ``role``, ``content`` and whatever else the record
says of it. Beside it stands where its texts lie in the record, so that a changed text can be put back.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from curate.settings.base import Reason
from curate.text.chats.shape import CONTENT_KEYS, OPTIONAL, ROLE_KEYS, Shape

Role = Literal["system", "user", "assistant", "tool", "chosen", "rejected"]
Key = str | int

ANSWERS = frozenset({"assistant", "chosen", "rejected"})
"""Roles that answer."""
_CALL = "function_call"
_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "model", "bot", _CALL), "assistant"),
    **dict.fromkeys(("tool", "function", "observation", "ipython", "function_response", "tool_response"), "tool"),
}
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")

REASONS = (
    Reason("no_turns", "The conversation is missing, or is not a list of turns with a role and a content."),
    Reason(
        "unknown_role", "The role of a turn is not system, user, assistant or tool, nor another word for one of these."
    ),
    Reason("roles_do_not_alternate", "User and assistant do not take turns, beginning with the user."),
    Reason("empty_turn", "A turn of user, assistant or tool is empty, or a question or an answer is missing."),
    Reason("no_answer", "No turn is the assistant's."),
    Reason("tool_call_without_result", "A tool is called, and the turns that follow do not give its result."),
    Reason("tool_result_without_call", "A turn gives the result of a tool that was not called."),
    Reason("turn_not_text", "A turn holds something other than text, such as an image."),
    Reason("broken_unicode", "A turn contains half of a surrogate pair, which is not valid text."),
)
"""Why a record goes to quarantine where others become documents."""


class Malformed(ValueError):  # noqa: N818  (named for what the record is)
    """A record is no conversation that can be trained on; carries one of `REASONS` and what is wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Slot(NamedTuple):
    """A text of a record.

    Attributes:
        path: keys and numbers that lead to it.
        text: what stands there; of an object, its JSON.
        is_json: whether an object stands there.
    """

    path: tuple[Key, ...]
    text: str
    is_json: bool = False


class Turn(NamedTuple):
    """A message, and where its texts lie.

    Attributes:
        role: who speaks; ``chosen`` and ``rejected`` are the answers of a preference.
        message: as chat templates have it.
        slots: its texts.
        calls: ids of the tools that it calls, empty where they have none.
    """

    role: Role
    message: Mapping[str, Any]
    slots: tuple[Slot, ...]
    calls: tuple[str, ...] = ()


def turns_of(record: Mapping[str, Any], shape: Shape) -> list[Turn]:
    """The turns of a record, of which all is well.

    Args:
        record: decoded JSON.
        shape: where its conversation is.

    Raises:
        Malformed: it is no conversation that can be trained on.

    Example:
        >>> from curate.text.chats.shape import parsed
        >>> turns = turns_of({"q": "2 + 2?", "a": "4"}, parsed("q -> a"))
        >>> [(turn.role, turn.message["content"], turn.slots[0].path) for turn in turns]
        [('user', '2 + 2?', ('q',)), ('assistant', '4', ('a',))]
    """
    asked = list(_asked(record, shape.prompt))
    if shape.turns:
        turns = asked + list(_listed(value_at(record, shape.turns), _path(shape.turns)))
        check(turns)
        return turns
    found = list(asked)
    roles: tuple[Role, ...] = ("chosen", "rejected") if shape.is_preference else ("assistant",)
    for at, name in enumerate(shape.answers):
        answered = list(_answered(record, name))
        begins_anew = answered and answered[0].role in {"system", "user"}
        check(answered if begins_anew else asked + answered)
        found += [turn._replace(role=roles[at]) if turn.role == "assistant" else turn for turn in answered]
    return found


def check(turns: Sequence[Turn]) -> None:
    """Nothing where all is well with order and content.

    Raises:
        Malformed: what is not.
    """
    before, awaited, called, answered = "", 0, frozenset[str](), False
    for number, turn in enumerate(turns, 1):
        role = "assistant" if turn.role in ANSWERS else turn.role
        if role == "system":
            if before:
                raise Malformed("roles_do_not_alternate", f"turn {number} is the system's, which can only begin")
            continue
        if not turn.calls and not any(says_something(slot.text) for slot in turn.slots):
            raise Malformed("empty_turn", f"turn {number}, the {role}'s, says nothing")
        if role == "tool":
            named = turn.message.get("tool_call_id")
            if not awaited or (named is not None and called and named not in called):
                raise Malformed("tool_result_without_call", f"turn {number} answers for a tool that was not called")
            awaited -= 1
        elif awaited:
            raise Malformed("tool_call_without_result", f"turn {number} comes before a called tool has answered")
        elif (role == "assistant") != (before in {"user", "tool"}):
            raise Malformed("roles_do_not_alternate", f"turn {number}, the {role}'s, {_place(before)}")
        else:
            awaited, called = len(turn.calls), frozenset(filter(None, turn.calls))
        answered = answered or role == "assistant"
        before = role
    if not before:
        raise Malformed("no_turns", "there are no turns")
    if awaited and before == "tool":
        raise Malformed("tool_call_without_result", "the last turns answer for some of the called tools only")
    if not answered:
        raise Malformed("no_answer", "no turn is the assistant's")


def says_something(text: str) -> bool:
    r"""Whether anything in a text can be seen.

    Example:
        >>> says_something(" \u200b"), says_something(".")
        (False, True)
    """
    return any(letter.isprintable() and not letter.isspace() for letter in text)


def value_at(record: Any, name: str) -> Any:
    """The value under a name, else at a dotted path; None if there is none."""
    if isinstance(record, dict) and name not in record and "." in name:
        first, _, rest = name.partition(".")
        return value_at(record.get(first), rest)
    return record.get(name) if isinstance(record, dict) else None


def _path(name: str) -> tuple[Key, ...]:
    return tuple(name.split("."))


def _place(before: str) -> str:
    return f"follows the {before}'s" if before else "is the first"


def _asked(record: Mapping[str, Any], fields: Sequence[str]) -> Iterator[Turn]:
    slots: list[Slot] = []
    for name in fields:
        value, last = value_at(record, name), name.rpartition(".")[2]
        if isinstance(value, list):
            yield from _listed(value, _path(name))
        elif last in OPTIONAL and (value is None or value == ""):
            continue
        elif not isinstance(value, str):
            raise _no_text(name, value)
        elif last == "system":
            yield Turn("system", {"role": "system", "content": value}, (_slot(value, _path(name)),))
        else:
            slots.append(_slot(value, _path(name)))
    if slots:
        yield Turn("user", {"role": "user", "content": "\n\n".join(slot.text for slot in slots)}, tuple(slots))


def _answered(record: Mapping[str, Any], name: str) -> Iterator[Turn]:
    value = value_at(record, name)
    if isinstance(value, list):
        yield from _listed(value, _path(name))
    elif isinstance(value, str):
        yield Turn("assistant", {"role": "assistant", "content": value}, (_slot(value, _path(name)),))
    else:
        raise _no_text(name, value)


def _no_text(name: str, value: Any) -> Malformed:
    if value is None:
        return Malformed("empty_turn", f"there is no `{name}`, or it is null")
    return Malformed("turn_not_text", f"`{name}` holds no text")


def _listed(value: Any, path: tuple[Key, ...]) -> Iterator[Turn]:
    if not isinstance(value, list):
        raise Malformed("no_turns", f"`{'.'.join(map(str, path))}` is not a list of turns")
    for number, message in enumerate(value):
        if not isinstance(message, dict):
            raise Malformed("no_turns", f"turn {number + 1} is not an object with a role and a content")
        yield _turn(message, number + 1, (*path, number))


def _turn(message: Mapping[str, Any], number: int, path: tuple[Key, ...]) -> Turn:
    role_key = next((key for key in ROLE_KEYS if key in message), None)
    content_key = next((key for key in CONTENT_KEYS if key in message), CONTENT_KEYS[0])
    if role_key is None:
        raise Malformed("no_turns", f"turn {number} has no role")
    written = message[role_key]
    role = _ROLES.get(written.strip().lower()) if isinstance(written, str) else None
    if role is None:
        raise Malformed("unknown_role", f"turn {number} has the role `{written}`"[:200])
    content = message.get(content_key)
    slots, calls = list[Slot](), list[str]()
    slots += (_slot(message[key], (*path, key)) for key in _THOUGHTS if isinstance(message.get(key), str))
    slots += _content(content, (*path, content_key), role, number)
    beside = {role_key, content_key, _CALL}
    plain = {key: value for key, value in message.items() if key not in beside and value is not None}
    made: dict[str, Any] = {"role": role, "content": content, **plain}
    if written == _CALL:
        calls.append("")
    tools = message.get("tool_calls") or []
    for at, call in enumerate(tools if isinstance(tools, list) else []):
        function = call.get("function") if isinstance(call, dict) else None
        where = (*path, "tool_calls", at)
        slots.append(_object(function, (*where, "function")) if isinstance(function, dict) else _object(call, where))
        calls.append(str(call.get("id") or "") if isinstance(call, dict) else "")
    if isinstance(message.get(_CALL), dict):
        slots.append(_object(message[_CALL], (*path, _CALL)))
        calls.append("")
        made["tool_calls"] = [{"type": "function", "function": message[_CALL]}]
    return Turn(role, made, tuple(slots), tuple(calls))


def _content(content: Any, path: tuple[Key, ...], role: Role, number: int) -> Iterator[Slot]:
    if isinstance(content, str):
        yield _slot(content, path)
    elif isinstance(content, list) and role != "tool":
        for at, piece in enumerate(content):
            if isinstance(piece, str):
                yield _slot(piece, (*path, at))
            elif isinstance(piece, dict) and isinstance(piece.get("text"), str) and len(piece) <= 2:
                yield _slot(piece["text"], (*path, at, "text"))
            else:
                kind = piece.get("type") if isinstance(piece, dict) else type(piece).__name__
                raise Malformed("turn_not_text", f"turn {number} holds `{kind}`")
    elif role == "tool" and isinstance(content, dict | list):
        yield _object(content, path)
    elif content is not None:
        raise Malformed("turn_not_text", f"the content of turn {number} is not text")


def _slot(text: str, path: tuple[Key, ...]) -> Slot:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Malformed("broken_unicode", f"`{'.'.join(map(str, path))}` holds half of a surrogate pair") from None
    return Slot(path, text)


def _object(value: Any, path: tuple[Key, ...]) -> Slot:
    return Slot(path, msgspec.json.encode(value).decode(), is_json=True)


def turns_at(record: Mapping[str, Any], spans: Sequence[Mapping[str, Any]]) -> list[Turn]:
    r"""The turns of a record whose texts lie where these spans say, whatever its shape.

    Args:
        record: with its texts, see `curate.text.chats.spans.restored`.
        spans: with ``role`` and ``path``, in order.

    Example:
        >>> record = {"q": "2 + 2?", "why": "Sums.", "a": "4"}
        >>> roles = [("user", "/q"), ("user", "/why"), ("assistant", "/a")]
        >>> turns = turns_at(record, [{"role": role, "path": path} for role, path in roles])
        >>> [(turn.role, turn.message["content"]) for turn in turns]
        [('user', '2 + 2?\n\nSums.'), ('assistant', '4')]
    """
    found: list[Turn] = []
    done: tuple[Key, ...] | None = None
    for span in spans:
        path, value = _reached(record, span["path"])
        if isinstance(value, dict):
            if path != done:
                found.append(_turn(value, len(found) + 1, path))
        elif found and done == ("",) and found[-1].role == span["role"] == "user":
            said = f"{found[-1].message['content']}\n\n{value}"
            found[-1] = Turn("user", {"role": "user", "content": said}, (*found[-1].slots, Slot(path, value)))
        else:
            role = "assistant" if span["role"] in ANSWERS else span["role"]
            found.append(Turn(span["role"], {"role": role, "content": value}, (Slot(path, value),)))
        done = path if isinstance(value, dict) else ("",)
    return found


def _reached(record: Any, pointer: str) -> tuple[tuple[Key, ...], Any]:
    """The message that a JSON pointer leads into, else the text that it leads to; and the path to it."""
    path: list[Key] = []
    value = record
    for key in pointer.split("/")[1:]:
        if isinstance(value, list):
            path.append(int(key))
            return tuple(path), value[int(key)]
        name = key.replace("~1", "/").replace("~0", "~")
        path.append(name)
        value = value[name]
    return tuple(path), value
