"""A model's folder: where its chat template is, which control tokens it knows, and whether it can be used at all."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from curate.errors import PlanError
from curate.models.chats.template import ChatTemplate, Message, Refused

FILES = ("chat_template.jinja", "tokenizer_config.json")
"""Where a model's folder has its template: the first that is there and has one."""
_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


_PROBES: tuple[tuple[Message, ...], ...] = (
    ({"role": "user", "content": "What is the capital of France?"}, {"role": "assistant", "content": "Paris."}),
    (
        {"role": "user", "content": "Name a colour."},
        {"role": "assistant", "content": "Blue, for one."},
        {"role": "user", "content": "And another?"},
        {"role": "assistant", "content": "Green."},
    ),
)


def prove(template: ChatTemplate) -> None:
    """Try the template on two short conversations.

    Raises:
        PlanError: it takes neither, or no answer's place can be proven in one.
    """
    for messages in _PROBES:
        try:
            answers = template.rendered(messages).answers
        except Refused as error:
            shown = f"turn {error.turn}" if error.turn else "the conversation"
            if "strftime_now" in error.detail:
                raise PlanError(
                    f"the chat template of `{template.name}` writes today's date, and tokens must not change with it",
                    where=template.name,
                    hint="set the date that it writes: --set tokenize.chat_date=2024-07-26",
                ) from error
            raise PlanError(
                f"the chat template of `{template.name}` cannot be used: {error.detail} (tried on a conversation of"
                f" {len(messages)} turns; {shown}: `{messages[max(0, error.turn - 1)]['content']}`)",
                where=template.name,
                hint="put `{% generation %}` … `{% endgeneration %}` around what the assistant says in the template",
            ) from error
        expected = sum(message["role"] == "assistant" for message in messages)
        if len(answers) != expected:
            raise PlanError(
                f"the chat template of `{template.name}` marks {len(answers)} answers of {expected} in a conversation"
                f" of {len(messages)} turns",
                where=template.name,
                hint="its `{% generation %}` block must be around each turn of the assistant",
            )


def load_chat_template(path: str | Path, date: str = "") -> ChatTemplate:
    """The template of a model's folder, or of a ``.jinja`` file, tried on two conversations.

    Args:
        path: a folder with ``chat_template.jinja`` or ``tokenizer_config.json``, or a ``.jinja`` file (its control
            tokens are those of a ``tokenizer_config.json`` beside it).
        date: the date that the template gets as today's.

    Raises:
        PlanError: there is none, or it cannot be used.
    """
    return _load(str(path), date)


@functools.cache
def _load(name: str, date: str) -> ChatTemplate:
    path = Path(name)
    folder = path if path.is_dir() else path.parent
    if not path.exists():
        raise PlanError(
            f"`{name}` is neither a model's folder nor a chat template",
            hint="the folder that has tokenizer_config.json",
        )
    config = _json(folder / "tokenizer_config.json")
    tokens = _tokens({**_json(folder / "special_tokens_map.json"), **config})
    source = _source(path, config)
    if source is None:
        raise PlanError(
            f"`{name}` has no chat template: neither {FILES[0]} nor `chat_template` in {FILES[1]}",
            where=name,
            hint="the folder of the instruct version of the model has one",
        )
    template = ChatTemplate(source, name, tokens, _control(folder, config), date)
    prove(template)
    return template


def _source(path: Path, config: Mapping[str, Any]) -> str | None:
    file = path if path.is_file() else path / FILES[0]
    if file.is_file():
        return file.read_text("utf-8")
    written = config.get("chat_template")
    if isinstance(written, list):  # several, by name
        named = {each.get("name"): each.get("template") for each in written if isinstance(each, dict)}
        written = named.get("default")
    return written if isinstance(written, str) else None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = msgspec.json.decode(path.read_bytes())
    except ValueError as error:
        raise PlanError(f"`{path}` is not JSON: {error}", where=str(path)) from error
    return found if isinstance(found, dict) else {}


class _Added(msgspec.Struct):
    content: str


class _Vocabulary(msgspec.Struct):
    added_tokens: list[_Added] = []


def _control(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """Added tokens of the model's tokenizer, as far as its folder tells."""
    listed = config.get("added_tokens_decoder")
    found = (
        [each.get("content") for each in listed.values() if isinstance(each, dict)] if isinstance(listed, dict) else []
    )
    try:
        vocabulary = msgspec.json.decode((folder / "tokenizer.json").read_bytes(), type=_Vocabulary)
    except (OSError, ValueError):  # who reads the tokenizer says what is wrong with it
        vocabulary = _Vocabulary()
    return [token for token in (*found, *(each.content for each in vocabulary.added_tokens)) if isinstance(token, str)]


def _tokens(config: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for key in _SPECIAL:
        value = config.get(key)
        token = value.get("content") if isinstance(value, dict) else value
        if isinstance(token, str):
            found[key] = token
    return found
