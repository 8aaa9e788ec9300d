"""Remove conversations that a model's chat template refuses, or that are longer than a sequence.

Before the shards are made it is known of every conversation that the template takes it, that the place of each answer
in it is proven, and how many tokens it has: so a conversation of which a copy was removed is one that can be kept.
Documents that are no conversations pass.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curate.errors import PlanError
from curate.models.chats import PLAIN, ChatEncoder, Refused, chat_encoder
from curate.models.tokenizers import AddedTokens, load_tokenizer
from curate.settings.base import Limit, Reason, Settings, Unused
from curate.stages.contract import Stage, reasons_where
from curate.text.chats.spans import viewed

REASONS = (
    Reason("refused_by_template", "The model's chat template does not take the conversation."),
    Reason("mask_not_proven", "It cannot be proven where an answer begins or ends in what the template writes."),
    Reason("no_loss", "No token of the conversation is the assistant's, so nothing can be learnt from it."),
    Reason("too_long", "The conversation has more tokens than `max_tokens`."),
)


class ChatSettings(Settings, frozen=True):
    """What conversations must fit.

    Attributes:
        max_tokens: most tokens of a conversation, such as ``shards.sequence_length``; ``false``: any number.
        template: as ``tokenize.chat_template``; empty: that one.
        tokenizer: as ``tokenize.tokenizer``; empty: that one. So are the next three.
        end_of_document: as in ``[tokenize]``.
        begin_of_document: as in ``[tokenize]``.
        pattern: as in ``[tokenize]``.
        added_tokens: as in ``[tokenize]``.
        date: as ``tokenize.chat_date``; empty: that one.
    """

    thresholds: ClassVar[frozenset[str]] = frozenset({"max_tokens"})

    max_tokens: int | bool = False
    template: str = ""
    tokenizer: str = ""
    end_of_document: str = ""
    begin_of_document: str = ""
    pattern: str = ""
    added_tokens: str = ""
    date: str = ""

    def __post_init__(self) -> None:
        if self.max_tokens is True or self.max_tokens < 0:
            raise ValueError("`chat.max_tokens` must be a number of tokens, or `false` for any number")

    def completed(self, sections: Mapping[str, Settings]) -> "ChatSettings":
        """With what ``[tokenize]`` says where this section says nothing."""
        tokenize = sections["tokenize"]
        named = {"template": "chat_template", "date": "chat_date"}
        names = ("template", "date", "tokenizer", "end_of_document", "begin_of_document", "pattern", "added_tokens")
        given = {name: getattr(self, name) or getattr(tokenize, named.get(name, name)) for name in names}
        return msgspec.structs.replace(self, **given)

    def limits(self) -> Sequence[Limit]:
        """The most tokens."""
        return (Limit("max_tokens", "n_tokens", "max", self.max_tokens, "too_long"),) if self.max_tokens else ()

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:
        """All of it where the stage does not run."""
        if "chat" not in runs:
            yield Unused("", "the stage `chat` does not run")


class Chat(Stage):
    """See what a chat template makes of every conversation."""

    name: ClassVar[str] = "chat"
    version: ClassVar[int] = 1
    about: ClassVar[str] = "Removes conversations that the chat template refuses or that are longer than a sequence."
    needs: ClassVar[tuple[str, ...]] = ("text", "turns", "metadata")
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        "problem": pa.string(),
        "detail": pa.string(),
        "turns": pa.int64(),
        "n_tokens": pa.int64(),
        "loss_tokens": pa.int64(),
        "prompt": pa.uint64(),
    }
    reasons: ClassVar[tuple[Reason, ...]] = REASONS
    settings_type: ClassVar[type[Settings]] = ChatSettings
    settings: ChatSettings

    def __init__(self, settings: ChatSettings) -> None:
        self.settings = settings

    @functools.cached_property
    def encoder(self) -> ChatEncoder:
        """Template and tokenizer.

        Raises:
            PlanError: they cannot be used.
        """
        chosen = self.settings
        if chosen.template in {"", PLAIN}:
            raise PlanError(
                "the stage `chat` needs the chat template of a model, and `tokenize.chat_template` names none",
                hint="--set tokenize.chat_template=MODEL_FOLDER",
            )
        added: AddedTokens = "all" if chosen.added_tokens == "all" else "words"
        tokenizer = load_tokenizer(
            chosen.tokenizer,
            end_of_document=chosen.end_of_document or "auto",
            begin_of_document=chosen.begin_of_document or "none",
            pattern=chosen.pattern or "auto",
            added_tokens=added,
        )
        return chat_encoder(chosen.template, chosen.date, tokenizer)

    @property
    def fingerprint(self) -> str:
        """Of template and tokenizer."""
        return self.encoder.fingerprint

    def warnings(self) -> list[str]:
        """Load both.

        Raises:
            PlanError: they cannot be used.
        """
        _ = self.encoder
        return []

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What the template makes of each conversation; null for documents that are none."""
        texts, turns, rest = batch["text"], batch["turns"], batch["metadata"]
        if turns.null_count < len(turns):  # a batch without a conversation needs no template
            self.encoder.forget()
        prompts = viewed(texts, turns, "prompt").cast(pa.large_binary()).to_pylist()
        found = [
            dict.fromkeys(self.adds) if spans is None else self._of(rest[row].as_py(), spans, texts[row], prompts[row])
            for row, spans in enumerate(turns.to_pylist())
        ]
        columns = [pa.array([one[name] for one in found], kind) for name, kind in self.adds.items()]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(self.adds.items())))

    def _of(self, rest: str, spans: list[dict[str, Any]], text: pa.Scalar, prompt: bytes) -> dict[str, Any]:
        said = {"turns": len(spans), "prompt": xxhash.xxh3_64_intdigest(prompt)}
        nothing = {"problem": None, "detail": None, "n_tokens": None, "loss_tokens": None}
        try:
            one = self.encoder.encode_document(rest, spans, text.as_py().encode(), keep=True)  # for `tokenize`
        except Refused as error:
            return {**said, **nothing, "problem": error.reason, "detail": error.detail[:500]}
        return {**said, **nothing, "n_tokens": len(one.ids), "loss_tokens": int(np.count_nonzero(one.loss))}

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """What the template said, and what is too long."""
        problems = pc.fill_null(measures["problem"], "")
        rules = {reason.code: pc.equal(problems, reason.code).to_numpy(zero_copy_only=False) for reason in REASONS[:-1]}
        if self.settings.max_tokens:
            long = pc.greater(measures["n_tokens"], self.settings.max_tokens)
            rules["too_long"] = pc.fill_null(long, False).to_numpy(zero_copy_only=False)
        return reasons_where(rules, measures.num_rows)
