"""Which shard each kept document goes to, decided over all of them at once, 40 bytes each: best fit, and mixtures.

What is for validation goes apart.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.shards.packing import Packed, Packing, best_fitted, concatenated
from curate.shards.packing.cutting import cut
from curate.shards.permutation import Permutation

Int64 = npt.NDArray[np.int64]


class Order(NamedTuple):
    """Places of all kept documents, in the order of the corpus.

    Attributes:
        shard: int32, number of each document's shard; those for validation come last.
        offset: int64, position of its first token there.
        sizes: int64, tokens of each shard, padding included.
        validation: number of the first shard for validation.
    """

    shard: npt.NDArray[np.int32]
    offset: Int64
    sizes: Int64
    validation: int


def ordered(
    n_tokens: Int64,
    held_out: npt.NDArray[np.bool_],
    limit: int,
    seed: int | None,
    packing: Packing = "none",
    sequence_length: int = 1,
) -> Order:
    """Cut a whole corpus into shards.

    Args:
        n_tokens: of each kept document, in the order of the corpus.
        held_out: which of them are for validation.
        limit: most tokens in a shard.
        seed: of the order; None keeps that of the corpus.
        packing: how documents are laid into sequences.
        sequence_length: tokens of these.

    Example:
        >>> found = ordered(np.array([4, 5, 3, 2]), np.array([False, True, False, False]), 8, None)
        >>> found.shard.tolist(), found.offset.tolist(), found.validation
        ([0, 2, 0, 1], [0, 0, 4, 0], 2)
    """
    order = np.arange(len(n_tokens))
    if seed is not None and packing != "best_fit":  # which draws an order of sequences
        order[drawn_places(len(n_tokens), seed)(order)] = order.copy()
    shard, offset = np.zeros(len(n_tokens), np.int32), np.zeros(len(n_tokens), np.int64)
    sizes = [np.zeros(0, np.int64)]
    for chosen in (order[~held_out[order]], order[held_out[order]]):
        tokens, done = n_tokens[chosen], sum(map(len, sizes))
        if packing == "best_fit":
            found = best_fitted(tokens, sequence_length, limit, seed)
        elif packing == "concatenate":
            found = concatenated(tokens, sequence_length, limit)
        else:
            number, start = cut(tokens, limit)
            found = Packed(number, start, np.bincount(number, tokens).astype(np.int64))
        shard[chosen], offset[chosen] = found.shard + done, found.offset
        sizes.append(found.sizes)
    return Order(shard, offset, np.concatenate(sizes), len(sizes[1]))


def drawn_places(documents: int, seed: int) -> Permutation:
    """The place of each document in a drawn order, by its number in the order of the corpus."""
    # apart from other draws by the same seed: a loader that permutes with it must not put documents back
    return Permutation(documents, [seed, 2])


def is_held_out(clusters: Sequence[bytes], share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which documents are for validation: by the hash of their duplicate cluster, so copies go the same way.

    Args:
        clusters: 16 bytes that all copies of a document share.
        share: of the clusters, 0 to 1.
        seed: of the choice.
    """
    if not share or not clusters:
        return np.zeros(len(clusters), np.bool_)
    words = np.frombuffer(b"".join(clusters), np.uint64).reshape(-1, 2)
    key = np.random.default_rng(seed).integers(1, 2**63, 2, np.uint64) | np.uint64(1)
    mixed = (words[:, 0] ^ key[0]) * key[1] ^ words[:, 1]
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    chosen: npt.NDArray[np.bool_] = (mixed >> np.uint64(11)).astype(np.float64) / 2**53 < share
    return chosen


def pieces(tokens_of_shards: Iterable[int], size: int) -> Int64:
    """Where the pieces of each shard begin, counted over all shards; one more than there are shards.

    Example:
        >>> pieces([10, 3], 4).tolist()
        [0, 3, 4]
    """
    counts = [max(1, -(-tokens // size)) for tokens in tokens_of_shards]
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
