"""Rows of a file of fields between delimiters, separated by Python's own reader.

Where a row begins depends on all quotes before it, so rows are separated one after another; lines are given to
the reader many at a time. A row that contradicts itself, or is longer than a document may be, costs itself: the next
one begins with the line behind it. Bytes that are no UTF-8 travel through the reader as lone surrogates.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.corpus.compression import STORED_STEP, Block
from curate.corpus.formats.tables.held_lines import HeldLines
from curate.corpus.input import InputFile
from curate.corpus.memory import too_large
from curate.corpus.quarantine import KEPT_BYTES, Damaged, Quarantined

_AT_ONCE = 256 * 1024
"""Bytes of lines that are given to the reader at a time, at least."""
_WELL_BEYOND = 1 << 30  # the reader's own limit is a global of the process; ours is kept before it
NO_HEADER = "no header"
"""Option of a file."""
_TOO_LONG = "longer than a document may be"
_NEVER_CLOSED = "a quote was opened and is never closed"


class Run(NamedTuple):
    """Rows that follow each other and begin in one step of reading, or lines of which none can be made."""

    at: int
    """Where in the stored file the step lies."""
    rows: list[list[str]]
    bytes: int
    lost: "Lost | None" = None


class Table:
    """The rows of a file, after its header.

    Args:
        file: with its delimiter, and `NO_HEADER` where its first row is one like the others.
        source: its bytes.

    Raises:
        Damaged: its header cannot be read.
    """

    def __init__(self, file: InputFile, source: Iterable[Block]) -> None:
        self._file = file
        self._held = HeldLines(source)
        self._found = self._all()
        self._behind_header = _Rows([], np.zeros(1, np.int64))
        self.header = self._header()

    @property
    def names(self) -> list[str]:
        """What the header calls the fields; empty ones if there is none."""
        return [""] * len(self.header) if NO_HEADER in self._file.options else self.header

    def runs(self) -> Iterator[Run]:
        """Every row that is not blank; those with more or fewer fields than the header, and damage, are lost."""
        width = len(self.header)
        for found in chain([self._behind_header], self._found):
            if isinstance(found, Lost):
                yield Run(found.at, [], 0, found)
            else:
                yield from self._even(found, width)

    def _header(self) -> list[str]:
        for found in self._found:
            if isinstance(found, Lost):
                why = f"its header cannot be read: {found.why}"
                raise found.why if isinstance(found.why, Damaged) else Damaged("corrupt_file", why)
            for number, row in enumerate(found.rows, 1):
                if any(row):
                    first = number - 1 if NO_HEADER in self._file.options else number
                    self._behind_header = _Rows(found.rows[first:], found.bounds[first:])
                    return row
        return []

    def _even(self, found: "_Rows", width: int) -> Iterator[Run]:
        """Runs of rows that have as many fields as the header, and what the others are."""
        begun, others = 0, set(map(len, found.rows)) - {width}
        said = {size: f"{size} field{'s' * (size != 1)}, but the header has {width}" for size in others}
        bounds = found.bounds.tolist() if others else []
        for number, row in enumerate(found.rows) if others else ():
            if len(row) == width:
                continue
            if begun < number:
                yield from self._of_one_step(found, begun, number)
            begun = number + 1
            if "".join(row).strip():
                lost = self._lost(said[len(row)], bounds[number], bounds[begun])
                yield Run(lost.at, [], 0, lost)
        yield from self._of_one_step(found, begun, len(found.rows))

    def _of_one_step(self, found: "_Rows", begun: int, ended: int) -> Iterator[Run]:
        """Rows cut where they begin in another step of reading."""
        bounds = found.bounds
        while begun < ended:
            at, until = self._held.step(int(bounds[begun]))
            stop = ended if until is None else begun + int(np.searchsorted(bounds[begun:ended], until))
            yield Run(at, found.rows[begun:stop], int(bounds[stop] - bounds[begun]))
            begun = stop

    def _all(self) -> Iterator["_Rows | Lost"]:
        """All that is in the file, in order; what is given stays held until the next is asked for."""
        held, limit, wanted = self._held, self._file.longest_document, _AT_ONCE
        while True:
            held.fill(wanted, limit)
            is_too_long = False
            for found, why, until in self._read(held.whole()):
                rows = found
                if until - rows.bounds[0] > limit:
                    too_long = np.flatnonzero(np.diff([*rows.bounds, until]) > limit)
                    if is_too_long := len(too_long) > 0:
                        rows = _Rows(rows.rows[: too_long[0]], rows.bounds[: too_long[0] + 1])
                if rows.rows:
                    yield rows
                    held.drop(int(rows.bounds[-1]))
                if is_too_long:
                    break
                if why:
                    yield self._lost(why, held.start, until)
                    held.drop(until)
            if is_too_long or len(held) > limit:
                lost = self._too_long(held.line_end(limit))
            elif held.damage:
                lost = self._lost(held.damage, held.start, held.stop)
            elif held.ended:
                if held:
                    yield self._last()
                return
            else:
                wanted = max(_AT_ONCE, 2 * len(held))
                continue
            yield lost
            if isinstance(lost.why, Damaged):
                return
            held.drop(lost.stop)

    def _read(self, lines: bytes) -> Iterator[tuple["_Rows", str, int]]:
        """The rows that are whole in lines, up to each that contradicts itself; how it does, and where it ends."""
        csv.field_size_limit(_WELL_BEYOND)
        line_ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
        places = self._held.start + np.concatenate([[0], line_ends, [len(lines)]])
        source, delimiter = chain(_text(lines), iter(_no_more, "")), self._file.options[0]
        begun, why = 0, "none yet"
        while why:
            reader = csv.reader(source, delimiter=delimiter)
            rows, ends, why = list[list[str]](), [begun], ""
            try:
                for row in reader:
                    rows.append(row)
                    ends.append(begun + reader.line_num)
            except _NoMoreError:
                pass
            except csv.Error as error:
                why = str(error)
            bounds = places[ends] if rows else places[begun : begun + 1]
            begun = begun + reader.line_num if why else ends[-1]
            yield _Rows(rows, bounds), why, int(places[begun])

    def _last(self) -> "_Rows | Lost":
        """The row that the file ends in, inside quotes."""
        held = self._held
        data = held.between(held.start, held.stop)
        if data.count(b'"') % 2:
            return self._lost(_NEVER_CLOSED, held.start, held.stop)
        rows = list(csv.reader(_text(data), delimiter=self._file.options[0]))
        return _Rows(rows, np.array([held.start, held.stop]))

    def _too_long(self, stop: int | None) -> "Lost":
        """The row that is held first, which ends nowhere before the line does that makes it too long."""
        held = self._held
        if stop is not None:
            return self._lost(_TOO_LONG, held.start, stop)
        lost = self._looked_at(self._lost(_TOO_LONG, held.start, held.stop))
        held.drop_line()
        why = held.damage or _TOO_LONG
        return lost._replace(why=why, stop=held.start, last_at=held.step(held.start)[0])

    def _lost(self, why: "str | Damaged", start: int, stop: int) -> "Lost":
        return Lost(why, start, stop, self._held.step(start)[0])

    def _looked_at(self, lost: "Lost") -> "Lost":
        data = self._held.between(lost.start, lost.stop)
        many = data.find(b"\n", 0, -1) >= 0
        last_at = self._held.step(lost.stop - 1)[0] if many else lost.at
        return Lost(lost.why, lost.start, lost.stop, lost.at, data[:KEPT_BYTES], many, last_at)

    def entry(self, lost: "Lost", position: int) -> Quarantined:
        """The entry of what is lost; where it goes on over lines, nobody knows how many rows are in it.

        Args:
            lost: of the run that was given last.
            position: its number among the rows.
        """
        file, size = self._file, lost.stop - lost.start
        if lost.head is None:
            lost = self._looked_at(lost)
        why, head = lost.why, lost.head or b""
        if isinstance(why, Damaged):
            return Quarantined(file.name, position, lost.start, why.reason, why.detail, head, lost_documents=None)
        if why == _TOO_LONG:
            entry = too_large(file, position, lost.start, size, head)
        else:
            entry = Quarantined(file.name, position, lost.start, "ragged_row", why, head)
        if not lost.many_lines:
            return entry
        stored = min(size, lost.last_at - lost.at + STORED_STEP, file.size - lost.at)
        return entry._replace(lost_documents=None, lost_bytes=stored)


class Lost(NamedTuple):
    """Lines of which no row can be made."""

    why: str | Damaged
    start: int
    stop: int
    at: int
    """Where in the stored file the step lies that gave its beginning."""
    head: bytes | None = None
    """Its first bytes; None: they are still held."""
    many_lines: bool = False
    last_at: int = 0
    """Where the step lies that gave its end."""


class _Rows(NamedTuple):
    """Rows that follow each other."""

    rows: list[list[str]]
    bounds: npt.NDArray[np.int64]
    """Where each begins, and where the last one ends."""


class _NoMoreError(Exception):
    """The reader asks for a line that was not read yet."""


def _no_more() -> str:
    raise _NoMoreError


def _text(lines: bytes) -> io.StringIO:
    """Lines that end with line feeds alone, carriage returns being part of them."""
    return io.StringIO(lines.decode(errors="surrogateescape"), newline="\n")
