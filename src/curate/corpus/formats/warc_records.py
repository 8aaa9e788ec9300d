"""Records of a WARC file, one after another, found again behind damage.

A record is handed on once it is certain where it ends: where the next one begins, or the file ends cleanly. One whose
length is false costs itself; reading goes on at the next line that begins a record. Where a gzip member is damaged, it
goes on at the next member that is whole.
"""

import functools
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from zlib_ng import zlib_ng

from curate.corpus.compression import Block, blocks
from curate.corpus.formats.format import Step
from curate.corpus.input import InputFile
from curate.corpus.memory import too_large
from curate.corpus.quarantine import KEPT_BYTES, Damaged, Quarantined
from curate.corpus.stored import StoredBytes, stored_bytes

MAGIC = b"WARC/"
_MOST_HEADER = 1 << 20
_PEEK = 64
"""Bytes behind a record that tell whether another begins."""
_BEGINS = re.compile(rb"WARC/[01]\.\d+[ \t]*\r?\n[A-Za-z-]+[ \t]*:")
_FOLDED = re.compile(rb"\r?\n[ \t]+")
_MOST_DIGITS = 18
_MEMBER = b"\x1f\x8b\x08"
_STEP = 1 << 20
_BLOCK = 256 * 1024
"""Bytes of a plain file that are read at a time: they stay in the processor's cache until they are records."""

DOCUMENTS = frozenset({"response", "resource", "conversion"})
"""Types of records that may hold a document."""


Headers = dict[bytes, bytes]
"""Values by name, names in lower case; of several of a name the first."""


class RawRecord(NamedTuple):
    """Header and content of a record that may be a document."""

    file: InputFile
    position: int
    """Number of the record in the file, counted from 1."""
    kind: str
    headers: Headers
    head: bytes
    """Its header as it is written; of a response also what the server sent before the body."""
    served_at: int
    """Where in it the latter begins."""
    body: bytes

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        return len(self.head) + len(self.body)


class _Header(NamedTuple):
    """What is wanted of the header of a record."""

    length: int | None
    """Bytes behind the header; None where it does not say, or says no number."""
    kind: str
    """Its type, in lower case; empty where it has none."""
    identity: bytes
    """What tells the record from others: its id, else all of its header."""
    fields: Headers


