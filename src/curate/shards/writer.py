"""Write one shard, so that several can be written at once and whole ones skipped when a run continues."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from curate.shards.block import Documents
from curate.shards.entry import At, ShardEntry
from curate.shards.format import Layout, Target
from curate.shards.formats import FORMATS
from curate.shards.settings import ShardSettings


def write_shard(
    folder: Path,
    number: int,
    documents: Documents,
    settings: ShardSettings,
    layout: Layout,
    *,
    first: At | None = None,
    last: At | None = None,
    split: str = "",
    whole: Callable[[ShardEntry], None] = lambda _entry: None,
    n_tokens: npt.NDArray[np.int64] | None = None,
) -> ShardEntry:
    """Write one shard in bounded memory; its file appears only when whole.

    Args:
        folder: is made when missing.
        number: of the shard, from 0.
        documents: in order. How they are batched does not show in the file.
        settings: format.
        layout: how ids are stored.
        first: place of the first document in the run.
        last: place of the last document.
        split: begins the names of files in place of ``shard``.
        whole: hears of the shard (without these places) when all of it is written, before it gets its name.
        n_tokens: of all documents, padding among them, where that is known before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = Target(folder, f"{split or 'shard'}-{number:05d}", layout, whole, n_tokens)
    entry = FORMATS[settings.format].write(target, documents)
    return msgspec.structs.replace(entry, first=first, last=last, split=split)
