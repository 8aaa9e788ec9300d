"""Blocks of bytes cut into runs of whole lines, each line belonging where its first byte lies.

A line too long to hold is counted and let go, so that one endless line cannot fill the memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.corpus.compression import Block
from curate.corpus.formats.format import Step
from curate.corpus.input import InputFile
from curate.corpus.memory import too_large
from curate.corpus.quarantine import KEPT_BYTES, Damaged, Quarantined

BOM = b"\xef\xbb\xbf"
_NEWLINE = 0x0A


class Lines(NamedTuple):
    """Whole lines of one file; the last line of a file may lack its newline."""

    file: InputFile
    first_line: int
    """Number of the first line, counted from 1."""
    first_byte: int
    """Where it begins in the (decompressed) file."""
    data: bytes

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        return len(self.data)

    def follows(self, before: "Lines") -> bool:
        """Whether it begins where others end."""
        return self.file is before.file and self.first_byte == before.first_byte + before.nbytes

    def joined(self, pieces: "Sequence[Lines]") -> "Lines":
        """Lines that follow each other, of which these are the first, as one."""
        return self._replace(data=b"".join(lines.data for lines in pieces))


def split(lines: Lines) -> Iterator[tuple[int, memoryview]]:
    r"""Each line without its newline, not copied, and where it begins in the file (past a byte order mark).

    Example:
        >>> file = InputFile(path="", name="a.txt", format="lines")
        >>> [(start, bytes(line)) for start, line in split(Lines(file, 1, 0, b"one\n\nthree"))]
        [(0, b'one'), (4, b''), (5, b'three')]
    """
    data = memoryview(lines.data)
    for start, end in zip(*(places.tolist() for places in bounds(lines)), strict=True):
        yield lines.first_byte + start, data[start:end]


def bounds(lines: Lines) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    r"""Where in the data each line of `split` begins and ends.

    Example:
        >>> file = InputFile(path="", name="a.txt", format="lines")
        >>> [places.tolist() for places in bounds(Lines(file, 1, 0, b"one\n\nthree"))]
        [[0, 4, 5], [3, 4, 10]]
    """
    ends = np.flatnonzero(np.frombuffer(lines.data, np.uint8) == _NEWLINE)
    starts = np.concatenate([[0], ends + 1])
    if lines.first_byte == 0 and lines.data.startswith(BOM):
        starts[0] = len(BOM)
    if starts[-1] == len(lines.data):
        return starts[:-1], ends
    return starts, np.append(ends, len(lines.data))


def halves(lines: Lines) -> tuple[Lines, ...]:
    r"""The same lines in two pieces of about the same size, or in one where that cannot be.

    Example:
        >>> file = InputFile(path="", name="a.txt", format="lines")
        >>> [(half.first_line, half.first_byte, half.data) for half in halves(Lines(file, 1, 0, b"one\n\nthree"))]
        [(1, 0, b'one\n\n'), (3, 5, b'three')]
    """
    data = lines.data
    at = (data.rfind(b"\n", 0, len(data) // 2) + 1) or (data.find(b"\n") + 1)
    if at in (0, len(data)):
        return (lines,)
    line, byte = lines.first_line + data.count(b"\n", 0, at), lines.first_byte + at
    return lines._replace(data=data[:at]), Lines(lines.file, line, byte, data[at:])


def count_newlines(data: bytes) -> int:
    r"""Number of newline bytes (numpy lets other threads run meanwhile).

    Example:
        >>> count_newlines(b"one\ntwo\nthree")
        2
    """
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == _NEWLINE))


def runs(source: Iterable[Block], file: InputFile, first_line: int, first_byte: int) -> Iterator[Step]:
    """All lines of ``source``; damage to the file ends them with a quarantine entry that holds the torn line.

    How many documents are lost by it is not known here.

    Args:
        source: consecutive blocks; the first begins a line.
        file: the file they are of.
        first_line: number of the first line.
        first_byte: where it begins.

    Yields:
        Whole lines and progress; ``at`` is the stored step in which the first byte of a line lay.
    """
    line, byte = first_line, first_byte
    torn = _TornLine(file.longest_document)
    at = 0
    try:
        for block in source:
            at = block.at
            yield Step(block.at, None, block.stored)
            head = 0
            if torn.length:
                head = block.data.find(b"\n") + 1
                torn.extend(block.data[:head] if head else block.data)
                if not head:
                    continue
                yield Step(torn.at, torn.piece(file, line, byte))
                line, byte = line + 1, byte + torn.length
                torn = _TornLine(file.longest_document)
            tail = block.data.rfind(b"\n") + 1
            if tail > head:
                body = block.data[head:tail] if head or tail < len(block.data) else block.data
                yield Step(block.at, Lines(file, line, byte, body))
                line, byte = line + count_newlines(body), byte + len(body)
            if max(head, tail) < len(block.data):
                torn.at = block.at
                torn.extend(block.data[max(head, tail) :])
    except Damaged as damage:
        at = torn.at if torn.length else at
        yield Step(at, Quarantined(file.name, line, byte, damage.reason, damage.detail, torn.kept(), None))
    else:
        if torn.length:
            yield Step(torn.at, torn.piece(file, line, byte))


class _TornLine:
    """A line of which the end has not been seen yet."""

    def __init__(self, limit: int) -> None:
        self.at = 0
        self.length = 0
        self._limit = limit
        self._pieces: list[bytes] = []
        self._ends = False

    def extend(self, data: bytes) -> None:
        self._ends = data.endswith(b"\n")
        if self._fits() or self.length < KEPT_BYTES:
            self._pieces.append(data)
        self.length += len(data)
        if not self._fits():
            self._pieces = [self.kept()]

    def kept(self) -> bytes:
        return b"".join(self._pieces)[:KEPT_BYTES]

    def piece(self, file: InputFile, line: int, byte: int) -> Lines | Quarantined:
        if self._fits():
            return Lines(file, line, byte, b"".join(self._pieces))
        return too_large(file, line, byte, self.length - self._ends, self.kept().removesuffix(b"\n"))

    def _fits(self) -> bool:
        return self.length - self._ends <= self._limit
