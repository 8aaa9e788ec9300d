"""Padding between documents: rows of a block with no id, whose tokens are end marks."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from curate.shards.block import Block, block_of


def padded(batches: Iterable[pa.RecordBatch | Block], size: int, mark: int) -> Iterator[Block]:
    """Documents with padding where their offsets leave room, and up to the size of their shard.

    Args:
        batches: ``id``, ``input_ids`` and perhaps ``offset`` in the shard, ascending; without it documents lie back to
            back.
        size: tokens of the shard.
        mark: id that padding is made of.
    """
    done = 0
    for batch in batches:
        block = batch if isinstance(batch, Block) else block_of(batch["id"], batch["input_ids"])
        counts = block.n_tokens
        if not isinstance(batch, Block) and "offset" in batch.schema.names:
            offsets = batch["offset"].to_numpy()
            before = offsets - np.concatenate([[done], offsets[:-1] + counts[:-1]])
        else:
            before = np.zeros(len(counts), np.int64)
        done += int(counts.sum() + before.sum())
        yield _with(block, before, mark) if before.any() else block
    if done < size:
        nothing = Block(pa.array([], pa.string()), np.empty(0, np.uint32), np.zeros(1, np.int64))
        yield _with(nothing, np.array([size - done]), mark)


def _with(block: Block, before: "np.ndarray[tuple[int], np.dtype[np.int64]]", mark: int) -> Block:
    """A block with so much padding before each document, and behind the last one where there is one number more."""
    at = np.flatnonzero(before)
    tokens = np.insert(block.tokens, np.repeat(block.offsets[at], before[at]), mark)
    counts = np.insert(block.n_tokens, at, before[at])
    rows = np.insert(np.arange(len(block.ids)), at, -1)
    ids = block.ids.take(pa.array(rows, pa.int64(), mask=rows < 0))
    return Block(ids, tokens, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
