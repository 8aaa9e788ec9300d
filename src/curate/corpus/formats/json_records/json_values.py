"""JSON that is no object a line: arrays of objects, objects spread over lines, objects one behind the other.

Each value is brought onto a line of its own, block by block; from there on they are read as JSON lines are. Positions
count values, from 1.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numba import int64

from curate.corpus.compression import STORED_STEP, Block, blocks
from curate.corpus.documents import Rows
from curate.corpus.formats.format import Format, Looked, Span, Step
from curate.corpus.formats.json_records.jsonl import parse
from curate.corpus.formats.line_file import stored_spans
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.inspection.fields import Enough, Seen, json_object, never
from curate.corpus.lines import BOM, Lines, runs, split
from curate.corpus.quarantine import Damaged
from curate.text.core.arrow import Bytes
from curate.text.core.bits import BLOCK, address, copy, equal, lowest
from curate.text.core.kernel import kernel

_RECORDS = 100
"""Values that are looked at to tell the fields."""
_OUTSIDE, _INSIDE, _STRING, _ESCAPE, _BARE = range(5)
_DEPTH, _BASE, _STATE = range(3)
_QUOTE, _BACKSLASH, _COMMA, _SPACE, _NEWLINE = (ord(sign) for sign in '"\\, \n')
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = (ord(sign) for sign in "{}[]")


class JsonValues(Format):
    """Arrays of objects, and objects that are not each on a line."""

    name: ClassVar[str] = "json"
    about: ClassVar[str] = "JSON: an array of objects, or objects one after the other"
    fields: ClassVar[bool] = True
    encoded: ClassVar[bool] = True

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """The fields of the first values."""
        seen = _look(file, settings, _RECORDS, never)
        return Looked(file, seen if seen.records else None)

    def look_at_all(self, file: InputFile, settings: InputSettings, enough: Enough = never) -> Seen | None:
        """The fields of all values."""
        return _look(file, settings, None, enough)

    def split(self, file: InputFile, part_bytes: int) -> Iterator[tuple[Span, ...]]:
        """One strand: where a value begins depends on everything before it."""
        yield tuple(stored_spans(file, part_bytes))

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:  # noqa: ARG002
        """Values as lines. Blocks have one size: which part a value belongs to must not depend on chunks."""
        source = blocks(span.file, span.start, span.stop, STORED_STEP)
        yield from runs(values_as_lines(source), span.file, 1, 0)

    def parse(self, piece: Lines, rows: Rows) -> None:
        """A document a value."""
        parse(piece, rows)


def values_as_lines(source: Iterator[Block]) -> Iterator[Block]:
    r"""The same JSON with each value on a line of its own, and nothing else; a value is an element of an outer array.

    Raises:
        Damaged: the array has no end; how many values are lost is not known then.

    Example:
        >>> blocks = iter([Block(b'[{"a":\n', 0, 7), Block(b' 1}, 2]{"b"', 7, 11), Block(b": 3}", 18, 4)])
        >>> b"".join(block.data for block in values_as_lines(blocks))
        b'{"a":  1}\n2\n{"b": 3}\n'
    """
    state = np.zeros(3, np.int64)
    begun = False
    for block in source:
        data = block.data
        if data and not begun:
            data, begun = data.removeprefix(BOM), True
        if not data:
            yield block
            continue
        out = np.empty(2 * len(data), np.uint8)
        size = _on_lines(np.frombuffer(data, np.uint8), state, out)
        yield block._replace(data=out[:size].tobytes())
    if state[_BASE]:
        raise Damaged(
            "truncated_file", "the array has no end: the file was cut off, or a quote or a brace before is missing"
        )


@kernel
def _on_lines(data: Bytes, states: Bytes, out: Bytes) -> int:
    """Write ``data`` to ``out`` with a line for each value; bytes written. ``states`` goes from block to block."""
    depth, base, state, size = states[_DEPTH], states[_BASE], states[_STATE], int64(0)
    at, end, source, target = int64(0), len(data), address(data), address(out)
    while at < end:
        if state == _STRING and at + BLOCK <= end:  # ``out`` has twice the room: a block always fits
            stops = equal(source + at, _QUOTE) | equal(source + at, _BACKSLASH) | equal(source + at, _NEWLINE)
            copy(source + at, target + size)
            at, size = at + lowest(stops), size + lowest(stops)
            if not stops:
                continue
        byte = data[at]
        at += 1
        if state in (_STRING, _ESCAPE):
            if byte == _NEWLINE:  # no string of JSON goes on in another line: this one lacks its end
                state = int64(_INSIDE)
            elif state == _ESCAPE:
                state = int64(_STRING)
            elif byte == _BACKSLASH:
                state = int64(_ESCAPE)
            elif byte == _QUOTE:
                state = int64(_INSIDE)
            out[size] = _SPACE if byte == _NEWLINE else byte
            size += 1
            if state == _INSIDE and depth == base and byte == _QUOTE:
                out[size] = _NEWLINE
                size += 1
                state = int64(_OUTSIDE)
            continue
        is_space = byte == _SPACE or 9 <= byte <= 13
        ends_bare = is_space or byte in (_COMMA, _CLOSE_LIST, _OPEN, _OPEN_LIST)
        if state == _BARE and ends_bare:
            out[size] = _NEWLINE
            size += 1
            state = int64(_OUTSIDE)
        if state == _OUTSIDE:
            if is_space or byte == _COMMA:
                continue
            if byte == _OPEN_LIST and base == 0:
                base = depth = int64(1)
                continue
            if byte == _CLOSE_LIST and base == 1:
                base = depth = int64(0)
                continue
            if byte in (_OPEN, _OPEN_LIST):
                state = int64(_INSIDE)
                depth += 1
            elif byte == _QUOTE:
                state = int64(_STRING)
            else:
                state = int64(_BARE)
        elif state == _INSIDE:
            if byte == _QUOTE:
                state = int64(_STRING)
            elif byte in (_OPEN, _OPEN_LIST):
                depth += 1
            elif byte in (_CLOSE, _CLOSE_LIST):
                depth -= 1
        out[size] = _SPACE if is_space else byte
        size += 1
        if state == _INSIDE and depth == base:
            out[size] = _NEWLINE
            size += 1
            state = int64(_OUTSIDE)
    states[_DEPTH], states[_BASE], states[_STATE] = depth, base, state
    return int(size)


def _look(file: InputFile, settings: InputSettings, most: int | None, enough: Enough) -> Seen:
    seen = Seen(settings)
    steps = runs(values_as_lines(blocks(file, 0, file.size, STORED_STEP)), file, 1, 0)
    pieces = (step.piece for step in steps if isinstance(step.piece, Lines))
    for lines in pieces:
        for _, line in split(lines):
            record = json_object(bytes(line))
            if record is not None:
                seen.add(record)
                if seen.records == most:
                    return seen
        seen.nbytes += lines.nbytes
        if enough(seen):
            break
    return seen
