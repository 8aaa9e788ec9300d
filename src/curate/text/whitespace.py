"""White space and invisible characters: what ftfy leaves behind that no reader can see.

One pass over the bytes of a document removes

- control characters (general category Cc) other than tab and line feed; a form feed inside a line ends the line;
- zero-width characters that only tell a renderer where it may or may not break a line: zero width space, word
  joiner and the invisible operators after it, zero width no-break space, soft hyphen. They give one word several
  spellings. Joiners (U+200C, U+200D), bidi controls, variation selectors and tags stay: they change what is read,
  in Persian and Indic scripts, in mixed directions, in emoji;
- blank lines beyond a limit; a line of white space alone is blank, and becomes empty;
- white space around the document.

White space at the end of other lines stays: two spaces there are a line break in Markdown.
"""

import enum
import functools
import unicodedata
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.arrow import Bytes, Offsets, read_only, utf8_array, utf8_view
from curate.text.codepoints import CODE_POINTS, decode
from curate.text.kernel import inner, kernel
from curate.text.replaced import copy_bytes, replaced
from curate.text.words import SPACE, characters


class Tidied(enum.IntFlag):
    """What `tidy` did to a text."""

    CONTROLS = 1
    ZERO_WIDTH = 2
    BLANK_LINES = 4
    SURROUNDINGS = 8


ZERO_WIDTH = frozenset("\u00ad\u200b\u2060\u2061\u2062\u2063\u2064\ufeff")
"""Invisible characters that are removed."""


def tidy(texts: pa.Array, max_blank_lines: int) -> tuple[pa.Array, npt.NDArray[np.uint8]]:
    r"""Texts without invisible characters and needless white space, and the `Tidied` bits of each.

    The very array that came in is returned when nothing changed. Idempotent.

    Args:
        texts: ``large_string`` without nulls, lines ending in LF; may be a slice.
        max_blank_lines: blank lines kept in a row, 0 or more.

    Example:
        >>> texts, tidied = tidy(pa.array(["  co\u00adop\n\n \n\n\nend"], pa.large_string()), max_blank_lines=1)
        >>> texts.to_pylist(), Tidied(int(tidied[0]))
        (['coop\n\nend'], <Tidied.ZERO_WIDTH|BLANK_LINES|SURROUNDINGS: 14>)
    """
    tables = _tables()
    data, offsets = utf8_view(texts)
    rows = np.flatnonzero(_untidy(data, offsets, tables, max_blank_lines))
    tidied = np.zeros(len(texts), np.uint8)
    if not len(rows):
        return texts, tidied
    out = np.empty(int(np.diff(offsets)[rows].sum()), np.uint8)
    ends = np.zeros(len(rows) + 1, np.int64)
    _tidy(data, offsets, rows, tables, max_blank_lines, out, read_only(out), ends, tidied)
    if not tidied.any():
        return texts, tidied
    return replaced(texts, rows, utf8_array(out[: ends[-1]], ends)), tidied


_VISIBLE, _SPACE, _NEWLINE, _FORM_FEED, _CONTROL, _INVISIBLE = range(6)
_CONTROLS, _ZERO_WIDTH, _BLANK_LINES, _SURROUNDINGS = map(int, Tidied)  # kernels know no flags


class _Tables(NamedTuple):
    kinds: npt.NDArray[np.uint8]
    """By code point: one of the six above."""
    plain: npt.NDArray[np.bool_]
    """By byte: is it neither removed nor a line end, nor the first byte of such a character?"""
    leads: npt.NDArray[np.uint8]
    """The three bytes beyond ASCII that are not plain."""


@functools.cache
def _tables() -> _Tables:
    kinds = np.zeros(CODE_POINTS, np.uint8)
    kinds[characters().classes & SPACE != 0] = _SPACE
    kinds[[code for code in range(0xA0) if unicodedata.category(chr(code)) == "Cc" and code != ord("\t")]] = _CONTROL
    kinds[[ord(char) for char in ZERO_WIDTH]] = _INVISIBLE
    kinds[0x0A] = _NEWLINE
    kinds[ord("\f")] = _FORM_FEED
    plain = np.ones(256, np.bool_)
    plain[[chr(code).encode()[0] for code in np.flatnonzero(kinds >= _NEWLINE)]] = False
    return _Tables(kinds, plain, (np.flatnonzero(~plain[0x80:]) + 0x80).astype(np.uint8))


_BLOCK = 64  # bytes that are looked at together: the loop over them becomes a few wide instructions


@kernel
def _untidy(data: Bytes, offsets: Offsets, tables: _Tables, max_blank_lines: int) -> npt.NDArray[np.bool_]:
    """Which texts `_tidy` might change."""
    untidy = np.zeros(len(offsets) - 1, np.bool_)
    for row in range(len(offsets) - 1):
        untidy[row] = _may_change(data, offsets[row], offsets[row + 1], tables, max_blank_lines)
    return untidy


