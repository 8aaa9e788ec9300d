"""CSV and TSV: a header with the names of the fields, and a record a row, which may go on over lines inside quotes.

Rows are told apart by Python's own reader, one after another: where a row begins depends on all quotes before it.
Bytes that are no UTF-8 travel through it as lone surrogates, so that they cost their row alone.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple

import msgspec
import pyarrow as pa

from curate.corpus.compression import STORED_STEP, Block, blocks
from curate.corpus.documents import Rows
from curate.corpus.fields import Seen
from curate.corpus.formats.format import Format, Looked, Span, Step
from curate.corpus.formats.line_file import stored_spans
from curate.corpus.formats.parquet_file import unused
from curate.corpus.formats.table_rows import TableRows, parse
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.lines import BOM
from curate.corpus.memory import too_large
from curate.corpus.quarantine import KEPT_BYTES, Damaged, Quarantined

_RECORDS = 100
"""Rows that are looked at to tell which field is the text."""
_DELIMITERS = (",", "\t", ";", "|")
_WELL_BEYOND = 1 << 30  # the reader's own limit is a global of the process; ours is kept before it
_ROW_BYTES = 200  # what a row of short fields takes beside its characters


class SeparatedRows(NamedTuple):
    """Consecutive rows of one file."""

    file: InputFile
    first_row: int
    """Number of the first row behind the header, counted from 1."""
    names: tuple[str, ...]
    rows: list[list[str]]
    nbytes: int

    def follows(self, before: "SeparatedRows") -> bool:
        """Whether it begins where others end."""
        return self.file is before.file and self.first_row == before.first_row + len(before.rows)

    def joined(self, pieces: "Sequence[SeparatedRows]") -> "SeparatedRows":
        """Rows that follow each other, of which these are the first, as one."""
        rows = [row for piece in pieces for row in piece.rows]
        return self._replace(rows=rows, nbytes=sum(piece.nbytes for piece in pieces))


class Separated(Format):
    """Rows of fields between commas, tabs, semicolons or bars."""

    name: ClassVar[str] = "csv"
    about: ClassVar[str] = "CSV or TSV: a header, and a record a row"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".tab")
    fields: ClassVar[bool] = True
    encoded: ClassVar[bool] = True

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:
        """The delimiter, the names in the header, and the first rows."""
        file = msgspec.structs.replace(file, options=(_delimiter(file, head),))
        table = _table(file)
        if not table.header:
            return Looked(msgspec.structs.replace(file, empty=True))
        file = msgspec.structs.replace(file, repeated=_repeated(table.header))
        return Looked(file, _seen(table, settings, _RECORDS))

    def look_at_all(self, file: InputFile, settings: InputSettings) -> Seen | None:
        """All rows."""
        return _seen(_table(file), settings, None)

    def longest(self, file: InputFile) -> int | None:
        """No document is longer than its file."""
        return None if file.is_stream else file.size

    def split(self, file: InputFile, part_bytes: int) -> Iterator[tuple[Span, ...]]:
        """One strand: where a row begins can be told from what comes before alone."""
        yield tuple(stored_spans(file, part_bytes))

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:
        """Rows, some at a time. Blocks have one size: which part a row belongs to must not depend on chunks."""
        file, stored = span.file, list[Step]()
        try:
            table = _Table(file, _noted(blocks(file, 0, file.size, STORED_STEP), stored))
        except Damaged as damage:
            yield Step(0, Quarantined(file.name, None, None, damage.reason, damage.detail, lost_documents=None))
            return
        names, held, first, size, at = tuple(_names(table.header)), list[list[str]](), 1, 0, 0
        for number, row in enumerate(table.rows(), 1):
            ends = isinstance(row.fields, Quarantined) or row.at != at or size >= chunk_bytes
            if ends and held:
                yield Step(at, SeparatedRows(file, first, names, held, size))
            if ends:
                yield from stored
                stored.clear()
                held, first, size, at = [], number, 0, row.at
            if isinstance(row.fields, Quarantined):
                yield Step(row.at, row.fields._replace(position=number))
                first = number + 1
            else:
                held.append(row.fields)
                size += row.bytes + _ROW_BYTES
        if held:
            yield Step(at, SeparatedRows(file, first, names, held, size))
        yield from stored

    def parse(self, piece: SeparatedRows, rows: Rows) -> None:
        """A document a row."""
        columns = [_column(values) for values in zip(*piece.rows, strict=True)]
        parse(TableRows(piece.file, piece.first_row, pa.RecordBatch.from_arrays(columns, list(piece.names))), rows)


class _Row(NamedTuple):
    at: int
    """Where in the stored file its first byte lay."""
    fields: list[str] | Quarantined
    bytes: int


class _Table:
    """The rows of a file, behind its header.

    Args:
        file: with its delimiter.
        source: its bytes.
    """

    def __init__(self, file: InputFile, source: Iterable[Block]) -> None:
        self._file = file
        self._lines = _Lines(source, file.longest_document)
        self._reader = self._new()
        self.header: list[str] = []
        try:
            self.header = next((row for row in self._reader if any(row)), [])
        except _TornError as torn:
            raise torn.damage from None
        except (_TooLongError, csv.Error) as error:
            raise Damaged("corrupt_file", f"its header cannot be read: {error}") from error

    def rows(self) -> Iterator[_Row]:
        """Every row that is not blank; those with more or fewer fields than the header, and damage, as quarantine."""
        lines, width = self._lines, len(self.header)
        while True:
            lines.begin()
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except _TornError as torn:
                yield self._lost(torn.damage.reason, torn.damage.detail, None)
                return
            except _TooLongError:
                entry = too_large(self._file, 0, lines.first_byte, lines.taken, lines.raw())
                yield _Row(lines.first_at, self._with_what_it_swallowed(entry), 0)
                self._reader = self._new()
                continue
            except csv.Error as error:
                yield self._lost("ragged_row", str(error))
                self._reader = self._new()
                continue
            if lines.ended and lines.quotes() % 2:
                yield self._lost("ragged_row", "a quote was opened and is never closed")
            elif len(fields) == width:
                yield _Row(lines.first_at, fields, lines.taken)
            elif any(field.strip() for field in fields):
                count = f"{len(fields)} field{'s' * (len(fields) != 1)}"
                yield self._lost("ragged_row", f"{count}, but the header has {width}")

    def _lost(self, reason: str, detail: str, documents: int | None = 1) -> _Row:
        lines = self._lines
        entry = Quarantined(self._file.name, None, lines.first_byte, reason, detail, lines.raw(), documents)
        return _Row(lines.first_at, self._with_what_it_swallowed(entry), 0)

    def _with_what_it_swallowed(self, entry: Quarantined) -> Quarantined:
        """The entry of a row; where it goes on over lines, nobody knows how many rows are in it."""
        lines = self._lines
        if lines.count < 2 or entry.lost_documents is None:
            return entry
        stored = min(lines.taken, lines.at - lines.first_at + STORED_STEP, self._file.size - lines.first_at)
        return entry._replace(lost_documents=None, lost_bytes=stored)

    def _new(self) -> Iterator[list[str]]:
        csv.field_size_limit(_WELL_BEYOND)
        return csv.reader(self._lines, delimiter=self._file.options[0])


class _TooLongError(Exception):
    """A row is longer than a document may be: most likely a quote was opened and never closed."""


class _TornError(Exception):
    """The file cannot be read any further."""

    def __init__(self, damage: Damaged) -> None:
        super().__init__(damage.detail)
        self.damage = damage


class _Lines:
    """Lines as the reader of rows takes them, with where the row that is being read began."""

    def __init__(self, source: Iterable[Block], limit: int) -> None:
        self.at = self.first_at = self.first_byte = self.taken = self.count = 0
        self.ended = False
        self._held: list[bytes] = []
        self._limit = limit
        self._byte, self._begins = 0, True
        self._source = self._split(source)

    def begin(self) -> None:
        """A row begins with the next line."""
        self._held, self.taken, self.count, self._begins = [], 0, 0, True

    def raw(self) -> bytes:
        """The bytes of the row so far, as many as are kept of a row in quarantine."""
        return b"".join(self._held)[:KEPT_BYTES]

    def quotes(self) -> int:
        """How many quotes are in the row."""
        return sum(line.count(b'"') for line in self._held)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._taken()
        if self.taken <= self._limit:
            return line.decode(errors="surrogateescape")
        self._held = [self.raw()]
        while not line.endswith(b"\n") and not self.ended:  # the rest of the line is no row of its own
            try:
                line = self._taken()
            except StopIteration:
                break
            self._held = [self.raw()]
        raise _TooLongError("longer than a document may be")

    def _taken(self) -> bytes:
        at, line = next(self._source)
        held, size = self._held, len(line)
        if not held:
            self.first_at, self.first_byte = at, self._byte
        self._byte += size
        self.at, self.taken, self.count = at, self.taken + size, self.count + self._begins
        self._begins = line.endswith(b"\n")
        held.append(line)
        return line

    def _split(self, source: Iterable[Block]) -> Iterator[tuple[int, bytes]]:
        """Lines with their ends, and where in the stored file each began; a line that is too long in pieces."""
        rest, at, begun = b"", 0, False
        try:
            for block in source:
                data = block.data
                if data and not begun:
                    data, begun = data.removeprefix(BOM), True
                *lines, tail = data.split(b"\n")
                for line in lines:
                    yield (at if rest else block.at), rest + line + b"\n"
                    rest = b""
                if not rest:
                    at = block.at
                rest += tail
                if len(rest) > self._limit:
                    yield at, rest
                    rest = b""
        except Damaged as damage:
            if not self._held:
                self.first_at, self.first_byte = at, self._byte
            self._held.append(rest)
            raise _TornError(damage) from damage
        if rest:
            yield at, rest
        self.ended = True


def _table(file: InputFile) -> _Table:
    return _Table(file, blocks(file, 0, file.size, STORED_STEP))


def _noted(source: Iterable[Block], stored: list[Step]) -> Iterator[Block]:
    for block in source:
        stored.append(Step(block.at, None, block.stored))
        yield block


def _delimiter(file: InputFile, head: bytes) -> str:
    """The one that gives the first rows most evenly the same number of fields; the usual one among equals."""
    lines = list(io.StringIO(head.removeprefix(BOM).decode(errors="replace"), newline=""))
    whole = lines[:-1][:200] or lines
    usual = "," if ".csv" in file.name.lower()[-9:] else "\t"
    scores = {}
    for delimiter in dict.fromkeys((usual, *_DELIMITERS)):
        counts = [len(row) for row in csv.reader(whole, delimiter=delimiter) if row]
        if counts and counts[0] > 1:
            even = sum(count == counts[0] for count in counts) / len(counts)
            scores[delimiter] = round(even, 1), delimiter == usual, counts[0]
    return max(scores, key=lambda one: scores[one], default=usual)


def _names(header: list[str]) -> list[str]:
    """Names of the fields: each its own, and none without."""
    found = dict[str, None]()
    for number, name in enumerate(header, 1):
        text = name.encode(errors="surrogateescape").decode(errors="replace").strip() or f"column {number}"
        found[unused(text, found)] = None
    return list(found)


def _repeated(header: list[str]) -> frozenset[str]:
    return frozenset(name for name in header if header.count(name) > 1)


def _seen(table: _Table, settings: InputSettings, most: int | None) -> Seen:
    names = _names(table.header)
    seen = Seen(settings.text, kinds=dict.fromkeys(names, "text"), texts=names)
    for row in table.rows():
        if not isinstance(row.fields, Quarantined):
            seen.add(dict(zip(names, row.fields, strict=True)))
            if seen.records == most:
                break
    return seen


def _column(values: Iterable[str]) -> pa.Array:
    """Texts, or the bytes that are none."""
    texts = list(values)
    try:
        return pa.array(texts, pa.large_string())
    except (UnicodeEncodeError, pa.ArrowInvalid):
        return _unchecked([text.encode(errors="surrogateescape") for text in texts])


def _unchecked(values: list[bytes]) -> pa.Array:
    """Strings that may be none: each is looked at when it becomes a document."""
    made = pa.array(values, pa.large_binary())
    return pa.Array.from_buffers(pa.large_string(), len(made), made.buffers())
