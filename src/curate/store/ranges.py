"""Parts of objects: of large files footers, columns and row groups travel, not the rest."""

import errno
import io
import os
from pathlib import Path
from typing import Any, Self

from curate.store.bucket import Bucket, Stored
from curate.store.local_copies import LARGE_BYTES
from curate.store.store_path import StorePath

_TAIL = 128 * 1024
"""Read with the first look at the end of an object, where Parquet has its footer."""
_AHEAD = 64 * 1024


class ObjectReader(io.RawIOBase):
    """An object as a file that can be read at any place."""

    def __init__(self, store: Bucket, found: Stored, begin: bytes = b"") -> None:
        super().__init__()
        self._store, self._found, self._place = store, found, 0
        self.nbytes = found.size
        self._start, self._held = 0, begin

    @classmethod
    def of(cls, path: StorePath) -> Self:
        """The object of a path."""
        found = path.tree.find(path.key)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return cls(path.tree.store, found)

    def at(self, start: int, size: int) -> bytes:
        """``size`` bytes from ``start`` on; fewer where the object ends."""
        stop = min(start + size, self.nbytes)
        if start >= stop:
            return b""
        if not self._start <= start <= stop <= self._start + len(self._held):
            if stop - start >= _AHEAD:
                return self._store.read(self._found.key, start, stop, self._found.tag)
            first = max(0, self.nbytes - _TAIL)
            self._start = min(first, start)
            end = self.nbytes if start >= first else min(self.nbytes, start + _AHEAD)
            self._held = self._store.read(self._found.key, self._start, end, self._found.tag)
        return self._held[start - self._start : stop - self._start]

    def range(self, start: int, size: int) -> bytes:
        """As `at`, but nothing is remembered, so several threads may ask."""
        stop = min(start + size, self.nbytes)
        if self._start <= start <= stop <= self._start + len(self._held):
            return self._held[start - self._start : stop - self._start]
        return self._store.read(self._found.key, start, stop, self._found.tag)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.nbytes}[whence]
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
