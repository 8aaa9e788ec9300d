"""Turn the documents that stay into token ids.

The last stage removes nothing. It measures how many tokens and characters a document has, how many of these the
tokenizer does not know, which shard it lands in and where, so that each span of a shard leads back to its document.
"""

import datetime as dt
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import UserError
from curate.models.chats import PLAIN, ChatEncoder, Refused, chat_encoder
from curate.models.tokenizers import LITTLE, AddedTokens, Tokenizer, load_tokenizer
from curate.settings.base import Reason, Settings, Unused
from curate.stages.contract import Encoded, Encoder
from curate.text.chats.loss import LOSS, with_loss


class TokenizeSettings(Settings, frozen=True):
    """Section ``[tokenize]``.

    Attributes:
        tokenizer: ``cl100k_base``, ``o200k_base``, ``bytes``, or the path of a ``tokenizer.json``,
            ``.tiktoken`` or SentencePiece ``.model`` file, or of a model's folder.
        backend: library that encodes. ``auto`` takes fastokens where it agrees with the reference (tiktoken
            for ``.tiktoken`` vocabularies, huggingface for ``tokenizer.json``, sentencepiece for ``.model``) on about
            200 probe texts, else the reference.
        end_of_document: token that ends each document, one that text cannot become; ``auto`` takes the likeliest
            control token.
        begin_of_document: token that begins each document: ``none``, a control token, or ``auto``: what the tokenizer's
            own post-processor puts before every text, which is tried on about 200 of them.
        pattern: how a ``.tiktoken`` file splits text: ``auto`` recognises the published files, else the name
            of a published encoding or a regular expression.
        added_tokens: which ordinary added tokens of a ``tokenizer.json`` documents may become: ``words``, or ``all``,
            also those that look like control tokens (``<think>``). Special ones never come from text.
        chat_template: how conversations are written: the model's folder (with ``chat_template.jinja`` or
            ``tokenizer_config.json``) or a ``.jinja`` file; ``plain`` encodes them as ``role: text``, without a loss
            mask; empty refuses them.
        chat_date: the date that a template gets as today's, as ``2024-07-26``; empty: none.
    """

    tokenizer: str = "cl100k_base"
    backend: Literal["auto", "fastokens", "tiktoken", "huggingface", "sentencepiece"] = "auto"
    end_of_document: str = "auto"
    begin_of_document: str = "none"
    pattern: str = "auto"
    added_tokens: AddedTokens = "words"
    chat_template: str = ""
    chat_date: str = ""

    @property
    def has_template(self) -> bool:
        """Whether conversations are written by a template, so that ids have a loss mask."""
        return self.chat_template not in {"", PLAIN}

    def __post_init__(self) -> None:
        for field in ("tokenizer", "end_of_document", "begin_of_document", "pattern"):
            if not getattr(self, field):
                raise ValueError(f"`tokenize.{field}` must not be empty, but is `''`")
        if self.chat_date:
            try:
                dt.date.fromisoformat(self.chat_date)
            except ValueError:
                raise ValueError(
                    f"`tokenize.chat_date` must be a date such as `2024-07-26`, but is `{self.chat_date}`"
                ) from None

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:  # noqa: ARG002
        """What only files of another kind have."""
        for key, suffix in (("pattern", ".tiktoken"), ("added_tokens", ".json")):
            if not self.tokenizer.lower().endswith(suffix):
                yield Unused(key, f"`tokenize.tokenizer` is `{self.tokenizer}`, no `{suffix}` file")


