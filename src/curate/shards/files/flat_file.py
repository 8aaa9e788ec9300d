"""Ids back to back in one file, perhaps behind a header: what most trainers map into memory."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.files.hashed_file import HashedFile, hashed_file


def stored(dtype: str) -> np.dtype[Any]:
    """The little-endian type of that name."""
    return np.dtype(dtype).newbyteorder("<")


def bytes_of(values: npt.NDArray[Any], dtype: str) -> memoryview:
    """Values as they are stored; copied only where the width changes: no id needs the highest bit."""
    kind = stored(dtype)
    if values.dtype.itemsize == kind.itemsize and values.dtype.kind in "iu":
        return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).data.cast("B")
    return np.ascontiguousarray(values, dtype=kind).data.cast("B")


class FlatWriting:
    """Writes ids as they come."""

    def __init__(self, files: ExitStack, path: Path, dtype: str) -> None:
        self.name, self._dtype = path.name, dtype
        self.file = files.enter_context(hashed_file(path))

    def add(self, block: Block) -> None:
        """Write some documents."""
        self.file.write(bytes_of(block.tokens, self._dtype))

    def finish(self) -> list[tuple[str, HashedFile]]:
        """The one file."""
        return [(self.name, self.file)]


class FlatReading:
    """Reads ids in order, from behind a header of ``start`` bytes."""

    def __init__(self, files: ExitStack, path: Path, dtype: str, start: int = 0) -> None:
        self._dtype, self._name = stored(dtype), path.name
        self._file = files.enter_context(path.open("rb"))
        size = path.stat().st_size - start
        if size < 0 or size % self._dtype.itemsize:
            raise DamagedShard(f"`{path.name}` has {size} bytes, which is not a multiple of {self._dtype.itemsize}")
        self._file.seek(start)
        self._left = size // self._dtype.itemsize

    def take(self, n_tokens: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """The ids of the next documents."""
        count = int(n_tokens.sum())
        tokens = np.fromfile(self._file, self._dtype, count=count)
        if len(tokens) < count:
            raise DamagedShard(f"`{self._name}` ends before its index does")
        self._left -= count
        return tokens

    def end(self) -> None:
        """See that nothing remains."""
        if self._left:
            raise DamagedShard(f"`{self._name}` has tokens beyond the last document of its index")
