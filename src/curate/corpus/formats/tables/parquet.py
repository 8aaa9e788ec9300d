"""Parquet: batches of rows are read on one thread and made into documents on another (`table_rows`)."""

from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple

import msgspec
import pyarrow as pa

from curate.corpus.documents import Rows
from curate.corpus.formats.format import Format, Looked, Span, Step, span
from curate.corpus.formats.tables.parquet_file import ParquetTable, shortly
from curate.corpus.formats.tables.table_rows import TableRows, add_records, columns_seen, may_hold_text, parse
from curate.corpus.input import InputFile, InputSettings, Problem, RowGroup
from curate.corpus.inspection.fields import Seen
from curate.corpus.inspection.text_field import named_text
from curate.corpus.quarantine import Damaged, Quarantined
from curate.errors import CurateError
from curate.text.chats.shape import parsed

_GUESS_ROWS = 20
_PLACES = 3  # row groups that are looked at for a guess
_MAGIC = b"PAR1"


class Parquet(Format):
    """Tables with row groups, the places where a file can be cut."""

    name: ClassVar[str] = "parquet"
    about: ClassVar[str] = "Parquet"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)
    packable: ClassVar[bool] = False
    fields: ClassVar[bool] = True
    slow_to_open: ClassVar[bool] = True

    def recognizes(self, head: bytes) -> bool:
        """By its first four bytes."""
        return head.startswith(_MAGIC)

    def lacks(self, head: bytes) -> str:
        """The first four bytes."""
        return "" if head.startswith(_MAGIC) else "not readable as Parquet: its first bytes are not PAR1"

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """Row groups and columns from the footer; some rows where only they can tell which column is the text."""
        layout = inspect(file, settings)
        file = msgspec.structs.replace(
            file,
            row_groups=layout.row_groups,
            empty=not any(group.rows for group in layout.row_groups),
            problem=layout.problem,
            repeated=layout.repeated,
        )
        return Looked(file, None if file.empty or file.problem else layout.seen)

    def text_bytes(self, file: InputFile) -> int:
        """What the footer says."""
        return sum(group.bytes for group in file.row_groups) if file.row_groups else file.size

    def longest(self, file: InputFile) -> int | None:
        """No document is longer than its row group."""
        return max((group.bytes for group in file.row_groups), default=0)

    def whole(self, file: InputFile) -> Span:
        """All row groups."""
        return span(file, 0, len(file.row_groups), 1, file.size)

    def split(self, file: InputFile, part_bytes: int) -> Iterator[tuple[Span, ...]]:
        """Row groups of about ``part_bytes`` together."""
        yield from ((one,) for one in row_group_spans(file, part_bytes))

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:
        """Batches of rows; the stored bytes are shared out evenly among them."""
        yield from table_steps(span, read(span.file, span.start, span.stop, span.first_position, chunk_bytes))

    def parse(self, piece: TableRows, rows: Rows) -> None:
        """A document a row."""
        parse(piece, rows)


def row_group_spans(file: InputFile, part_bytes: int) -> Iterator[Span]:
    """Ranges of row groups that hold about ``part_bytes``; one huge row group is a range of its own."""
    total = sum(group.bytes for group in file.row_groups)
    first, row, before, done = 0, 1, 0, 0
    rows = 0
    for index, group in enumerate(file.row_groups):
        done += group.bytes
        rows += group.rows
        if done - before >= part_bytes or index + 1 == len(file.row_groups):
            stored = file.size * done // total - file.size * before // total
            yield span(file, first, index + 1, row, stored)
            first, row, before, rows = index + 1, row + rows, done, 0


def table_steps(span: Span, pieces: Iterator[TableRows | Quarantined]) -> Iterator[Step]:
    """The pieces of a span of row groups, each with its share of the stored bytes."""
    total = sum(group.rows for group in span.file.row_groups[span.start : span.stop])
    done = consumed = 0
    for piece in pieces:
        done += piece.batch.num_rows if isinstance(piece, TableRows) else 0
        now = span.bytes * done // max(total, 1)
        yield Step(0, piece, now - consumed)
        consumed = now


def _may_need_rows(seen: Seen) -> bool:
    """Whether columns alone do not tell what the text is: no usual name, or lists that may be turns."""
    return not named_text(seen.schema()) or any("struct" in kind for kind in seen.kinds.values())


class Layout(NamedTuple):
    """What the footer of a file says, and some of its rows."""

    row_groups: tuple[RowGroup, ...]
    seen: Seen
    repeated: frozenset[str]
    """Names that more than one column has."""
    problem: Problem | None


def inspect(file: InputFile, settings: InputSettings) -> Layout:
    """Row groups and fields of a Parquet file.

    Args:
        file: to look at.
        settings: the section ``[input]``; where they name the text, no row is read.

    Raises:
        Damaged: it cannot be read as Parquet.
    """
    with ParquetTable(file) as table:
        seen = columns_seen({column.name: column.type for column in table.columns}, settings)
        is_wanted = not settings.text and _may_need_rows(seen) and any(group.rows for group in table.row_groups)
        error = _look(table, seen) if is_wanted else ""
        problem = None
        if error:
            rows = sum(group.rows for group in table.row_groups)
            problem = Problem("corrupt_file", f"none of its {rows:,} rows can be read: {error}", rows)
        return Layout(table.row_groups, seen, table.repeated, problem)


