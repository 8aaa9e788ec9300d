"""From converted shards to the run that their documents are of, over any number of conversions."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.errors import UserError
from curate.shards.index import ShardIndex, read_index
from curate.shards.provenance.origin import Spans
from curate.store.files import place
from curate.store.objects.bucket import is_url


class Lineage(NamedTuple):
    """The folder of the first shards, and how its spans are numbered in the converted ones."""

    shards: Path
    renumbered: Callable[[Spans], Spans]


def source_of(folder: Path, index: ShardIndex) -> Path:
    """The folder that shards were converted from, wherever it is."""
    return place(index.made_from) if is_url(index.made_from) else folder / index.made_from


def stream(index: ShardIndex) -> npt.NDArray[np.int64]:
    """Tokens of each shard by which places are counted: all, or without the padding at the end of each shard.

    Shards are cut again without it where documents lie back to back; where they are packed, padding moves along.
    """
    padded = index.packing == "best_fit"
    return np.array([entry.tokens - (0 if padded else entry.padding) for entry in index.shards], np.int64)


def lineage(folder: Path) -> Lineage | None:
    """Where converted shards came from; None where that is not here, or holds other tokens by now.

    Args:
        folder: of converted shards.
    """
    index = target = read_index(folder)
    split = ""
    while index.made_from:
        folder, split = source_of(folder, index), index.split
        try:
            index = read_index(folder)
        except (UserError, OSError):
            return None
    chosen = np.array([entry.split == split for entry in index.shards], np.bool_)
    sizes, counts = stream(index), stream(target)
    if sizes[chosen].sum() != counts.sum():
        return None
    starts = np.full(len(sizes), -1, np.int64)
    starts[chosen] = np.cumsum(sizes[chosen]) - sizes[chosen]
    begins = np.cumsum(counts) - counts

    def renumbered(spans: Spans) -> Spans:
        kept = starts[spans.shard] >= 0
        place_in_all = (starts[spans.shard] + spans.offset)[kept]
        shard = np.searchsorted(begins, place_in_all, side="right") - 1
        rows = spans.ids.filter(pa.array(kept)), spans.n_tokens[kept], spans.part[kept], spans.row[kept]
        return Spans(rows[0], shard, place_in_all - begins[shard], *rows[1:])

    return Lineage(folder, renumbered)
