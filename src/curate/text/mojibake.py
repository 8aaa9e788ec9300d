"""ftfy at the speed of a scan: find the lines that ftfy could change, and let ftfy itself change those.

``ftfy.fix_text`` reads some 3 MB a second and changes nothing in most lines. Each of its steps can fire only where
certain characters stand, or stand next to each other. So a kernel first proves, segment by segment, that no step can
fire. A *segment* is a line, or a piece of a very long one. Segments that need nothing but substitutions of single
characters (full-width forms, CR LF …) are rewritten in the kernel when the result is proven to be a fixpoint; those
that need normalization or lose terminal escapes are done together; all others go through ftfy's steps. The result
equals that of ftfy on every segment, whatever it is told.
"""

import functools
import operator
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ftfy import TextFixerConfig
from ftfy.badness import is_bad
from ftfy.chardata import UTF8_DETECTOR_RE
from ftfy.fixes import ANSI_RE

from curate.text.arrow import Bytes, Offsets, read_only, utf8_array, utf8_view
from curate.text.ascending import holds
from curate.text.codepoints import decode
from curate.text.doubtful_mojibake import Surroundings, is_damage
from curate.text.entity_names import is_entity
from curate.text.ftfy_steps import Step, fix_segment, fix_segment_with_ftfy, normalized
from curate.text.ftfy_tables import (
    AMPERSAND,
    COMPOSES,
    ENTITY,
    ESCAPE,
    LESS_THAN,
    NEWLINE,
    REPLACED,
    RESPELLED,
    SUSPECT,
    UNNORMALIZED,
    FtfyTables,
    ftfy_tables,
)
from curate.text.kernel import inner, kernel
from curate.text.replaced import copy_bytes, replaced

__all__ = ["Fixed", "Step", "fix_texts", "fix_texts_with_ftfy"]


class Fixed(NamedTuple):
    """Texts as ftfy leaves them, and what it took."""

    texts: pa.Array
    """``large_string``, the very array that came in when nothing changed; a text as it came where not settled."""
    steps: npt.NDArray[np.uint16]
    """`Step` bits for each text; 0 where it did not change."""
    handed_over: int
    """Segments that had to go through ftfy's steps."""
    at_rest: npt.NDArray[np.bool_]
    """Texts of which every segment is proven to be as ftfy leaves it."""
    settled: npt.NDArray[np.bool_]
    """Texts in which the steps of each segment came to an end; see `curate.text.ftfy_steps.MAX_STEPS`."""


def fix_texts(texts: pa.Array, config: TextFixerConfig, *, careful: bool = False) -> Fixed:
    """``ftfy.fix_text`` of every text; see `Fixed`.

    Args:
        texts: ``large_string`` without nulls; may be a slice.
        config: what ftfy is told. ``normalization`` is NFC, NFKC or None; long lines are cut by our own rule.
        careful: leave mojibake that is meant, and refuse repairs that repair nothing: `curate.text.doubtful_mojibake`.

    Example:
        >>> fixed = fix_texts(pa.array(["plain", "cafÃ© “au lait”"], pa.large_string()), TextFixerConfig())
        >>> fixed.texts.to_pylist(), Step(int(fixed.steps[1]))
        (['plain', 'café "au lait"'], <Step.ENCODING|QUOTES: 18>)
    """
    tables = ftfy_tables(config)
    if tables is None:
        return fix_texts_with_ftfy(texts, config, careful=careful)
    suspects = _suspects(*utf8_view(texts), tables)
    rows = np.flatnonzero(suspects)
    if not len(rows):
        return _fixed(texts, rows, texts, np.zeros(0, np.uint16), np.zeros(0, np.bool_), 0, suspects)
    some = texts.take(pa.array(rows))
    data, offsets = utf8_view(some)
    out = np.empty(2 * int(offsets[-1] - offsets[0]), np.uint8)
    ends = np.zeros(len(rows) + 1, np.int64)
    steps = np.zeros(len(rows), np.uint16)
    left = np.empty((int(suspects.sum()), len(_Left._fields)), np.int64)
    count = _substitute_segments(data, offsets, tables, out, read_only(out), ends, steps, left)
    left = left[:count]
    segments, step, at_end = _segments_fixed(some, left, tables, config, careful=careful)
    np.bitwise_or.at(steps, left[:, 0], step)
    settled = np.ones(len(rows), np.bool_)
    settled[left[~at_end, 0]] = False
    result = _put_in(out, ends, left, segments)
    return _fixed(texts, rows, result, steps, settled, count, suspects)


