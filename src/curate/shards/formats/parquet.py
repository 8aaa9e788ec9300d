"""Shards as Parquet: rows of ``id`` and ``input_ids``, which every data library loads as they are.

Plain encoding under zstd: a dictionary of 100,000 ids costs more than it saves (32.1 against 30.4 MB on 82 MB
of novels at level 3).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curate.shards.block import Block, block_of
from curate.shards.entry import ShardEntry
from curate.shards.format import Layout, ShardFormat
from curate.shards.hashed_file import hashed_file

SCHEMA = pa.schema({"id": pa.string(), "input_ids": pa.list_(pa.int32())})


class ParquetFormat(ShardFormat):
    """One file, one row group for each block.

    Ids are int32: torch and most tensor libraries compute no unsigned 32-bit, and no vocabulary is near 2^31.
    """

    name: ClassVar[str] = "parquet"
    about: ClassVar[str] = "rows of id, input_ids (datasets, polars, DuckDB)"
    dtypes: ClassVar[Mapping[str, int]] = {"int32": 2**31}

    def write(
        self,
        folder: Path,
        stem: str,
        blocks: Iterable[Block],
        layout: Layout,
        whole: Callable[[ShardEntry], None],
    ) -> ShardEntry:
        """Write ``<stem>.parquet``."""
        documents = tokens = 0
        with hashed_file(folder / f"{stem}.parquet") as file:
            with pq.ParquetWriter(
                file, SCHEMA, compression="zstd", compression_level=layout.level, use_dictionary=False
            ) as writer:
                for block in blocks:
                    writer.write_table(_table(block), row_group_size=len(block.ids))
                    documents += len(block.ids)
                    tokens += len(block.tokens)
            entry = ShardEntry(
                file=f"{stem}.parquet", sha256=file.sha256(), xxh3=file.xxh3(), documents=documents, tokens=tokens
            )
            whole(entry)
        return entry

    def read(self, folder: Path, entry: ShardEntry, layout: Layout) -> Iterator[Block]:  # noqa: ARG002
        """One block for each row group."""
        with pq.ParquetFile(folder / entry.file) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=SCHEMA.names).combine_chunks()
                for batch in table.to_batches():
                    yield block_of(batch["id"], batch["input_ids"])

    def lost(self, folder: Path, entries: Sequence[ShardEntry], window: int) -> int:  # noqa: ARG002
        """Rows are whole documents; who joins and cuts them loses one tail."""
        return sum(entry.tokens for entry in entries) % window

    def usage(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> str:  # noqa: ARG002
        """A data set."""
        return f'datasets.load_dataset("parquet", data_files="{folder}/shard-*.parquet", split="train")'


def _int32(tokens: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Ids as int32, without a copy where they have that width."""
    return tokens.view(np.int32) if tokens.dtype.itemsize == 4 else tokens.astype(np.int32)


def _table(block: Block) -> pa.Table:
    offsets = pa.array(block.offsets.astype(np.int32))
    lists = pa.ListArray.from_arrays(offsets, pa.array(_int32(block.tokens)))
    return pa.table([block.ids, lists], schema=SCHEMA)
