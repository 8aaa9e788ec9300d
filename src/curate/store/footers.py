"""A cache of the footers of row files.

A run reads a few columns of each of its files several times. A file of judgments has over a hundred columns, and
parsing its footer takes longer than reading one of them.
"""

import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple, Self

import pyarrow.parquet as pq

from curate.store.objects.ranges import parquet_source
from curate.store.objects.store_path import StorePath

_REMEMBERED = 4_000_000
"""Bytes of cached footers, as in their files; parsed, they take a few times as much."""


class FileState(NamedTuple):
    """Identifies a file and its state: a file that replaces it or is changed has another state."""

    path: str
    inode: int
    changed: int
    size: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """The state of a file on this disk."""
        now = path.stat()
        return cls(str(path), now.st_ino, now.st_mtime_ns, now.st_size)


class _Footers:
    """The footers that were requested last."""

    def __init__(self) -> None:
        self._lock, self._size = threading.Lock(), 0
        self._held: OrderedDict[FileState, pq.FileMetaData] = OrderedDict()

    def of(self, path: Path) -> pq.FileMetaData:
        """The footer of a file on this disk."""
        file = FileState.of(path)
        with self._lock:
            if file in self._held:
                self._held.move_to_end(file)
                return self._held[file]
        found = pq.read_metadata(path)
        with self._lock:
            if file not in self._held:
                self._held[file] = found
                self._size += found.serialized_size
            while self._size > _REMEMBERED:
                _, oldest = self._held.popitem(last=False)
                self._size -= oldest.serialized_size
        return found


_last = _Footers()


def footer_of(path: Path) -> pq.FileMetaData:
    """The footer of a Parquet file, on this disk or in an object store.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return pq.read_metadata(parquet_source(path)) if isinstance(path, StorePath) else _last.of(path)
