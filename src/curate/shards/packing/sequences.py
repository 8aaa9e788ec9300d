"""Sequences of one length out of packed documents, for formats whose rows or samples are sequences."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.shards.block import Block

Int64 = npt.NDArray[np.int64]


class Sequences(NamedTuple):
    """Sequences back to back, and the pieces of documents that they hold.

    Attributes:
        tokens: of all sequences.
        ids: of the document of each piece; null: padding.
        counts: tokens of each piece.
        starts: which token of its document a piece begins with.
        edges: first piece of each sequence, one more than there are sequences.
    """

    tokens: npt.NDArray[Any]
    ids: pa.Array
    counts: Int64
    starts: Int64
    edges: Int64


class SequenceCutter:
    """Cuts blocks into sequences; what fills none waits for the next block."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._ids: pa.Array = pa.array([], pa.string())
        self._tokens: npt.NDArray[Any] | None = None
        self._counts, self._starts = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def add(self, block: Block) -> Sequences:
        """All sequences that are full now."""
        ids = pa.concat_arrays([self._ids, block.ids])
        tokens = block.tokens if self._tokens is None else np.concatenate([self._tokens, block.tokens])
        counts = np.concatenate([self._counts, block.n_tokens])
        starts = np.concatenate([self._starts, np.zeros(len(block.ids), np.int64)])
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        bounds = np.arange(0, len(tokens) + 1, self._length)
        places = np.union1d(offsets, bounds)
        home = np.searchsorted(offsets, places[:-1], side="right") - 1
        begun = places[:-1] - offsets[home] + starts[home]
        edges = np.searchsorted(places, bounds)
        full, end = int(edges[-1]), int(bounds[-1])
        self._ids, self._tokens = ids.take(pa.array(home[full:])), tokens[end:]
        self._counts, self._starts = np.diff(places[full:]), begun[full:]
        return Sequences(
            tokens[:end], ids.take(pa.array(home[:full])), np.diff(places[: full + 1]), begun[:full], edges
        )
