"""Documents cut into shards as they come by: those to train on and those for validation, each for themselves.

Where one stretch of documents ends, two pairs of numbers say how the next goes on. So the driver walks over token
counts alone, and remembers those pairs; stretches are then cut side by side.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.shards.packing.cutting import Cutter
from curate.shards.settings import ShardSettings

Int64 = npt.NDArray[np.int64]
Counts = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]
States = tuple[tuple[int, int], tuple[int, int]]
"""Of the cutter of documents to train on, and of that of documents for validation."""

AT_FIRST: States = ((0, 0), (0, 0))


class Cut(NamedTuple):
    """What a walk over the token counts of all kept documents says.

    Attributes:
        limit: most tokens in a shard.
        states: how each stretch of documents begins.
        sizes: tokens of each shard, padding included; those for validation come last.
        validation: number of the first shard for validation.
        tokens: of all documents.
    """

    limit: int
    states: tuple[States, ...]
    sizes: tuple[int, ...]
    validation: int
    tokens: int

    def places(self, stretch: int, n_tokens: Counts, held_out: Bools) -> tuple[npt.NDArray[np.int32], Int64]:
        """Shard and offset of each document of a stretch."""
        shard, offset = _cut(n_tokens, held_out, self.limit, self.states[stretch])[:2]
        shard[held_out] += self.validation
        return shard, offset


def walk(settings: ShardSettings, stretches: Iterable[tuple[Counts, Bools]]) -> Cut:
    """Cut a corpus, of which nothing is kept but counts.

    Args:
        settings: section ``[shards]``; what it packs is laid back to back.
        stretches: tokens of kept documents in the order of the shards, and which are for validation.

    Example:
        >>> tokens, held_out = np.array([4, 5, 3, 2]), np.array([False, True, False, False])
        >>> found = walk(ShardSettings(shard_tokens=8), [(tokens[:2], held_out[:2]), (tokens[2:], held_out[2:])])
        >>> found.sizes, found.validation, [each.tolist() for each in found.places(1, tokens[2:], held_out[2:])]
        ((7, 2, 5), 2, [[0, 1], [4, 0]])
    """
    length = 1 if settings.packing == "none" else settings.sequence_length
    limit, states, state = settings.shard_tokens // length * length, list[States](), AT_FIRST
    sizes: tuple[list[int], list[int]] = ([], [])
    for n_tokens, held_out in stretches:
        states.append(state)
        shard, _, after = _cut(n_tokens, held_out, limit, state)
        for kind, (filled, chosen) in enumerate(zip(sizes, (~held_out, held_out), strict=True)):
            first = state[kind][0]
            for number, tokens in enumerate(np.bincount(shard[chosen] - first, n_tokens[chosen]), first):
                filled.extend([0] * (number == len(filled)))
                filled[number] += int(tokens)
        state = after
    whole = tuple(-(-size // length) * length for kind in sizes for size in kind)
    return Cut(limit, tuple(states), whole, len(sizes[0]), sum(map(sum, sizes)))


def _cut(n_tokens: Counts, held_out: Bools, limit: int, states: States) -> tuple[npt.NDArray[np.int32], Int64, States]:
    """Shard and offset of each document, where shards of either kind count from 0, and how the next go on."""
    shard, offset = np.empty(len(n_tokens), np.int32), np.empty(len(n_tokens), np.int64)
    cutters = Cutter(limit, *states[0]), Cutter(limit, *states[1])
    for cutter, chosen in zip(cutters, (~held_out, held_out), strict=True):
        shard[chosen], offset[chosen] = cutter.cut(n_tokens[chosen].astype(np.int64))
    return shard, offset, (cutters[0].state, cutters[1].state)


def narrow(n_tokens: Int64) -> Counts:
    """The same counts, as small as they travel."""
    return n_tokens.astype(np.min_scalar_type(int(n_tokens.max(initial=0))))