class WarcReader:
    """Reads the records of one file.

    Args:
        file: inspected.
    """

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._limit = file.longest_document + _MOST_HEADER
        self._position = 0
        self._read_to = 0
        """Stored bytes that were counted as read."""
        self._entered_at = -1
        """Where reading went on last, behind damage."""
        self._ids: deque[tuple[int, bytes]] = deque()
        """Where recent records lie in the stored file, and their ids."""
        self._begin_anew()

    def steps(self) -> Iterator[Step]:
        """All of the file."""
        start: int | None = 0
        while start is not None:
            try:
                yield from self._from(start)
                start = None
            except Damaged as damage:
                yield from self._whole_ones()
                at = self._place()
                start = self._next_member() if self._file.compression == "gzip" else None
                head = self._head()
                self._position += 1
                lost = None if start is None else 1
                yield Step(
                    at, Quarantined(self._file.name, self._position, None, damage.reason, damage.detail, head, lost)
                )
                self._begin_anew()

    def _begin_anew(self) -> None:
        self._held = bytearray()
        self._at = 0
        """Where in it lies what was not handed on yet."""
        self._origin = 0
        """Offset of that in the stream."""
        self._blocks: deque[tuple[int, int]] = deque()
        """Offset in the stream and in the stored file of blocks that are held."""
        self._lost: Quarantined | None = None
        """What was given up; the next record is looked for."""

    def _from(self, start: int) -> Iterator[Step]:
        source, looked_at = blocks(self._file, start, self._file.size, _BLOCK), len(self._held)
        try:
            for block in source:
                fresh = max(0, block.at + block.stored - self._read_to) if block.stored else 0
                self._read_to += fresh
                yield Step(block.at, None, fresh)
                self._add(block)
                if len(self._held) - looked_at >= _BLOCK:  # a member of gzip is a block, and most hold one record
                    yield from self._found(final=False)
                    del self._held[: self._at]
                    self._at, looked_at = 0, len(self._held)
        except Damaged:
            yield from self._found(final=False)
            raise
        yield from self._found(final=True)

    def _add(self, block: Block) -> None:
        self._blocks.append((self._origin + len(self._held) - self._at, block.at))
        self._held += block.data

    def _head(self) -> bytes:
        """As much of what comes next as quarantine keeps."""
        return bytes(self._held[self._at : self._at + KEPT_BYTES])

    def _place(self) -> int:
        """Where in the stored file lies what comes next."""
        while len(self._blocks) > 1 and self._blocks[1][0] <= self._origin:
            self._blocks.popleft()
        if not self._blocks:
            return self._read_to
        stream, stored = self._blocks[0]
        return stored if self._file.compression else stored + self._origin - stream

    def _drop(self, size: int) -> None:
        self._at += size
        self._origin += size

    def _drop_line_ends(self) -> None:
        while not self._held.startswith(MAGIC, self._at) and (head := self._held[self._at : self._at + _PEEK]):
            ends = len(head) - len(head.lstrip(b"\r\n"))
            self._drop(ends)
            if ends < len(head):
                return

    def _whole_ones(self) -> Iterator[Step]:
        """Records that came whole before the damage; what is left of the one that is damaged stays."""
        while self._lost is None:
            self._drop_line_ends()
            end = end_of_header(self._held, self._at)
            length = _header(bytes(self._held[self._at : end.start])).length if end else None
            if not end or length is None or len(self._held) < end.stop + length:
                return
            step = self._next(final=True)
            if step and step.piece:
                yield step

    def _found(self, *, final: bool) -> Iterator[Step]:
        """Records that are whole, as far as that is known."""
        while True:
            if self._lost is not None:
                step = self._sought(final=final)
            else:
                self._drop_line_ends()
                step = self._next(final=final)
            if step is None:
                return
            if step.piece is not None:
                yield step

    def _next(self, *, final: bool) -> Step | None:
        """The record that begins here; None where more must be read."""
        held, at = self._held, self._at
        left = len(held) - at
        if not left or (left < _PEEK and not final):
            return None
        if not held.startswith(MAGIC, at):
            return self._give_up("what is here is no record", 0)
        header_end = end_of_header(held, at)
        if header_end is None:
            whole = final or left > _MOST_HEADER
            return self._give_up("its header has no end", len(MAGIC)) if whole else None
        header = _header(bytes(held[at : header_end.start]))
        length = header.length
        if length is None:
            return self._give_up("it has no length", header_end.stop - at)
        end = header_end.stop + length
        if end - at > self._limit:
            return self._too_large(header.kind, length, header_end.stop - at)
        if len(held) < end + _PEEK and not final:
            return None
        if len(held) < end or not (held.startswith(b"\r\n\r\n", end) or self._may_end(end, final=final)):
            told = f"its length is given as {length:,} bytes, and no record begins there"
            return self._give_up(told, header_end.stop - at)
        return self._record(header, header_end.stop, end)

    def _may_end(self, end: int, *, final: bool) -> bool:
        """Whether another record begins here, or nothing does."""
        behind = self._held[end : end + _PEEK].lstrip(b"\r\n")
        return behind.startswith(MAGIC) or (final and not behind)

    def _record(self, header: _Header, content: int, end: int) -> Step:
        place, kind = self._place(), header.kind
        self._position += 1
        self._remember(place, header.identity)
        if kind in DOCUMENTS:
            body = content
            if kind == "response":
                served = end_of_header(self._held, content, end)
                body = served.stop if served else end
            held = memoryview(self._held)
            head, at = bytes(held[self._at : body]), content - self._at
            piece: RawRecord | Quarantined = RawRecord(
                self._file, self._position, kind, header.fields, head, at, bytes(held[body:end])
            )
            held.release()
        else:
            piece = passed_over(self._file, self._position, kind)
        self._drop(end - self._at)
        return Step(place, piece)

    def _too_large(self, kind: str, length: int, search_from: int) -> Step:
        self._position += 1
        self._lost = (
            too_large(self._file, self._position, None, length, self._head())
            if kind in DOCUMENTS
            else passed_over(self._file, self._position, kind)
        )
        return self._skip(search_from)

    def _give_up(self, why: str, search_from: int) -> Step:
        self._position += 1
        head = self._head()
        kind = _header(head[: end.start]).kind if (end := end_of_header(head)) else ""
        lost = 0 if kind and kind not in DOCUMENTS else 1
        self._lost = Quarantined(self._file.name, self._position, None, "bad_record", why, head, lost)
        return self._skip(search_from)

    def _skip(self, size: int) -> Step:
        self._lost_at = self._place()
        self._drop(size)
        return Step(self._lost_at, None)

    def _sought(self, *, final: bool) -> Step | None:
        """What was given up, once the next record is found."""
        found, left = _BEGINS.search(self._held, self._at), len(self._held) - self._at
        if found is None and not final:
            self._drop(max(0, left - _PEEK))
            return None
        self._drop(left if found is None else found.start() - self._at)
        lost, self._lost = self._lost, None
        return Step(self._lost_at, lost)

    def _remember(self, at: int, identity: bytes) -> None:
        if self._file.compression != "gzip":
            return
        while self._ids and self._ids[0][0] < at:
            self._ids.popleft()
        self._ids.append((at, identity))

    def _next_member(self) -> int | None:
        """Where the first whole gzip member with a record lies that was not read, behind the last one that was."""
        known = {identity for _, identity in self._ids}
        start = self._ids[0][0] if self._ids else 0
        with suppress(Damaged), stored_bytes(self._file) as source:
            for at in _members(source, start, self._file.size):
                head = _head_if_whole(source, at, self._file.size)
                if at > self._entered_at and head.startswith(MAGIC):
                    header = head[: end.start] if (end := end_of_header(head)) else head
                    if _header(header).identity not in known:
                        self._entered_at = at
                        return at
        return None


