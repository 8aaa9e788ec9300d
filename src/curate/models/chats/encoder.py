"""Conversations as token ids with a loss mask: what the model's own tokenizer makes of what its template writes.

A ``tokenizer.json`` encodes the text as Hugging Face's library does, control tokens included, and the mask follows
from the places of tokens in the text. What somebody *says* never becomes a special token, though: a text with
``<|im_end|>`` in it is encoded piece by piece, so that only those of the template do. Vocabularies of other kinds are
always encoded that way.
"""

import functools
import itertools
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.models.chats.folder import load_chat_template
from curate.models.chats.template import ChatTemplate, Message, Refused
from curate.models.tokenizers import Tokenizer
from curate.models.tokenizers.backends import panics_are_errors
from curate.text.chats.spans import restored
from curate.text.chats.turns import Turn, turns_at

if TYPE_CHECKING:
    import tokenizers

_STAND_INS = range(0x20000, 0x2A6DF)
"""Rare ideographs, of which unused ones stand for control tokens that somebody wrote: letters without case, which
Python prints as they are, so that no template's filter changes them."""


class Encoding(NamedTuple):
    """A conversation as the model reads it.

    Attributes:
        ids: uint32.
        loss: for each id whether the model is to learn it.
        text: what was encoded.
        characters: of it.
    """

    ids: npt.NDArray[np.uint32]
    loss: npt.NDArray[np.bool_]
    text: str


