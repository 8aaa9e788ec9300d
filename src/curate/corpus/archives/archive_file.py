"""Archives (zip, tar) and the bytes of their members, without unpacking them to anywhere that has a name.

A member of a zip is inflated as it is read; of a tar it is a range of the file. What can only be read from its
beginning (a compressed tar, an archive inside an archive) is held in a temporary file that has no name, so that it goes
with this process, however that ends. Names in archives are names: nothing is ever written under them.
"""

import os
import struct
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from zlib_ng import zlib_ng

from curate.corpus.compression import STORED_STEP, Block, sniff, unpacked
from curate.corpus.input import InputFile
from curate.corpus.quarantine import Damaged
from curate.store.objects.ranges import PlacedReader

MOST_EXPANSION = 250
"""Bytes that may come of a byte of an archive, all that is in it together; usual text is below 20."""
_FREE_BYTES = 256 * 1024 * 1024
"""So much may come of any archive, however small."""
_OPEN = 32  # archives kept open
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_ENCRYPTED = 1
_HEADER, _LENGTHS_AT = 30, 26  # of a member: its size, and where the lengths of name and extra field stand
_STEP = 256 * 1024
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_FAULTS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, ValueError, RuntimeError)
"""What the libraries raise for archives that are damaged."""


class Entry(NamedTuple):
    """A member of an archive."""

    name: str
    size: int
    """Bytes that come of it."""
    offset: int = -1
    """Where its bytes lie in the archive, where they do as they are."""
    why: str = ""
    """Why it cannot be read; empty where it can."""


class Range(PlacedReader):
    """Some bytes of a file that is open, as a file.

    Args:
        descriptor: of the file.
        start: offset of the first byte.
        size: their number.
        owner: what closes the descriptor when nobody holds it any more.
    """

    def __init__(self, descriptor: int, start: int, size: int, owner: object = None) -> None:
        super().__init__()
        self._descriptor, self._start, self.nbytes, self._owner = descriptor, start, size, owner

    def at(self, start: int, size: int) -> bytes:
        """Some of the bytes."""
        wanted = min(size, self.nbytes - start)
        return os.pread(self._descriptor, wanted, self._start + start) if wanted > 0 else b""


class Archive:
    """An open archive.

    Args:
        descriptor: of its bytes, not compressed as a whole; closed with this object.
        size: their number.
        damage: what ended them before their time.

    Raises:
        Damaged: it is not an archive, or its content cannot be listed.
    """

    def __init__(self, descriptor: int, size: int, damage: Damaged | None = None) -> None:
        self.descriptor, self.size, self.damage = descriptor, size, damage
        source = Range(descriptor, 0, size)
        self._zip: zipfile.ZipFile | None = None
        self._infos: list[zipfile.ZipInfo] = []
        if source.read(4) in _ZIP_MAGIC:
            try:
                self._zip = zipfile.ZipFile(source)
            except _FAULTS as error:
                raise Damaged("corrupt_file", f"not readable as zip: {error}") from error
            self._infos = [info for info in self._zip.infolist() if not info.is_dir()]
            self.entries = [_of_zip(info) for info in self._infos]
        else:
            source.seek(0)
            self.entries = list(self._of_tar(source))

    def __del__(self) -> None:
        if self._zip:
            self._zip.close()
        os.close(self.descriptor)

    def open(self, number: int) -> Any:
        """A member as a file that is read from its beginning on."""
        if self._zip and self._infos[number].compress_type == zipfile.ZIP_DEFLATED:
            return _Inflated(Range(self.descriptor, 0, self.size), self._infos[number])
        if self._zip:
            return self._zip.open(self._infos[number])
        entry = self.entries[number]
        return Range(self.descriptor, entry.offset, entry.size)

    def _of_tar(self, source: Range) -> Iterator[Entry]:
        """Members up to where it is damaged, of one behind its end mark, too: archives may be put together by `cat`."""
        begin: int | None = 0
        while begin is not None:
            try:
                source.seek(begin)
                with tarfile.open(fileobj=source, mode="r:") as found:
                    for one in found:
                        if not one.isdir():
                            yield _of_tar(one, self.size)
                    end = found.offset
            except _FAULTS as error:
                self.damage = self.damage or Damaged("corrupt_file", f"not readable as tar: {error}")
                return
            if end > self.size:
                self.damage = self.damage or Damaged("truncated_file", "the tar ends inside a member")
            begin = _next_block(source, end)
            if begin == end:  # what the library takes for the end
                why = f"no member begins at byte {end:,}, where the one before it ends"
                self.damage = self.damage or Damaged("corrupt_file", why)
                return


