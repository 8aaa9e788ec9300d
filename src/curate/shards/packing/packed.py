"""Where documents lie when shards are made of sequences of one length: whole tokens of whole documents, and padding.

Nothing is ever cut off. ``concatenate`` lays documents back to back and fills the last sequence of each shard.
``best_fit`` keeps a document that fits into a sequence inside one; a longer one takes whole sequences, and its rest is
packed like a short document, before or behind them, so that all of it lies in a row.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Packing = Literal["none", "concatenate", "best_fit"]


class Laid(NamedTuple):
    """Documents in units, each of which goes to one shard as a whole.

    Attributes:
        unit: of each document.
        start: of its first token there.
        sizes: tokens of each unit, padding included, in the order of the shards.
    """

    unit: Int64
    start: Int64
    sizes: Int64


def by_themselves(n_tokens: Int64) -> Laid:
    """Each document a unit."""
    return Laid(np.arange(len(n_tokens)), np.zeros(len(n_tokens), np.int64), n_tokens)


def best_fitted(n_tokens: Int64, length: int, seed: Sequence[int] | None) -> Laid:
    """Documents packed by best fit into units of whole sequences, so that none that fits into a sequence is cut.

    Args:
        n_tokens: of each document, at least 1.
        length: of a sequence.
        seed: of the order of units; None: by their first documents.

    Example:
        >>> found = best_fitted(np.array([3, 2, 9, 1]), 4, None)
        >>> found.unit.tolist(), found.start.tolist(), found.sizes.tolist()
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
    sizes = -(-np.bincount(sorted_chain, sorted_tokens, chains).astype(np.int64) // length) * length
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
    unit, start = np.empty(many, np.int64), np.empty(many, np.int64)
    unit[order], start[order] = sorted_chain, starts
    return Laid(unit, start, sizes)
