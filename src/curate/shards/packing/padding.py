"""Padding between documents: rows of a block with no id, whose tokens are end marks."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.shards.block import Block, Int64, block_of
from curate.shards.files.token_bytes import BYTES, as_lists
from curate.text.core.arrow import one_array

_WIDTH = 4
_LARGE = 1024
"""Bytes of a document from which on average it is faster to copy each to its place than to have Arrow take them, which
first puts all that it takes from into one piece."""


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
        tokens = pa.chunked_array([*piece["input_ids"].chunks, _marks(before[gaps], mark)], BYTES)
        taken = _copied if tokens.nbytes >= _LARGE * len(rows) else _taken
        yield taken(ids.combine_chunks(), tokens, rows)
        done = int(ends[-1]) if len(ends) else done
    yield from _end(size - done, mark)


def _taken(ids: pa.Array, tokens: pa.ChunkedArray, rows: Int64) -> Block:
    return block_of(ids, as_lists(one_array(tokens.take(pa.array(rows)))))


def _copied(ids: pa.Array, tokens: pa.ChunkedArray, rows: Int64) -> Block:
    places: list[npt.NDArray[np.uint32]] = []
    for lists in map(as_lists, tokens.chunks):
        values = lists.values.to_numpy()
        edges = lists.offsets.to_numpy().tolist()
        places += [values[start:stop] for start, stop in pairwise(edges)]
    chosen = [places[row] for row in rows.tolist()]
    offsets = np.cumsum([0, *map(len, chosen)], dtype=np.int64)
    return Block(ids, np.concatenate([np.zeros(0, np.uint32), *chosen]), offsets)


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


def _marks(counts: Int64, mark: int) -> pa.Array:
    """Stretches of padding, as bytes."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64) * _WIDTH
    values = np.full(int(counts.sum()), mark, np.uint32)
    return pa.Array.from_buffers(BYTES, len(counts), [None, pa.py_buffer(offsets), pa.py_buffer(values)])
