"""Checksums inside a Parquet file: any byte that changes after it was written is found by who reads it.

A Parquet footer holds the absolute offsets of row groups, and readers find the footer from the end of the file. So what
lies between the last row group and the footer is nobody's business, and there the *seal* is put::

    PAR1 │ column chunks, one after another │ seal │ footer │ its length │ PAR1

    seal   8 bytes for each column chunk, in file order: XXH3-64 of its bytes, page headers included
           8 bytes: how many chunks
           8 bytes: b"curate" and the version of the seal
          16 bytes: XXH3-128 of the size of the file and all of it that is no chunk: hashes, footer, its length

The file carries its own proof wherever it is copied, no ledger has to agree with it, and who reads a few columns hashes
these columns alone. Bytes stay a function of the content. Every reader of Parquet reads such a file.
"""

import os
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from curate.store.objects.ranges import ObjectReader, is_far
from curate.store.objects.store_path import StorePath

_PARQUET = b"PAR1"
_VERSION = b"curate\x00\x01"
_TAIL = struct.Struct("<I4s")
_END_OF_SEAL = struct.Struct("<Q8s16s")
_HASH_BYTES = 8
_BLOCK = 4_194_304


class BrokenSeal(Exception):  # noqa: N818  (named for what it is)
    """A file is not what was written; the message says in which way."""


class _Chunk(NamedTuple):
    """The pages of one column in one row group; ``number`` is its place among those of the file."""

    number: int
    group: int
    column: str
    start: int
    size: int


class _Frame(NamedTuple):
    """All of a file that is no chunk, and was found whole."""

    hashes: bytes
    footer: pq.FileMetaData
    proof: bytes


