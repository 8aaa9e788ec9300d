"""Files that appear under their name only when whole, with their SHA-256 taken on the way."""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


class HashedFile(io.RawIOBase):
    """A sink that hashes what passes through."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._hash = hashlib.sha256()
        self._written = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: "bytes | memoryview") -> int:  # type: ignore[override]
        """Write all of ``data``."""
        self._hash.update(data)
        self._file.write(data)
        size = memoryview(data).nbytes
        self._written += size
        return size

    def tell(self) -> int:
        """Bytes written so far."""
        return self._written

    def sha256(self) -> str:
        """Of everything written so far, hexadecimal."""
        return self._hash.hexdigest()


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[HashedFile]:
    """Write to a temporary name in the same folder; on success sync and rename, on failure leave nothing."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as raw:
            yield HashedFile(raw)
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError, AttributeError):  # a folder cannot be opened on every system
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