def fix_texts_with_ftfy(texts: pa.Array, config: TextFixerConfig, *, careful: bool = False) -> Fixed:
    """The same by ftfy alone: the reference that `fix_texts` must equal, some fifty times slower."""
    rows = np.arange(len(texts))
    steps, settled = np.zeros(len(texts), np.uint16), np.ones(len(texts), np.bool_)
    fixed, segments = [], 0
    for row, text in enumerate(texts.to_pylist()):
        told, document, pieces = config, Surroundings(text), []
        for segment in _segments(text):
            if told.unescape_html == "auto" and "<" in segment:
                told = told._replace(unescape_html=False)
            piece, step, at_end = fix_segment_with_ftfy(segment, _told_of(segment, told, document, careful=careful))
            pieces.append(piece)
            steps[row] |= step
            settled[row] &= at_end
        fixed.append("".join(pieces))
        segments += len(pieces)
    result = pa.array(fixed, pa.large_string())
    return _fixed(texts, rows, result, steps, settled, segments, np.ones(len(texts), np.int64))


def _fixed(
    texts: pa.Array,
    rows: npt.NDArray[np.int64],
    result: pa.Array,
    found: npt.NDArray[np.uint16],
    at_end: npt.NDArray[np.bool_],
    handed_over: int,
    suspects: npt.NDArray[np.int64],
) -> Fixed:
    """``texts`` with the ``result`` of some rows put in, where they changed and came to an end."""
    steps, settled = np.zeros(len(texts), np.uint16), np.ones(len(texts), np.bool_)
    steps[rows] = found * at_end
    settled[rows] = at_end
    changed = np.flatnonzero(steps[rows])
    if len(changed):
        texts = replaced(texts, rows[changed], result.take(pa.array(changed)))
    return Fixed(texts, steps, handed_over, suspects == 0, settled)


# --- what the kernels leave --------------------------------------------------------------------------------------


class _Left(NamedTuple):
    """Columns of the table of segments that the kernels leave."""

    row: int
    start: int  # in the input
    end: int
    position: int  # in the output, where the fixed segment belongs
    flags: int  # what was seen in it
    unescape: int  # no "<" was seen in the segments before


_TOGETHER = UNNORMALIZED | RESPELLED | ESCAPE
"""Segments with these flags alone are done in one go, in C."""

_ENCODING, _ESCAPES, _NORMALIZATION = map(int, (Step.ENCODING, Step.ESCAPES, Step.NORMALIZATION))
_SHORT = 200  # characters of a segment that is remembered: lines that come again and again are short


