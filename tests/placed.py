"""Places of a whole corpus that is looked at at once: what stretches of it must come to."""

from typing import NamedTuple

import numpy as np

from curate.pipeline.sharding.cutters import Laying, walk
from curate.pipeline.sharding.shard_order import drawn_places


class Placed(NamedTuple):
    shard: np.ndarray
    offset: np.ndarray
    sizes: np.ndarray
    validation: int


def placed(n_tokens, settings, held_out=None, seed=0):
    """Of documents in the order of the corpus."""
    held_out = np.zeros(len(n_tokens), np.bool_) if held_out is None else held_out
    order = np.arange(len(n_tokens))
    if settings.order == "shuffle":
        order[drawn_places(len(n_tokens), seed)(order)] = order.copy()
    laying = Laying.by(settings, seed)
    cut = walk(settings, laying, [laying.units(0, n_tokens[order], held_out[order])])
    shard, offset = np.empty(len(order), np.int32), np.empty(len(order), np.int64)
    shard[order], offset[order] = cut.places(0, n_tokens[order], held_out[order])
    assert cut.tokens == n_tokens.sum()
    return Placed(shard, offset, np.array(cut.sizes, np.int64), cut.validation)
