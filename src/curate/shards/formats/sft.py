"""Rows for fine-tuning: ``input_ids``, ``labels`` (-100 where there is no loss) and ``attention_mask``.

These three and no other are what Axolotl takes for a data set that is tokenized already; TRL takes them, too. Ids of
conversations lie row for row in a file beside them. Packed shards have a row for each sequence, with ``position_ids``
and ``seq_lengths`` (from which TRL knows where a conversation begins), and ``id`` and ``start`` of each piece.
"""

from collections.abc import Iterator, Mapping, Sequence
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
from curate.shards.files.hashed_file import hashed_file
from curate.shards.format import Layout, Target
from curate.shards.formats.parquet import ParquetFormat, packed_documents, pieces
from curate.shards.packing.sequences import Sequences
from curate.store.objects.ranges import parquet_source
from curate.text.chats.loss import LOSS, NO_LOSS, has_loss, without_loss

_ROWS = {"input_ids": pa.list_(pa.int32()), "labels": pa.list_(pa.int32()), "attention_mask": pa.list_(pa.int8())}
SCHEMA = pa.schema(_ROWS)
PACKED_SCHEMA = pa.schema(
    {
        **_ROWS,
        "position_ids": pa.list_(pa.int32()),
        "seq_lengths": pa.list_(pa.int32()),
        "id": pa.list_(pa.string()),
        "start": pa.list_(pa.int64()),
    }
)
_IDS = pa.schema({"id": pa.string()})


class SftFormat(ParquetFormat):
    """One file of rows, and beside unpacked ones a file of their ids."""

    name: ClassVar[str] = "sft"
    about: ClassVar[str] = "rows of input_ids, labels, attention_mask (TRL, Axolotl)"
    dtypes: ClassVar[Mapping[str, int]] = {"int32": 2**31}
    has_loss: ClassVar[bool] = True

    def write(self, target: Target, documents: Documents) -> ShardEntry:
        """Write ``<stem>.parquet``, and ``<stem>.ids`` where a row is a document."""
        names: list[pa.Array] = []
        layout = target.layout

        def noted() -> Iterator[Block]:
            for block in blocks_of(documents):
                names.append(block.ids if not layout.sequence_length else block.ids[:0])
                yield block

        with hashed_file(target.path(".parquet")) as file, hashed_file(target.path(".ids")) as beside:
            counts = self.write_rows(file, noted(), layout)
            ids = pa.table([pa.chunked_array(names, pa.string())], schema=_IDS)
            pq.write_table(ids, beside, compression="zstd", compression_level=layout.level)
            entry = ShardEntry(
                file=f"{target.stem}.parquet",
                xxh3=file.xxh3(),
                index_file=f"{target.stem}.ids",
                index_xxh3=beside.xxh3(),
                **counts,
            )
            target.whole(entry)
        return entry

    def schema(self, *, packed: bool) -> pa.Schema:
        """With labels and mask."""
        return PACKED_SCHEMA if packed else SCHEMA

    def document_rows(self, block: Block) -> pa.Table:
        """A row for each document."""
        offsets = pa.array(block.offsets.astype(np.int32))
        return pa.table(_columns(block.tokens, offsets, np.ones(len(block.tokens), np.int8)), schema=SCHEMA)

    def sequence_rows(self, found: Sequences, length: int) -> pa.Table:
        """A row for each sequence; padding is not attended to, and every piece counts its places from 0."""
        rows = pa.array(np.arange(0, len(found.tokens) + 1, length), pa.int32())
        is_document = found.ids.is_valid().to_numpy(zero_copy_only=False)
        seen = np.repeat(is_document, found.counts).astype(np.int8)
        begins = np.repeat(np.cumsum(found.counts) - found.counts, found.counts)
        positions = pa.array((np.arange(len(found.tokens)) - begins).astype(np.int32))
        columns = {
            **_columns(found.tokens, rows, seen),
            "position_ids": pa.ListArray.from_arrays(rows, positions),
            **pieces(found),
        }
        return pa.table(columns, schema=PACKED_SCHEMA)

    def read(self, folder: Path, entry: ShardEntry, layout: Layout) -> Iterator[Block]:
        """One block for each row group; ids have the bit of `curate.text.chats.loss`."""
        if layout.sequence_length:
            yield from packed_documents(folder / entry.file, layout.sequence_length, _flat_ids)
            return
        with pq.ParquetFile(parquet_source(folder / str(entry.index_file))) as file:
            names = file.read().column("id").cast(pa.string()).combine_chunks()
        row = 0
        with pq.ParquetFile(parquet_source(folder / entry.file)) as file:
            if file.metadata.num_rows != len(names):
                raise DamagedShard(f"`{entry.index_file}` has {len(names):,} ids for {file.metadata.num_rows:,} rows")
            for group in range(file.num_row_groups):
                table = file.read_row_group(group).combine_chunks()
                lists = table["input_ids"].combine_chunks()
                rows = pa.ListArray.from_arrays(_from_zero(lists), pa.array(_flat_ids(table)))
                yield block_of(names.slice(row, len(table)), rows)
                row += len(table)

    def lost(self, folder: Path, entries: Sequence[ShardEntry], window: int, layout: Layout) -> int:  # noqa: ARG002
        """None: trainers take rows as they are."""
        return 0


def _flat_ids(table: pa.Table) -> npt.NDArray[Any]:
    ids, labels = (pc.list_flatten(table[name]).to_numpy().astype(np.int32) for name in ("input_ids", "labels"))
    learnt = labels != NO_LOSS
    if len(ids) != len(labels) or (labels[learnt] != ids[learnt]).any():
        raise DamagedShard("the labels are not those of the ids")
    found: npt.NDArray[Any] = ids.view(np.uint32) | np.where(learnt, LOSS, np.uint32(0))
    return found


def _from_zero(lists: pa.Array) -> pa.Array:
    offsets = lists.offsets.to_numpy()
    return pa.array((offsets - offsets[0]).astype(np.int32))


def _columns(tokens: npt.NDArray[Any], offsets: pa.Array, seen: npt.NDArray[np.int8]) -> dict[str, pa.Array]:
    ids = without_loss(tokens).astype(np.int32)
    labels = np.where(has_loss(tokens), ids, np.int32(NO_LOSS)).astype(np.int32)
    return {
        name: pa.ListArray.from_arrays(offsets, pa.array(values))
        for name, values in zip(_ROWS, (ids, labels, seen), strict=True)
    }
