"""Shards as Parquet: rows of ``id`` and ``input_ids``, which every data library loads as they are.

Plain encoding under zstd: a dictionary of 100,000 ids costs more than it saves (32.1 against 30.4 MB on 82 MB
of novels at level 3).

Packed shards have a row for each sequence: ``input_ids``, and of the pieces of documents in it ``id`` (null: padding),
``seq_lengths`` (the name that TRL's collator knows) and ``start``, the token of its document that a piece begins with.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.shards.block import Block, Documents, block_of, blocks_of
from curate.shards.damage import DamagedShard
from curate.shards.entry import ShardEntry
from curate.shards.files.hashed_file import HashedFile, hashed_file
from curate.shards.files.tally import Counts, Tally
from curate.shards.format import Layout, ShardFormat, Target
from curate.shards.packing.sequences import SequenceCutter, Sequences
from curate.store.objects.ranges import parquet_source

SCHEMA = pa.schema({"id": pa.string(), "input_ids": pa.list_(pa.int32())})
PACKED_SCHEMA = pa.schema(
    {
        "input_ids": pa.list_(pa.int32()),
        "id": pa.list_(pa.string()),
        "seq_lengths": pa.list_(pa.int32()),
        "start": pa.list_(pa.int64()),
    }
)


class ParquetFormat(ShardFormat):
    """One file, one row group for each block.

    Ids are int32: torch and most tensor libraries compute no unsigned 32-bit, and no vocabulary is near 2^31.
    """

    name: ClassVar[str] = "parquet"
    about: ClassVar[str] = "rows of id, input_ids (datasets, polars, DuckDB)"
    dtypes: ClassVar[Mapping[str, int]] = {"int32": 2**31}

    def write(self, target: Target, documents: Documents) -> ShardEntry:
        """Write ``<stem>.parquet``."""
        with hashed_file(target.path(".parquet")) as file:
            counts = self.write_rows(file, blocks_of(documents), target.layout)
            entry = ShardEntry(file=f"{target.stem}.parquet", xxh3=file.xxh3(), **counts)
            target.whole(entry)
        return entry

    def write_rows(self, file: HashedFile, blocks: Iterable[Block], layout: Layout) -> Counts:
        """Write all rows; what was counted."""
        length = layout.sequence_length
        tally, cutter = Tally(length, has_loss=layout.masked), SequenceCutter(length)
        level = layout.level
        with pq.ParquetWriter(
            file, self.schema(packed=bool(length)), compression="zstd", compression_level=level, use_dictionary=False
        ) as writer:
            for block in blocks:
                table = self.sequence_rows(cutter.add(block), length) if length else self.document_rows(block)
                if len(table):
                    writer.write_table(table, row_group_size=len(table))
                tally.add(block)
        return tally.counts

    def schema(self, *, packed: bool) -> pa.Schema:
        """Of the rows."""
        return PACKED_SCHEMA if packed else SCHEMA

    def document_rows(self, block: Block) -> pa.Table:
        """A row for each document."""
        return _table(block)

    def sequence_rows(self, found: Sequences, length: int) -> pa.Table:
        """A row for each sequence."""
        rows = pa.array(np.arange(0, len(found.tokens) + 1, length), pa.int32())
        ids = pa.ListArray.from_arrays(rows, pa.array(int32(found.tokens)))
        return pa.table({"input_ids": ids, **pieces(found)}, schema=PACKED_SCHEMA)

    def read(self, folder: Path, entry: ShardEntry, layout: Layout) -> Iterator[Block]:
        """One block for each row group."""
        if layout.sequence_length:
            yield from packed_documents(folder / entry.file, layout.sequence_length, _flat_ids)
            return
        with pq.ParquetFile(parquet_source(folder / entry.file)) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=SCHEMA.names).combine_chunks()
                for batch in table.to_batches():
                    yield block_of(batch["id"], batch["input_ids"])

    def lost(self, folder: Path, entries: Sequence[ShardEntry], window: int, layout: Layout) -> int:  # noqa: ARG002
        """Rows are whole documents, or sequences; who joins and cuts them loses one tail."""
        return sum(entry.tokens for entry in entries) % window

    def usage(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> str:  # noqa: ARG002
        """A data set."""
        return f'datasets.load_dataset("parquet", data_files="{folder}/shard-*.parquet", split="train")'


def _flat_ids(table: pa.Table) -> npt.NDArray[Any]:
    return pc.list_flatten(table["input_ids"]).to_numpy()  # type: ignore[no-any-return]


def int32(tokens: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Ids as int32, without a copy where they have that width."""
    return tokens.view(np.int32) if tokens.dtype.itemsize == 4 else tokens.astype(np.int32)


def _table(block: Block) -> pa.Table:
    offsets = pa.array(block.offsets.astype(np.int32))
    lists = pa.ListArray.from_arrays(offsets, pa.array(int32(block.tokens)))
    return pa.table([block.ids, lists], schema=SCHEMA)


def pieces(found: Sequences) -> dict[str, pa.Array]:
    """Columns of the pieces in each sequence."""
    edges = pa.array(found.edges.astype(np.int32))
    return {
        "id": pa.ListArray.from_arrays(edges, found.ids),
        "seq_lengths": pa.ListArray.from_arrays(edges, pa.array(found.counts.astype(np.int32))),
        "start": pa.ListArray.from_arrays(edges, pa.array(found.starts)),
    }


def packed_documents(path: Path, length: int, tokens_of: Callable[[pa.Table], npt.NDArray[Any]]) -> Iterator[Block]:
    """Documents of packed rows: a piece that begins with its document's first token begins a document."""
    pending = Block(pa.array([], pa.string()), np.empty(0, np.uint32), np.zeros(1, np.int64))
    with pq.ParquetFile(parquet_source(path)) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group).combine_chunks()
            tokens = tokens_of(table)
            ids, counts, starts = (pc.list_flatten(table[name]) for name in ("id", "seq_lengths", "start"))
            counts, starts = counts.to_numpy().astype(np.int64), starts.to_numpy()
            if len(tokens) != len(table) * length or int(counts.sum()) != len(tokens):
                raise DamagedShard(f"`{path.name}` has rows that are not of {length:,} tokens")
            first = np.flatnonzero(starts == 0)
            begins = (np.cumsum(counts) - counts)[first]
            before = len(pending.tokens)
            offsets = np.concatenate([pending.offsets[:-1], begins + before, [before + len(tokens)]])
            joined = Block(
                pa.concat_arrays([pending.ids, ids.combine_chunks().take(pa.array(first))]),
                np.concatenate([pending.tokens.astype(tokens.dtype, copy=False), tokens]),
                offsets.astype(np.int64),
            )
            if len(joined.ids) == 0:
                raise DamagedShard(f"`{path.name}` begins inside a document")
            last = len(joined.ids) - 1
            if last:
                yield joined.rows(0, last)
            pending = joined.rows(last, last + 1)
    if len(pending.ids):
        yield pending
