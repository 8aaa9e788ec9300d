"""One read of each file before the run: its fingerprint, where its lines begin, and which field is the text.

What this finds is all that `cut` and the readers need to know, so a run can be planned, checked and resumed
without reading the corpus again.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec
import xxhash

from curate.corpus.compression import blocks, sniff
from curate.corpus.discovery.magic import known_as
from curate.corpus.discovery.unknown import note_of
from curate.corpus.encoding import encoding_of_lines
from curate.corpus.formats.format import Format, Looked
from curate.corpus.formats.registry import formats, recognized
from curate.corpus.input import Compression, InputFile, InputSettings, LineMark, Problem, Skipped
from curate.corpus.inspection.resolve import resolve
from curate.corpus.lines import count_newlines
from curate.corpus.memory import bounded
from curate.corpus.quarantine import UNREADABLE, Damaged
from curate.corpus.stored import NO_TIME, READ, keep, stored_bytes

_BLOCK = 1024 * 1024
_HEAD_BYTES = 64 * 1024
_FILES_PER_TASK = 256
_REQUESTS = 16
"""Objects that are looked at together: waiting takes longer than work."""


class Inspection(NamedTuple):
    """What inspecting every file found."""

    files: tuple[InputFile, ...]
    skipped: tuple[Skipped, ...]
    """Files without the text."""


def inspect(files: Sequence[InputFile], settings: InputSettings, threads: int, memory: int | None = None) -> Inspection:
    """The files with everything known that one read of each can tell, in the order given.

    Args:
        files: as `discover` found them.
        settings: the section ``[input]``.
        threads: how many files are read at once.
        memory: bytes that work on one document may take (`curate.corpus.memory`); None: as many as it likes.

    Raises:
        InputError: no file has the text that was asked for, or more than one field of a file may be the text.
    """
    if any(file.tag for file in files):
        threads = max(threads, _REQUESTS)
    with ThreadPoolExecutor(threads, thread_name_prefix="inspect") as pool:
        done = pool.map(lambda task: [_inspected(file, settings) for file in task], _tasks(files))
        looked = ((file, seen) for task in done for file, seen in task)
        readable, skipped = resolve(
            looked, settings, lambda file, enough: formats()[file.format].look_at_all(file, settings, enough)
        )
    return Inspection(readable if memory is None else tuple(_bounded(file, memory) for file in readable), skipped)


def _bounded(file: InputFile, memory: int) -> InputFile:
    return bounded(file, memory, formats()[file.format].longest(file))


def _tasks(files: Sequence[InputFile]) -> Iterator[list[InputFile]]:
    """Large files one by one, small ones by the hundred: they cost less than handing them to a thread."""
    task: list[InputFile] = []
    for file in files:
        task.append(file)
        if len(task) == _FILES_PER_TASK or _is_large(file):
            yield task
            task = []
    yield task


def _is_large(file: InputFile) -> bool:
    try:
        if file.tag or file.member or formats()[file.format].slow_to_open:
            return True
        return os.stat(file.path).st_size > _BLOCK  # noqa: PTH116  (three times faster)
    except OSError:
        return False


def _size(path: str) -> int:
    """Bytes of a file that need not be readable."""
    try:
        return os.stat(path).st_size  # noqa: PTH116  (as above)
    except OSError:
        return 0


class _Scan(NamedTuple):
    size: int
    fingerprint: str
    head: bytes
    marks: tuple[LineMark, ...]


def _inspected(file: InputFile, settings: InputSettings) -> Looked:
    try:
        if file.member:
            scan = _scan_member(file)
        elif file.tag:
            scan = _scan_object(file)
        else:
            scan = _scan(file.path, min(_BLOCK, settings.part_bytes), lines=formats()[file.format].counts_lines)
    except (OSError, Damaged) as error:
        if isinstance(error, Damaged):
            problem = Problem(error.reason, error.detail)
        else:
            problem = Problem(UNREADABLE, str(error.strerror))
        if file.tag or file.member:
            return Looked(msgspec.structs.replace(file, problem=problem))
        return Looked(msgspec.structs.replace(file, size=_size(file.path), problem=problem))
    file = msgspec.structs.replace(
        file, size=scan.size, fingerprint=scan.fingerprint, empty=not scan.size, marks=scan.marks
    )
    if file.empty:
        return Looked(file)
    try:
        return _looked(file, scan.head, settings)
    except Damaged as damage:
        return Looked(msgspec.structs.replace(file, problem=Problem(damage.reason, damage.detail)))


def _looked(file: InputFile, stored_head: bytes, settings: InputSettings) -> Looked:
    """What the first bytes of a file, and some of its records, tell: the content decides what it is, then the name."""
    found = _recognized(file, stored_head)
    if found and found.packable and sniff(stored_head):
        found = None
    if found and found.name != file.format:
        file = _read_as(file, found.name)
    if found or not formats()[file.format].packable:
        if not found and (problem := _other_format(file, stored_head)):
            return Looked(msgspec.structs.replace(file, problem=problem))
        return formats()[file.format].inspect(file, stored_head, settings)
    if problem := _other_format(file, stored_head):
        return Looked(msgspec.structs.replace(file, problem=problem))
    return _unpacked(file, stored_head, settings)


def _recognized(file: InputFile, head: bytes) -> Format | None:
    found = recognized(head)
    is_general = found is not None and not found.one_document and formats()[file.format].admits(head)
    return None if is_general else found


def _read_as(file: InputFile, name: str, compression: Compression = "") -> InputFile:
    """A file that is of another format than its name says."""
    return msgspec.structs.replace(file, format=name, compression=compression, marks=(), note=note_of(name))


def _unpacked(file: InputFile, stored_head: bytes, settings: InputSettings) -> Looked:
    """What the first bytes of a file that may be compressed tell, and those of what is in it."""
    actual = sniff(stored_head)
    if actual != file.compression and (actual or _is_plain(stored_head)):
        said = actual or "plain text"
        file = msgspec.structs.replace(
            file, compression=actual, note=f"is {said} despite its name, and is read as such"
        )
    try:
        head = _head(file) if file.compression else stored_head
    except Damaged:
        if not formats()[file.format].mends:
            raise
        return formats()[file.format].inspect(file, b"", settings)
    if not head:
        return Looked(msgspec.structs.replace(file, empty=True))
    inner = _recognized(file, head)
    if inner and inner.packable and inner.name != file.format:
        file = _read_as(file, inner.name, file.compression)
    elif not inner and (name := formats()[file.format].actual(file, _in_utf8(head))) != file.format:
        file = msgspec.structs.replace(file, format=name, marks=())
    elif not inner and (problem := _unreadable(file, head)):
        return Looked(msgspec.structs.replace(file, problem=problem))
    if formats()[file.format].encoded and (encoding := encoding_of_lines(head)):
        file = msgspec.structs.replace(file, encoding=encoding, marks=()).noted(f"is read as {encoding}")
        head = _head(file)
    return formats()[file.format].inspect(file, head, settings)


def _scan_object(file: InputFile) -> _Scan:
    """First bytes of an object, which its tag stands for: it is read once, when its turn comes.

    Where a server tells neither a tag nor a time, all of it is read to know its bytes.
    """
    with stored_bytes(file) as source:
        head = source.at(0, _HEAD_BYTES)
        keep(file, head)
        digest = xxhash.xxh3_128(f"{file.size} {file.tag}".encode())
        if file.tag.startswith(NO_TIME):
            for block in source.blocks(0, file.size, _BLOCK):
                digest.update(block)
    return _Scan(file.size, digest.hexdigest(), head, ())


def _scan_member(file: InputFile) -> _Scan:
    """Fingerprint and first bytes of a member of an archive; its checksum, where it has one, is compared."""
    digest, head = xxhash.xxh3_128(), b""
    with stored_bytes(file) as source:
        for block in source.blocks(0, file.size, _BLOCK):
            head = head or block[:_HEAD_BYTES]
            digest.update(block)
    return _Scan(file.size, digest.hexdigest(), head, ())


def _scan(path: str, step: int, *, lines: bool) -> _Scan:
    """Fingerprint, first bytes and line marks, a block at a time."""
    digest = xxhash.xxh3_128()
    counter: _LineCounter | None = None
    head, size = b"", 0
    handle = os.open(path, READ)
    try:
        while block := os.read(handle, _BLOCK):
            if not size:
                head = block[:_HEAD_BYTES]
                counter = _LineCounter(step) if lines and not sniff(head) else None
            digest.update(block)
            if counter:
                counter.add(block)
            size += len(block)
    finally:
        os.close(handle)
    marks = tuple(mark for mark in counter.marks if mark.offset < size) if counter else ()
    return _Scan(size, digest.hexdigest(), head, marks)


class _LineCounter:
    """Marks the first line that begins in each ``step`` bytes; the start of a file needs no mark."""

    def __init__(self, step: int) -> None:
        self.marks: list[LineMark] = []
        self._step = step
        self._size = 0
        self._newlines = 0

    def add(self, block: bytes) -> None:
        for start in range(0, len(block), self._step):
            end = block.find(b"\n", start, start + self._step) + 1
            if end and self._size + start:
                self.marks.append(LineMark(self._size + end, self._newlines + 2))
            self._newlines += count_newlines(block[start : start + self._step])
        self._size += len(block)


def _other_format(file: InputFile, head: bytes) -> Problem | None:
    """What a file is that curate does not read, whatever its name."""
    actual = "" if sniff(head) or _is_plain(head) else known_as(head)
    if actual and not formats()[file.format].admits(head):
        return Problem("other_format", f"this is {actual}, a format that curate does not read")
    if head.startswith(b"version https://git-lfs.github.com/spec/") and formats()[file.format].fields:
        return Problem("other_format", "this is a pointer of Git LFS; `git lfs pull` fetches the file")
    if lacking := formats()[file.format].lacks(head):
        return Problem("corrupt_file", lacking)
    return None


def _unreadable(file: InputFile, head: bytes) -> Problem | None:
    """Why decompressed bytes that begin like this are in none of the formats that can be read."""
    actual = "" if _is_plain(head) or encoding_of_lines(head) else known_as(head)
    if not actual or formats()[file.format].admits(head):
        return None
    return Problem("other_format", f"this is {actual}{' in ' * bool(file.compression)}{file.compression}")


def _in_utf8(head: bytes) -> bytes:
    encoding = encoding_of_lines(head)
    return head.decode(encoding, "replace").removeprefix("\ufeff").encode(errors="replace") if encoding else head


def _head(file: InputFile) -> bytes:
    """The first decompressed bytes. Damage is left for the reader to find, unless nothing comes before it."""
    head = b""
    try:
        for block in blocks(file, 0, file.size, _BLOCK):
            head += block.data[: _HEAD_BYTES - len(head)]
            if len(head) == _HEAD_BYTES:
                break
    except Damaged:
        if not head:
            raise
    return head


def _is_plain(head: bytes) -> bool:
    try:
        head[:1024].decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and b"\0" not in head  # a character cut in two
    return b"\0" not in head
