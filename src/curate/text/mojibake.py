"""ftfy at the speed of a scan: find the lines that ftfy could change, and let ftfy itself change those.

``ftfy.fix_text`` reads some 3 MB a second and changes nothing in most lines. It works line by line, and each of its
steps can fire only where certain characters stand, or stand next to each other. So a kernel first proves, line by
line, that no step can fire. Lines that need nothing but substitutions of single characters (curly quotes, full
width forms, CR LF …) are rewritten in the kernel when the result is proven to be a fixpoint; all other lines go to
ftfy. The result equals ``ftfy.fix_text`` on every input.
"""

from collections.abc import Iterator
from typing import NamedTuple

import ftfy
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.arrow import Bytes, Offsets, read_only, utf8_array, utf8_view
from curate.text.ascending import holds
from curate.text.codepoints import decode
from curate.text.ftfy_tables import (
    AMPERSAND,
    COMPOSES,
    LESS_THAN,
    NEWLINE,
    REPLACED,
    SUSPECT,
    FtfyTables,
    Step,
    ftfy_tables,
    name_hash,
)
from curate.text.kernel import inner, kernel
from curate.text.replaced import copy_bytes, replaced

__all__ = ["Fixed", "Step", "fix_texts", "fix_texts_with_ftfy"]


class Fixed(NamedTuple):
    """Texts as ``ftfy.fix_text`` returns them, and what it took."""

    texts: pa.Array
    """``large_string``, the very array that came in when nothing changed."""
    steps: npt.NDArray[np.uint16]
    """`Step` bits for each text; 0 where it did not change."""
    handed_over: int
    """Lines that ftfy itself had to look at."""
    at_rest: npt.NDArray[np.bool_]
    """Texts of which every line is proven to be as ftfy leaves it, also without its outer white space."""


def fix_texts(texts: pa.Array) -> Fixed:
    """``ftfy.fix_text`` of every text, with its default configuration; see `Fixed`.

    Args:
        texts: ``large_string`` without nulls; may be a slice.

    Example:
        >>> fixed = fix_texts(pa.array(["plain", "cafÃ© “au lait”"], pa.large_string()))
        >>> fixed.texts.to_pylist(), Step(int(fixed.steps[1]))
        (['plain', 'café "au lait"'], <Step.ENCODING|QUOTES: 18>)
    """
    tables = ftfy_tables()
    if tables is None:
        return fix_texts_with_ftfy(texts)
    suspects = _suspect_lines(*utf8_view(texts), tables)
    rows = np.flatnonzero(suspects)
    steps = np.zeros(len(texts), np.uint16)
    if not len(rows):
        return Fixed(texts, steps, 0, suspects == 0)

    data, offsets = utf8_view(texts.take(pa.array(rows)))
    out = np.empty(2 * int(offsets[-1] - offsets[0]), np.uint8)
    ends = np.zeros(len(rows) + 1, np.int64)
    found = np.zeros(len(rows), np.uint16)
    left = np.empty((int(suspects.sum()), len(_Left._fields)), np.int64)
    lines = _substitute_lines(data, offsets, tables, out, read_only(out), ends, found, left)
    fixed = _hand_over(data, out, ends, found, left[:lines])
    if not found.any():
        return Fixed(texts, steps, lines, suspects == 0)
    steps[rows] = found
    return Fixed(replaced(texts, rows, fixed), steps, lines, suspects == 0)


def fix_texts_with_ftfy(texts: pa.Array) -> Fixed:
    """The same by ftfy alone: the reference that `fix_texts` must equal, some fifty times slower."""
    steps = np.zeros(len(texts), np.uint16)
    fixed, lines = [], 0
    for row, text in enumerate(texts.to_pylist()):
        fixed.append(ftfy.fix_text(text))
        lines += text.count("\n") + 1
        if fixed[-1] != text:
            steps[row] = _explain(text, unescape=True)[1]
    return Fixed(pa.array(fixed, pa.large_string()), steps, lines, np.zeros(len(texts), np.bool_))