class ChatEncoder:
    """Encodes conversations by a template and a tokenizer.

    Args:
        template: of the model.
        tokenizer: of the model.

    Example:
        >>> from curate.models.tokenizers import load_tokenizer
        >>> ends = "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}"
        >>> source = "{% for m in messages %}{{ m.content }}" + ends + "{% endfor %}"
        >>> template = ChatTemplate(source, "t", {"eos_token": "<|endoftext|>"})
        >>> chat = ChatEncoder(template, load_tokenizer("bytes"))
        >>> one = chat.encode([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
        >>> one.ids.tolist(), one.loss.tolist()
        ([97, 98, 256], [False, True, True])
    """

    def __init__(self, template: ChatTemplate, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._control: Mapping[str, int] = tokenizer.vocabulary.control_tokens
        added = _added(tokenizer)
        self._tokens = {**self._control, **{token: number for token, number, _ in added}}
        special = {token for token, _, is_special in added if is_special}
        self._special = special if added else set(self._control)
        self._all = _any_of(self._tokens)
        self._said = _any_of(self._special)
        self.template = template.with_control(list(self._tokens))
        self._here = threading.local()

    @property
    def fingerprint(self) -> str:
        """What the ids follow from, besides the conversation."""
        return f"{self.template.fingerprint}:{self.tokenizer.fingerprint}"

    @property
    def backend(self) -> str | None:
        """The library that encodes conversations whatever was asked for; None where it is the one asked for."""
        return None if self._whole is None else "huggingface"

    def encode(self, messages: Sequence[Message], tools: Any = None) -> Encoding:
        """Ids and mask of a conversation, with one token that begins the text and one that ends it.

        Args:
            messages: with ``role`` and ``content``.
            tools: what the assistant may call.

        Raises:
            Refused: the template does not take it, or the place of an answer cannot be proven.
        """
        heard, heard_tools, stand_ins = self._heard(messages, tools)
        text, answers = self.template.rendered(heard, heard_tools)
        if any(escape in text for escape in map(_escaped, stand_ins)):
            raise Refused("refused_by_template", "it escapes a control token that somebody wrote")
        if stand_ins or self._whole is None:
            ids, loss = self._by_pieces(text, answers, stand_ins)
            for character, token in stand_ins.items():
                text = text.replace(character, token)
        else:
            ids, loss = self._at_once(self._whole, text, answers)
        if not loss.any():
            raise Refused("no_loss", "no token of it is the assistant's")
        return self._framed(ids, loss, text)

    def forget(self) -> None:
        """Nothing that this thread encoded is asked for again."""
        self._here.kept = {}

    def encode_document(
        self, rest: str, spans: Sequence[Mapping[str, Any]], text: bytes, *, keep: bool = False
    ) -> Encoding:
        """Ids and mask of a conversation as `curate.text.chats.spans` keeps it.

        Args:
            rest: the record without its texts.
            spans: its turns in the text.
            text: UTF-8.
            keep: the same thread asks for it once more: it is kept until then, or until it is to `forget`.

        Raises:
            Refused: as `encode`.
        """
        key = rest, msgspec.json.encode(spans), text
        kept: dict[Any, Encoding] = self._here.__dict__.setdefault("kept", {})
        found = kept.pop(key, None) or self._of(rest, spans, text)
        if keep:
            kept[key] = found
        return found

    def _of(self, rest: str, spans: Sequence[Mapping[str, Any]], text: bytes) -> Encoding:
        record = restored(rest, spans, text)
        tools = record.get("tools")
        if isinstance(tools, str):
            try:
                tools = msgspec.json.decode(tools)
            except ValueError:
                tools = None
        return self.encode(messages_of(turns_at(record, spans)), tools or None)

    def decode(self, ids: npt.NDArray[Any]) -> str:
        """Text of ids, control tokens as they are written."""
        if self._whole is not None:
            return str(self._whole.decode(ids.tolist(), skip_special_tokens=False))
        names = {number: token for token, number in self._tokens.items()}
        pieces, plain = list[str](), list[int]()
        for number in [*ids.tolist(), -1]:
            if number >= 0 and number not in names:
                plain.append(number)
                continue
            pieces += [self.tokenizer.decode(np.array(plain, np.uint32)) if plain else "", names.get(number, "")]
            plain = []
        return "".join(pieces)

    def _framed(self, ids: npt.NDArray[np.uint32], loss: npt.NDArray[np.bool_], text: str) -> Encoding:
        """With the tokens that begin and end a text, where the template does not write them."""
        begin = self.tokenizer.begin_of_document_id
        if begin is not None and (not len(ids) or ids[0] != begin):
            ids, loss = np.insert(ids, 0, begin), np.insert(loss, 0, False)
        if len(ids) > 1 and ids[0] == ids[1] and int(ids[0]) in self._beginnings:
            raise Refused("refused_by_template", f"the text begins with `{self._named(int(ids[0]))}` twice")
        last = text.rstrip()
        ended = any(found.end() == len(last) for found in self._all.finditer(last, max(0, len(last) - 200)))
        if not ended and loss[-1]:
            ids, loss = np.append(ids, np.uint32(self._end)), np.append(loss, True)
        return Encoding(ids.astype(np.uint32), loss, text)

    @functools.cached_property
    def _end(self) -> int:
        """The token that ends a text: the template's own, else the one that ends documents."""
        return self._tokens.get(self.template.eos, self.tokenizer.end_of_document_id)

    @functools.cached_property
    def _beginnings(self) -> frozenset[int]:
        bos = self._tokens.get(self.template.tokens.get("bos_token", ""))
        return frozenset(number for number in (bos, self.tokenizer.begin_of_document_id) if number is not None)

    def _named(self, number: int) -> str:
        return next((token for token, known in self._tokens.items() if known == number), str(number))

    def _heard(self, messages: Sequence[Message], tools: Any) -> tuple[Sequence[Message], Any, dict[str, str]]:
        """Messages and tools with unused letters where somebody wrote a special token, and what these stand for."""
        said = [*({key: each for key, each in one.items() if key != "role"} for one in messages), tools]
        if not any(self._said.search(text) for text in _strings(said)):
            return messages, tools, {}
        everything = "".join(_strings(said))
        letters = set(everything)
        free = (letter for letter in map(chr, _STAND_INS) if letter not in letters)
        found = sorted({match.group() for match in self._said.finditer(everything)})
        stand_ins = dict(zip(found, free, strict=False))

        def changed(value: Any) -> Any:
            if isinstance(value, str):
                return self._said.sub(lambda match: stand_ins[match.group()], value)
            if isinstance(value, Mapping):
                return {changed(key): changed(each) for key, each in value.items()}
            return [changed(each) for each in value] if isinstance(value, list) else value

        heard = [{key: each if key == "role" else changed(each) for key, each in one.items()} for one in messages]
        return heard, changed(tools), {letter: token for token, letter in stand_ins.items()}

    @functools.cached_property
    def _whole(self) -> "tokenizers.Tokenizer | None":
        """Hugging Face's own, as the file says; None for vocabularies of other kinds."""
        file = self.tokenizer.vocabulary.file
        if file is None or not file[0].endswith(".json"):
            return None
        import tokenizers

        with panics_are_errors():
            found = tokenizers.Tokenizer.from_buffer(file[1])
        found.no_truncation()
        found.no_padding()
        return found

    def _at_once(
        self, whole: "tokenizers.Tokenizer", text: str, answers: Sequence[tuple[int, int]]
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
        with panics_are_errors():
            encoding = whole.encode(text, add_special_tokens=False)
        places = np.array(encoding.offsets, np.int64).reshape(-1, 2)
        return np.array(encoding.ids, np.uint32), _touching(places[:, 0], places[:, 1], answers)

    def _by_pieces(
        self, text: str, answers: Sequence[tuple[int, int]], stand_ins: Mapping[str, str]
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
        """Tokens of the template one by one, what is between them as ordinary text, apart where an answer begins."""
        pieces, ids, loss = list(self._pieces(text, answers)), list[npt.NDArray[np.uint32]](), list[bool]()
        plain = [
            "".join(stand_ins.get(letter, letter) for letter in piece) for piece, token, _ in pieces if token is None
        ]
        flat = self.tokenizer.prepare().encode(pa.array(plain, pa.large_string()))
        at = 0
        for _, token, is_answer in pieces:
            if token is None:
                found = flat.ids[flat.offsets[at] : flat.offsets[at + 1]]
                at += 1
            else:
                found = np.array([token], np.uint32)
            ids.append(found)
            loss += [is_answer] * len(found)
        return np.concatenate([np.zeros(0, np.uint32), *ids]), np.array(loss, np.bool_)

    def _pieces(self, text: str, answers: Sequence[tuple[int, int]]) -> Iterator[tuple[str, int | None, bool]]:
        tokens = [(found.start(), found.end(), self._tokens[found.group()]) for found in self._all.finditer(text)]
        borders = sorted({0, len(text), *(place for pair in answers for place in pair)})
        for start, end, token in [*tokens, (len(text), len(text), -1)]:
            cuts = [borders[0], *(border for border in borders[1:] if border < start), start]
            for first, last in itertools.pairwise(cuts):
                if first < last:
                    yield text[first:last], None, _is_within(first, answers)
            if token >= 0:
                yield text[start:end], token, _is_within(start, answers)
            borders = [end, *(border for border in borders if border > end)]


def chat_encoder(template: str, date: str, tokenizer: Tokenizer) -> ChatEncoder:
    """The encoder of a template (see `load_chat_template`) and a tokenizer: one in a process for all who ask.

    Raises:
        PlanError: the template cannot be used.
    """
    found = load_chat_template(template, date)
    key = found.name, found.fingerprint, tokenizer.fingerprint, tokenizer.wanted_backend
    return _ENCODERS.setdefault(key, ChatEncoder(found, tokenizer))


_ENCODERS: dict[tuple[str, str, str, str], ChatEncoder] = {}


def messages_of(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Messages as templates take them: pieces of text joined, arguments of tools as objects.

    Args:
        turns: of a conversation.
    """
    found = []
    for turn in turns:
        message = dict(turn.message)
        content = message.get("content")
        if isinstance(content, list) and turn.role != "tool":
            message["content"] = "\n".join(part if isinstance(part, str) else part["text"] for part in content)
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            message["tool_calls"] = [_with_arguments(call) for call in calls]
        found.append(message)
    return found


def _with_arguments(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
        return call
    try:
        arguments = msgspec.json.decode(function["arguments"])
    except ValueError:
        return call
    return {**call, "function": {**function, "arguments": arguments}}


def _added(tokenizer: Tokenizer) -> list[tuple[str, int, bool]]:
    """Added tokens of a ``tokenizer.json``: text, id, and whether it is special."""
    file = tokenizer.vocabulary.file
    if file is None or not file[0].endswith(".json"):
        return []
    entries = msgspec.json.decode(file[1]).get("added_tokens") or ()
    return [(entry["content"], entry["id"], bool(entry.get("special"))) for entry in entries]


def _any_of(tokens: Sequence[str] | set[str] | Mapping[str, int]) -> re.Pattern[str]:
    longest_first = sorted(tokens, key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _strings(key)
            yield from _strings(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _strings(each)


def _escaped(letter: str) -> str:
    r"""As JSON has it in ASCII.

    Example:
        >>> print(_escaped("\U00020000"))
        \ud840\udc00
    """
    return json.dumps(letter)[1:-1]


def _is_within(place: int, answers: Sequence[tuple[int, int]]) -> bool:
    return any(start <= place < end for start, end in answers)


def _touching(
    starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], answers: Sequence[tuple[int, int]]
) -> npt.NDArray[np.bool_]:
    """Which tokens have a character of an answer."""
    loss = np.zeros(len(starts), np.bool_)
    for first, last in answers:
        loss |= (starts < last) & (ends > first)
    return loss
