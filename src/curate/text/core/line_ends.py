r"""Line ends: whatever ends a line becomes a line feed.

- CR LF and CR; a CR in front of CR LF (text converted twice) is none of its own;
- line separator and paragraph separator (U+2028, U+2029), the vertical tab (U+000B) of slides and word processors;
- file, group and record separators (U+001C to U+001E). The unit separator (U+001F) between fields becomes a tab.

The next-line character (U+0085) is one where a document has no other line ends and it stands between lines. Elsewhere
it is left to the repair of encodings: nearly always it is the ``…`` of Windows-1252, read as Latin-1.
"""

import enum
import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.core.arrow import Bytes, Offsets, utf8_array, utf8_view
from curate.text.core.kernel import inner, kernel
from curate.text.core.replaced import copy_bytes, replaced


class LineEnds(enum.IntFlag):
    """What `unify_line_ends` did to a text."""

    LINE_ENDS = 1
    SEPARATORS = 2


def unify_line_ends(texts: pa.Array) -> tuple[pa.Array, npt.NDArray[np.uint8]]:
    r"""Texts of which every line ends in a line feed, and the `LineEnds` bits of each.

    The very array that came in is returned when nothing changed. Idempotent.

    Args:
        texts: ``large_string`` without nulls; may be a slice.

    Example:
        >>> texts, done = unify_line_ends(pa.array(["one\r\ntwo\rthree", "a\x1fb\x1ec", "plain\n"], pa.large_string()))
        >>> texts.to_pylist(), done.tolist()
        (['one\ntwo\nthree', 'a\tb\nc', 'plain\n'], [1, 2, 0])
    """
    done = np.zeros(len(texts), np.uint8)
    seen = _look(*utf8_view(texts))
    if not seen.any():
        return texts, done
    rows = np.flatnonzero(seen & _NEXT_LINE)
    if len(rows):
        before = texts.take(pa.array(rows))
        texts = replaced(texts, rows, pa.array(map(_next_lines_ended, before.to_pylist()), pa.large_string()))
        done[rows] = [a != b for a, b in zip(before, texts.take(pa.array(rows)), strict=True)]
    rows = np.flatnonzero(seen & (_LINE_ENDS | _SEPARATORS))
    if len(rows):
        data, offsets = utf8_view(texts)
        out = np.empty(int(np.diff(offsets)[rows].sum()), np.uint8)
        ends = np.zeros(len(rows) + 1, np.int64)
        _unify(data, offsets, rows, out, ends)
        texts = replaced(texts, rows, utf8_array(out[: ends[-1]], ends))
    return texts, done | seen & np.uint8(_LINE_ENDS | _SEPARATORS)


_LINE_ENDS, _SEPARATORS = map(int, LineEnds)  # kernels know no flags
_NEXT_LINE = 4
_BLOCK = 64  # bytes that are looked at together: the loop over them becomes a few wide instructions


@kernel
def _look(data: Bytes, offsets: Offsets) -> npt.NDArray[np.uint8]:
    """What each text holds: the bits of `LineEnds`, and `_NEXT_LINE`."""
    seen = np.zeros(len(offsets) - 1, np.uint8)
    for row in range(len(offsets) - 1):
        i, end = offsets[row], offsets[row + 1]
        found = 0
        while i < end:
            i = _next_to_look_at(data, i, end)
            if i < end:
                found |= _kind(data, i, end)
            i += 1
        seen[row] = found
    return seen


@inner
def _next_to_look_at(data: Bytes, start: int, end: int) -> int:
    """The next byte that may begin something that ends a line, else ``end``."""
    i = start
    while i + _BLOCK < end:
        found = False
        block, after = data[i : i + _BLOCK], data[i + 1 : i + _BLOCK + 1]
        for k in range(_BLOCK):
            byte, following = block[k], after[k]
            found |= (byte == 0x0D) | (byte == 0x0B) | ((byte >= 0x1C) & (byte < 0x20))
            found |= (byte == 0x80) & ((following == 0xA8) | (following == 0xA9))
            found |= (byte == 0xC2) & (following == 0x85)
        if found:
            break
        i += _BLOCK
    while i < end:
        byte = data[i]
        if (byte in (0x0D, 0x0B, 0xE2, 0xC2) or 0x1C <= byte < 0x20) and (byte < 0x20 or _kind(data, i, end)):
            break
        i += 1
    return i


@inner
def _kind(data: Bytes, i: int, end: int) -> int:
    """What begins at byte ``i``: a bit of `LineEnds`, `_NEXT_LINE`, or 0."""
    byte = data[i]
    if byte == 0x0D:
        return _LINE_ENDS
    if byte == 0x0B or 0x1C <= byte < 0x20:
        return _SEPARATORS
    if byte == 0xE2 and i + 2 < end and data[i + 1] == 0x80 and 0xA8 <= data[i + 2] <= 0xA9:
        return _LINE_ENDS
    if byte == 0xC2 and i + 1 < end and data[i + 1] == 0x85:
        return _NEXT_LINE
    return 0


@kernel
def _unify(data: Bytes, offsets: Offsets, rows: npt.NDArray[np.int64], out: Bytes, ends: Offsets) -> None:
    """Write the texts of ``rows`` to ``out``, their ends to ``ends``."""
    o = np.int64(0)
    for number in range(len(rows)):
        i, end = offsets[rows[number]], offsets[rows[number] + 1]
        while i < end:
            run = i
            kind = 0
            while i < end:
                i = _next_to_look_at(data, i, end)
                kind = _kind(data, i, end) if i < end else 0
                if kind != _NEXT_LINE:
                    break
                i += 1
            copy_bytes(data[run:i], out[o : o + i - run])
            o += i - run
            if i == end:
                break
            if data[i] != 0x0D:
                out[o] = 0x09 if data[i] == 0x1F else 0x0A
                o += 1
            elif not _before_line_feed(data, i, end):
                out[o] = 0x0A
                o += 1
            i += 3 if data[i] == 0xE2 else 1
        ends[number + 1] = o


@inner
def _before_line_feed(data: Bytes, i: int, end: int) -> bool:
    """Is the CR at ``i`` part of a line end that its line feed ends: CR LF or CR CR LF?"""
    if i + 1 < end and data[i + 1] == 0x0A:
        return True
    return bool(i + 2 < end and data[i + 1] == 0x0D and data[i + 2] == 0x0A)


# --- next line ---------------------------------------------------------------------------------------------------

_OTHER = re.compile("[\r\n\x80-\x84\x86-\x9f]")
_NO_END = re.compile(r"""(?<![\w.!?:;)"'\x85])\x85|\x85(?![\w"'(#*\x85-]|\Z)""")


def _next_lines_ended(text: str) -> str:
    """The text with U+0085 as line feeds, if it ends lines there."""
    if _OTHER.search(text) or _NO_END.search(text):
        return text
    return text.replace("\x85", "\n")
