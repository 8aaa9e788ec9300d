"""Padding between documents: rows of a block with no id, whose tokens are end marks."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.shards.block import Block, Int64, block_of
from curate.shards.files.token_bytes import BYTES, as_lists

_WIDTH = 4


def padded(pieces: Iterable[pa.Table], size: int, mark: int) -> Iterator[Block]:
    """Documents of a shard by their offsets, with padding where these leave room, and up to the size of the shard.

    Args:
        pieces: ``offset`` in the shard, ``id`` and ``input_ids`` (as bytes), in any order within a piece.
        size: tokens of the shard.
        mark: id that padding is made of.
    """
    done = 0
    for piece in pieces:
        offsets = piece["offset"].to_numpy()
        order = np.argsort(offsets)
        starts = offsets[order]
        ends = starts + pc.binary_length(piece["input_ids"]).to_numpy()[order] // _WIDTH
        before = starts - np.concatenate([[done], ends[:-1]])[: len(starts)]
        gaps = np.flatnonzero(before)
        rows = np.insert(order, gaps, len(order) + np.arange(len(gaps)))
        ids = piece["id"].take(pa.array(rows, mask=rows >= len(order)))
        tokens = pa.chunked_array([*piece["input_ids"].chunks, _marks(before[gaps], mark)], BYTES).take(pa.array(rows))
        done = int(ends[-1]) if len(ends) else done
        yield block_of(ids.combine_chunks(), as_lists(_one(tokens)))
    yield from _end(size - done, mark)


def filled_up(batches: Iterable[pa.RecordBatch], size: int, mark: int) -> Iterator[Block]:
    """Documents back to back, with padding up to the size of their shard.

    Args:
        batches: ``id`` and ``input_ids``.
        size: tokens of the shard.
        mark: id that padding is made of.
    """
    done = 0
    for batch in batches:
        block = block_of(batch["id"], batch["input_ids"])
        done += len(block.tokens)
        yield block
    yield from _end(size - done, mark)


def _end(count: int, mark: int) -> Iterator[Block]:
    if count > 0:
        yield Block(pa.nulls(1, pa.string()), np.full(count, mark, np.uint32), np.array([0, count], np.int64))


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()  # which always copies


def _marks(counts: Int64, mark: int) -> pa.Array:
    """Stretches of padding, as bytes."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64) * _WIDTH
    values = np.full(int(counts.sum()), mark, np.uint32)
    return pa.Array.from_buffers(BYTES, len(counts), [None, pa.py_buffer(offsets), pa.py_buffer(values)])
