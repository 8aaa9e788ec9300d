"""The stored bytes of an input file, on this disk or in an object store: read from a place, or at any place.

A file that is another one than when the run was planned, or none any more, is noticed with the first read.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from curate.corpus.input import InputFile
from curate.corpus.quarantine import UNREADABLE, Damaged
from curate.store.objects.bucket import Changed, Stored, bucket, is_url, split_url
from curate.store.objects.ranges import ObjectReader

READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""How files are opened: what has become a pipe meanwhile is not waited for."""
NO_TIME = "1970-01-01"
"""How tags begin where a server tells neither a tag nor a time."""
_KEPT_BYTES = 64_000_000
"""Memory for objects that are so small that looking at them once was reading them."""
_kept: dict[tuple[str, str], bytes] = {}


class StoredBytes:
    """An open input file.

    Args:
        file: with the size that it must still have; 0: whatever it has.

    Raises:
        Damaged: it cannot be opened, or has another size now.
    """

    def __init__(self, file: InputFile) -> None:
        self._member: Any = None
        if file.member:
            from curate.corpus.archives.archive_file import MemberBytes

            self._member = MemberBytes(file)
            self._object, self._handle = None, -1
            return
        self._object = _object(file) if is_url(file.path) else None
        self._handle = -1 if self._object else _opened(file)

    def close(self) -> None:
        """Read no more of it."""
        if self._handle >= 0:
            os.close(self._handle)

    def at(self, start: int, size: int) -> bytes:
        """``size`` bytes from ``start`` on, fewer where the file ends."""
        if self._member:
            return bytes(self._member.at(start, size))
        with _told():
            return self._object.at(start, size) if self._object else os.pread(self._handle, size, start)

    def blocks(self, start: int, stop: int, size: int) -> Iterator[bytes]:
        """All bytes of a range in order, at most ``size`` at a time; the sizes depend on the range alone."""
        if self._member:
            yield from self._member.blocks(start, stop, size)
            return
        if self._object:
            yield from _cut(_streamed(self._object, start, stop), stop - start, size)
            return
        at = start
        while at < stop:
            data = self.at(at, min(size, stop - at))
            if not data:
                raise _shorter()
            yield data
            at += len(data)


def _streamed(source: ObjectReader, start: int, stop: int) -> Iterator[memoryview]:
    with _told():
        yield from source.stream(start, stop)


def _cut(pieces: Iterator[memoryview], total: int, size: int) -> Iterator[bytes]:
    """The same bytes, ``total`` in all, ``size`` at a time; what lies within one piece is copied once."""
    held, left = memoryview(b""), total
    while left:
        wanted, block = min(size, left), list[memoryview]()
        while wanted:
            if not held:
                held = next(pieces, memoryview(b""))
                if not held:
                    raise _shorter()
            block.append(held[:wanted])
            held = held[wanted:]
            wanted -= len(block[-1])
        data = bytes(block[0]) if len(block) == 1 else b"".join(block)
        left -= len(data)
        yield data


@contextmanager
def stored_bytes(file: InputFile) -> Iterator[StoredBytes]:
    """The stored bytes of a file, while the block lasts; raises as `StoredBytes` does."""
    source = StoredBytes(file)
    try:
        yield source
    finally:
        source.close()


class DamagedObject(ObjectReader):
    """An object for libraries that read files, which says in words of the corpus why it cannot be read."""

    def at(self, start: int, size: int) -> bytes:
        """See `ObjectReader.at`."""
        with _told():
            return super().at(start, size)


def keep(file: InputFile, content: bytes) -> None:
    """Remember all of a small object, which will be read again when its turn comes."""
    if (
        not file.tag.startswith(NO_TIME)
        and len(content) == file.size
        and sum(map(len, _kept.values())) + file.size <= _KEPT_BYTES
    ):
        _kept[file.path, file.tag] = content


def arrow_file(file: InputFile) -> Any:
    """An input file as Arrow reads it; raises as `StoredBytes` does."""
    import pyarrow as pa

    if file.member:
        from curate.corpus.archives.archive_file import MemberBytes

        return pa.PythonFile(MemberBytes(file).file(), "r")
    if is_url(file.path):
        return pa.PythonFile(_object(file, DamagedObject), "r")
    os.close(_opened(file))
    try:
        return pa.OSFile(file.path)
    except UnicodeEncodeError:
        return pa.PythonFile(open(file.path, "rb"))  # noqa: PTH123  (closed with what wraps it)
    except OSError as error:
        raise Damaged(UNREADABLE, str(error.strerror or error)) from error


def _object(file: InputFile, kind: type[ObjectReader] = ObjectReader) -> ObjectReader:
    root, key = split_url(file.path)
    return kind(bucket(root), Stored(key, file.size, file.tag), _kept.get((file.path, file.tag), b""))


def _opened(file: InputFile) -> int:
    try:
        handle = os.open(file.path, READ)
    except OSError as error:
        raise Damaged(UNREADABLE, str(error.strerror)) from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise Damaged(UNREADABLE, "it is no longer a file")
    if file.size and found.st_size != file.size:
        os.close(handle)
        detail = f"the file had {file.size} bytes when the run began, and has {found.st_size} now"
        raise Damaged(UNREADABLE, detail)
    return handle


def _shorter() -> Damaged:
    return Damaged(UNREADABLE, "the file became shorter while it was read")


@contextmanager
def _told() -> Iterator[None]:
    """Say in words of the corpus why bytes cannot be had."""
    try:
        yield
    except OSError as error:
        raise Damaged(UNREADABLE, str(error.strerror)) from error
    except Changed as error:
        raise Damaged(UNREADABLE, "it is no longer the object that it was when the run began") from error
