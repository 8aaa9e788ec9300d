"""Chat templates: a conversation as the text that a model reads, and what of it the model is to learn.

The loss is on what the assistant says. Where the template marks that itself (``{% generation %}``), its marks are
taken. Else the place of every answer is proven: what the template writes for the turns before it, with its prompt for
an answer, must be the beginning of what it writes for the whole; and the answer must end where the whole up to it ends,
or be found there word for word with a control token behind it. What cannot be proven is refused.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import msgspec

from curate.errors import PlanError
from curate.models.chats.jinja import MARKS, Raised, compiled

Message = Mapping[str, Any]
Marks = tuple[str, str]

PLAIN = "plain"
"""In place of a template: conversations are encoded as the text that they are kept as."""


class Refused(ValueError):  # noqa: N818  (what the template did)
    """A template does not take a conversation, or the place of an answer in it cannot be proven.

    Attributes:
        reason: ``refused_by_template`` or ``mask_not_proven``.
        turn: which turn shows it, counted from 1; 0: none alone.
        detail: what is wrong.
    """

    def __init__(self, reason: str, detail: str, turn: int = 0) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.turn = reason, detail, turn


class Rendering(NamedTuple):
    """What a model reads of a conversation.

    Attributes:
        text: all of it.
        answers: where in it (in characters) the loss is, ascending.
    """

    text: str
    answers: tuple[tuple[int, int], ...]


class ChatTemplate:
    """A template and the control tokens that it knows by name.

    Args:
        source: Jinja.
        name: of the file or folder, for messages.
        tokens: ``bos_token`` and so on.
        control: all control tokens of the tokenizer, which end answers.
        date: the date that the template gets as today's, as ``2024-07-26``; empty: none.

    Raises:
        PlanError: it is no template.

    Example:
        >>> chatml = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
        >>> prompt = "{% if add_generation_prompt %}<s>assistant: {% endif %}"
        >>> template = ChatTemplate(chatml + prompt, "t", control=["<s>", "</s>"])
        >>> turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
        >>> text, answers = template.rendered(turns)
        >>> text, [text[start:end] for start, end in answers]
        ('<s>user: Hi</s><s>assistant: Ho</s>', ['Ho</s>'])
    """

    def __init__(
        self,
        source: str,
        name: str,
        tokens: Mapping[str, str] | None = None,
        control: Sequence[str] = (),
        date: str = "",
    ) -> None:
        import jinja2

        self.source, self.name, self.tokens, self.date = source, name, dict(tokens or {}), date
        known = sorted({*control, *self.tokens.values()} - {""}, key=lambda token: (-len(token), token))
        self._control = re.compile("|".join(map(re.escape, known)) or "(?!)")
        try:
            self._template, self.marks_answers = compiled(source, date)
        except jinja2.TemplateError as error:
            raise PlanError(f"the chat template of `{name}` is not a Jinja template: {error}", where=name) from error

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the text follows from."""
        facts = [self.source, self.tokens, *([self.date] if self.date else [])]
        return hashlib.sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()

    @property
    def eos(self) -> str:
        """The token that ends a text; empty where none is known."""
        return self.tokens.get("eos_token", "")

    def with_control(self, control: Sequence[str]) -> "ChatTemplate":
        """The same template for a tokenizer with these control tokens."""
        return ChatTemplate(self.source, self.name, self.tokens, control, self.date)

    def text(
        self, messages: Sequence[Message], tools: Any = None, *, prompt: bool = False, marks: Marks = ("", "")
    ) -> str:
        """What the template writes.

        Args:
            messages: with ``role`` and ``content``.
            tools: what the assistant may call.
            prompt: ask for an answer at the end.
            marks: go around what it marks as generated.

        Raises:
            Refused: it does not take them.
        """
        import jinja2

        try:
            return self._template.render(
                **self.tokens, **{MARKS: marks},
                messages=messages, tools=tools, documents=None, add_generation_prompt=prompt,
            )  # fmt: skip
        except Raised as error:
            raise Refused("refused_by_template", f"the template says: {error}") from error
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
            raise Refused("refused_by_template", f"the template fails: {error}") from error
        except OverflowError as error:  # the sandbox bounds what `range` may do
            raise Refused("refused_by_template", f"the template does too much: {error}") from error

    def rendered(self, messages: Sequence[Message], tools: Any = None) -> Rendering:
        """What a model reads of a conversation, and where the answers are.

        Raises:
            Refused: the template does not take it, or the place of an answer cannot be proven.
        """
        if self.marks_answers:
            marks = _unused(messages, tools)
            return _marked(self.text(messages, tools, marks=marks), marks)
        whole = self.text(messages, tools)
        answers = []
        behind = 0
        for number, message in enumerate(messages):
            if message["role"] == "assistant":
                start, end = self._place(whole, messages, number, tools)
                if start < behind:
                    raise Refused(
                        "mask_not_proven", f"{_turn(number)} begins before the one before it ends", number + 1
                    )
                answers.append((start, end))
                behind = end
        return Rendering(whole, tuple(answers))

    def _place(self, whole: str, messages: Sequence[Message], number: int, tools: Any) -> tuple[int, int]:
        """Where the answer ``number`` lies in what is written for all."""
        before = self._beginning(whole, messages[:number], tools, prompt=True)
        if before is None:
            for start in self._shared(whole, messages[:number], tools):  # its first letters may be those of a thought
                found = self._word_for_word(whole, start, messages[number])
                if found is not None:
                    return start, found
            raise Refused(
                "mask_not_proven",
                f"what the template writes before {_turn(number)} is not how it begins to write the whole",
                number + 1,
            )
        end = self._beginning(whole, messages[: number + 1], tools, prompt=False)
        if end is not None and end > before:
            return before, self._without_space(whole, before, end)
        found = self._word_for_word(
            whole, before, messages[number], self._header(messages[: number + 1], before, tools)
        )
        if found is None:
            raise Refused("mask_not_proven", f"where {_turn(number)} ends cannot be proven", number + 1)
        return before, found

    def _beginning(self, whole: str, messages: Sequence[Message], tools: Any, *, prompt: bool) -> int | None:
        """Length of what is written for some turns, if the whole begins with it."""
        if not messages:
            return None
        try:
            text = self.text(messages, tools, prompt=prompt)
        except Refused:
            return None
        return len(text) if whole.startswith(text) else None

    def _shared(self, whole: str, messages: Sequence[Message], tools: Any) -> range:
        """Where the answer may begin, last place first, if the prompt has more than its header, as half a thought."""
        bare = self._beginning(whole, messages, tools, prompt=False)
        if bare is None:
            return range(0)
        try:
            asked = self.text(messages, tools, prompt=True)
        except Refused:
            return range(0)
        if asked[:bare] != whole[:bare]:
            return range(0)
        shared = takewhile(lambda pair: pair[0] == pair[1], zip(asked[bare:], whole[bare:], strict=False))
        return range(bare + sum(1 for _ in shared), bare - 1, -1)

    def _without_space(self, whole: str, start: int, end: int) -> int:
        """Before white space that follows the control token at the end of an answer: no model writes it."""
        bare = len(whole[start:end].rstrip()) + start
        ends = any(found.end() == bare for found in self._control.finditer(whole, start, end))
        return bare if ends else end

    def _header(self, messages: Sequence[Message], start: int, tools: Any) -> str:
        """What the template writes between the prompt for the last of some answers and what it says."""
        content = messages[-1].get("content")
        try:
            alone = self.text(messages, tools)[start:]
        except Refused:
            return ""
        return alone.partition(content.strip())[0] if isinstance(content, str) and content.strip() in alone else ""

    def _word_for_word(self, whole: str, start: int, message: Message, header: str = "") -> int | None:
        """Behind the control token that follows an answer; None where the answer is not there as it is.

        Args:
            whole: what is written for all turns.
            start: where the answer begins in it.
            message: the answer.
            header: may stand before what it says.
        """
        content = message.get("content")
        said = content.strip() if isinstance(content, str) else ""
        if not said or message.get("tool_calls"):
            return None
        before = (_SPACE, _UNSAID, re.compile(re.escape(header)))
        skipped = (found for pattern in before if (found := pattern.match(whole, start)))
        at = next((found.end() for found in skipped if whole.startswith(said, found.end())), None)
        if at is None:
            return None
        rest = at + len(said)
        behind = len(whole[rest:]) - len(whole[rest:].lstrip()) + rest
        found = self._control.match(whole, behind)
        return found.end() if found else None


