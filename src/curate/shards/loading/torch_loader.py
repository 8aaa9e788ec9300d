"""The loader as a data set of torch, which is no dependency: whoever asks for it has it."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from curate.errors import require
from curate.shards.loading import Loader


@functools.cache
def torch_loader() -> type[Loader]:
    """The class of loaders that are a ``torch.utils.data.IterableDataset``.

    Raises:
        MissingExtra: torch is not installed.
    """
    require("torch", "torch", "`curate.load` was called with `torch=True`")
    import torch
    from torch.utils.data import IterableDataset, get_worker_info

    class TorchLoader(Loader, IterableDataset):  # type: ignore[misc, type-arg, unused-ignore]
        """Batches of tensors. Workers of a ``DataLoader`` take turns, so batches come in the order of one process.

        With workers the counting happens in them: count the batches that you took, set ``batches`` in the state, and
        call ``set_epoch`` before each epoch. torchdata's ``StatefulDataLoader`` keeps the counts of its workers.
        """

        gives_tensors = True

        def __iter__(self) -> Iterator[dict[str, Any]]:
            """The batches that remain in the epoch."""
            for batch in super().__iter__():
                yield {"input_ids": torch.from_numpy(batch["input_ids"].astype(np.int64))}

        def _worker(self) -> tuple[int, int]:
            info = get_worker_info()
            return (0, 1) if info is None else (info.id, info.num_workers)

    return TorchLoader
