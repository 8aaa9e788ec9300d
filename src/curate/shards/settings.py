"""Section ``[shards]`` of the configuration."""

from collections.abc import Iterator, Sequence
from typing import Literal

from curate.settings.base import Settings, Unused
from curate.shards.packing import Packing


class ShardSettings(Settings, frozen=True):
    """How token shards are cut and written.

    Attributes:
        format: ``parquet``, ``sft`` (conversations with a loss mask), ``bin``, ``megatron``, ``olmo``, ``datatrove``,
            ``litdata``, ``mds`` or ``arrayrecord``: what the trainer reads.
        shard_tokens: most tokens in a shard; only a longer single document makes a larger one.
        compression_level: of zstd in Parquet files, 1 to 22.
        dtype: type of the stored ids; ``auto`` is the narrowest that the reader takes and the vocabulary fits in.
        header: ``llm.c`` begins each ``bin`` file with its header of 256 numbers.
        column: name of the column of ids in MDS: ``tokens`` for LLM Foundry, ``input_ids`` for ModernBERT.
        order: ``input`` keeps that of the corpus; ``shuffle`` draws one of all documents by ``run.seed``.
        validation: share of duplicate clusters whose document goes to ``validation-…`` files, by hash and ``run.seed``.
        packing: ``none``: documents back to back. ``concatenate``: the same, each shard filled up to whole sequences.
            ``best_fit``: no document that fits into a sequence is cut; places that stay empty are padding.
        sequence_length: tokens of a sequence, where documents are packed.
        loss_mask: write ``.ds.loss`` beside each ``.ds``, or ``.mask.npy`` beside each ``.npy``, one byte a token: 1
            where it counts in the loss, as the chat template says; without one, 0 for padding alone.
    """

    format: Literal["parquet", "sft", "bin", "megatron", "olmo", "datatrove", "litdata", "mds", "arrayrecord"] = (
        "parquet"
    )
    shard_tokens: int = 100_000_000
    compression_level: int = 3
    dtype: Literal["auto", "uint8", "uint16", "uint32", "int32"] = "auto"
    header: Literal["none", "llm.c"] = "none"
    column: str = "tokens"
    loss_mask: bool = False
    order: Literal["input", "shuffle"] = "input"
    validation: float = 0.0
    packing: Packing = "none"
    sequence_length: int = 2048

    def __post_init__(self) -> None:
        if self.shard_tokens < 1:
            raise ValueError(f"`shards.shard_tokens` must be at least 1, but is {self.shard_tokens}")
        if not 0 <= self.validation < 1:
            raise ValueError(f"`shards.validation` is a share from 0 to less than 1, but is {self.validation}")
        if self.sequence_length < 1:
            raise ValueError(f"`shards.sequence_length` must be at least 1, but is {self.sequence_length}")
        if self.packing != "none" and self.shard_tokens < self.sequence_length:
            raise ValueError(
                f"`shards.shard_tokens` must be at least `shards.sequence_length`, but is {self.shard_tokens}"
            )
        if not self.column:
            raise ValueError("`shards.column` must not be empty, but is `''`")
        if not 1 <= self.compression_level <= 22:
            raise ValueError(f"`shards.compression_level` must be between 1 and 22, but is {self.compression_level}")

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:
        """What the format has no use for; everything where no shards are written."""
        if "tokenize" not in runs:
            yield Unused("", "without the stage `tokenize` there are no shards")
        elif self.format not in {"parquet", "sft"}:
            yield Unused("compression_level", f"shards of format `{self.format}` are not compressed")
        if self.packing == "none":
            yield Unused("sequence_length", "`shards.packing` is `none`", hint="--set shards.packing=best_fit")
        for key, *names in (("header", "bin"), ("column", "mds"), ("loss_mask", "datatrove", "olmo")):
            if self.format not in names:
                yield Unused(key, f"only shards of format {' and '.join(f'`{name}`' for name in names)} have one")