# --- ftfy itself -----------------------------------------------------------------------------------------------

_UNESCAPING = ftfy.TextFixerConfig()
_LITERAL = _UNESCAPING._replace(unescape_html=False)
_STEP_OF = {
    "unescape_html": Step.ENTITIES,
    "fix_latin_ligatures": Step.LIGATURES,
    "fix_character_width": Step.WIDTH,
    "uncurl_quotes": Step.QUOTES,
    "fix_line_breaks": Step.LINE_BREAKS,
    "remove_terminal_escapes": Step.ESCAPES,
    "remove_control_chars": Step.CONTROLS,
    "NFC": Step.NFC,
}


class _Left(NamedTuple):
    """Columns of the table of lines that are left to ftfy."""

    row: int
    start: int  # in the input
    end: int
    position: int  # in the output, where the fixed line belongs
    unescape: int  # no "<" was seen in the lines before


def _hand_over(data: Bytes, out: Bytes, ends: Offsets, found: npt.NDArray[np.uint16], left: Offsets) -> pa.Array:
    """The output of `_substitute_lines` with the lines that it left out put in, fixed by ftfy."""
    source, done = data.data, out.data
    pieces: list[memoryview | bytes] = []
    copied = 0
    added = np.zeros(len(found), np.int64)
    for row, start, end, position, unescape in map(_Left._make, left.tolist()):
        line = bytes(source[start:end]).decode()
        fixed, step = _explain(line, unescape=bool(unescape))
        found[row] |= step
        encoded = fixed.encode()
        added[row] += len(encoded)
        pieces += [done[copied:position], encoded]
        copied = position
    pieces.append(done[copied : ends[-1]])
    ends[1:] += np.cumsum(added)
    return utf8_array(np.frombuffer(b"".join(pieces), np.uint8), ends)


def _explain(text: str, *, unescape: bool) -> tuple[str, Step]:
    """``ftfy.fix_text`` and the steps that changed something; ``unescape`` as the text before this one left it."""
    out, done = [], Step(0)
    for segment in _segments(text):
        unescape = unescape and "<" not in segment
        fixed, plan = ftfy.fix_and_explain(segment, _UNESCAPING if unescape else _LITERAL)
        out.append(fixed)
        if fixed != segment:
            for action in plan or ():
                done |= _STEP_OF.get(action.parameter, Step.ENCODING)
    return "".join(out), done


def _segments(text: str) -> Iterator[str]:
    """What ``ftfy.fix_text`` looks at in one go: lines, cut where they are very long."""
    start = 0
    while start < len(text):
        line_end = text.find("\n", start) + 1 or len(text)
        end = min(line_end, start + _UNESCAPING.max_decode_length)
        yield text[start:end]
        start = end


# --- kernels -----------------------------------------------------------------------------------------------------

_LONG = _UNESCAPING.max_decode_length  # bytes: a line no longer than this is surely one segment


@kernel
def _suspect_lines(data: Bytes, offsets: Offsets, tables: FtfyTables) -> npt.NDArray[np.int64]:
    """How many lines of each document ftfy might change."""
    suspects = np.zeros(len(offsets) - 1, np.int64)
    for row in range(len(offsets) - 1):
        first, end = offsets[row], offsets[row + 1]
        escaped, seen = False, first  # was there a "<" before `seen`?
        start = first
        while start < end:
            start = _line_to_scan(data, start, end)
            stop, flags, entity, less_than = _scan_line(data, start, end, tables)
            # A "<" keeps entities as they are from its segment on; a long line has several segments.
            if not flags and entity and (not less_than or stop - start > _LONG):
                escaped, seen = escaped or _holds_less_than(data, seen, start), start
                flags = 0 if escaped else SUSPECT
            suspects[row] += flags != 0
            start = stop
    return suspects


_BLOCK = 64  # bytes that are looked at together: the loop over them becomes a few wide instructions


@inner
def _line_to_scan(data: Bytes, start: int, end: int) -> int:
    """Start of the next line that holds more than `ftfy_tables.PLAIN`, else ``end``; ``start`` begins a line."""
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
            while at > start and data[at - 1] != 0x0A:
                at -= 1
            return at
        at += 1
    return end


