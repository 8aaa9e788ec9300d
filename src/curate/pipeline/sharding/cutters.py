"""Documents cut into shards as they come by: those to train on and those for validation, each for themselves.

Where one stretch of documents ends, two pairs of numbers say how the next goes on. So the driver walks over the sizes
of what no shard divides alone, and remembers those pairs; stretches are then cut side by side. Best fit packs the
documents of one stretch among themselves.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.shards.packing import Laid, best_fitted, by_themselves
from curate.shards.packing.cutting import Cutter
from curate.shards.settings import ShardSettings

Int64 = npt.NDArray[np.int64]
Counts = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]
States = tuple[tuple[int, int], tuple[int, int]]
"""Of the cutter of documents to train on, and of that of documents for validation."""

AT_FIRST: States = ((0, 0), (0, 0))


class Units(NamedTuple):
    """What no shard divides, of a stretch of documents: these themselves, or sequences that they are packed into.

    Attributes:
        train: tokens of each unit to train on.
        validation: of each for validation.
        tokens: of the documents.
    """

    train: Counts
    validation: Counts
    tokens: int


class Laying(NamedTuple):
    """How documents of a stretch are laid into units.

    Attributes:
        length: of sequences that best fit packs for; 0: each document is a unit.
        seed: of the order of sequences; None: by their first documents.
    """

    length: int = 0
    seed: int | None = None

    @classmethod
    def by(cls, settings: ShardSettings, seed: int) -> "Laying":
        """What the settings ask for."""
        length = settings.sequence_length if settings.packing == "best_fit" else 0
        return cls(length, seed if settings.order == "shuffle" else None)

    def units(self, stretch: int, n_tokens: Counts, held_out: Bools) -> Units:
        """Of a stretch."""
        train, validation = (self.laid(stretch, n_tokens[chosen]).sizes for chosen in (~held_out, held_out))
        return Units(narrow(train), narrow(validation), int(n_tokens.sum(dtype=np.int64)))

    def laid(self, stretch: int, n_tokens: Counts) -> Laid:
        """Documents of one kind of a stretch."""
        tokens = n_tokens.astype(np.int64)
        if not self.length:
            return by_themselves(tokens)
        return best_fitted(tokens, self.length, None if self.seed is None else [self.seed, 3, stretch])


class Cut(NamedTuple):
    """What a walk over the units of all kept documents says.

    Attributes:
        laying: how documents are laid into units.
        limit: most tokens in a shard.
        states: how each stretch of documents begins.
        sizes: tokens of each shard, padding included; those for validation come last.
        validation: number of the first shard for validation.
        tokens: of all documents.
    """

    laying: Laying
    limit: int
    states: tuple[States, ...]
    sizes: tuple[int, ...]
    validation: int
    tokens: int

    def places(self, stretch: int, n_tokens: Counts, held_out: Bools) -> tuple[npt.NDArray[np.int32], Int64]:
        """Shard and offset of each document of a stretch."""
        shard, offset = np.empty(len(n_tokens), np.int32), np.empty(len(n_tokens), np.int64)
        kinds = (~held_out, self.states[stretch][0], 0), (held_out, self.states[stretch][1], self.validation)
        for chosen, state, first in kinds:
            laid = self.laying.laid(stretch, n_tokens[chosen])
            number, begin = Cutter(self.limit, *state).cut(laid.sizes)
            shard[chosen], offset[chosen] = number[laid.unit] + first, begin[laid.unit] + laid.start
        return shard, offset


def walk(settings: ShardSettings, laying: Laying, stretches: Iterable[Units]) -> Cut:
    """Cut a corpus, of which nothing is kept but counts.

    Args:
        settings: section ``[shards]``.
        laying: by which documents became units.
        stretches: units in the order of the shards.

    Example:
        >>> tokens, held_out = np.array([4, 5, 3, 2]), np.array([False, True, False, False])
        >>> laying, halves = Laying(), [(tokens[:2], held_out[:2]), (tokens[2:], held_out[2:])]
        >>> units = [laying.units(number, *half) for number, half in enumerate(halves)]
        >>> found = walk(ShardSettings(shard_tokens=8), laying, units)
        >>> found.sizes, found.validation, [each.tolist() for each in found.places(1, *halves[1])]
        ((7, 2, 5), 2, [[0, 1], [4, 0]])
    """
    length = 1 if settings.packing == "none" else settings.sequence_length
    limit, states, state, tokens = settings.shard_tokens // length * length, list[States](), AT_FIRST, 0
    sizes: tuple[list[int], list[int]] = ([], [])
    for units in stretches:
        states.append(state)
        cutters = Cutter(limit, *state[0]), Cutter(limit, *state[1])
        for filled, cutter, kind in zip(sizes, cutters, units[:2], strict=True):
            first = cutter.state[0]
            shard, _ = cutter.cut(kind.astype(np.int64))
            for number, size in enumerate(np.bincount(shard - first, kind), first):
                filled.extend([0] * (number == len(filled)))
                filled[number] += int(size)
        state, tokens = (cutters[0].state, cutters[1].state), tokens + units.tokens
    whole = tuple(-(-size // length) * length for kind in sizes for size in kind)
    return Cut(laying, limit, tuple(states), whole, len(sizes[0]), tokens)


def narrow(n_tokens: Int64) -> Counts:
    """The same counts, as small as they travel."""
    return n_tokens.astype(np.min_scalar_type(int(n_tokens.max(initial=0))))
