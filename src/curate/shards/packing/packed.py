"""Where documents lie when shards are made of sequences of one length: whole tokens of whole documents, and padding.

Nothing is ever cut off. ``concatenate`` lays documents back to back and fills the last sequence of each shard.
``best_fit`` keeps a document that fits into a sequence inside one; a longer one takes whole sequences, and its rest is
packed like a short document, before or behind them, so that all of it lies in a row.
"""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.shards.packing.cutting import cut

Int64 = npt.NDArray[np.int64]
Packing = Literal["none", "concatenate", "best_fit"]


class Packed(NamedTuple):
    """Places of documents in shards of whole sequences.

    Attributes:
        shard: int32, of each document.
        offset: int64, of its first token there.
        sizes: int64, tokens of each shard, padding included: multiples of the sequence length.
    """

    shard: npt.NDArray[np.int32]
    offset: Int64
    sizes: Int64


def concatenated(n_tokens: Int64, length: int, limit: int) -> Packed:
    """Documents back to back in their order, in shards of whole sequences.

    Args:
        n_tokens: of each document, at least 1.
        length: of a sequence.
        limit: most tokens in a shard, at least ``length``; only a longer document makes a larger one.

    Example:
        >>> found = concatenated(np.array([3, 2, 7]), 4, 8)
        >>> found.shard.tolist(), found.offset.tolist(), found.sizes.tolist()
        ([0, 0, 1], [0, 3, 0], [8, 8])
    """
    shard, offset = cut(n_tokens, limit // length * length)
    return Packed(shard, offset, _whole(np.bincount(shard, n_tokens).astype(np.int64), length))


def best_fitted(n_tokens: Int64, length: int, limit: int, seed: int | None) -> Packed:
    """Documents packed by best fit, so that none that fits into a sequence is cut.

    Args:
        n_tokens: of each document, at least 1.
        length: of a sequence.
        limit: most tokens in a shard, at least ``length``; only a longer document makes a larger one.
        seed: of the order of sequences; None: by their first documents.

    Example:
        >>> found = best_fitted(np.array([3, 2, 9, 1]), 4, 8, None)
        >>> found.shard.tolist(), found.offset.tolist(), found.sizes.tolist()
        ([0, 1, 0, 1], [9, 0, 0, 2], [12, 4])
    """
    from curate.shards.packing.best_fit import best_fit

    many, rests, long = len(n_tokens), n_tokens % length, n_tokens > length
    whole = rests == 0
    chain = np.empty(many, np.int64)
    chain[~whole] = best_fit(rests[~whole], long[~whole], length)
    chain[whole] = np.arange(np.count_nonzero(whole)) + (chain[~whole].max(initial=-1) + 1)
    chains = int(chain.max(initial=-1)) + 1
    first = np.full(chains, many)
    np.minimum.at(first, chain, np.arange(many))
    rank = np.empty(chains, np.int64)
    drawn = np.random.default_rng(seed).permutation(chains) if seed is not None else np.arange(chains)
    rank[np.argsort(first)[drawn]] = np.arange(chains)
    order = np.lexsort((np.arange(many), ~long, rank[chain]))  # of two long documents, one ends before the short ones
    sorted_chain, sorted_tokens = rank[chain[order]], n_tokens[order]
    sizes = _whole(np.bincount(sorted_chain, sorted_tokens, chains).astype(np.int64), length)
    ends = np.cumsum(sorted_tokens)
    starts = ends - sorted_tokens
    starts -= starts[np.searchsorted(sorted_chain, sorted_chain)]
    long = long[order]
    second = np.zeros(many, np.bool_)
    second[1:] = (sorted_chain[1:] == sorted_chain[:-1]) & long[1:] & long[:-1]
    later = np.zeros(chains, np.int64)
    later[sorted_chain[second]] = sorted_tokens[second]
    starts -= np.where(long, 0, later[sorted_chain])  # … and the other begins behind them
    starts[second] = (sizes[sorted_chain] - sorted_tokens)[second]
    number, begin = cut(sizes, limit // length * length)
    shard, offset = np.empty(many, np.int32), np.empty(many, np.int64)
    shard[order] = number[sorted_chain]
    offset[order] = begin[sorted_chain] + starts
    return Packed(shard, offset, np.bincount(number, sizes).astype(np.int64))


def _whole(tokens: Int64, length: int) -> Int64:
    """The same, up to the end of the last sequence."""
    return -(-tokens // length) * length
