"""Documents as often as they are taken: all parts once, then what is taken a second time, and so on.

A *slice* is what one round takes of one part. Without a mixture there is one round, and slices are parts.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curate.engine.base import Engine, in_order
from curate.pipeline.sharding.cutters import Bools, Counts, Int64, narrow
from curate.stages.contract import Rows, addressed

Look = Callable[[int], tuple[Int64, Bools]]
"""Tokens of the kept documents of a part, and which of them are for validation."""
Times = Callable[[int], Int64]
"""How often the kept documents of a part are taken."""

_TIMES = pa.schema({"times": pa.uint32()})


class Rounds(NamedTuple):
    """All slices, in the order of rounds and then of parts.

    Attributes:
        look: at a part.
        parts: how many there are.
        rounds: how often the document that is taken most is taken.
        times: how often the kept documents of each part are taken; None: once.
    """

    look: Look
    parts: int
    rounds: int = 1
    times: Rows | None = None

    @classmethod
    def taking(
        cls, look: Look, times: Times, parts: int, engine: Engine, folder: Path
    ) -> tuple["Rounds", tuple[int, ...]]:
        """By a mixture; and how many documents each slice has.

        Args:
            look: at a part.
            times: of a part.
            parts: how many there are.
            engine: where the work runs.
            folder: for what waits.
        """
        rows = engine.exchange(partial(_send, times), parts, _receive, parts, _TIMES, folder)
        counts = list(in_order(engine, partial(_counts, rows), range(parts)))
        rounds = max(1, *(len(each) for each in counts)) if counts else 1
        kept = [each[number] if number < len(each) else 0 for number in range(rounds) for each in counts]
        return cls(look, parts, rounds, rows), tuple(kept)

    @property
    def slices(self) -> int:
        """How many there are."""
        return self.rounds * self.parts

    def documents(self, number: int) -> tuple[Counts, Bools]:
        """Tokens of each document of a slice, and which of them are for validation."""
        turn, part = divmod(number, self.parts)
        chosen = self.chosen(part, turn)
        if chosen is not None and not chosen.any():  # as of most parts in late rounds
            return narrow(np.zeros(0, np.int64)), np.zeros(0, np.bool_)
        n_tokens, held_out = self.look(part)
        return (narrow(n_tokens), held_out) if chosen is None else (narrow(n_tokens[chosen]), held_out[chosen])

    def chosen(self, part: int, turn: int) -> Bools | None:
        """Which of the kept documents of a part a round takes; None: all."""
        if self.times is None:
            return None
        found: Bools = self.times[part].column("times").to_numpy() > turn
        return found


def _send(times: Times, part: int) -> Iterator[pa.RecordBatch]:
    found = times(part)
    yield addressed(np.full(len(found), part), times=found.astype(np.uint32))


def _receive(_part: int, rows: pa.Table) -> pa.Table:
    return rows.combine_chunks()  # of one sender, in its order


def _counts(times: Rows, part: int) -> list[int]:
    """How many documents of a part each round takes."""
    found = np.bincount(times[part].column("times").to_numpy())
    return np.cumsum(found[:0:-1])[::-1].tolist()  # type: ignore[no-any-return]
