"""Tokens for a trainer: windows of all shards back to back, in an order drawn by a seed, resumed exactly."""

import functools
import itertools
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from curate.errors import UserError
from curate.shards.convert import of_split
from curate.shards.formats import FORMATS
from curate.shards.index import ShardIndex, index_path, read_index
from curate.shards.permutation import Permutation
from curate.shards.reader import read_blocks
from curate.store.files import place
from curate.store.run_directory import SHARDS

Batch = dict[str, Any]

_STEPS = 256
"""Steps whose order is computed at once."""


class Loader:
    """Iterates over one epoch of batches: dicts with ``input_ids``, (``batch_size``, ``sequence_length``).

    All shards are one stream, cut into windows of ``sequence_length``; its tail is never used. The order of windows is
    drawn by ``seed``, a different one each epoch. A step is one batch on each rank; the ranks of a step get consecutive
    windows in that order, so what all ranks see depends only on ``batch_size`` × ``world``. Windows that do not fill a
    whole step are not used.

    Attributes:
        gives_tensors: whether batches are of torch.
        windows: windows in the stream.
        epoch: number of the epoch, from 0; the next one begins when an iteration ends.
    """

    gives_tensors: ClassVar[bool] = False

    def __init__(
        self,
        output: "str | Path",
        *,
        sequence_length: int,
        batch_size: int = 1,
        rank: int = 0,
        world: int = 1,
        seed: int = 0,
        prefetch: int = 2,
        split: str = "",
    ) -> None:
        for name, value in (("sequence_length", sequence_length), ("batch_size", batch_size), ("world", world)):
            if value < 1:
                raise UserError(f"`{name}` must be at least 1, but is {value}")
        if not 0 <= rank < world:
            raise UserError(f"`rank` must be from 0 to {world - 1} with `world` = {world}, but is {rank}")
        folder = place(str(output))
        folder = folder / SHARDS if not index_path(folder).exists() and (folder / SHARDS).is_dir() else folder
        index = of_split(read_index(folder), split)
        packed = index.sequence_length if index.packing == "best_fit" else 1
        if sequence_length % packed and packed % sequence_length:
            raise UserError(
                f"`sequence_length` is {sequence_length:,}, but these shards are packed for {packed:,}",
                hint=f"sequence_length={packed}",
            )
        self._stream = _Stream(folder, index)
        self._length, self._batch, self._rank, self._world = sequence_length, batch_size, rank, world
        self._seed, self._prefetch, self._split = seed, prefetch, split
        self._folder = folder.absolute()
        self._what = {"seed": seed, "sequence_length": sequence_length, "tokens": index.tokens}
        self.windows = index.tokens // sequence_length
        if self.windows < batch_size * world:
            raise UserError(
                f"a step takes `batch_size` × `world` = {batch_size * world:,} windows of {sequence_length:,} tokens,"
                f" and the {index.tokens:,} tokens{f' of the split `{split}`' if split else ''} in `{folder}` hold"
                f" {self.windows:,}",
                hint="a smaller sequence_length or batch_size",
            )
        self.epoch = 0
        self._begun = 0  # windows of the epoch that were given out, on all ranks, before the first batch counted
        self._batches = 0

    def __len__(self) -> int:
        """Batches of this rank that remain in the epoch."""
        return (self.windows - self._begun) // (self._batch * self._world) - self._batches

    def __iter__(self) -> Iterator[Batch]:
        """The batches that remain in the epoch."""
        first, step = self._worker()
        with ThreadPoolExecutor(1, thread_name_prefix="loader") as thread:
            waiting = deque[Future[Batch]]()
            permutation, made = Permutation(self.windows, self._seed + (self.epoch << 32)), self._batches
            order = functools.lru_cache(2)(functools.partial(self._order, permutation, self._begun))
            last = made + len(self)
            following = itertools.count(made + step, step)  # of this process; others may take turns beyond the last
            for number in range(made + first, last, step):
                if self._prefetch < 1:
                    batch = self._made(order, number)
                else:
                    waiting.append(thread.submit(self._made, order, number))
                    if len(waiting) <= self._prefetch:
                        continue
                    batch = waiting.popleft().result()
                self._batches = min(next(following), last)
                yield batch
            while waiting:
                batch = waiting.popleft().result()
                self._batches = min(next(following), last)
                yield batch
        self.epoch, self._begun, self._batches = self.epoch + 1, 0, 0

    def _worker(self) -> tuple[int, int]:
        """Which batches this process makes: every ``step``-th from ``first``."""
        return 0, 1

    def _made(self, order: "Callable[[int], npt.NDArray[np.int64]]", number: int) -> Batch:
        windows = order(number // _STEPS)[number % _STEPS]
        return {"input_ids": self._stream.windows(windows, self._length)}

    def _order(self, permutation: Permutation, begun: int, block: int) -> npt.NDArray[np.int64]:
        """Windows of this rank in some steps, a step a row; beyond the epoch any."""
        steps = np.arange(block * _STEPS, (block + 1) * _STEPS)[:, None]
        starts = begun + (steps * self._world + self._rank) * self._batch + np.arange(self._batch)
        return permutation(np.minimum(starts, self.windows - 1))

    def __reduce__(self) -> tuple[Any, ...]:
        """Opened again where it is sent, as to workers of a ``DataLoader`` that are not forked: no token travels."""
        given: dict[str, Any] = {
            "output": str(self._folder),
            "sequence_length": self._length,
            "batch_size": self._batch,
            "rank": self._rank,
            "world": self._world,
            "seed": self._seed,
            "prefetch": self._prefetch,
            "split": self._split,
            "torch": self.gives_tensors,
        }
        counted = {"epoch": self.epoch, "_begun": self._begun, "_batches": self._batches}
        return functools.partial(load, **given), (), counted

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch; of the one that is being read nothing changes.

        Workers of torch's ``DataLoader`` read copies, which forget what they counted: without this every epoch would
        have the order of the first.

        Args:
            epoch: its number, from 0.
        """
        if epoch != self.epoch:
            self.epoch, self._begun, self._batches = epoch, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch comes from: batches handed out in this epoch, and on how many ranks."""
        return {
            **self._what,
            "epoch": self.epoch,
            "batches": self._batches,
            "batch_size": self._batch,
            "world": self._world,
            "begun": self._begun,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another loader stopped; batch size and number of ranks may be others.

        Raises:
            UserError: it read other tokens, or in another order.
        """
        lacking = [name for name in self.state_dict() if name not in state]
        if lacking:
            raise UserError(f"the saved state has no `{lacking[0]}`: it is not a state of `curate.load`")
        for name, value in self._what.items():
            if state[name] != value:
                raise UserError(f"the saved loader has `{name}` = {state[name]}, and this one {value}")
        self.epoch = int(state["epoch"])
        same = (state["batch_size"], state["world"]) == (self._batch, self._world)
        given = state["batches"] * state["batch_size"] * state["world"]
        self._begun = int(state["begun"] if same else state["begun"] + given)
        self._batches = int(state["batches"]) if same else 0


class _Stream:
    """The tokens of all shards back to back, mapped into memory."""

    def __init__(self, folder: Path, index: ShardIndex) -> None:
        known = FORMATS[index.format]
        self._files: list[npt.NDArray[Any]] = []
        for entry in index.shards:
            mapped = known.mapped(folder, entry, index.layout) if entry.tokens else np.zeros(0, index.dtype)
            if mapped is None:
                mapped = np.empty(0, index.dtype)
                with tempfile.TemporaryFile() as file:
                    for block in read_blocks(folder, index, entry):
                        np.ascontiguousarray(block.tokens, index.dtype).tofile(file)
                    file.flush()
                    mapped = np.memmap(file, index.dtype, "r")
            self._files.append(mapped.view(np.ndarray))  # slices of a memmap are slow to make
        self._ends = np.cumsum([len(file) for file in self._files], dtype=np.int64)
        self._starts = self._ends - [len(file) for file in self._files]
        self._dtype = np.dtype(index.dtype)

    def windows(self, numbers: npt.NDArray[np.int64], length: int) -> npt.NDArray[Any]:
        """Windows of that length, one a row."""
        out = np.empty((len(numbers), length), self._dtype)
        starts = numbers * length
        homes = np.searchsorted(self._ends, starts, side="right").tolist()
        for row, (home, start) in enumerate(zip(homes, starts.tolist(), strict=True)):
            at = start - int(self._starts[home])
            piece = self._files[home][at : at + length]
            out[row, : len(piece)] = piece
            filled = len(piece)
            following = home
            while filled < length:
                following += 1
                piece = self._files[following][: length - filled]
                out[row, filled : filled + len(piece)] = piece
                filled += len(piece)
        return out


def load(
    output: "str | Path",
    *,
    sequence_length: int,
    batch_size: int = 1,
    rank: int = 0,
    world: int = 1,
    seed: int = 0,
    prefetch: int = 2,
    split: str = "",
    torch: bool = False,
) -> Loader:
    """Tokens of a run, or of a folder of shards of any format, for a trainer; see `Loader`.

    Args:
        output: run directory, or folder of shards.
        sequence_length: tokens of a window.
        batch_size: windows of a batch on one rank.
        rank: of this process, from 0.
        world: how many ranks there are.
        seed: of the order.
        prefetch: batches made ahead in a thread; 0 makes none.
        split: ``validation`` for the shards that are for it; else those for training.
        torch: give a ``torch.utils.data.IterableDataset`` of int64 tensors, for a ``DataLoader`` with
            ``batch_size=None``.

    Returns:
        An iterable with ``state_dict()`` and ``load_state_dict()``. Ids are NumPy arrays of the type in the shards.

    Raises:
        UserError: an argument is out of range, there are no shards, or their tokens fill no step.
        MissingExtra: ``torch`` is asked for and not installed.
    """
    if torch:
        from curate.shards.loading.torch_loader import torch_loader

        kind = torch_loader()
    else:
        kind = Loader
    return kind(
        output,
        sequence_length=sequence_length,
        batch_size=batch_size,
        rank=rank,
        world=world,
        seed=seed,
        prefetch=prefetch,
        split=split,
    )