class Tokenize(Encoder):
    """Encode documents and mark their ends.

    ``encode`` gives the ids. ``shard`` and ``offset`` are null until the whole corpus is encoded and shards are cut.

    Example:
        >>> stage = Tokenize(TokenizeSettings(tokenizer="bytes"))
        >>> batch = pa.record_batch({"text": pa.array(["ab"], pa.large_string())})
        >>> stage.measure(batch).to_pylist()
        [{'n_tokens': 3, 'characters': 2, 'unknown': 0, 'shard': None, 'offset': None}]
    """

    name: ClassVar[str] = "tokenize"
    version: ClassVar[int] = 2
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        "n_tokens": pa.int64(),
        "characters": pa.int64(),
        "unknown": pa.int64(),
        "shard": pa.int32(),
        "offset": pa.int64(),
    }
    reasons: ClassVar[tuple[Reason, ...]] = ()
    about: ClassVar[str] = "Turns documents into token ids, marks their ends, and records where each is in the shards."
    settings_type: ClassVar[type[Settings]] = TokenizeSettings
    settings: TokenizeSettings

    def __init__(self, settings: TokenizeSettings | None = None) -> None:
        self.settings = settings or TokenizeSettings()
        self._little = False

    def expect(self, size: int) -> None:
        """Of little text the reference makes the same ids sooner."""
        self._little = size <= LITTLE

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, loaded once in a process.

        Raises:
            PlanError: it cannot be loaded as the settings say.
        """
        return load_tokenizer(
            self.settings.tokenizer,
            backend=self.settings.backend,
            end_of_document=self.settings.end_of_document,
            begin_of_document=self.settings.begin_of_document,
            pattern=self.settings.pattern,
            added_tokens=self.settings.added_tokens,
            little=self._little,
        )

    @property
    def needs(self) -> tuple[str, ...]:
        """Text; of conversations that a template writes also their turns and the rest of the record."""
        return ("text", "id", "turns", "metadata") if self.settings.has_template else ("text",)

    @functools.cached_property
    def chats(self) -> ChatEncoder | None:
        """Writes conversations by the template and encodes them; None if there is none.

        Raises:
            PlanError: the template cannot be used.
        """
        if not self.settings.has_template:
            return None
        return chat_encoder(self.settings.chat_template, self.settings.chat_date, self.tokenizer)

    @property
    def vocabulary_size(self) -> int:
        """Largest id + 1."""
        return self.tokenizer.vocabulary_size

    @property
    def has_wide_ids(self) -> bool:
        """Where the highest bit is a loss mask, too."""
        return self.settings.has_template or self.vocabulary_size > 1 << 24

    @property
    def end_of_document_id(self) -> int:
        """Id of the mark that ends each document."""
        return self.tokenizer.end_of_document_id

    @property
    def fingerprint(self) -> str:
        """SHA-256 of vocabulary, split pattern and end mark; equal ids whatever the backend. And of a template."""
        return self.chats.fingerprint if self.chats else self.tokenizer.fingerprint

    def warnings(self) -> list[str]:
        """Load everything; sentences to show before the run.

        Raises:
            PlanError: the tokenizer cannot be used as the settings say.
        """
        notes = list(self.tokenizer.notes)
        if self.chats and (by := self.chats.backend) and self.settings.backend not in {"auto", by}:
            notes.append(
                f"conversations are encoded by {by}, which says where tokens stand in a text;"
                f" `tokenize.backend` = `{self.settings.backend}` is for other documents."
            )
        return notes

    def encode(self, text: pa.Array) -> Encoded:
        """Ids of each text (``large_string``, no nulls), end mark included, and its unknown characters."""
        return Encoded(*self.tokenizer.encode_counting(text))

    def encode_rows(self, batch: pa.RecordBatch) -> Encoded:
        """Ids of documents; where there is a template those of conversations, and a loss mask on all of them.

        Raises:
            UserError: the template refuses a conversation.
        """
        if self.chats is None:
            return self.encode(batch["text"])
        lists: list[npt.NDArray[np.uint32]] = []
        unknown = np.zeros(len(batch), np.int64)
        plain, counted = self.tokenizer.encode_counting(batch["text"].filter(batch["turns"].is_null()))
        texts = iter(zip(plain, counted, strict=True))
        spans = batch["turns"].to_pylist()
        for row, text in enumerate(batch["text"].to_pylist()):
            if spans[row] is None:
                ids, lacking = next(texts)
                found, unknown[row] = ids.values.to_numpy(zero_copy_only=False), lacking.as_py()
                lists.append(found | LOSS)
                continue
            try:
                one = self.chats.encode_document(batch["metadata"][row].as_py(), spans[row], text.encode())
            except Refused as error:
                raise UserError(
                    f"the chat template of `{self.chats.template.name}` refuses the conversation"
                    f" `{batch['id'][row]}`: {error.detail}",
                    hint='put "chat" before "tokenize" in pipeline.stages: it removes them, with the reason',
                ) from error
            unknown[row] = len(self.tokenizer.unknown_places(one.text))
            lists.append(with_loss(one.ids, one.loss))
        offsets = np.cumsum([0, *map(len, lists)])
        flat = np.concatenate([np.zeros(0, np.uint32), *lists])
        return Encoded(pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(flat)), pa.array(unknown))

    def unknown_places(self, text: str) -> list[int]:
        """Places (in characters) of what the tokenizer does not know in a text."""
        return self.tokenizer.unknown_places(text)

    def decode(self, ids: npt.NDArray[Any]) -> str:
        """Text of the ids, without end marks."""
        return self.tokenizer.decode(ids)

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What is counted of each document; ``shard`` and ``offset`` null."""
        ids, unknown = self.encode_rows(batch)
        n_tokens, nowhere = np.diff(ids.offsets.to_numpy()), len(batch)
        characters = pc.utf8_length(batch["text"]).cast(pa.int64())
        columns = [
            pa.array(n_tokens),
            characters,
            unknown,
            pa.nulls(nowhere, pa.int32()),
            pa.nulls(nowhere, pa.int64()),
        ]
        return pa.record_batch(columns, schema=pa.schema(list(self.adds.items())))

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """An empty list for each document: tokenizing removes nothing."""
        return pa.array([[]] * measures.num_rows, pa.list_(pa.string()))