@inner
def _may_change(data: Bytes, start: int, end: int, tables: _Tables, max_blank_lines: int) -> bool:
    if start < end and (data[start] == 0x0A or data[end - 1] == 0x0A):
        return True
    if _first_visible(data, start, end, tables) > start or _without_trailing_space(data, start, end, tables) < end:
        return True
    i = start
    while i < end:
        i = _next_to_look_at(data, i, end, tables.leads)
        if i == end:
            break
        if data[i] != 0x0A:
            code, width = decode(data, i)
            if tables.kinds[code] > _NEWLINE:
                return True
            i += width
            continue
        line, blank_lines = i + 1, 0
        while line < end:
            i = _first_visible(data, line, end, tables)
            if data[i] != 0x0A:
                break
            blank_lines += 1
            if i > line or blank_lines > max_blank_lines:
                return True
            line = i + 1
    return False


@inner
def _next_to_look_at(data: Bytes, start: int, end: int, leads: Bytes) -> int:
    """The next line feed before white space or beyond ASCII, control character, or one of ``leads``; else ``end``."""
    first, second, third = leads[0], leads[1], leads[2]
    i = start
    while i + _BLOCK < end:
        found = False
        block, after = data[i : i + _BLOCK], data[i + 1 : i + _BLOCK + 1]
        for k in range(_BLOCK):
            byte, following = block[k], after[k]
            found |= ((byte < 0x20) & (byte != 0x0A) & (byte != 0x09)) | (byte == 0x7F)
            found |= (byte == first) | (byte == second) | (byte == third)
            found |= (byte == 0x0A) & ((following <= 0x20) | (following > 0x7F))
        if found:
            break
        i += _BLOCK
    while i < end:
        byte = data[i]
        if byte == 0x0A:
            if i + 1 < end and (data[i + 1] <= 0x20 or data[i + 1] > 0x7F):
                return i
        elif (byte < 0x20 and byte != 0x09) or byte == 0x7F or byte in (first, second, third):
            return i
        i += 1
    return end


@kernel
def _tidy(
    data: Bytes,
    offsets: Offsets,
    rows: npt.NDArray[np.int64],
    tables: _Tables,
    max_blank_lines: int,
    out: Bytes,
    shown: Bytes,
    ends: Offsets,
    tidied: npt.NDArray[np.uint8],
) -> None:
    """Write the texts of ``rows`` to ``out``, their ends to ``ends``; ``tidied`` gets the `Tidied` bits of each.

    ``shown`` is ``out``, read-only: what looks at ``data`` looks at it too without being compiled again.
    """
    o = np.int64(0)
    for number in range(len(rows)):
        row = rows[number]
        i, end = offsets[row], offsets[row + 1]
        begin = last = o  # where the document begins, where its last line with something visible ends
        done, inside = 0, 0  # `inside` counts once something visible follows
        blank_lines = 0
        while i < end:
            line = o
            i, o, removed, ended = _copy_line(data, i, end, tables, out, o)
            done |= removed
            visible = _first_visible(shown, line, o, tables)
            if visible < o:
                if last == begin and visible > line:
                    done |= _SURROUNDINGS
                    for k in range(visible, o):
                        out[k - visible + line] = out[k]
                    o -= visible - line
                done |= inside
                blank_lines, inside = 0, 0
                last = o
            else:
                blank_lines += 1
                if o > line or blank_lines > max_blank_lines:
                    inside |= _BLANK_LINES
                o = line
                if last == begin:
                    done |= _SURROUNDINGS
                    inside = 0
                    continue
            if ended and blank_lines <= max_blank_lines:
                out[o] = 0x0A
                o += 1
        last = _without_trailing_space(shown, begin, last, tables)
        if o > last:
            done |= _SURROUNDINGS
            o = last
        ends[number + 1] = o
        tidied[row] = done


@inner
def _copy_line(data: Bytes, i: int, end: int, tables: _Tables, out: Bytes, o: int) -> tuple[int, int, int, bool]:
    """Copy one line without its end and without what is removed from it.

    Returns:
        Where the next line begins in ``data``, where this one ends in ``out``, what was removed, and whether the
        line had an end.
    """
    line, removed = o, 0
    while i < end:
        run = i
        while i < end and tables.plain[data[i]]:
            i += 1
        copy_bytes(data[run:i], out[o : o + i - run])
        o += i - run
        if i == end:
            break
        code, width = decode(data, i)
        kind = tables.kinds[code]
        if kind <= _SPACE:
            for k in range(i, i + width):
                out[o] = data[k]
                o += 1
        i += width
        if kind == _NEWLINE:
            return i, o, removed, True
        if kind == _INVISIBLE:
            removed |= _ZERO_WIDTH
        elif kind == _CONTROL:
            removed |= _CONTROLS
        elif kind == _FORM_FEED:
            removed |= _CONTROLS
            if o > line and i < end and data[i] != 0x0A:
                return i, o, removed, True
    return i, o, removed, False


@inner
def _first_visible(text: Bytes, start: int, end: int, tables: _Tables) -> int:
    while start < end:
        code, width = decode(text, start)
        if tables.kinds[code] != _SPACE:
            break
        start += width
    return start


@inner
def _without_trailing_space(text: Bytes, start: int, end: int, tables: _Tables) -> int:
    while end > start:
        at = end - 1
        while text[at] & 0xC0 == 0x80:
            at -= 1
        if tables.kinds[decode(text, at)[0]] != _SPACE:
            break
        end = at
    return end
