"""Section ``[shards]`` of the configuration."""

from collections.abc import Iterator, Sequence
from typing import Literal

from curate.stages.contract import Settings, Unused


class ShardSettings(Settings, frozen=True):
    """How token shards are cut and written.

    Attributes:
        format: ``parquet`` (rows of ``id, input_ids``) or ``bin`` (flat ids for a memory map, and an index).
        shard_tokens: most tokens in a shard; only a longer single document makes a larger one.
        compression_level: of zstd in Parquet files, 1 to 22.
    """

    format: Literal["parquet", "bin"] = "parquet"
    shard_tokens: int = 100_000_000
    compression_level: int = 3

    def __post_init__(self) -> None:
        if self.shard_tokens < 1:
            raise ValueError(f"`shards.shard_tokens` must be at least 1, but is {self.shard_tokens}")
        if not 1 <= self.compression_level <= 22:
            raise ValueError(f"`shards.compression_level` must be between 1 and 22, but is {self.compression_level}")

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:
        """What the format has no use for; everything where no shards are written."""
        if "tokenize" not in runs:
            yield Unused("", "without the stage `tokenize` there are no shards")
        elif self.format != "parquet":
            yield Unused("compression_level", f"shards of format `{self.format}` are not compressed")
