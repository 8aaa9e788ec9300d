"""Shards as flat files of ids, for trainers that map a file into memory and read any window of it.

A trainer needs no library of ours::

    tokens = np.memmap("shard-00000.bin", dtype="<u4", mode="r")   # dtype as index.json says
    window = tokens[start : start + context_length]

Document boundaries lie beside it in ``shard-00000.index.parquet``: ``id``, ``offset`` (in tokens) and
``n_tokens``.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.hashed_file import hashed_file
from curate.shards.index import ShardEntry

SCHEMA = pa.schema({"id": pa.string(), "offset": pa.int64(), "n_tokens": pa.int64()})


class BinFormat:
    """Little-endian ids back to back, and their index."""

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
        """Write ``<stem>.bin`` and ``<stem>.index.parquet``."""
        stored = np.dtype(dtype).newbyteorder("<")
        documents = tokens = 0
        with hashed_file(folder / f"{stem}.bin") as flat, hashed_file(folder / f"{stem}.index.parquet") as index:
            with pq.ParquetWriter(index, SCHEMA, compression="zstd", compression_level=level) as writer:
                for block in blocks:
                    flat.write(np.ascontiguousarray(block.tokens, dtype=stored).data.cast("B"))
                    rows = [block.ids, pa.array(block.offsets[:-1] + tokens), pa.array(block.n_tokens)]
                    writer.write_table(pa.table(rows, schema=SCHEMA), row_group_size=len(block.ids))
                    documents += len(block.ids)
                    tokens += len(block.tokens)
            entry = ShardEntry(
                file=f"{stem}.bin",
                sha256=flat.sha256(),
                xxh3=flat.xxh3(),
                documents=documents,
                tokens=tokens,
                index_file=f"{stem}.index.parquet",
                index_sha256=index.sha256(),
                index_xxh3=index.xxh3(),
            )
            whole(entry)
        return entry

    def read(self, folder: Path, entry: ShardEntry, *, dtype: str) -> Iterator[Block]:
        """One block for each row group of the index."""
        if entry.index_file is None:
            raise DamagedShard(f"`{entry.file}` has no index file.")
        stored = np.dtype(dtype).newbyteorder("<")
        size = (folder / entry.file).stat().st_size
        if size % stored.itemsize:
            raise DamagedShard(f"`{entry.file}` has {size} bytes, which is not a multiple of {stored.itemsize}.")
        done = 0
        with pq.ParquetFile(folder / entry.index_file) as index, (folder / entry.file).open("rb") as flat:
            for group in range(index.num_row_groups):
                rows = index.read_row_group(group, columns=SCHEMA.names).combine_chunks()
                n_tokens = rows["n_tokens"].to_numpy()
                offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(n_tokens)])
                if not np.array_equal(rows["offset"].to_numpy(), offsets[:-1] + done):
                    raise DamagedShard(f"`{entry.index_file}` has offsets that do not follow from one another.")
                tokens = np.fromfile(flat, stored, count=int(offsets[-1]))
                if len(tokens) < offsets[-1]:
                    raise DamagedShard(f"`{entry.file}` ends before its index does.")
                done += len(tokens)
                yield Block(pa.concat_arrays(rows["id"].chunks), tokens, offsets)
        if done * stored.itemsize != size:
            raise DamagedShard(f"`{entry.file}` has tokens beyond the last document of its index.")