def seal(path: Path) -> None:
    """Put a seal into a finished Parquet file that has none.

    Args:
        path: as pyarrow wrote it; nobody else knows it yet.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        length, _ = _TAIL.unpack(_at(file.fileno(), size - _TAIL.size, _TAIL.size))
        rest = _at(file.fileno(), size - _TAIL.size - length, length + _TAIL.size)
        chunks = list(_chunks(_parsed(rest)))
        end = chunks[-1].start + chunks[-1].size if chunks else len(_PARQUET)
        assert end == size - len(rest)  # every byte before the footer is in one chunk
        hashes = b"".join(_hash(file.fileno(), chunk) for chunk in chunks)
        file.seek(end)
        sealed = size + len(hashes) + _END_OF_SEAL.size
        file.write(hashes + _END_OF_SEAL.pack(len(chunks), _VERSION, _frame_hash(sealed, hashes, rest)) + rest)


def seal_of(path: Path) -> bytes:
    """The seal of a file without the hashes of chunks: files that differ have different ones.

    Raises:
        BrokenSeal: the file is missing or its footer is damaged.
    """
    handle = _opened(path)
    try:
        return _frame(handle).proof
    finally:
        _close(handle)


def checked(
    path: Path, columns: Collection[str] | None = None, group: int | None = None, rows: range | None = None
) -> pq.FileMetaData:
    """The footer of a sealed file, when the bytes asked about are those that were written.

    Args:
        path: a Parquet file.
        columns: look at these only; None looks at all, an empty collection at the footer alone.
        group: look at this row group only.
        rows: look at the row groups only that hold one of these.

    Raises:
        BrokenSeal: the file is missing or has no seal, or bytes of it changed.
    """
    handle = _opened(path)
    try:
        frame = _frame(handle)
        for chunk, found in _hashes(handle, _asked(frame.footer, columns, group, rows)):
            if frame.hashes[chunk.number * _HASH_BYTES :][:_HASH_BYTES] != found:
                raise BrokenSeal(f"is damaged: `{chunk.column}` in row group {chunk.group}")
    except OSError as error:
        raise BrokenSeal(f"cannot be read: {error.strerror}") from error
    finally:
        _close(handle)
    return frame.footer


def _opened(path: Path) -> "int | ObjectReader":
    try:
        if isinstance(path, StorePath) and is_far(path):
            return ObjectReader.of(path)
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise BrokenSeal("is missing" if missing else f"cannot be read: {error.strerror}") from error


def _close(handle: "int | ObjectReader") -> None:
    if isinstance(handle, int):
        os.close(handle)


def _frame(handle: "int | ObjectReader") -> _Frame:
    size = os.fstat(handle).st_size if isinstance(handle, int) else handle.nbytes
    tail = _at(handle, max(0, size - _TAIL.size), _TAIL.size)
    if len(tail) < _TAIL.size or not tail.endswith(_PARQUET):
        raise BrokenSeal("is damaged: it does not end as it was written" if size else "is empty")
    length, _ = _TAIL.unpack(tail)
    end = size - _TAIL.size - length
    if end < len(_PARQUET) + _END_OF_SEAL.size:
        raise BrokenSeal("is damaged: the length of its footer is wrong")
    number, version, expected = _END_OF_SEAL.unpack(_at(handle, end - _END_OF_SEAL.size, _END_OF_SEAL.size))
    start = end - _END_OF_SEAL.size - number * _HASH_BYTES
    if version != _VERSION or start < len(_PARQUET):
        raise BrokenSeal("is damaged, or was not written by curate: it has no seal")
    hashes, rest = _at(handle, start, number * _HASH_BYTES), _at(handle, end, length) + tail
    if _at(handle, 0, len(_PARQUET)) != _PARQUET or _frame_hash(size, hashes, rest) != expected:
        raise BrokenSeal("is damaged: its footer")
    return _Frame(hashes, _parsed(rest), expected)


def _parsed(rest: bytes) -> pq.FileMetaData:
    """Footer, length and magic number as metadata; nothing before them is looked at."""
    return pq.read_metadata(pa.BufferReader(_PARQUET + rest))


def _chunks(footer: pq.FileMetaData) -> Iterator[_Chunk]:
    """Column chunks in file order, which is that of row groups and, in them, columns.

    Without ``footer.schema``: it and the footer hold each other, so thousands would wait for the garbage collector.
    """
    start, columns = len(_PARQUET), footer.num_columns
    for group in range(footer.num_row_groups):
        row_group = footer.row_group(group)
        for at in range(columns):
            chunk = row_group.column(at)
            yield _Chunk(
                group * columns + at, group, chunk.path_in_schema.partition(".")[0], start, chunk.total_compressed_size
            )
            start += chunk.total_compressed_size


def _asked(
    footer: pq.FileMetaData, columns: Collection[str] | None, group: int | None, rows: range | None
) -> Iterator[_Chunk]:
    """Chunks of these columns, in file order; what the footer says of others is not looked at."""
    first = footer.row_group(0) if footer.num_row_groups else None
    names = [first.column(at).path_in_schema.partition(".")[0] for at in range(footer.num_columns)] if first else []
    asked = [(at, name) for at, name in enumerate(names) if columns is None or name in columns]
    end = 0
    for number in range(footer.num_row_groups) if group is None else (group,):
        row_group = footer.row_group(number)
        begin, end = end, end + row_group.num_rows
        is_asked = rows is None or (begin < rows.stop and end > rows.start)
        for at, name in asked if is_asked else ():
            chunk = row_group.column(at)
            start = min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
            yield _Chunk(number * len(names) + at, number, name, start, chunk.total_compressed_size)


def _hashes(handle: "int | ObjectReader", asked: Iterable[_Chunk]) -> Iterator[tuple[_Chunk, bytes]]:
    """The hash of each chunk; neighbours are read together, as far as a block holds them."""
    run: list[_Chunk] = []
    end = 0
    for chunk in asked:
        if run and (chunk.start != end or chunk.start + chunk.size - run[0].start > _BLOCK):
            yield from _hashes_together(handle, run)
            run = []
        run.append(chunk)
        end = chunk.start + chunk.size
    yield from _hashes_together(handle, run)


def _hashes_together(handle: "int | ObjectReader", run: Sequence[_Chunk]) -> Iterator[tuple[_Chunk, bytes]]:
    if len(run) == 1:  # it may be larger than a block
        yield run[0], _hash(handle, run[0])
    elif run:
        begin, size = run[0].start, sum(chunk.size for chunk in run)
        read = memoryview(_at(handle, begin, size))
        yield from ((one, xxhash.xxh3_64_digest(read[one.start - begin :][: one.size])) for one in run)


def _hash(handle: "int | ObjectReader", chunk: _Chunk) -> bytes:
    """Of its bytes, read a block at a time."""
    if chunk.size <= _BLOCK:
        return xxhash.xxh3_64_digest(_at(handle, chunk.start, chunk.size))
    state = xxhash.xxh3_64()
    for start in range(chunk.start, chunk.start + chunk.size, _BLOCK):
        state.update(_at(handle, start, min(_BLOCK, chunk.start + chunk.size - start)))
    return state.digest()


def _frame_hash(size: int, hashes: bytes, rest: bytes) -> bytes:
    return xxhash.xxh3_128_digest(size.to_bytes(8, "little") + hashes + rest)


def _at(handle: "int | ObjectReader", start: int, size: int) -> bytes:
    if not isinstance(handle, int):
        return handle.at(start, size)
    return os.pread(handle, size, start) if size else b""
