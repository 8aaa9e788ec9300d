"""CSV and TSV: a record a row, which may go on over lines inside quotes; the first row names the fields."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple

import msgspec
import pyarrow as pa

from curate.corpus.compression import STORED_STEP, Block, blocks
from curate.corpus.documents import Rows
from curate.corpus.formats.format import Format, Looked, Span, Step
from curate.corpus.formats.line_file import stored_spans
from curate.corpus.formats.tables.parquet_file import distinct
from curate.corpus.formats.tables.separated_rows import NO_HEADER, Table
from curate.corpus.formats.tables.table_rows import TableRows, parse
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.inspection.fields import Enough, Seen, never
from curate.corpus.lines import BOM
from curate.corpus.quarantine import Damaged, Quarantined

_RECORDS = 100
"""Rows that are looked at to tell which field is the text."""
_MOST_LOST = 10_000
"""As many that are lost are passed over for that."""
_DELIMITERS = (",", "\t", ";", "|")
_LONGEST_NAME = 80
_SHOWN = 40
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?<!\b(?:19|20)\d\d)")
_SETTING = "if it has no header, `--set input.csv_header=false` reads that row, too"
_CARRIAGE_RETURNS = "carriage returns"
"""Option of a file of which the lines end with nothing else, as spreadsheets of Macintosh write them."""
_ROW_BYTES = 200  # what a row of short fields takes beside its characters


class SeparatedRows(NamedTuple):
    """Consecutive rows of one file."""

    file: InputFile
    first_row: int
    """Number of the first row after the header, counted from 1."""
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
    about: ClassVar[str] = "CSV or TSV: a header, then one record per row"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".tab")
    fields: ClassVar[bool] = True
    encoded: ClassVar[bool] = True

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:
        """The delimiter, the names in the header, and the first rows."""
        ends = () if b"\n" in head or b"\r" not in head else (_CARRIAGE_RETURNS,)
        options = (_delimiter(file, head), *(() if settings.csv_header else (NO_HEADER,)), *ends)
        file = msgspec.structs.replace(file, options=options)
        table = _table(file)
        if not table.header:
            return Looked(msgspec.structs.replace(file, empty=True))
        if settings.csv_header:
            file = msgspec.structs.replace(file, repeated=_repeated(table.header))
            file = file.noted(_looks_like_data(table.header))
        return Looked(file, _seen(table, settings, _RECORDS))

    def look_at_all(self, file: InputFile, settings: InputSettings, enough: Enough = never) -> Seen | None:
        """All rows, for what their texts are like; None where it is asked for a field: the header named all."""
        return None if settings.text or enough is not never else _seen(_table(file), settings, None)

    def longest(self, file: InputFile) -> int | None:
        """No document is longer than its file."""
        return None if file.is_stream else file.size

    def split(self, file: InputFile, part_bytes: int) -> Iterator[tuple[Span, ...]]:
        """One strand: where a row begins depends on everything before it."""
        yield tuple(stored_spans(file, part_bytes))

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:  # noqa: ARG002
        """Rows, some at a time. Blocks have one size: which part a row belongs to must not depend on chunks."""
        file, stored = span.file, list[Step]()
        try:
            table = Table(file, _noted(_blocks(file), stored))
        except Damaged as damage:
            yield Step(0, Quarantined(file.name, None, None, damage.reason, damage.detail, lost_documents=None))
            return
        names, number = tuple(_names(table)), 1
        for run in table.runs():
            if run.lost:
                yield from stored
                stored.clear()
                yield Step(run.at, table.entry(run.lost, number))
                number += 1
            else:
                size = run.bytes + _ROW_BYTES * len(run.rows)
                yield Step(run.at, SeparatedRows(file, number, names, run.rows, size))
                number += len(run.rows)
        yield from stored

    def parse(self, piece: SeparatedRows, rows: Rows) -> None:
        """A document a row."""
        columns = [_column(values) for values in zip(*piece.rows, strict=True)]
        parse(TableRows(piece.file, piece.first_row, pa.RecordBatch.from_arrays(columns, list(piece.names))), rows)


def _table(file: InputFile) -> Table:
    return Table(file, _blocks(file))


def _blocks(file: InputFile) -> Iterator[Block]:
    source = blocks(file, 0, file.size, STORED_STEP)
    if _CARRIAGE_RETURNS not in file.options:
        return source
    return (block._replace(data=block.data.replace(b"\r", b"\n")) for block in source)


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


def _looks_like_data(header: list[str]) -> str:
    """What is said of a header that looks like the first record of a file without one; empty where it does not."""
    numbered = [str(number) for number in range(len(header))]
    odd = next((name for name in header if _is_no_name(name)), None)
    if odd is None or header == numbered or header == ["", *numbered[:-1]]:  # as pandas names columns without names
        return ""
    shown = json.dumps(odd if len(odd) <= _SHOWN else odd[:_SHOWN] + "…", ensure_ascii=False)
    return f"begins with a row that looks like data ({shown}), and its fields are named by it; {_SETTING}"


def _is_no_name(name: str) -> bool:
    """Whether it is longer than names of fields are, goes on over lines, or is a number other than a year."""
    text = name.strip()
    return len(text) > _LONGEST_NAME or "\n" in text or (_NUMBER.fullmatch(text) is not None)


def _names(table: Table) -> list[str]:
    """Names of the fields: each its own, and none without."""
    texts = (name.encode(errors="surrogateescape").decode(errors="replace").strip() for name in table.names)
    return distinct(text or f"column {number}" for number, text in enumerate(texts, 1))


def _repeated(header: list[str]) -> frozenset[str]:
    return frozenset(name for name, count in Counter(header).items() if count > 1)


def _seen(table: Table, settings: InputSettings, most: int | None) -> Seen:
    names = _names(table)
    seen, lost = Seen(settings, kinds=dict.fromkeys(names, "text"), texts=names), 0
    for run in table.runs():
        lost += run.lost is not None
        if most and lost > _MOST_LOST:
            break
        for row in run.rows:
            seen.add(dict(zip(names, row, strict=True)))
            if seen.records == most:
                return seen
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
