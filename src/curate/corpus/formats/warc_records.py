"""Records of a WARC file, one after another, found again behind damage.

A record is handed on once it is certain where it ends: where the next one begins, or the file ends cleanly. One whose
length is false costs itself; reading goes on at the next line that begins a record. Where a gzip member is damaged, it
goes on at the next member that is whole.
"""

import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from zlib_ng import zlib_ng

from curate.corpus.compression import STORED_STEP, blocks
from curate.corpus.formats.format import Step
from curate.corpus.formats.warc_header import MOST_HEADER, Header, Headers, end_of_header, header_of
from curate.corpus.input import InputFile
from curate.corpus.memory import too_large
from curate.corpus.quarantine import KEPT_BYTES, Damaged, Quarantined
from curate.corpus.stored import StoredBytes, stored_bytes

MAGIC = b"WARC/"
_PEEK = 64
"""Bytes behind a record that tell whether another begins."""
_BEGINS = re.compile(rb"WARC/[01]\.\d+[ \t]*\r?\n[A-Za-z-]+[ \t]*:")
_MEMBER = b"\x1f\x8b\x08"
_BETWEEN = b"\r\n\r\n"
"""What is between records."""
_STEP = 1 << 20
_BLOCK = 256 * 1024
"""Bytes of a plain file that are read at a time: they stay in the processor's cache until they are records."""

DOCUMENTS = frozenset({"response", "resource", "conversion"})
"""Types of records that may hold a document."""


class RawRecord(NamedTuple):
    """Header and content of a record that may be a document."""

    file: InputFile
    position: int
    """Number of the record in the file, counted from 1."""
    kind: str
    headers: Headers
    data: bytes
    """Where it lies, with others."""
    start: int
    served_at: int
    """Where what is after its header begins: of a response, what the server sent before the body."""
    body_at: int
    end: int

    @property
    def head(self) -> bytes:
        """Its header as it is written; of a response also what the server sent before the body."""
        return self.data[self.start : self.body_at]

    @property
    def served(self) -> bytes:
        """What the server sent before the body."""
        return self.data[self.served_at : self.body_at]

    @property
    def body(self) -> bytes:
        """Its content, of a response without what comes before it."""
        return self.data[self.body_at : self.end]


class Records(NamedTuple):
    """Records of one file that follow each other, of one part: one by one they would cost twice the time."""

    file: InputFile
    found: tuple[RawRecord | Quarantined, ...]
    """Those that may be documents, and entries for the others."""
    nbytes: int
    """Bytes held in memory."""


