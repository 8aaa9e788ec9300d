"""What a shard format must do. A new format is one class here and one entry in `FORMATS`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from curate.shards.bin import BinFormat
from curate.shards.block import Block
from curate.shards.index import ShardEntry
from curate.shards.parquet import ParquetFormat


class ShardFormat(Protocol):
    """Writes and reads one shard; knows nothing of the others."""

    def write(
        self,
        folder: Path,
        stem: str,
        blocks: Iterable[Block],
        *,
        dtype: str,
        level: int,
        whole: Callable[[ShardEntry], None],
    ) -> ShardEntry:
        """Write a shard under its final name only when whole; the same documents give the same bytes.

        Args:
            folder: exists.
            stem: file name without suffix.
            blocks: documents in order.
            dtype: NumPy name of the ids to store.
            level: compression level of zstd.
            whole: hears of the shard when all of it is written, before it gets its name.
        """

    def read(self, folder: Path, entry: ShardEntry, *, dtype: str) -> Iterator[Block]:
        """The documents of a shard.

        Raises:
            DamagedShard: the file contradicts itself.
            OSError, pyarrow.ArrowException: the file is missing or cannot be decoded.
        """


FORMATS: Mapping[str, ShardFormat] = {"parquet": ParquetFormat(), "bin": BinFormat()}
