"""Where ftfy could change a text: the kernels that look, and rewrite what single characters decide.

A *segment* is what ftfy looks at in one go: a line, or a piece of a very long one.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.text.core.arrow import Bytes, Offsets
from curate.text.core.ascending import holds
from curate.text.core.codepoints import decode
from curate.text.core.kernel import inner, kernel
from curate.text.core.replaced import copy_bytes
from curate.text.core.words import MARK, characters
from curate.text.repair.entity_names import is_entity
from curate.text.repair.ftfy_tables import (
    AMPERSAND,
    COMPOSES,
    ENTITY,
    LESS_THAN,
    NEWLINE,
    REPLACED,
    RESPELLED,
    SUSPECT,
    UNNORMALIZED,
    FtfyTables,
)


class Left(NamedTuple):
    """Columns of the table of segments that the kernels leave."""

    row: int
    start: int  # in the input
    end: int
    position: int  # in the output, where the fixed segment belongs
    flags: int  # what was seen in it
    unescape: int  # no "<" was seen in the segments before


def segments(text: str) -> Iterator[str]:
    """What ftfy looks at in one go: lines, cut where they are very long."""
    data = np.frombuffer(text.encode(), np.uint8)
    start = 0
    while start < len(data):
        end = segment_end(data, start, characters().classes)
        yield data[start:end].tobytes().decode()
        start = end


# --- segments ----------------------------------------------------------------------------------------------------

_LONG = 16_384  # bytes: a line no longer than this is surely one segment
_REACH = 4_096  # bytes behind that among which a place to cut is looked for
_BLOCK = 64  # bytes that are looked at together: the loop over them becomes a few wide instructions


@kernel
def segment_end(data: Bytes, start: int, classes: npt.NDArray[np.uint8]) -> int:
    """Where the segment that begins at ``start`` ends; ``classes`` of `curate.text.core.words.characters`."""
    return _segment_end(data, start, len(data), classes)  # type: ignore[no-any-return]


@inner
def _segment_end(data: Bytes, start: int, end: int, classes: npt.NDArray[np.uint8]) -> int:
    """Where the segment that begins at ``start`` ends: behind a line feed, or where a very long line is best cut.

    That is behind a space; else before a character that belongs to none before it; else anywhere but before a mark.
    """
    long = min(start + _LONG, end)
    at = start
    while at + _BLOCK <= long:
        found = False
        for byte in data[at : at + _BLOCK]:
            found |= byte == 0x0A
        if found:
            break
        at += _BLOCK
    while at < end and at < long + _REACH:
        if data[at] == 0x0A or (data[at] == 0x20 and at >= long):
            return at + 1
        at += 1
    while at < end and at < long + 2 * _REACH:
        byte = data[at]  # ASCII, a Han character or a Hangul syllable
        if byte < 0x80 or 0xE4 <= byte <= 0xE9 or 0xEB <= byte <= 0xEC:
            return at
        at += 1
    while at < end and (data[at] & 0xC0 == 0x80 or classes[decode(data, at)[0]] & MARK):
        at += 1
    return at


@inner
def _segment_to_scan(data: Bytes, start: int, end: int, classes: npt.NDArray[np.uint8]) -> int:
    """Start of the next segment that holds more than `ftfy_tables.PLAIN`, else ``end``; ``start`` begins one."""
    at = start
    while at + _BLOCK <= end:
        other = False
        for byte in data[at : at + _BLOCK]:
            other |= ((byte < 0x20) & (byte != 0x0A) & (byte != 0x09)) | (byte > 0x7E) | (byte == 0x26)
        if other:
            break
        at += _BLOCK
    while at < end:
        byte = data[at]
        if ((byte < 0x20) & (byte != 0x0A) & (byte != 0x09)) | (byte > 0x7E) | (byte == 0x26):
            break
        at += 1
    if at == end:
        return end
    begin = at
    while begin > start and data[begin - 1] != 0x0A:
        begin -= 1
    while at - begin >= _LONG:
        stop = _segment_end(data, begin, end, classes)
        if stop > at:
            break
        begin = stop
    return begin


@inner
def _holds_less_than(data: Bytes, start: int, end: int) -> bool:
    found = False
    for byte in data[start:end]:
        found |= byte == 0x3C
    return found


# --- what ftfy could change --------------------------------------------------------------------------------------


@kernel
def suspects(data: Bytes, offsets: Offsets, tables: FtfyTables) -> npt.NDArray[np.int64]:
    """How many segments of each document ftfy might change."""
    counts = np.zeros(len(offsets) - 1, np.int64)
    auto = tables.ascii[0x3C] != 0
    for row in range(len(offsets) - 1):
        first, end = offsets[row], offsets[row + 1]
        escaped, seen = False, first  # was there a "<" before `seen`?
        start = first
        while start < end:
            start = _segment_to_scan(data, start, end, tables.classes)
            if start == end:
                break
            stop = _segment_end(data, start, end, tables.classes)
            flags, entity, less_than = _scan_segment(data, start, stop, tables)
            if not flags and entity and not less_than:
                if auto:
                    escaped, seen = escaped or _holds_less_than(data, seen, start), start
                flags = 0 if escaped else ENTITY
            counts[row] += flags != 0
            start = stop
    return counts


@kernel
def flags_of(data: Bytes, offsets: Offsets, tables: FtfyTables) -> npt.NDArray[np.uint8]:
    """What each text holds, taken for one segment."""
    found = np.zeros(len(offsets) - 1, np.uint8)
    for row in range(len(offsets) - 1):
        flags, entity, _ = _scan_segment(data, offsets[row], offsets[row + 1], tables)
        found[row] = flags | ENTITY * entity
    return found


@kernel
def substitute_segments(
    data: Bytes,
    offsets: Offsets,
    tables: FtfyTables,
    out: Bytes,
    shown: Bytes,
    ends: Offsets,
    found: npt.NDArray[np.uint16],
    left: npt.NDArray[np.int64],
) -> int:
    """Write all segments but those left to others to ``out``, end of document after end of document to ``ends``.

    ``shown`` is ``out``, read-only: what scans ``data`` scans it too without being compiled again.

    Returns:
        Number of rows written to ``left`` (columns: `Left`). ``found`` gets the steps of each document.
    """
    position, count = np.int64(0), 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        unescape = True
        while start < end:
            stop = _segment_end(data, start, end, tables.classes)
            flags, entity, less_than = _scan_segment(data, start, stop, tables)
            if entity and unescape and not less_than:
                flags |= ENTITY
            written, steps, alone = position, 0, False
            if flags == 0:
                copy_bytes(data[start:stop], out[position : position + stop - start])
                written, alone = position + stop - start, True
            elif flags & ~(REPLACED | RESPELLED) == 0:
                written, steps = _substitute(data, start, stop, tables, out, position)
                # A second round of ftfy must find nothing to do, in what must still be one line.
                again, more, entity, newly_less = _scan_line(shown, position, written, tables)
                alone = (
                    more == 0
                    and again == written
                    and newly_less == less_than
                    and not (entity and unescape and not less_than)
                )
            if alone:
                found[row] |= steps
                position = written
            else:
                for column, value in enumerate((row, start, stop, position, np.int64(flags), np.int64(unescape))):
                    left[count, column] = value
                count += 1
            unescape = unescape and not less_than
            start = stop
        ends[row + 1] = position
    return count


@kernel
def merge(
    out: Bytes,
    ends: Offsets,
    left: npt.NDArray[np.int64],
    new: Bytes,
    new_offsets: Offsets,
    result: Bytes,
    moved: Offsets,
) -> None:
    """Write ``out`` with the ``new`` segments where those of ``left`` belong; ``moved`` gets the ends of documents."""
    at, copied, k = np.int64(0), np.int64(0), 0
    for row in range(len(ends) - 1):
        while k < len(left) and left[k, 0] == row:
            position = left[k, 3]
            copy_bytes(out[copied:position], result[at : at + position - copied])
            at += position - copied
            copied = position
            length = new_offsets[k + 1] - new_offsets[k]
            copy_bytes(new[new_offsets[k] : new_offsets[k + 1]], result[at : at + length])
            at += length
            k += 1
        copy_bytes(out[copied : ends[row + 1]], result[at : at + ends[row + 1] - copied])
        at += ends[row + 1] - copied
        copied = ends[row + 1]
        moved[row + 1] = at


@inner
def _scan_segment(data: Bytes, start: int, end: int, tables: FtfyTables) -> tuple[int, bool, bool]:
    _, flags, entity, less_than = _scan_line(data, start, end, tables)
    return flags, entity, less_than


@inner
def _scan_line(data: Bytes, start: int, end: int, tables: FtfyTables) -> tuple[int, int, bool, bool]:
    """The first line of ``data[start:end]``: its end, what it holds, has it an HTML entity, has it a "<"?"""
    flags, entity, less_than = 0, False, False
    previous, previous_end, previous_order = 0, -1, 0  # the last character beyond ASCII
    i = start
    while i < end:
        if data[i] < 0x80:
            look = tables.ascii[data[i]]
            i += 1
            if look == 0:
                continue
            if look == NEWLINE:
                break
            if look == AMPERSAND:
                entity = entity or is_entity(data, i, end, tables.entities)
            elif look == LESS_THAN:
                less_than = True
            else:
                flags |= look
            continue

        code, width = decode(data, i)
        properties = tables.properties[code]
        kind, order = properties & 0xFF, properties >> 16
        flags |= (properties >> 8) & (0xFF ^ COMPOSES)
        if i > start:
            if previous_end != i:
                previous, previous_order = tables.properties[data[i - 1]] & 0xFF, 0
            if tables.suspicious[previous, kind]:
                flags |= SUSPECT
            if (order and order < previous_order) or (
                (properties >> 8) & COMPOSES and _composes(data, start, i, code, tables)
            ):
                flags |= UNNORMALIZED
        i += width
        if i < end and data[i] < 0x80 and tables.suspicious[kind, tables.properties[data[i]] & 0xFF]:
            flags |= SUSPECT
        previous, previous_end, previous_order = kind, i, order
    return i, flags, entity, less_than


@inner
def _composes(data: Bytes, start: int, at: int, code: int, tables: FtfyTables) -> bool:
    """May NFC combine ``code`` at byte ``at`` with the starter before it? True when that is hard to say."""
    i = at
    for _ in range(8):  # marks between the two; more is rare, and a bound keeps hostile text linear
        if i == start:
            return False
        i -= 1
        while data[i] & 0xC0 == 0x80:
            i -= 1
        starter, _ = decode(data, i)
        if tables.properties[starter] >> 16 == 0:
            return bool(holds(tables.compositions, starter << 21 | code))
    return True


@inner
def _substitute(data: Bytes, start: int, end: int, tables: FtfyTables, out: Bytes, position: int) -> tuple[int, int]:
    """Replace single characters of a line; returns where the output ends and the steps taken."""
    steps = 0
    i = start
    while i < end:
        code, width = decode(data, i)
        number = tables.replacement[code]
        if number:
            steps |= tables.replacement_steps[number]
        if number == 0:
            for k in range(i, i + width):
                out[position] = data[k]
                position += 1
        elif not (code == 0x0D and i + 1 < end and data[i + 1] == 0x0A):
            for k in range(tables.replacement_ends[number - 1], tables.replacement_ends[number]):
                out[position] = tables.replacement_bytes[k]
                position += 1
        i += width
    return position, steps
