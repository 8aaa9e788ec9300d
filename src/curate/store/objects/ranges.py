"""Parts of objects where only some are needed: of large files footers, columns and row groups travel, not the rest."""

import errno
import io
import os
import threading
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Self

from curate.store.objects.bucket import Bucket, Stored
from curate.store.objects.local_copies import LARGE_BYTES
from curate.store.objects.store_path import StorePath

BLOCK = 64 * 1024
"""Objects are read in blocks of this size: a smaller request takes as long."""
_REMEMBERED = 64_000_000
"""Bytes of blocks that a process remembers: what is checked is read at once after."""


class _Blocks:
    """The blocks that were read last."""

    def __init__(self) -> None:
        self._lock, self._size = threading.Lock(), 0
        self._held: OrderedDict[tuple[str, Stored, int], bytes] = OrderedDict()

    def get(self, root: str, found: Stored, number: int) -> bytes | None:
        """A block that is remembered."""
        with self._lock:
            data = self._held.get((root, found, number))
            if data is not None:
                self._held.move_to_end((root, found, number))
            return data

    def put(self, root: str, found: Stored, number: int, data: bytes) -> None:
        """Remember a block, and forget those that were not used for longest."""
        with self._lock:
            self._size += len(data) - len(self._held.pop((root, found, number), b""))
            self._held[root, found, number] = data
            while self._size > _REMEMBERED:
                self._size -= len(self._held.popitem(last=False)[1])


_blocks = _Blocks()


class PlacedReader(io.RawIOBase):
    """A file of which `at` gives the bytes of any place."""

    nbytes: int
    _place = 0

    @abstractmethod
    def at(self, start: int, size: int) -> bytes:
        """``size`` bytes from ``start`` on; fewer where the file ends."""

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._place = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.nbytes}[whence])
        return self._place

    def tell(self) -> int:
        """The place."""
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        """Bytes from the place on."""
        data = self.at(self._place, self.nbytes if size is None or size < 0 else size)
        self._place += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Bytes from the place on, into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class ObjectReader(PlacedReader):
    """An object as a file that can be read at any place.

    Args:
        store: where it is.
        found: what it must still be.
        begin: its first bytes, where they are known.
    """

    def __init__(self, store: Bucket, found: Stored, begin: bytes = b"") -> None:
        super().__init__()
        self._store, self._found, self._begin = store, found, begin
        self.nbytes = found.size

    @classmethod
    def of(cls, path: StorePath) -> Self:
        """The object of a path."""
        found = path.tree.find(path.key)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return cls(path.tree.store, found)

    def at(self, start: int, size: int) -> bytes:
        """``size`` bytes from ``start`` on; fewer where the object ends. They are remembered for a while."""
        stop = min(start + size, self.nbytes)
        if start >= stop:
            return b""
        if stop <= len(self._begin):
            return self._begin[start:stop]
        first, root = start // BLOCK, self._store.root
        numbers = range(first, (stop - 1) // BLOCK + 1)
        known = {number: _blocks.get(root, self._found, number) for number in numbers}
        missing = [number for number in numbers if known[number] is None]
        for _, run in groupby(enumerate(missing), key=lambda each: each[1] - each[0]):
            wanted = [number for _, number in run]
            begin, end = wanted[0] * BLOCK, min((wanted[-1] + 1) * BLOCK, self.nbytes)
            data = self._store.read(self._found.key, begin, end, self._found.tag)
            for number in wanted:
                known[number] = data[number * BLOCK - begin : (number + 1) * BLOCK - begin]
                _blocks.put(root, self._found, number, known[number] or b"")
        whole = b"".join(known[number] or b"" for number in numbers)
        return whole[start - first * BLOCK : stop - first * BLOCK]

    def stream(self, start: int, stop: int) -> Iterator[memoryview]:
        """All bytes of a range in order, in pieces as they come: used once, they are neither remembered nor copied."""
        if stop <= len(self._begin):
            return iter([memoryview(self._begin)[start:stop]])
        return self._store.stream(self._found.key, start, min(stop, self.nbytes), self._found.tag)


def is_far(path: Path) -> bool:
    """Whether a file is an object that is large and of which there is no copy on this disk."""
    if not isinstance(path, StorePath):
        return False
    tree = path.tree
    found = tree.find(path.key)
    return found is not None and found.size > LARGE_BYTES and not tree.copies.has(found)


def parquet_source(path: Path) -> Any:
    """What pyarrow opens to read some of a Parquet file: the path, or an object of which only ranges travel."""
    import pyarrow as pa

    return pa.PythonFile(ObjectReader.of(path), "r") if isinstance(path, StorePath) and is_far(path) else path
