"""Marks of people, *right* or *wrong*, kept as ``marks.csv`` in the run directory, and what they say of each rule."""

import csv
import fcntl
import io
import math
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from curate.errors import UserError
from curate.store.files import write_whole
from curate.store.objects.store_path import StorePath
from curate.store.run_directory import MARKS

RIGHT, WRONG = "right", "wrong"
KEPT = "kept"
_COLUMNS = ("part", "row", "id", "source", "reasons", "mark")
_Z = 1.959963984540054
"""Of an interval of 95 %."""


class Mark(NamedTuple):
    """What somebody thinks of what a run did with a document."""

    part: str
    """Name of its part's file: it stays the same while the input does."""
    row: int
    id: str
    source: str
    reasons: tuple[str, ...]
    """As ``stage.reason``; empty: it was kept."""
    mark: str


class Precision(NamedTuple):
    """How often a rule was right, by the marks."""

    rule: str
    right: int
    wrong: int
    low: float
    high: float
    """Ends of Wilson's interval of 95 %."""

    @property
    def share(self) -> float:
        """Right ones of all marked."""
        return self.right / (self.right + self.wrong)


class Marks:
    """The marks of a run.

    Args:
        run: the run directory.

    Raises:
        UserError: ``marks.csv`` has a line that is no mark; writing the file again would lose it.
    """

    def __init__(self, run: Path) -> None:
        self.file, self._lock = run / MARKS, threading.Lock()
        self._read()

    def _read(self) -> None:
        self._marks = {(one.part, one.row): one for one in _read(self.file)}

    def of(self, part: str, row: int) -> str:
        """The mark of one document; empty where it has none."""
        found = self._marks.get((part, row))
        return found.mark if found else ""

    def set(self, mark: Mark) -> None:
        """Keep a mark, in the file too; an empty one takes it away.

        Raises:
            UserError: somebody has changed the file, and a line of it is no mark; or it cannot be written. It stays.
        """
        with self._lock, _alone(self.file.parent):
            self._read()  # another `curate view` or a spreadsheet may have written it
            marks = {place: one for place, one in self._marks.items() if place != (mark.part, mark.row)}
            if mark.mark:
                marks[mark.part, mark.row] = mark
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(_COLUMNS)
            for one in sorted(marks.values()):
                cells = (one.part, one.row, one.id, one.source, " ".join(one.reasons), one.mark)
                writer.writerow([_cell(cell) for cell in cells])
            try:
                write_whole(self.file, text.getvalue().encode(errors="backslashreplace"))
            except OSError as error:
                why = f"`{self.file}` cannot be written: {error.strerror or error}"
                raise UserError(why, hint="mark documents of a copy of the run that you may write to") from error
            self._marks = marks

    def __len__(self) -> int:
        return len(self._marks)

    def precisions(self) -> list[Precision]:
        """Of every rule with marks, and of what was kept."""
        return precisions(self._marks.values())


def precisions(marks: Iterable[Mark]) -> list[Precision]:
    """How often each rule was right; a document with several reasons counts for each.

    Example:
        >>> one = Mark("p", 0, "a", "s", ("quality.too_few_words",), "right")
        >>> [found] = precisions([one, one._replace(row=1), one._replace(row=2, mark="wrong")])
        >>> found.rule, found.right, found.wrong, round(found.low, 2), round(found.high, 2)
        ('quality.too_few_words', 2, 1, 0.21, 0.94)
    """
    counts: Counter[tuple[str, str]] = Counter()
    for one in marks:
        counts.update((rule, one.mark) for rule in one.reasons or (KEPT,))
    rules = sorted({rule for rule, _ in counts})
    return [_precision(rule, counts[rule, RIGHT], counts[rule, WRONG]) for rule in rules]


def _precision(rule: str, right: int, wrong: int) -> Precision:
    return Precision(rule, right, wrong, *_wilson(right, right + wrong))


def _wilson(hits: int, of: int) -> tuple[float, float]:
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return max(0.0, middle - half), min(1.0, middle + half)


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """While nobody else on this machine writes marks of the run; in a bucket whoever writes last wins."""
    if isinstance(run, StorePath):
        yield
        return
    folder = os.open(run, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system may know no locks
            fcntl.flock(folder, fcntl.LOCK_EX)  # of the folder: no file is left behind
        yield
    finally:
        os.close(folder)


def _cell(value: object) -> str:
    """Text that no spreadsheet takes for a formula."""
    text = str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "'") else text


def _read(file: Path) -> list[Mark]:
    try:
        text = file.read_text("utf-8-sig", errors="replace")  # spreadsheets write the mark of UTF-8 in front
    except FileNotFoundError:
        return []
    found = []
    lines = csv.reader(io.StringIO(text, newline=""))
    for cells in lines:
        if not cells or tuple(cells) == _COLUMNS:
            continue
        if len(cells) != len(_COLUMNS) or cells[-1] not in (RIGHT, WRONG) or not cells[1].isdecimal():
            raise UserError(
                f"line {lines.line_num} of `{file}` is not a mark of `curate view`, which would lose it",
                hint=f"its columns are {','.join(_COLUMNS)}, separated by commas; mend the line, or move the file away",
            )
        part, row, id_, source, reasons, mark = cells
        id_, source = (each.removeprefix("'") for each in (id_, source))
        found.append(Mark(part, int(row), id_, source, tuple(reasons.split()), mark))
    return found
