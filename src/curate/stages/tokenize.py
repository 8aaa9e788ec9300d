"""Turn the documents that stay into token ids.

The last stage removes nothing. It measures how many tokens a document has, which shard it lands in and where,
so that each span of a shard leads back to its document.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.contract import Reason, Settings
from curate.text.tokenizers import Tokenizer, load_tokenizer


class TokenizeSettings(Settings, frozen=True):
    """Section ``[tokenize]``.

    Attributes:
        tokenizer: ``cl100k_base``, ``o200k_base``, ``bytes``, or the path of a ``tokenizer.json`` or
            ``.tiktoken`` file.
        backend: library that encodes. ``auto`` takes fastokens where it agrees with the reference (tiktoken
            for ``.tiktoken`` vocabularies, huggingface for ``tokenizer.json``) on about 200 probe texts, else
            the reference.
        end_of_document: text of the control token that ends each document; ``auto`` takes the likeliest.
        pattern: how a ``.tiktoken`` file splits text: ``auto`` recognises the published files, else the name
            of a published encoding or a regular expression.
    """

    tokenizer: str = "cl100k_base"
    backend: Literal["auto", "fastokens", "tiktoken", "huggingface"] = "auto"
    end_of_document: str = "auto"
    pattern: str = "auto"

    def __post_init__(self) -> None:
        for field in ("tokenizer", "end_of_document", "pattern"):
            if not getattr(self, field):
                raise ValueError(f"`tokenize.{field}` must not be empty, but is `''`")


class Tokenize:
    """Encode documents and mark their ends.

    ``encode`` gives the ids; ``counted`` makes the measures of them. ``shard`` and ``offset`` are null until
    the whole corpus is encoded and shards are cut.

    Example:
        >>> stage = Tokenize(TokenizeSettings(tokenizer="bytes"))
        >>> batch = pa.record_batch({"text": pa.array(["ab"], pa.large_string())})
        >>> stage.measure(batch).to_pylist()
        [{'n_tokens': 3, 'shard': None, 'offset': None}]
    """

    name: ClassVar[str] = "tokenize"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("text",)
    adds: ClassVar[Mapping[str, pa.DataType]] = {
        "n_tokens": pa.int64(),
        "shard": pa.int32(),
        "offset": pa.int64(),
    }
    reasons: ClassVar[tuple[Reason, ...]] = ()
    about: ClassVar[str] = "Turns documents into token ids, marks their ends, and notes where each lies in the shards."
    settings_type: ClassVar[type[Settings]] = TokenizeSettings

    def __init__(self, settings: TokenizeSettings | None = None) -> None:
        self.settings = settings or TokenizeSettings()

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
            pattern=self.settings.pattern,
        )

    @property
    def vocabulary_size(self) -> int:
        """Largest id + 1."""
        return self.tokenizer.vocabulary_size

    @property
    def end_of_document_id(self) -> int:
        """Id of the mark that ends each document."""
        return self.tokenizer.end_of_document_id

    @property
    def fingerprint(self) -> str:
        """SHA-256 of vocabulary, split pattern and end mark; equal ids whatever the backend."""
        return self.tokenizer.fingerprint

    def warnings(self) -> list[str]:
        """Load everything; sentences to show before the run.

        Raises:
            PlanError: the tokenizer cannot be used as the settings say.
        """
        return list(self.tokenizer.notes)

    def encode(self, text: pa.Array) -> pa.LargeListArray:
        """``large_list<uint32>`` of ids for each text (``large_string``, no nulls), end mark included."""
        return self.tokenizer.encode(text)

    def decode(self, ids: npt.NDArray[Any]) -> str:
        """Text of the ids, without end marks."""
        return self.tokenizer.decode(ids)

    def counted(self, encoded: pa.LargeListArray) -> pa.RecordBatch:
        """Measures of documents that are already encoded, so that nobody encodes twice.

        Args:
            encoded: result of ``encode``; may be a slice.
        """
        n_tokens = np.diff(encoded.offsets.to_numpy())
        rows = len(encoded)
        columns = [pa.array(n_tokens), pa.nulls(rows, pa.int32()), pa.nulls(rows, pa.int64())]
        return pa.record_batch(columns, schema=pa.schema(list(self.adds.items())))

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """``n_tokens`` of each document, end mark included; ``shard`` and ``offset`` null."""
        return self.counted(self.encode(batch["text"]))

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """An empty list for each document: tokenizing removes nothing."""
        return pa.array([[]] * measures.num_rows, pa.list_(pa.string()))
