"""Arrow IPC, as a file (Feather) or as a stream: batches of records, each a place where a file can be entered.

A stream can be entered at its beginning alone, so its parts are read one after another. A file that lost its end is
read as the stream that it begins with.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
import pyarrow as pa

from curate.corpus.documents import Rows
from curate.corpus.formats.format import Format, Looked, Span, Step, span
from curate.corpus.formats.tables.parquet import of_size, row_group_spans
from curate.corpus.formats.tables.parquet_file import named_columns, repeated_names, shortly
from curate.corpus.formats.tables.table_rows import TableRows, add_records, columns_seen, parse
from curate.corpus.input import InputFile, InputSettings, RowGroup
from curate.corpus.quarantine import Damaged, Quarantined
from curate.corpus.stored import arrow_file

_FILE_MAGIC = b"ARROW1"
_CONTINUATION = b"\xff\xff\xff\xff"
_MOST_SCHEMA = 1 << 24  # bytes; a number beyond is no length of a schema
_STREAM_IN_FILE = 8  # the magic and its padding
_LOOKED_AT = 3  # batches
_GUESS_ROWS = 20
_END = _CONTINUATION + bytes(4)
_NO_END = "its end is missing"
_CUT = (_NO_END, "Expected to be able to read")
"""How the library, or we, say that the file ends too early."""
_BYTES = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}


class ArrowIpc(Format):
    """What `datasets` saves to disk, Feather and Arrow write."""

    name: ClassVar[str] = "arrow"
    about: ClassVar[str] = "Arrow IPC (a file, such as Feather, or a stream)"
    suffixes: ClassVar[tuple[str, ...]] = (".arrow", ".feather", ".ipc", ".arrows")
    packable: ClassVar[bool] = False
    fields: ClassVar[bool] = True
    slow_to_open: ClassVar[bool] = True

    def recognizes(self, head: bytes) -> bool:
        """By the magic of a file, or the length of the schema that a stream begins with."""
        if head.startswith(_FILE_MAGIC):
            return True
        size = int.from_bytes(head[4:8], "little")
        return head.startswith(_CONTINUATION) and 0 < size < _MOST_SCHEMA and size % 8 == 0

    def lacks(self, head: bytes) -> str:
        """The beginning of a file or of a stream."""
        return "" if self.recognizes(head) else "it begins neither as a file nor as a stream of Arrow IPC"

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """The batches, and the columns with some records."""
        with arrow_file(file) as source:
            batches = _Batches(source)
            seen = columns_seen(named_columns(batches.schema), settings)
            groups, at_most = [], file.size
            for number, batch in enumerate(batches.all()):
                if isinstance(batch, str):
                    groups.append(RowGroup(0, 0))
                    continue
                groups.append(RowGroup(len(batch), min(batch.get_total_buffer_size(), at_most * 100)))
                if number < _LOOKED_AT:
                    add_records(seen, _named(batch.slice(0, _GUESS_ROWS)))
            note = "" if batches.ended else "has no end mark: its writer was stopped, and the rest is missing"
            stream = "stream" if batches.is_stream else "file"
            file = msgspec.structs.replace(
                file,
                options=(stream,),
                row_groups=tuple(groups),
                empty=not groups,
                repeated=repeated_names(batches.schema),
            ).noted(note)
        return Looked(file, None if file.empty else seen)

    def text_bytes(self, file: InputFile) -> int:
        """What the batches take in memory."""
        return sum(group.bytes for group in file.row_groups) or file.size

    def longest(self, file: InputFile) -> int | None:
        """No document is longer than its batch."""
        return max((group.bytes for group in file.row_groups), default=0)

    def whole(self, file: InputFile) -> Span:
        """All batches."""
        return span(file, 0, len(file.row_groups), 1, file.size)

    def split(self, file: InputFile, part_bytes: int) -> Iterator[tuple[Span, ...]]:
        """Batches of about ``part_bytes`` together; those of a stream are one strand."""
        spans = row_group_spans(file, part_bytes)
        if file.options == ("stream",):
            yield tuple(spans)
        else:
            yield from ((one,) for one in spans)

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:
        """Rows of the batches; each batch counts with its share of the stored bytes."""
        file, groups, row = span.file, span.file.row_groups, span.first_position
        total = sum(group.bytes for group in groups[span.start : span.stop])
        try:
            source = arrow_file(file)
        except Damaged as damage:
            rows = sum(group.rows for group in groups[span.start : span.stop])
            yield Step(span.start, Quarantined(file.name, row, None, damage.reason, damage.detail, lost_documents=rows))
            return
        done = consumed = 0
        with source:
            for number, batch in _batches(source, span):
                expected = groups[number] if number < len(groups) else RowGroup(0, 0)
                if isinstance(batch, str):
                    yield Step(number, _lost(file, row, expected.rows, batch))
                else:
                    first = row
                    for piece in of_size(iter([_named(batch)]), chunk_bytes):
                        yield Step(number, TableRows(file, first, piece))
                        first += len(piece)
                row += expected.rows
                done += expected.bytes
                now = span.bytes * done // max(total, 1)
                yield Step(number, None, now - consumed)
                consumed = now

    def parse(self, piece: TableRows, rows: Rows) -> None:
        """A document a row."""
        parse(piece, rows)


class _Tail(str):
    """What the library says of the damage that ends a stream, and how many stored bytes stand behind it."""

    __slots__ = ("stored",)
    stored: int

    @classmethod
    def of(cls, said: str, stored: int) -> "_Tail":
        tail = cls(said)
        tail.stored = stored
        return tail


class _Batches:
    """The batches of an open file; a batch that cannot be read is what the library says of it.

    Raises:
        Damaged: not even the schema can be read.
    """

    def __init__(self, source: Any) -> None:
        self._source = source
        self.ended = True
        """Whether the end mark of a stream was there; without one, nobody knows whether batches are missing."""
        self._is_cut = False
        self.is_stream = source.read(len(_FILE_MAGIC)) != _FILE_MAGIC
        try:
            self._reader = self._opened()
            self.schema: pa.Schema = self._reader.schema
        except Exception as error:  # whatever a damaged schema makes the library raise
            raise Damaged("corrupt_file", f"not readable as Arrow IPC: {shortly(error)}") from error

    def all(self) -> Iterator[pa.RecordBatch | str]:
        """Every batch, in order; a stream ends with the first that cannot be read."""
        if not self.is_stream:
            yield from map(self.at, range(self._reader.num_record_batches))
            return
        while True:
            at = self._source.tell()
            try:
                batch = self._reader.read_next_batch()
                _check(batch)
            except StopIteration:
                yield from self._end()
                return
            except Exception as error:  # noqa: BLE001  (whatever damaged bytes make the library raise)
                yield _Tail.of(shortly(error), self._source.size() - at)
                return
            yield batch

    def _end(self) -> Iterator[str]:
        """What is to be said of the end of a stream. Streams of old begin without a mark, and end with less of one."""
        size, at = self._source.size(), self._source.tell()
        if at < size:  # the mark was read, or what looks like one; behind it is what a file lost the end of
            if not self._is_cut and self._source.read(_MOST_SCHEMA).strip(b"\0"):
                yield _Tail.of(f"an end mark stands before the last {size - at:,} bytes of the file", size - at)
            return
        self._source.seek(_STREAM_IN_FILE if self._is_cut else 0)
        is_marked = self._source.read(len(_CONTINUATION)) == _CONTINUATION
        self._source.seek(max(0, size - len(_END)))
        if is_marked and self._source.read(len(_END)) != _END:
            if self._is_cut:
                yield _NO_END
            else:
                self.ended = False

    def at(self, number: int) -> pa.RecordBatch | str:
        """One batch of a file. Its offsets are checked: those of a damaged one lead outside of its memory."""
        try:
            batch = self._reader.get_batch(number)
            _check(batch)
        except Exception as error:  # noqa: BLE001  (as above)
            return shortly(error)
        return batch

    def _opened(self) -> Any:
        if not self.is_stream:
            try:
                return pa.ipc.open_file(self._source)
            except (pa.ArrowException, OSError):  # it lost its end
                self.is_stream = self._is_cut = True
                self._source.seek(_STREAM_IN_FILE)
        else:
            self._source.seek(0)
        return pa.ipc.open_stream(self._source)


def _batches(source: Any, span: Span) -> Iterator[tuple[int, pa.RecordBatch | str]]:
    """The batches of a span with their numbers, and what stands after the last one that was found before."""
    try:
        batches = _Batches(source)
    except Damaged as damage:
        yield span.start, damage.detail
        return
    if not batches.is_stream:
        yield from ((number, batches.at(number)) for number in range(span.start, span.stop))
        return
    for number, batch in enumerate(batches.all()):
        if number >= span.stop and span.stop < len(span.file.row_groups):
            return
        if number >= span.start:
            yield number, batch


def _lost(file: InputFile, row: int, rows: int, why: str) -> Quarantined:
    detail = f"rows {row} to {row + rows - 1} are lost: {why}" if rows else f"what follows row {row - 1} is lost: {why}"
    reason = "truncated_file" if why.startswith(_CUT) else "corrupt_file"
    stored = why.stored if isinstance(why, _Tail) and not rows and reason == "corrupt_file" else None
    return Quarantined(file.name, row, None, reason, detail, lost_documents=rows or None, lost_bytes=stored)


def _named(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same columns under names that are text, and each its own."""
    return pa.RecordBatch.from_arrays(batch.columns, list(named_columns(batch.schema)))


def _check(batch: pa.RecordBatch) -> None:
    """That offsets and lengths stay within the buffers. Texts need not be UTF-8: each of them is looked at later.

    Raises:
        pa.ArrowInvalid: they do not.
    """
    for column in batch.columns:
        kind = _BYTES.get(column.type)
        (column.view(kind) if kind else column).validate(full=True)