@inner
def _holds_less_than(data: Bytes, start: int, end: int) -> bool:
    found = False
    for byte in data[start:end]:
        found |= byte == 0x3C
    return found


@kernel
def _substitute_lines(
    data: Bytes,
    offsets: Offsets,
    tables: FtfyTables,
    out: Bytes,
    shown: Bytes,
    ends: Offsets,
    found: npt.NDArray[np.uint16],
    left: npt.NDArray[np.int64],
) -> int:
    """Write all lines but those left to ftfy to ``out``, end of document after end of document to ``ends``.

    ``shown`` is ``out``, read-only: what scans ``data`` scans it too without being compiled again.

    Returns:
        Number of rows written to ``left`` (columns: `_Left`). ``found`` gets the steps of each document.
    """
    position, lines = np.int64(0), 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        unescape = True
        while start < end:
            stop, flags, entity, less_than = _scan_line(data, start, end, tables)
            long = stop - start > _LONG
            unescapes = entity and unescape and (not less_than or long)
            written, steps, alone = position, 0, False
            if flags == 0 and not unescapes:
                copy_bytes(data[start:stop], out[position : position + stop - start])
                written, alone = position + stop - start, True
            elif flags == REPLACED and not unescapes and not long:
                written, steps = _substitute(data, start, stop, tables, out, position)
                # A second round of ftfy must find nothing to do, in what must still be one line.
                again, flags, entity, newly_less = _scan_line(shown, position, written, tables)
                alone = (
                    flags == 0
                    and again == written
                    and newly_less == less_than
                    and not (entity and unescape and not less_than)
                )
            if alone:
                found[row] |= steps
                position = written
            else:
                for column, value in enumerate((row, start, stop, position, np.int64(unescape))):
                    left[lines, column] = value
                lines += 1
            unescape = unescape and not less_than
            start = stop
        ends[row + 1] = position
    return lines


@inner
def _scan_line(data: Bytes, start: int, end: int, tables: FtfyTables) -> tuple[int, int, bool, bool]:
    """One line of ``data[start:end]``: its end, its flags, has it an HTML entity, has it a "<"?

    Flags are 0 (no step but unescaping can fire), ``REPLACED`` (substitutions), ``SUSPECT`` (anything).
    """
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
                entity = entity or _is_entity(data, i, end, tables)
            elif look == LESS_THAN:
                less_than = True
            else:
                flags |= look
            continue

        code, width = decode(data, i)
        properties = tables.properties[code]
        kind, order = properties & 0xFF, properties >> 16
        flags |= (properties >> 8) & (REPLACED | SUSPECT)
        if i > start:
            if previous_end != i:
                previous, previous_order = tables.properties[data[i - 1]] & 0xFF, 0
            if tables.suspicious[previous, kind] or (order and order < previous_order):
                flags |= SUSPECT
            if (properties >> 8) & COMPOSES and _composes(data, start, i, code, tables):
                flags |= SUSPECT
        i += width
        if i < end and data[i] < 0x80 and tables.suspicious[kind, tables.properties[data[i]] & 0xFF]:
            flags |= SUSPECT
        previous, previous_end, previous_order = kind, i, order
    return i, flags, entity, less_than


@inner
def _is_entity(data: Bytes, start: int, end: int, tables: FtfyTables) -> bool:
    """Is what follows an ampersand, at ``start``, a numeric character reference or an entity that ftfy knows?"""
    numeric = start < end and data[start] == 0x23
    first = start + 1 if numeric else start
    i = first
    while i < end and i - first <= 24:
        upper = data[i] & 0xDF  # ASCII letters without their case
        if not (0x30 <= data[i] <= 0x39 or 0x41 <= upper <= 0x5A):
            break
        i += 1
    if not 1 <= i - first <= 24 or i == end or data[i] != 0x3B:
        return False
    return bool(numeric or holds(tables.entities, name_hash(data, first, i)))


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