_SPACE = re.compile(r"\s*")
_UNSAID = re.compile(r"(?:\s|</?think>)*")
"""What a template may write before what an answer says: white space, and a thought that is empty."""


def _turn(number: int) -> str:
    return f"turn {number + 1}"


def _unused(messages: Sequence[Message], tools: Any) -> Marks:
    """Two noncharacters of Unicode that nobody says: whoever could say one would choose what is learnt."""
    said = ascii((messages, tools))
    unused = [mark for mark in _NONCHARACTERS if ascii(mark)[1:-1] not in said]
    if len(unused) < 2:
        raise Refused("mask_not_proven", "its texts hold every noncharacter that could mark its answers")
    return unused[0], unused[1]


_NONCHARACTERS = tuple(map(chr, range(0xFDD0, 0xFDF0)))


def _marked(text: str, marks: Marks) -> Rendering:
    """The text without marks, and what was between them."""
    pieces: list[str] = []
    answers: list[tuple[int, int]] = []
    size, start = 0, -1
    begin, end = marks
    for piece in re.split(f"([{begin}{end}])", text):
        if piece == begin:
            start = size
        elif piece == end:
            if start >= 0 and size > start:
                answers.append((start, size))
            start = -1
        else:
            pieces.append(piece)
            size += len(piece)
    return Rendering("".join(pieces), tuple(answers))
