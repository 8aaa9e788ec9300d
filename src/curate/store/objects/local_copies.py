"""Objects of a bucket as files of this disk: what was written here, and what was opened, for as long as room is left.

A copy is named by its key and its tag, so one of an object that has changed is never taken for it. Copies are a cache:
any of them may be deleted at any time.
"""

import atexit
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import xxhash

from curate.cache.folder import cache_folder
from curate.store.objects.bucket import PIECE, Bucket, Stored

LARGE_BYTES = 1_000_000
"""Objects that are read by ranges where there is no copy: copies of them go with the process that made them."""
KEPT_BYTES = 1_000_000_000
"""What all copies may take when nobody works with them."""
_STALE_SECONDS = 600
"""A copy that was used since may still be in use."""
_READERS = 4


def room(root: str) -> Path:
    """The folder of the copies of one store, on this disk; made when it is missing."""
    folder = cache_folder() / "objects" / xxhash.xxh3_64_hexdigest(root.encode())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class LocalCopies:
    """The copies of one store."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket, self.folder = bucket, room(bucket.root)
        self._lock, self._busy = threading.Lock(), dict[str, threading.Lock]()
        self._own = set[Path]()
        """Large copies that this process made, which go with it."""
        _open.append(self)

    def file(self, stored: Stored) -> Path:
        """Where the copy of an object is, or would be. The end of its name is that of the key."""
        name = xxhash.xxh3_128_hexdigest(f"{stored.key}\n{stored.size}\n{stored.tag}".encode())
        return self.folder / f"{name}-{Path(stored.key).name[-60:]}"

    def has(self, stored: Stored) -> bool:
        """Whether there is one."""
        return self.file(stored).exists()

    def adopt(self, file: Path, stored: Stored) -> None:
        """Take a file that was written to the store as the copy of what it became."""
        file.replace(self._noted(stored))

    def fetched(self, stored: Stored, send: Callable[[BinaryIO], None] | None = None) -> Path:
        """The copy of an object, read from the store if there is none.

        Args:
            stored: the object.
            send: writes its bytes to a file; None: they are read by ranges.

        Raises:
            FileNotFoundError: the object has gone.
            Changed: it is another one.
        """
        final = self.file(stored)
        with self._lock:
            busy = self._busy.setdefault(final.name, threading.Lock())
        with busy:
            with suppress(OSError):
                os.utime(final)
                return final
            temporary = final.with_name(f".{final.name}.{os.getpid()}-{threading.get_ident()}.curate-unfinished")
            try:
                if send is None:
                    self._fetch(stored, temporary)
                else:
                    with temporary.open("wb") as file:
                        send(file)
                temporary.replace(self._noted(stored))
            finally:
                temporary.unlink(missing_ok=True)
        return final

    def _noted(self, stored: Stored) -> Path:
        final = self.file(stored)
        if stored.size > LARGE_BYTES:
            self._own.add(final)
        return final

    def end(self) -> None:
        """Remove the large copies that this process made."""
        for file in self._own:
            file.unlink(missing_ok=True)

    def _fetch(self, stored: Stored, temporary: Path) -> None:
        starts = range(0, stored.size, PIECE)
        with temporary.open("wb") as file, ThreadPoolExecutor(_READERS) as pool:
            for at in range(0, len(starts), _READERS):
                for piece in pool.map(lambda start: self._piece(stored, start), starts[at : at + _READERS]):
                    file.write(piece)

    def _piece(self, stored: Stored, start: int) -> bytes:
        return self._bucket.read(stored.key, start, min(start + PIECE, stored.size), stored.tag)


_open: list[LocalCopies] = []


@atexit.register
def end() -> None:
    """Leave what a process need not leave on the disk when it ends."""
    if _open:
        for copies in _open:
            copies.end()
        trim()


def trim(most: int = KEPT_BYTES) -> None:
    """Remove the copies that were not used for longest, of all stores, until the others take no more than ``most``."""
    files = []
    for file in (cache_folder() / "objects").glob("*/*"):
        with suppress(OSError):
            found = file.stat()
            files.append((found.st_mtime, found.st_size, file))
    left, now = sum(size for _, size, _ in files), time.time()
    for used, size, file in sorted(files):
        if left <= most or now - used < _STALE_SECONDS:
            return
        file.unlink(missing_ok=True)
        left -= size
