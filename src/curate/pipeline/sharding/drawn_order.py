"""One order of all kept documents, drawn or that of the corpus, of which nobody holds more than a stretch.

A document's place follows from its number among the kept ones, in a drawn order by a permutation that is a function
(`curate.shards.permutation`). An exchange brings the documents of a stretch of places together, and another one says
each part where its documents went. What is taken more than once is in several *slices*: see
`curate.pipeline.sharding.rounds`.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curate.engine.base import Engine, in_order
from curate.pipeline.sharding.cutters import Bools, Counts, Cut, Laying, Units, narrow
from curate.pipeline.sharding.shard_order import drawn_places
from curate.shards.permutation import Permutation
from curate.stages.contract import Rows, addressed

STRETCH = 1_000_000
"""Places that are put in order at once, some 20 bytes each."""
_PLACED = pa.schema(
    {"place": pa.int64(), "slice": pa.int32(), "row": pa.int32(), "n_tokens": pa.uint32(), "held_out": pa.bool_()}
)
_HOME = pa.schema({"row": pa.int32(), "shard": pa.int32(), "offset": pa.int64()})

Look = Callable[[int], tuple[Counts, Bools]]
"""Tokens of each document of a slice, and which of them are for validation."""


class DrawnOrder(NamedTuple):
    """Documents in the order of their places, stretch by stretch.

    Attributes:
        stretches: slice, row (counted in it), tokens and split of the documents of each.
        slices: how many there are.
        engine: where the work runs.
        folder: for what waits.
    """

    stretches: Rows
    slices: int
    engine: Engine
    folder: Path

    @classmethod
    def of(cls, look: Look, kept: Sequence[int], seed: int | None, engine: Engine, folder: Path) -> "DrawnOrder":
        """Draw it.

        Args:
            look: at one slice.
            kept: how many documents each slice has.
            seed: of the order; None: as they come.
            engine: where the work runs.
            folder: for what waits.
        """
        firsts = [0, *itertools.accumulate(kept)]
        send = functools.partial(_send, look, firsts, None if seed is None else drawn_places(firsts[-1], seed))
        stretches = engine.exchange(send, len(kept), _receive, -(-firsts[-1] // STRETCH), _PLACED, folder)
        return cls(stretches, len(kept), engine, folder)

    def units(self, laying: Laying) -> Iterable[Units]:
        """What no shard divides, of all documents in their order."""
        return in_order(self.engine, functools.partial(_units, self.stretches, laying), range(len(self.stretches)))

    def sent_home(self, cut: Cut) -> Rows:
        """Shard and offset of the documents of each slice, in their order there."""
        send = functools.partial(_send_home, self.stretches, cut)
        return self.engine.exchange(send, len(self.stretches), _by_row, self.slices, _HOME, self.folder)


def _send(look: Look, firsts: Sequence[int], permutation: Permutation | None, number: int) -> Iterator[pa.RecordBatch]:
    n_tokens, held_out = look(number)
    rows = np.arange(len(n_tokens))
    place = rows + firsts[number]
    if permutation is not None:
        place = permutation(place)
    yield addressed(
        place // STRETCH,
        place=place,
        slice=np.full(len(rows), number, np.int32),
        row=rows.astype(np.int32),
        n_tokens=n_tokens.astype(np.uint32),
        held_out=held_out,
    )


def _receive(stretch: int, rows: pa.Table) -> pa.Table:
    place = rows.column("place").to_numpy() - stretch * STRETCH
    order = np.empty(len(place), np.int64)
    order[place] = np.arange(len(place))  # each place is there once
    return rows.drop_columns("place").combine_chunks().take(pa.array(order)).combine_chunks()


def _units(stretches: Rows, laying: Laying, stretch: int) -> Units:
    return laying.units(stretch, *_counts(stretches, stretch))


def _counts(stretches: Rows, stretch: int) -> tuple[Counts, Bools]:
    n_tokens = stretches[stretch].column("n_tokens").to_numpy()
    return narrow(n_tokens), stretches[stretch].column("held_out").to_numpy()


def _send_home(stretches: Rows, cut: Cut, stretch: int) -> Iterator[pa.RecordBatch]:
    table = stretches[stretch]
    shard, offset = cut.places(stretch, *_counts(stretches, stretch))
    yield addressed(
        table.column("slice").to_numpy(), row=table.column("row").combine_chunks(), shard=shard, offset=offset
    )


def _by_row(number: int, rows: pa.Table) -> pa.Table:  # noqa: ARG001
    order = np.argsort(rows.column("row").to_numpy())
    return rows.drop_columns("row").combine_chunks().take(pa.array(order)).combine_chunks()
