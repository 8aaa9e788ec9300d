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

from curate.corpus.compression import READ, blocks, sniff
from curate.corpus.fields import Seen, json_object
from curate.corpus.formats import parquet
from curate.corpus.input import COMPRESSIONS, InputFile, InputSettings, LineMark, Problem, Skipped
from curate.corpus.lines import BOM, count_newlines
from curate.corpus.magic import known_as
from curate.corpus.memory import bounded
from curate.corpus.quarantine import UNREADABLE, Damaged
from curate.corpus.records import look, look_at_all
from curate.corpus.resolve import resolve
from curate.corpus.text_field import named_text

_BLOCK = 1024 * 1024
_HEAD_BYTES = 64 * 1024
_FILES_PER_TASK = 256


class Inspection(NamedTuple):
    """What one read of every file told."""

    files: tuple[InputFile, ...]
    skipped: tuple[Skipped, ...]
    """Files without the text."""


class _Looked(NamedTuple):
    """One file, and what of its records was seen; None where it has no records with fields, or none can be read."""

    file: InputFile
    seen: Seen | None = None


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
    with ThreadPoolExecutor(threads, thread_name_prefix="inspect") as pool:
        done = pool.map(lambda task: [_inspected(file, settings) for file in task], _tasks(files))
        looked = ((file, seen) for task in done for file, seen in task)
        readable, skipped = resolve(looked, settings, lambda file: look_at_all(file, settings))
    return Inspection(readable if memory is None else tuple(bounded(file, memory) for file in readable), skipped)


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
        return file.format == "parquet" or os.stat(file.path).st_size > _BLOCK  # noqa: PTH116  (three times faster)
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


def _inspected(file: InputFile, settings: InputSettings) -> _Looked:
    try:
        scan = _scan(file.path, min(_BLOCK, settings.part_bytes), lines=file.format in {"jsonl", "lines"})
    except OSError as error:
        problem = Problem(UNREADABLE, str(error.strerror))
        return _Looked(msgspec.structs.replace(file, size=_size(file.path), problem=problem))
    file = msgspec.structs.replace(
        file, size=scan.size, fingerprint=scan.fingerprint, empty=not scan.size, marks=scan.marks
    )
    if file.empty:
        return _Looked(file)
    try:
        return _looked(file, scan.head, settings)
    except Damaged as damage:
        return _Looked(msgspec.structs.replace(file, problem=Problem(damage.reason, damage.detail)))


def _looked(file: InputFile, head: bytes, settings: InputSettings) -> _Looked:
    """What the first bytes of a file, and some of its records, tell."""
    is_parquet = head.startswith(b"PAR1")
    if is_parquet and file.format != "parquet":
        note = "is Parquet in spite of its name; read as that"
        file = msgspec.structs.replace(file, format="parquet", compression="", marks=(), note=note)
    if not is_parquet and (problem := _other_format(file, head)):
        return _Looked(msgspec.structs.replace(file, problem=problem))
    return _parquet(file, settings) if is_parquet else _text(file, head, settings)


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
    if actual:
        return Problem(
            "other_format", f"this is {actual}; curate reads gzip, zstd, bzip2, xz, Parquet, JSON lines and text"
        )
    if head.startswith(b"version https://git-lfs.github.com/spec/") and file.format in {"jsonl", "parquet"}:
        return Problem("other_format", "this is a pointer of Git LFS; `git lfs pull` fetches the file")
    if file.format == "parquet":
        return Problem("corrupt_file", "not readable as Parquet: its first bytes are not PAR1")
    return None


def _parquet(file: InputFile, settings: InputSettings) -> _Looked:
    layout = parquet.inspect(file, look=lambda seen: not settings.text and not named_text(seen.schema()))
    file = msgspec.structs.replace(
        file,
        row_groups=layout.row_groups,
        empty=not any(group.rows for group in layout.row_groups),
        problem=layout.problem,
        repeated=layout.repeated,
    )
    return _Looked(file, None if file.empty or file.problem else layout.seen)


def _text(file: InputFile, stored_head: bytes, settings: InputSettings) -> _Looked:
    """What the first bytes of a line or text file tell."""
    actual = sniff(stored_head)
    if actual != file.compression and (actual or _is_plain(stored_head)):
        said = actual or "plain text"
        file = msgspec.structs.replace(file, compression=actual, note=f"is {said} in spite of its name; read as that")
    head = _head(file) if file.compression else stored_head
    if not head:
        return _Looked(msgspec.structs.replace(file, empty=True))
    problem = _unreadable(file, head)
    if problem or file.format != "jsonl":
        return _Looked(msgspec.structs.replace(file, problem=problem))
    seen = look(file, head, settings)
    return _Looked(file, seen if seen.records else None)


def _unreadable(file: InputFile, head: bytes) -> Problem | None:
    """Why decompressed bytes that begin like this are no lines or text."""
    actual = "" if _is_plain(head) else known_as(head)
    if actual:
        return Problem("other_format", f"this is {actual}{' in ' * bool(file.compression)}{file.compression}")
    return _wide_characters(head) or (_spread_json(file, head) if file.format == "jsonl" else None)


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


def _wide_characters(head: bytes) -> Problem | None:
    """UTF-16 or UTF-32, by its byte order mark or by its many zero bytes."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head.count(0) * 4 > len(head):
        hint = "convert it with `iconv -f UTF-16 -t UTF-8`"
        return Problem("undecodable", f"the file looks like UTF-16 or UTF-32, not UTF-8; {hint}")
    return None


def _spread_json(file: InputFile, head: bytes) -> Problem | None:
    """A ``.json`` file that is one array, or one object spread over lines, rather than an object a line."""
    if not file.name.lower().endswith((".json", *(f".json{packed}" for packed in COMPRESSIONS))):
        return None
    start = head.removeprefix(BOM).lstrip()[:1]
    is_torn = b"\n" not in head.strip()[:-1] and start == b"{"
    if start not in {b"[", b"{"} or is_torn or any(json_object(line) for line in head.split(b"\n")):
        return None
    command = "jq -c '.[]' " if start == b"[" else "jq -c . "
    return Problem("bad_json", f"one JSON value, not one object a line; convert it with `{command}{file.name}`")