def _next_block(source: Range, at: int) -> int | None:
    """Where the first block of a tar from a place on begins that is not all zeros; None: there is none."""
    source.seek(at)
    while data := source.read(_STEP):
        if rest := data.lstrip(b"\0"):
            return at + (len(data) - len(rest)) // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE
        at += len(data)
    return None


class _Inflated:
    """A deflated member of a zip, read from its beginning on: Python's own zlib takes twice the time.

    Raises:
        BadZipFile: its header, its length or its checksum contradicts the directory.
    """

    def __init__(self, source: Range, info: zipfile.ZipInfo) -> None:
        source.seek(info.header_offset)
        header = source.read(_HEADER)
        if len(header) < _HEADER or header[:4] != _ZIP_MAGIC[0]:
            raise zipfile.BadZipFile("a member has no header where the directory says")
        source.seek(info.header_offset + _HEADER + sum(struct.unpack_from("<HH", header, _LENGTHS_AT)))
        self._source, self._info, self._left = source, info, info.compress_size
        self._inflate = zlib_ng.decompressobj(-15)
        self._held, self._size, self._checksum = b"", 0, 0

    def seek(self, place: int) -> None:
        """Read up to a place, and let go what comes before."""
        while self._size < place and self.read(min(_STEP, place - self._size)):
            pass

    def read(self, size: int) -> bytes:
        """The next bytes, so many where there are; at the end its checksum is compared."""
        found = bytearray()
        while len(found) < size and not self._inflate.eof:
            if not self._held and self._left:
                self._held = self._source.read(min(_STEP, self._left))
                self._left -= len(self._held)
            try:
                data = self._inflate.decompress(self._held, size - len(found))
            except zlib_ng.error as error:  # type: ignore[misc]
                raise zipfile.BadZipFile(str(error)) from error
            if not data and not self._held and not self._inflate.eof:
                raise EOFError("the member ends before its end")
            self._held = self._inflate.unconsumed_tail
            found += data
        self._size += len(found)
        self._checksum = zlib_ng.crc32(found, self._checksum)
        if self._inflate.eof and (self._checksum != self._info.CRC or self._size != self._info.file_size):
            raise zipfile.BadZipFile("bad CRC-32: its bytes are not those that were packed")
        return bytes(found)


def _of_zip(info: zipfile.ZipInfo) -> Entry:
    why = ""
    if info.flag_bits & _ENCRYPTED:
        why = "it is encrypted"
    elif info.compress_type not in _METHODS:
        why = f"it is compressed by method {info.compress_type}, which is not read"
    elif info.external_attr >> 28 == 0xA:  # the type of a Unix file: a link
        why = "a link inside an archive"
    return Entry(info.filename, info.file_size, -1, why)


def _of_tar(info: tarfile.TarInfo, size: int) -> Entry:
    why = ""
    if info.issym() or info.islnk():
        why = "a link inside an archive"
    elif not info.isreg():
        why = "a device or a pipe inside an archive"
    elif info.issparse():
        why = "a file with holes inside an archive"
    elif info.offset_data + info.size > size:
        why = "the archive ends before it does"
    return Entry(info.name, info.size, info.offset_data, why)


_archives: OrderedDict[tuple[object, ...], Archive] = OrderedDict()
_lock = threading.RLock()