def _segments_fixed(
    texts: pa.Array, left: npt.NDArray[np.int64], tables: FtfyTables, config: TextFixerConfig, *, careful: bool
) -> tuple[list[str], npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Each segment of ``left`` as ftfy leaves it, its `Step` bits, and whether they came to an end."""
    source = utf8_view(texts)[0].data
    lines = [str(source[i:j], "utf-8") for i, j in zip(left[:, 1].tolist(), left[:, 2].tolist(), strict=True)]
    steps, settled = np.zeros(len(lines), np.uint16), np.ones(len(lines), np.bool_)
    seen = left[:, 4].tolist()
    easy = [k for k, flags in enumerate(seen) if not flags & ~_TOGETHER or _has_only_c1(lines[k], flags, config)]
    undone = set(range(len(lines))).difference(easy)
    for k, fixed, step in zip(easy, *_fixed_together([lines[k] for k in easy], tables, config), strict=True):
        if fixed is None:
            undone.add(k)
        else:
            lines[k], steps[k] = fixed, step
    document, read = Surroundings(""), -1
    for k in sorted(undone):
        told = config if left[k, 5] else config._replace(unescape_html=False)
        if seen[k] & SUSPECT and careful:
            if left[k, 0] != read:
                read = int(left[k, 0])
                document = Surroundings(texts[read].as_py())
            told = _told_of(lines[k], told, document, careful=True)
        fix = _remembered if len(lines[k]) <= _SHORT else fix_segment
        lines[k], steps[k], settled[k] = fix(lines[k], told)
    return lines, steps, settled


_LONE_C1 = re.compile("(?:^|[!->@-~])[\x80-\x9f]")
_C1 = {code: bytes([code]).decode("sloppy-windows-1252") for code in range(0x80, 0xA0)}


def _has_only_c1(line: str, seen: int, config: TextFixerConfig) -> bool:
    """Has ftfy nothing to repair in the encoding of a suspect line but to take C1 controls for Windows-1252?

    A control behind ASCII is no part of UTF-8, so the line as a whole was none; nor are pieces of it. (A ``?`` may be
    a lost byte, a space a lost no-break space.)
    """
    if seen & ~(_TOGETHER | SUSPECT) or not config.fix_c1_controls or not _LONE_C1.search(line):
        return False
    return not config.fix_encoding or not UTF8_DETECTOR_RE.search(line)


def _fixed_together(
    lines: list[str], tables: FtfyTables, config: TextFixerConfig
) -> tuple[list[str | None], list[int]]:
    """Lines normalized, without C1 controls and terminal escapes, and the steps; None where ftfy has more to do."""
    if not lines:
        return [], []
    bodies = [line.removesuffix("\n") for line in lines]
    decoded = "\n".join(bodies)
    decoded = decoded.translate(_C1) if config.fix_c1_controls else decoded
    bare = ANSI_RE.sub("", decoded) if config.remove_terminal_escapes else decoded
    fixed = normalized(config.normalization, bare) if config.normalization else bare
    after = [stage.split("\n") for stage in (decoded, bare, fixed)]
    flags = _flags_of(*utf8_view(pa.array(after[-1], pa.large_string())), tables)
    if any(map(operator.ne, bodies, after[0])):  # ftfy goes on with the encoding before anything else
        flags |= _flags_of(*utf8_view(pa.array(after[0], pa.large_string())), tables) & SUSPECT
    results: list[str | None] = []
    steps = []
    for line, body, first, second, last, seen in zip(lines, bodies, *after, flags.tolist(), strict=True):
        done = not seen & ~ESCAPE and not (seen and ANSI_RE.search(last))
        results.append(last + line[len(body) :] if done else None)
        steps.append(_ENCODING * (body != first) | _ESCAPES * (first != second) | _NORMALIZATION * (second != last))
    return results, steps


_remembered = functools.lru_cache(maxsize=4096)(fix_segment)


def _told_of(segment: str, config: TextFixerConfig, document: Surroundings, *, careful: bool) -> TextFixerConfig:
    """What ftfy is told for one segment: not to repair mojibake that is meant."""
    if careful and config.fix_encoding and is_bad(segment) and not is_damage(segment, config, document):
        return config._replace(fix_encoding=False)
    return config


def _put_in(out: Bytes, ends: Offsets, left: npt.NDArray[np.int64], segments: list[str]) -> pa.Array:
    """The output of `_substitute_segments` with the segments that it left put in."""
    new, new_offsets = utf8_view(pa.array(segments, pa.large_string()))
    result = np.empty(int(ends[-1]) + int(new_offsets[-1]), np.uint8)
    moved = np.zeros(len(ends), np.int64)
    _merge(out, ends, left, new, new_offsets, result, moved)
    return utf8_array(result, moved)


def _segments(text: str) -> Iterator[str]:
    """What ftfy looks at in one go: lines, cut where they are very long."""
    data = np.frombuffer(text.encode(), np.uint8)
    start = 0
    while start < len(data):
        end = _segment_end_of(data, start)
        yield data[start:end].tobytes().decode()
        start = end


# --- kernels: segments -------------------------------------------------------------------------------------------

_LONG = 16_384  # bytes: a line no longer than this is surely one segment
_REACH = 4_096  # bytes behind that among which a place to cut is looked for
_BLOCK = 64  # bytes that are looked at together: the loop over them becomes a few wide instructions


@kernel
def _segment_end_of(data: Bytes, start: int) -> int:
    return _segment_end(data, start, len(data))  # type: ignore[no-any-return]


@inner
def _segment_end(data: Bytes, start: int, end: int) -> int:
    """Where the segment that begins at ``start`` ends: behind a line feed, or where a very long line is best cut.

    That is behind a space; else before a character that belongs to none before it; else somewhere.
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
    while at < end and data[at] & 0xC0 == 0x80:
        at += 1
    return at


@inner
def _segment_to_scan(data: Bytes, start: int, end: int) -> int:
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
        stop = _segment_end(data, begin, end)
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


# --- kernels: what ftfy could change -----------------------------------------------------------------------------


@kernel
def _suspects(data: Bytes, offsets: Offsets, tables: FtfyTables) -> npt.NDArray[np.int64]:
    """How many segments of each document ftfy might change."""
    suspects = np.zeros(len(offsets) - 1, np.int64)
    auto = tables.ascii[0x3C] != 0
    for row in range(len(offsets) - 1):
        first, end = offsets[row], offsets[row + 1]
        escaped, seen = False, first  # was there a "<" before `seen`?
        start = first
        while start < end:
            start = _segment_to_scan(data, start, end)
            if start == end:
                break
            stop = _segment_end(data, start, end)
            flags, entity, less_than = _scan_segment(data, start, stop, tables)
            if not flags and entity and not less_than:
                if auto:
                    escaped, seen = escaped or _holds_less_than(data, seen, start), start
                flags = 0 if escaped else ENTITY
            suspects[row] += flags != 0
            start = stop
    return suspects


@kernel
def _flags_of(data: Bytes, offsets: Offsets, tables: FtfyTables) -> npt.NDArray[np.uint8]:
    """What each text holds, taken for one segment."""
    found = np.zeros(len(offsets) - 1, np.uint8)
    for row in range(len(offsets) - 1):
        flags, entity, _ = _scan_segment(data, offsets[row], offsets[row + 1], tables)
        found[row] = flags | ENTITY * entity
    return found


@kernel
def _substitute_segments(
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
        Number of rows written to ``left`` (columns: `_Left`). ``found`` gets the steps of each document.
    """
    position, count = np.int64(0), 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        unescape = True
        while start < end:
            stop = _segment_end(data, start, end)
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
def _merge(
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
