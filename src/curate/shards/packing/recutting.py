"""Shards of another size out of finished ones, in their order: what a run with that size would have written.

Documents laid back to back are laid so again, with new padding at the end of each shard. What was packed by best fit
is taken in stretches of whole sequences that share no document; a run puts the same stretches into its shards.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from curate.shards.block import Block, Int64, joined
from curate.shards.packing import Packing
from curate.shards.packing.cutting import Cutter

Piece = tuple[int, Block]


def cut_again(
    blocks: Iterable[Block], limit: int, packing: Packing = "none", length: int = 0, mark: int = 0
) -> Iterator[tuple[int, Iterator[Block]]]:
    """The number of each new shard and its blocks, which must be taken before the next.

    Args:
        blocks: of all shards; packed by best fit where ``packing`` says so, else in any way but that.
        limit: most tokens in a shard.
        packing: of the new shards.
        length: of their sequences.
        mark: id that padding is made of.
    """
    cutter = Cutter(limit // length * length if length else limit)
    units = _stretches(blocks, length) if packing == "best_fit" else _documents(blocks)
    pieces = (piece for block, edges in units for piece in _cut(block, edges, cutter))
    waiting = next(pieces, None)

    def of(number: int) -> Iterator[Block]:
        nonlocal waiting
        tokens, kind = 0, np.dtype(np.uint32)
        while waiting and waiting[0] == number:
            block = waiting[1]
            kind = block.tokens.dtype
            tokens += len(block.tokens)
            yield block
            waiting = next(pieces, None)
        if length and tokens % length:
            rest = length - tokens % length
            yield Block(pa.nulls(1, pa.string()), np.full(rest, mark, kind), np.array([0, rest], np.int64))

    while waiting:
        number = waiting[0]
        taken = of(number)
        yield number, taken
        for _ in taken:  # of a shard that was there already
            pass


def _documents(blocks: Iterable[Block]) -> Iterator[tuple[Block, Int64]]:
    """Documents without padding, each of which may go to another shard than its neighbours."""
    for block in blocks:
        documents, _ = block.documents()
        yield documents, np.arange(len(documents.ids) + 1)


def _stretches(blocks: Iterable[Block], length: int) -> Iterator[tuple[Block, Int64]]:
    """Whole sequences, and the rows at which a sequence and a document begin together."""
    waiting: list[Block] = []
    for block in blocks:
        whole = joined([*waiting, block])
        edges = np.flatnonzero(whole.offsets % length == 0)
        last = int(edges[-1])
        if last:
            yield whole.rows(0, last), edges
        waiting = [whole.rows(last, len(whole.ids))] if last < len(whole.ids) else []


def _cut(block: Block, edges: Int64, cutter: Cutter) -> Iterator[Piece]:
    numbers, _ = cutter.cut(np.diff(block.offsets[edges]))
    bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    for start, stop in pairwise(bounds):
        if start < stop:
            yield int(numbers[start]), block.rows(int(edges[start]), int(edges[stop]))
