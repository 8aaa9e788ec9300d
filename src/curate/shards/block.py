"""A run of documents with their token ids: the unit in which shards are written and read.

Blocks are cut by their content, so a file's bytes do not depend on how its documents arrived.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.shards.packing.cutting import Cutter

Int64 = npt.NDArray[np.int64]

BLOCK_WEIGHT = 4_194_304
"""Most weight of a block: about 16 MB of ids, so that a writer or reader needs little memory."""
_DOCUMENT_WEIGHT = 64
"""A document weighs its tokens and this, for its id and its row: blocks of tiny documents stay small, too."""


class Block(NamedTuple):
    """Documents back to back: document ``i`` has ``tokens[offsets[i]:offsets[i + 1]]``.

    Attributes:
        ids: document ids, ``string``; null: no document, but padding of packed shards.
        tokens: token ids, any unsigned or int32 dtype.
        offsets: int64, one longer than ``ids``, from 0.
    """

    ids: pa.Array
    tokens: npt.NDArray[Any]
    offsets: Int64

    @property
    def n_tokens(self) -> Int64:
        """Tokens of each document."""
        return np.diff(self.offsets)

    @property
    def is_padding(self) -> npt.NDArray[np.bool_]:
        """Which rows are padding."""
        found: npt.NDArray[np.bool_] = self.ids.is_null().to_numpy(zero_copy_only=False)
        return found

    def documents(self) -> tuple["Block", Int64]:
        """The documents without padding, and where each began in this block."""
        if not self.ids.null_count:
            return self, self.offsets[:-1]
        kept = ~self.is_padding
        counts = self.n_tokens
        tokens = self.tokens[np.repeat(kept, counts)]
        offsets = np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.int64)
        return Block(self.ids.filter(pa.array(kept)), tokens, offsets), self.offsets[:-1][kept]

    def rows(self, start: int, stop: int) -> "Block":
        """Documents ``start`` to ``stop``."""
        first, last = self.offsets[start], self.offsets[stop]
        offsets = self.offsets[start : stop + 1] - first
        return Block(self.ids[start:stop], self.tokens[first:last], offsets)


def block_of(ids: pa.Array, lists: pa.Array) -> Block:
    """A block over Arrow columns: ``ids`` (large_)string, ``lists`` (large_)list of integers."""
    offsets = lists.offsets.to_numpy().astype(np.int64)
    tokens = lists.values.to_numpy()[offsets[0] : offsets[-1]]
    return Block(ids.cast(pa.string()), tokens, offsets - offsets[0])


Documents = Iterable[pa.RecordBatch | Block]
"""Blocks, or batches of ``id`` (string) and ``input_ids`` (large_list<uint32>), of any size."""


def blocks_of(documents: Documents) -> Iterator[Block]:
    """The same documents in blocks of a size that depends on them alone."""
    return map(joined, pieces_of(documents))


def pieces_of(documents: Documents) -> Iterator[list[Block]]:
    """The same as `blocks_of`, each block as the pieces in which it came: putting them together copies all ids."""
    cutter = Cutter(BLOCK_WEIGHT)
    pending: list[Block] = []
    current = 0
    for batch in documents:
        arrived = batch if isinstance(batch, Block) else block_of(batch["id"], batch["input_ids"])
        numbers, _ = cutter.cut(arrived.n_tokens + _DOCUMENT_WEIGHT)
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
        for start, stop in pairwise(edges):
            if start == stop:
                continue
            if numbers[start] != current and pending:
                yield pending
                pending = []
            current = numbers[start]
            pending.append(arrived.rows(start, stop))
    if pending:
        yield pending


def joined(blocks: list[Block]) -> Block:
    """Some blocks, at least one, as one."""
    if len(blocks) == 1:
        return blocks[0]
    n_tokens = np.concatenate([block.n_tokens for block in blocks])
    return Block(
        pa.concat_arrays([block.ids for block in blocks]),
        np.concatenate([block.tokens for block in blocks]),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(n_tokens)]),
    )