def read(file: InputFile, start: int, stop: int, first_row: int, size: int) -> Iterator[TableRows | Quarantined]:
    """The rows of the row groups ``start`` to ``stop``, in batches of about ``size`` bytes.

    What cannot be read of a row group is one quarantine entry; the next one is tried.
    """
    groups = file.row_groups[start:stop]
    try:
        table = ParquetTable(file)
    except Damaged as damage:
        rows = sum(group.rows for group in groups)
        yield Quarantined(file.name, first_row, None, damage.reason, damage.detail, lost_documents=rows)
        return
    with table:
        row = first_row
        for index, group in enumerate(groups, start):
            yield from _row_group(table, file, index, row, size)
            row += group.rows


def _row_group(
    table: ParquetTable, file: InputFile, index: int, row: int, size: int
) -> Iterator[TableRows | Quarantined]:
    """One row group: all columns at once, and if that fails each for itself, and then as they are stored."""
    rows, done, error = file.row_groups[index].rows, 0, ""
    damaged: dict[str, str] = {}
    ways: tuple[Callable[[], Iterator[pa.RecordBatch]], ...] = (
        lambda: table.batches(index),
        lambda: _column_by_column(table, file, index, damaged),
        lambda: _as_stored(file, index, damaged),
    )
    for way in ways:
        at = 0
        damaged.clear()
        try:
            for batch in of_size(way(), size):
                at += len(batch)
                if at > done:
                    yield TableRows(file, row + done, batch.slice(len(batch) - (at - done)))
                    done = at
            error = "" if done >= rows else f"the footer says {rows:,} rows, and {done:,} are there"
            break
        except CurateError:  # the store does not answer: that is not damage
            raise
        except Exception as failure:  # noqa: BLE001  (whatever a damaged page makes the library raise)
            error = error or shortly(failure)
    last = row + rows - 1
    if done < rows:
        detail = f"rows {row + done} to {last} are lost: {error}"
        yield Quarantined(file.name, row + done, None, "corrupt_file", detail, lost_documents=rows - done)
    for name, why in damaged.items():
        detail = f"`{name}` of rows {row} to {last} cannot all be read; the texts are: {why}"
        yield Quarantined(file.name, row, None, "corrupt_metadata", detail, lost_documents=0)


def _column_by_column(
    table: ParquetTable, file: InputFile, index: int, damaged: dict[str, str]
) -> Iterator[pa.RecordBatch]:
    """Batches in which a column that cannot be read is null, unless it is the text; ``damaged`` tells which and why."""
    names = [column.name for column in table.columns]
    turns = parsed(file.conversation).answers or (parsed(file.conversation).turns,) if file.conversation else ()
    wanted = turns or file.text_fields or (file.text,)
    text = next(name for name in names if any(_is_in(field, name) for field in wanted))
    others = {name: table.batches(index, [name]) for name in names if name != text}
    for texts in table.batches(index, [text]):
        columns = {name: _next(name, values, len(texts), damaged) for name, values in others.items()}
        yield pa.RecordBatch.from_arrays([columns.get(name, texts.column(0)) for name in names], names)


def _as_stored(file: InputFile, index: int, damaged: dict[str, str]) -> Iterator[pa.RecordBatch]:
    """Batches without what Arrow's schema in the footer says of their types, which may be a lie."""
    with ParquetTable(file, arrow_schema=False) as table:
        yield from _column_by_column(table, file, index, damaged)


def _next(name: str, batches: Iterator[pa.RecordBatch], rows: int, damaged: dict[str, str]) -> pa.Array:
    """The next rows of a column; nulls from where it cannot be read on."""
    if name not in damaged:
        try:
            values = next(batches).column(0)
            if len(values) == rows:
                return values
            damaged[name] = f"{len(values)} values for {rows} rows"
        except StopIteration:
            damaged[name] = "it ends too early"
        except Exception as error:  # noqa: BLE001  (whatever a damaged page makes the library raise)
            damaged[name] = shortly(error)
    return pa.nulls(rows)


def of_size(batches: Iterator[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of about ``size`` bytes."""
    held: list[pa.RecordBatch] = []
    held_bytes = 0
    for batch in batches:
        pieces = max(1, min(len(batch), batch.nbytes // max(size, 1)))
        step = -(-len(batch) // pieces)
        for start in range(0, len(batch), step):
            held.append(batch.slice(start, step))
            held_bytes += held[-1].nbytes
            if held_bytes >= size:
                yield from _together(held)
                held, held_bytes = [], 0
    yield from _together(held)


def _together(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """One batch instead of many, where Arrow can put their types together: a column is null from damage on."""
    try:
        return [pa.concat_batches(batches)] if len(batches) > 1 else batches
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return batches


def _look(table: ParquetTable, seen: Seen) -> str:
    """Look at some rows of the first, the middle and the last row group that can be read; why none can."""
    count = len(table.row_groups)
    order = dict.fromkeys([0, count // 2, count - 1, *range(count)])
    looked, error = 0, ""
    names = [column.name for column in table.columns if may_hold_text(column.type)]
    for index in order:
        try:
            batch = next(table.batches(index, names), None)
        except CurateError:  # the store does not answer: that is not damage
            raise
        except Exception as failure:  # noqa: BLE001  (whatever a damaged page makes the library raise)
            error = error or shortly(failure)
            continue
        if batch is None or not len(batch):
            continue
        looked += 1
        add_records(seen, batch.slice(0, _GUESS_ROWS))
        if looked == _PLACES:
            break
    return "" if looked else error or "there are none"


def _is_in(field: str, column: str) -> bool:
    return field == column or field.startswith(f"{column}.")
