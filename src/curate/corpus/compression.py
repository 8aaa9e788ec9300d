"""Files as a stream of decompressed blocks, each knowing where in the stored file it came from.

Two kinds of damage are distinguished: a stream that ends too early (``truncated_file``) and one that contradicts
itself (``corrupt_file``). The output of the failing step is dropped, because bytes that fail a checksum may be any
text. Memory stays bounded whatever the compression ratio.
"""

import bz2
import lzma
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import lz4.frame
import zstandard
from zlib_ng import zlib_ng

from curate.corpus.encoding import transcoded
from curate.corpus.input import Compression, InputFile
from curate.corpus.quarantine import Damaged
from curate.corpus.stored import StoredBytes, stored_bytes

STORED_STEP = 64 * 1024
"""Compressed bytes read at a time; compressed files are cut into parts at multiples of it."""

_ZSTD_STEP = 512  # a call inflates all it is given: 512 bytes of the densest blocks are 16 MB
_GZIP_BURST = 1024 * 1024  # output of one call; zlib holds back the rest
_ZSTD_WINDOW = 2**31  # what `zstd --long=31` writes; memory is used only when a frame asks for it
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_XZ_MAGIC = b"\xfd7zXZ\0"
_LZ4_MAGIC = b"\x04\x22\x4d\x18"
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # the first block, or the end mark of an empty stream
_XZ_MEMORY = 2**30  # of a dictionary; `xz -9` writes for 64 MB


class Block(NamedTuple):
    """Decompressed bytes."""

    data: bytes
    at: int
    """Offset in the stored file of the step that gave them."""
    stored: int
    """Stored bytes newly consumed."""


def sniff(head: bytes) -> Compression:
    """The compression that the first bytes of a file speak of, whatever its name.

    Example:
        >>> sniff(bytes.fromhex("1f8b0800")), sniff(b'{"text": "plain"}')
        ('gzip', '')
    """
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    if head.startswith(_XZ_MAGIC):
        return "xz"
    if head.startswith(_LZ4_MAGIC):
        return "lz4"
    if head.startswith(b"BZh") and head[3:4] in b"123456789" and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    is_skippable_frame = head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F
    return "zstd" if head.startswith(_ZSTD_MAGIC) or is_skippable_frame else ""


def blocks(file: InputFile, start: int, stop: int, size: int) -> Iterator[Block]:
    """Blocks of the bytes ``start`` to ``stop`` of a plain file, or of all a compressed file holds.

    Args:
        file: the file as it was inspected.
        start: first byte (0 for compressed files).
        stop: end of the range, in stored bytes.
        size: bytes of a block of a plain file. Blocks of a compressed file or an object do not depend on it.

    Raises:
        Damaged: the file cannot be opened, changed since it was inspected, is truncated or corrupt.
    """
    with stored_bytes(file) as source:
        stored = _stored(source, start, stop, STORED_STEP if file.is_stream else size)
        yield from in_utf8(unpacked(stored, file.compression), file.encoding)


def in_utf8(source: Iterator[Block], encoding: str) -> Iterator[Block]:
    """The blocks of a text in another encoding (empty: in UTF-8 already) in UTF-8.

    Raises:
        Damaged: it is not of that encoding.
    """
    if not encoding:
        yield from source
        return
    places = deque[Block]()

    def noted() -> Iterator[bytes]:
        for block in source:
            places.append(block)
            yield block.data

    for data in transcoded(noted(), encoding):
        yield places.popleft()._replace(data=data)


def unpacked(stored: Iterator[Block], compression: Compression) -> Iterator[Block]:
    """What compressed bytes hold.

    Args:
        stored: the bytes, in blocks of `STORED_STEP`.
        compression: empty hands them on.

    Raises:
        Damaged: they are truncated or corrupt.
    """
    if compression == "gzip":
        yield from _gunzipped(stored)
    elif compression == "zstd":
        yield from _unzstd(stored)
    elif compression == "bzip2":
        yield from _streams(stored, bz2.BZ2Decompressor, "bzip2")
    elif compression == "xz":
        yield from _streams(stored, _xz, "xz")
    elif compression == "lz4":
        yield from _streams(stored, lz4.frame.LZ4FrameDecompressor, "lz4")
    else:
        yield from stored


def _stored(source: StoredBytes, start: int, stop: int, size: int) -> Iterator[Block]:
    at = start
    for data in source.blocks(start, stop, size):
        yield Block(data, at, len(data))
        at += len(data)


class _Inflater(Protocol):
    """What ``zlib`` and ``zstandard`` decompression objects share."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


def _gunzipped(stored: Iterator[Block]) -> Iterator[Block]:
    """Members of a gzip file, one after another; zeros after the last are padding."""
    member = zlib_ng.decompressobj(31)
    begun = False
    for block in stored:
        data, consumed = block.data, block.stored
        while data or consumed:
            if member.eof:
                data = data.lstrip(b"\0")
                member, begun = zlib_ng.decompressobj(31), False
            begun = begun or bool(data)
            try:
                text = member.decompress(data, _GZIP_BURST)
            except zlib_ng.error as error:  # type: ignore[misc]
                raise Damaged("corrupt_file", f"gzip: {error}") from error
            yield Block(text, block.at, consumed)
            data, consumed = member.unused_data if member.eof else member.unconsumed_tail, 0
    _check_end(member, begun=begun, name="gzip")


def _unzstd(stored: Iterator[Block]) -> Iterator[Block]:
    """Frames of a zstd file, one after another."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame = decompressor.decompressobj()
    begun = False
    for block in stored:
        yield Block(b"", block.at, block.stored)
        for step in range(0, len(block.data), _ZSTD_STEP):
            data = block.data[step : step + _ZSTD_STEP]
            while data:
                if frame.eof:
                    frame = decompressor.decompressobj()
                begun = True
                try:
                    text = frame.decompress(data)
                except zstandard.ZstdError as error:
                    said = str(error).removeprefix("zstd decompressor error: ")
                    raise Damaged("corrupt_file", f"zstd: {said}") from error
                if text:
                    yield Block(text, block.at, 0)
                data = frame.unused_data if frame.eof else b""
    _check_end(frame, begun=begun, name="zstd")


class _Decompressor(_Inflater, Protocol):
    """What the decompressors of ``bz2``, ``lzma`` and ``lz4`` share."""

    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


def _streams(stored: Iterator[Block], new: Callable[[], _Decompressor], name: str) -> Iterator[Block]:
    """Streams of a bzip2, xz or lz4 file, one after another; zeros after the last are padding."""
    stream, begun = new(), False
    for block in stored:
        yield Block(b"", block.at, block.stored)
        data = block.data
        while data or (begun and not stream.eof and not stream.needs_input):
            if stream.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                stream, begun = new(), False
            begun = True
            try:
                text = stream.decompress(data, _GZIP_BURST)
            except (OSError, ValueError, EOFError, RuntimeError, lzma.LZMAError) as error:
                raise Damaged("corrupt_file", f"{name}: {error}") from error
            if text:
                yield Block(text, block.at, 0)
            data = stream.unused_data if stream.eof else b""
    _check_end(stream, begun=begun, name=name)


def _check_end(stream: _Inflater, *, begun: bool, name: str) -> None:
    if begun and not stream.eof:
        raise Damaged("truncated_file", f"the {name} stream ends before its end mark")