def passed_over(file: InputFile, position: int, kind: str) -> Quarantined:
    """The entry of a record that holds no document by its nature; none is lost."""
    reason = "revisit" if kind == "revisit" else "other_record"
    return Quarantined(file.name, position, None, reason, kind or "it has no type", lost_documents=0)


def end_of_header(held: bytes | bytearray, start: int = 0, stop: int | None = None) -> slice | None:
    """Where the empty line behind a header lies, with the line end before it."""
    most = start + _MOST_HEADER if stop is None else min(stop, start + _MOST_HEADER)
    stop = held.find(b"\n\r\n", start, most)
    bare = held.find(b"\n\n", start, most if stop < 0 else stop + 1)
    at = bare if bare >= 0 else stop
    if at < 0:
        return None
    return slice(at - (held[at - 1 : at] == b"\r"), at + (2 if bare >= 0 else 3))


def headers(block: bytes) -> Headers:
    r"""The fields of a header, without its end. A line that begins with white space goes on with the one before.

    Example:
        >>> headers(b"HTTP/1.1 200 OK\r\nServer: a\r\n b\r\nServer: c\r\nAge:")
        {b'server': b'a b', b'age': b''}
    """
    if b"\n " in block or b"\n\t" in block:
        block = _FOLDED.sub(b" ", block)
    found: Headers = {}
    for line in block.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def _header(block: bytes) -> _Header:
    """What is wanted of a header, without its end."""
    found = headers(block)
    told = found.get(b"content-length", b"")
    length = int(told) if told.isdigit() and len(told) <= _MOST_DIGITS else None
    return _Header(length, _kind(found.get(b"warc-type", b"")), found.get(b"warc-record-id") or block, found)


@functools.lru_cache(maxsize=64)
def _kind(told: bytes) -> str:
    return told.decode("utf-8", "replace").lower()


def _members(source: StoredBytes, start: int, size: int) -> Iterator[int]:
    """Places where a gzip member may begin."""
    at = start
    while at < size:
        data = source.at(at, _STEP)
        if len(data) < len(_MEMBER):
            return
        found = data.find(_MEMBER)
        while found >= 0:
            yield at + found
            found = data.find(_MEMBER, found + 1)
        at += len(data) - len(_MEMBER) + 1


def _head_if_whole(source: StoredBytes, at: int, size: int) -> bytes:
    """The first bytes of the gzip member at a place; empty where it is damaged or none."""
    member, head = zlib_ng.decompressobj(31), b""
    while at < size:
        data = source.at(at, _STEP)
        at += len(data)
        while data:
            try:
                text = member.decompress(data, _STEP)
            except zlib_ng.error:  # type: ignore[misc]
                return b""
            head += text[: _STEP - len(head)]
            if member.eof:
                return head
            data = member.unconsumed_tail
    return b""
