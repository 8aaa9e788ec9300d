"""Files of lines, each a document: cut where lines begin, or where stored bytes of a compressed file end."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from curate.corpus.compression import STORED_STEP, blocks
from curate.corpus.formats.format import TEXT_RATIO, Format, Span, Step, span
from curate.corpus.input import InputFile, LineMark
from curate.corpus.lines import runs


class LineFormat(Format):
    """Where to cut files of lines and how to read them; subclasses parse `curate.corpus.lines.Lines`."""

    counts_lines: ClassVar[bool] = True

    def longest(self, file: InputFile) -> int | None:
        """No document is longer than the gap between two marks."""
        return None if file.is_stream else int(np.diff([0, *(mark.offset for mark in file.marks), file.size]).max())

    def split(self, file: InputFile, part_bytes: int) -> Iterator[tuple[Span, ...]]:
        """Strands of a part where lines can be entered; of a file that cannot be entered, one of all parts."""
        if file.is_stream:
            yield tuple(stored_spans(file, part_bytes))
        else:
            yield from ((one,) for one in _line_spans(file, part_bytes))

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:
        """Runs of whole lines."""
        source = blocks(span.file, span.start, span.stop, chunk_bytes)
        yield from runs(source, span.file, span.first_position, span.start)


def _line_spans(file: InputFile, part_bytes: int) -> Iterator[Span]:
    """Ranges of whole lines, cut at the first mark after each multiple of ``part_bytes``."""
    begin, target = LineMark(0, 1), part_bytes
    for mark in file.marks:
        if mark.offset >= target:
            yield span(file, begin.offset, mark.offset, begin.line, mark.offset - begin.offset)
            begin, target = mark, (mark.offset // part_bytes + 1) * part_bytes
    yield span(file, begin.offset, file.size, begin.line, file.size - begin.offset)


def stored_spans(file: InputFile, part_bytes: int) -> Iterator[Span]:
    """Ranges of stored bytes; a document belongs to the range whose bytes gave its first byte."""
    steps = max(1, part_bytes // (TEXT_RATIO if file.compression else 1) // STORED_STEP)
    width = steps * STORED_STEP
    for start in range(0, file.size, width):
        stop = min(start + width, file.size)
        yield span(file, start, stop, 1, stop - start)