class WarcReader:
    """Reads the records of one file.

    Args:
        file: inspected.
    """

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._limit = file.longest_document + MOST_HEADER
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
        self._held = b""
        self._at = 0
        """Where in it lies what was not handed on yet."""
        self._held_from = 0
        """Offset of what is held in the stream."""
        self._more: list[bytes] = []
        """What follows it, not put together with it yet: a member of gzip is a block, and most hold one record."""
        self._wanted = _BLOCK
        """Bytes of which it is worthwhile to look for records."""
        self._needed = 0
        """Bytes, from where reading is, that the next record is known to take."""
        self._blocks: deque[tuple[int, int]] = deque()
        """Offset in the stream and in the stored file of blocks that are held."""
        self._lost: Quarantined | None = None
        """What was given up; the next record is looked for."""

    def _from(self, start: int) -> Iterator[Step]:
        end = 0
        """Offset in the stream of what comes next."""
        try:
            for block in blocks(self._file, start, self._file.size, _BLOCK):
                fresh = max(0, block.at + block.stored - self._read_to) if block.stored else 0
                if fresh:
                    self._read_to += fresh
                    yield Step(block.at, None, fresh)
                if not self._blocks or self._blocks[-1][1] != block.at:
                    self._blocks.append((end, block.at))
                self._more.append(block.data)
                end += len(block.data)
                if end - self._held_from - self._at >= self._wanted:
                    self._join()
                    yield from self._found(final=False)
                    left = len(self._held) - self._at
                    self._wanted, self._needed = max(left + _BLOCK, self._needed), 0
        except Damaged:
            self._join()
            yield from self._found(final=False)
            raise
        self._join()
        yield from self._found(final=True)

    def _join(self) -> None:
        self._held_from += self._at
        self._held = b"".join((memoryview(self._held)[self._at :], *self._more))
        self._at, self._more = 0, []

    def _head(self) -> bytes:
        """As much of what comes next as quarantine keeps."""
        return bytes(self._held[self._at : self._at + KEPT_BYTES])

    def _place(self) -> int:
        """Where in the stored file lies what comes next."""
        origin = self._held_from + self._at
        while len(self._blocks) > 1 and self._blocks[1][0] <= origin:
            self._blocks.popleft()
        if not self._blocks:
            return self._read_to
        stream, stored = self._blocks[0]
        return stored if self._file.compression else (stored + origin - stream) // STORED_STEP * STORED_STEP

    def _drop_line_ends(self) -> None:
        while not self._held.startswith(MAGIC, self._at) and (head := self._held[self._at : self._at + _PEEK]):
            ends = len(head) - len(head.lstrip(b"\r\n"))
            self._at += ends
            if ends < len(head):
                return

    def _whole_ones(self) -> Iterator[Step]:
        """Records that came whole before the damage; what is left of the one that is damaged stays."""
        while self._lost is None:
            self._drop_line_ends()
            end = end_of_header(self._held, self._at)
            length = header_of(self._held[self._at : end.start]).length if end else None
            if not end or length is None or len(self._held) < end.stop + length:
                return
            place, began = self._place(), self._at
            if record := self._next(final=True):
                yield self._step(place, began, [record])

    def _found(self, *, final: bool) -> Iterator[Step]:
        """Records that are whole, as far as that is known."""
        run, place, began = list[RawRecord | Quarantined](), 0, 0
        while True:
            if self._lost is None:
                self._drop_line_ends()
                here = self._place()
                if run and here != place:
                    yield self._step(place, began, run)
                    run = []
                if not run:
                    place, began = here, self._at
                record = self._next(final=final)
                if record is not None:
                    run.append(record)
                    continue
            if run:
                yield self._step(place, began, run)
                run = []
            step = self._sought(final=final) if self._lost is not None else None
            if step is None:
                return
            yield step

    def _step(self, place: int, began: int, run: list[RawRecord | Quarantined]) -> Step:
        return Step(place, Records(self._file, tuple(run), self._at - began))

    def _next(self, *, final: bool) -> RawRecord | Quarantined | None:
        """The record that begins here; None where more must be read, or what is here was given up."""
        held, at = self._held, self._at
        left = len(held) - at
        if not left or (left < _PEEK and not final):
            return None
        if not held.startswith(MAGIC, at):
            self._give_up("what is here is not a record", 0)
            return None
        header_end = end_of_header(held, at)
        if header_end is None:
            if final or left > MOST_HEADER:
                self._give_up("its header has no end", len(MAGIC))
            return None
        told = header_of(held[at : header_end.start])
        length = told.length
        if length is None:
            self._give_up("it has no length", header_end.stop - at)
            return None
        end = header_end.stop + length
        if end - at > self._limit:
            self._too_large(told.kind, length, header_end.stop - at)
            return None
        if len(held) < end + _PEEK and not final:
            self._needed = end + _PEEK - at
            return None
        if len(held) < end or not (held.startswith(_BETWEEN, end) or self._may_end(end, final=final)):
            why = f"its length is given as {length:,} bytes, and no record begins there"
            self._give_up(why, header_end.stop - at)
            return None
        return self._record(told, header_end.stop, end)

    def _may_end(self, end: int, *, final: bool) -> bool:
        """Whether another record begins here, or nothing does."""
        behind = self._held[end : end + _PEEK].lstrip(b"\r\n")
        return behind.startswith(MAGIC) or (final and not behind)

    def _record(self, header: Header, content: int, end: int) -> RawRecord | Quarantined:
        start, kind = self._at, header.kind
        self._at = end + len(_BETWEEN) if self._held.startswith(_BETWEEN + MAGIC, end) else end
        self._position += 1
        if self._file.compression == "gzip":
            self._remember(self._blocks[0][1], header.identity)
        if kind not in DOCUMENTS:
            return passed_over(self._file, self._position, kind)
        body = content
        if kind == "response":
            served = end_of_header(self._held, content, end)
            body = served.stop if served else end
        return RawRecord(self._file, self._position, kind, header.fields, self._held, start, content, body, end)

    def _too_large(self, kind: str, length: int, search_from: int) -> None:
        self._position += 1
        self._lost = (
            too_large(self._file, self._position, None, length, self._head())
            if kind in DOCUMENTS
            else passed_over(self._file, self._position, kind)
        )
        self._skip(search_from)

    def _give_up(self, why: str, search_from: int) -> None:
        self._position += 1
        head = self._head()
        kind = header_of(head[: end.start]).kind if (end := end_of_header(head)) else ""
        lost = 0 if kind and kind not in DOCUMENTS else 1
        self._lost = Quarantined(self._file.name, self._position, None, "bad_record", why, head, lost)
        self._skip(search_from)

    def _skip(self, size: int) -> None:
        self._lost_at = self._place()
        self._at += size

    def _sought(self, *, final: bool) -> Step | None:
        """What was given up, once the next record is found."""
        found, left = _BEGINS.search(self._held, self._at), len(self._held) - self._at
        if found is None and not final:
            self._at += max(0, left - _PEEK)
            return None
        self._at = len(self._held) if found is None else found.start()
        lost, self._lost = self._lost, None
        return Step(self._lost_at, lost)

    def _remember(self, at: int, identity: bytes) -> None:
        while self._ids and self._ids[0][0] < at:
            self._ids.popleft()
        self._ids.append((at, identity))

    def _next_member(self) -> int | None:
        """Where the first whole gzip member with a record lies that was not read, after the last one that was."""
        known = {identity for _, identity in self._ids}
        start = self._ids[0][0] if self._ids else 0
        with suppress(Damaged), stored_bytes(self._file) as source:
            for at in _members(source, start, self._file.size):
                head = _head_if_whole(source, at, self._file.size)
                if at > self._entered_at and head.startswith(MAGIC):
                    block = head[: end.start] if (end := end_of_header(head)) else head
                    if header_of(block).identity not in known:
                        self._entered_at = at
                        return at
        return None


def passed_over(file: InputFile, position: int, kind: str) -> Quarantined:
    """The entry of a record that holds no document by its nature; none is lost."""
    reason = "revisit" if kind == "revisit" else "other_record"
    return Quarantined(file.name, position, None, reason, kind or "it has no type", lost_documents=0)


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