def archive(file: InputFile) -> Archive:
    """The archive that a file is, opened once for all its members.

    Raises:
        Damaged: it cannot be read.
    """
    key = (file.path, file.member, file.tag, *_state(file.path))
    with _lock:
        if key not in _archives:
            _archives[key] = _opened(file)
            if len(_archives) > _OPEN:
                _archives.popitem(last=False)
        _archives.move_to_end(key)
        return _archives[key]


def limit_of(file: InputFile) -> int:
    """Bytes that may come of all members of an archive, and of the archives in it."""
    return max(_FREE_BYTES, MOST_EXPANSION * file.outer_size)


class MemberBytes:
    """The bytes of a member of an archive, for `curate.corpus.stored`."""

    def __init__(self, file: InputFile) -> None:
        *outer, self._number = file.member
        self._archive = archive(outer_of(file, tuple(outer)))
        self._size = file.size

    def at(self, start: int, size: int) -> bytes:
        """Bytes at a place; of what is compressed, all before it is read, too."""
        try:
            source = self._archive.open(self._number)
            source.seek(start)
            return bytes(source.read(size))
        except _FAULTS as error:
            raise _damaged(error) from error

    def blocks(self, start: int, stop: int, size: int) -> Iterator[bytes]:
        """All bytes of a range; at the end of a member its checksum is compared."""
        try:
            source = self._archive.open(self._number)
            source.seek(start)
            at = start
            while at < stop:
                data = source.read(min(size, stop - at))
                if not data:
                    raise Damaged("truncated_file", "the member ends before its end")
                at += len(data)
                if at == self._size and source.read(1):
                    raise Damaged("corrupt_file", "the member has more bytes than the directory says")
                yield data
        except _FAULTS as error:
            raise _damaged(error) from error

    def file(self) -> Any:
        """The bytes as a file that can be read at any place."""
        entry = self._archive.entries[self._number]
        if entry.offset >= 0:
            return Range(self._archive.descriptor, entry.offset, entry.size, self._archive)
        return _Held(_held(self.blocks(0, self._size, STORED_STEP), self._size)[0], 0, self._size)


class _Held(Range):
    """A temporary file that goes with this object."""

    def close(self) -> None:
        """It is read no more."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def outer_of(file: InputFile, member: tuple[int, ...]) -> InputFile:
    """The archive in which a member lies."""
    return msgspec.structs.replace(file, member=member, size=0 if member else file.outer_size, compression="")


def _opened(file: InputFile) -> Archive:
    from curate.corpus.stored import StoredBytes

    if file.member:
        *outer, number = file.member
        holder = archive(outer_of(file, tuple(outer)))
        size = holder.entries[number].size
        source: Any = MemberBytes(msgspec.structs.replace(file, size=size))
    else:
        source, size = StoredBytes(file), file.outer_size
    try:
        head = source.at(0, 512)
        packed, is_local = sniff(head), not file.member and not file.tag
        if not packed and is_local:
            return Archive(os.open(file.path, os.O_RDONLY), size)
        stored = (Block(data, 0, len(data)) for data in source.blocks(0, size, STORED_STEP))
        descriptor, held, damage = _held((block.data for block in unpacked(stored, packed)), limit_of(file))
        return Archive(descriptor, held, damage)
    finally:
        if isinstance(source, StoredBytes):
            source.close()


def _held(source: Iterator[bytes], most: int) -> tuple[int, int, Damaged | None]:
    """A temporary file without a name that holds the bytes: its descriptor, their number, and what ended them early."""
    descriptor, path = tempfile.mkstemp(prefix="curate-")
    os.unlink(path)  # noqa: PTH108  (of the name that was just made)
    size, damage = 0, None
    try:
        for data in source:
            size += os.write(descriptor, data)
            if size > most:
                damage = Damaged(
                    "corrupt_file", f"it expands to more than {most:,} bytes, {MOST_EXPANSION} for each stored"
                )
                break
    except Damaged as error:
        damage = error
    return descriptor, size, damage


def _state(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _damaged(error: Exception) -> Damaged:
    said = str(error) or type(error).__name__
    return Damaged("corrupt_file", f"in the archive: {said}")
