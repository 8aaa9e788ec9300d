"""Where a record keeps its conversation: which fields hold turns, questions and answers.

Written as in ``input.conversation``: ``messages`` is a list of turns (``system, messages``: after a text of its own),
``instruction, input -> output`` are fields of which the last answers the others, ``prompt -> chosen | rejected`` is a
preference.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ROLE_KEYS = ("role", "from")
CONTENT_KEYS = ("content", "value")

_ARROW, _OR = "->", "|"


class Shape(NamedTuple):
    """Fields that hold a conversation.

    Attributes:
        turns: field with a list of turns; empty where there are fields for question and answer.
        prompt: fields that come first, in order: each a text, or a list of turns. Those in `OPTIONAL` may be missing.
        answers: field that answers, or those of a better and a worse answer.
    """

    turns: str = ""
    prompt: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()

    @property
    def is_preference(self) -> bool:
        """Whether there are two answers, of which the first is the better one."""
        return len(self.answers) == 2

    @property
    def fields(self) -> tuple[str, ...]:
        """All of its fields."""
        return (*self.prompt, self.turns) if self.turns else (*self.prompt, *self.answers)

    def __str__(self) -> str:
        """As `parsed` reads it."""
        answers = f" {_ARROW} {f' {_OR} '.join(self.answers)}" if self.answers else ""
        return (", ".join(filter(None, (*self.prompt, self.turns))) + answers).strip()


def parsed(written: str) -> Shape:
    """The shape that a setting names.

    Raises:
        ValueError: it names none.

    Example:
        >>> parsed("question, context -> answer")
        Shape(turns='', prompt=('question', 'context'), answers=('answer',))
        >>> str(parsed("prompt->chosen|rejected"))
        'prompt -> chosen | rejected'
    """
    asked, arrow, answered = written.partition(_ARROW)
    prompt = _names(asked, ",")
    if not arrow:
        if not prompt:
            raise ValueError(f"`{written}` names no field")
        return Shape(turns=prompt[-1], prompt=prompt[:-1])
    answers = _names(answered, _OR)
    if not 1 <= len(answers) <= 2 or (not prompt and len(answers) == 1) or "," in answered:
        raise ValueError(f"`{written}` must be like `question -> answer` or `prompt -> chosen | rejected`")
    return Shape(prompt=prompt, answers=answers)


def _names(written: str, separator: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in written.split(separator) if name.strip())


OPTIONAL = frozenset({"system", "input", "context"})
"""Fields that may be missing or empty: a question without them is one."""

_LISTS = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns")
_PAIRS = (
    (("prompt",), ("completion",)),
    (("system", "prompt"), ("completion",)),
    (("instruction",), ("output",)),
    (("instruction", "input"), ("output",)),
    (("system", "instruction", "input"), ("output",)),
    (("system", "instruction"), ("output",)),
    (("instruction",), ("response",)),
    (("instruction", "context"), ("response",)),
)
"""Fields that ask and one that answers, as public sets of instructions have them: the fullest that fits is taken."""


def recognised(kinds: Mapping[str, str], chats: Sequence[str]) -> Shape | None:
    """The shape of records with these fields; None where they are no conversations, or nobody can tell.

    Args:
        kinds: what each field holds: ``text``, ``lists``, ``null`` …
        chats: fields that hold lists of turns.

    Example:
        >>> str(recognised({"instruction": "text", "input": "text", "output": "text", "id": "text"}, ()))
        'instruction, input -> output'
        >>> str(recognised({"messages": "lists", "prompt": "text"}, ("messages",)))
        'messages'
        >>> recognised({"question": "text", "answer": "text"}, ())
    """

    def holds(name: str) -> bool:
        return kinds.get(name) == "text" or name in chats

    if holds("chosen") and holds("rejected"):
        return Shape(prompt=("prompt",) if holds("prompt") else (), answers=("chosen", "rejected"))
    named = [name for name in _LISTS if name in chats]
    if named:
        return Shape(turns=named[0], prompt=("system",) if kinds.get("system") == "text" else ())
    pairs = [pair for pair in _PAIRS if all(map(holds, (*pair[0], *pair[1])))]
    if pairs:
        prompt, answers = max(pairs, key=lambda pair: len(pair[0]))
        return Shape(prompt=prompt, answers=answers)
    alone = [name for name in chats if "." not in name]
    return Shape(turns=alone[0]) if len(alone) == 1 and "prompt" not in chats else None


def is_turn(value: Any) -> bool:
    """Whether a value is a turn: an object with a role and a content, or calls of tools instead of one."""
    if not isinstance(value, dict):
        return False
    has_role = any(key in value for key in ROLE_KEYS)
    return has_role and any(key in value for key in (*CONTENT_KEYS, "tool_calls"))
