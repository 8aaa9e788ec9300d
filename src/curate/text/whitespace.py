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

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.arrow import Bytes, Offsets, utf8_array, utf8_view
from curate.text.codepoints import CODE_POINTS, decode


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
    data, offsets = utf8_view(texts)
    out = np.empty(int(offsets[-1] - offsets[0]), np.uint8)
    ends = np.zeros(len(offsets), np.int64)
    tidied = np.zeros(len(texts), np.uint8)
    _tidy(data, offsets, _tables(), max_blank_lines, out, ends, tidied)
    if not tidied.any():
        return texts, tidied
    return utf8_array(out[: ends[-1]], ends), tidied


_VISIBLE, _SPACE, _NEWLINE, _FORM_FEED, _CONTROL, _INVISIBLE = range(6)
_CONTROLS, _ZERO_WIDTH, _BLANK_LINES, _SURROUNDINGS = map(int, Tidied)  # kernels know no flags


class _Tables(NamedTuple):
    kinds: npt.NDArray[np.uint8]
    """By code point: one of the six above."""
    plain: npt.NDArray[np.bool_]
    """By byte: is it neither removed nor a line end, nor the first byte of such a character?"""


@functools.cache
def _tables() -> _Tables:
    kinds = np.zeros(CODE_POINTS, np.uint8)
    kinds[[code for code in range(CODE_POINTS) if chr(code).isspace()]] = _SPACE
    kinds[[code for code in range(0xA0) if unicodedata.category(chr(code)) == "Cc" and code != ord("\t")]] = _CONTROL
    kinds[[ord(char) for char in ZERO_WIDTH]] = _INVISIBLE
    kinds[ord("\n")] = _NEWLINE
    kinds[ord("\f")] = _FORM_FEED
    plain = np.ones(256, np.bool_)
    plain[[chr(code).encode()[0] for code in np.flatnonzero(kinds >= _NEWLINE)]] = False
    return _Tables(kinds, plain)


@numba.njit(nogil=True, cache=True)
def _tidy(
    data: Bytes,
    offsets: Offsets,
    tables: _Tables,
    max_blank_lines: int,
    out: Bytes,
    ends: Offsets,
    tidied: npt.NDArray[np.uint8],
) -> None:
    """Write each text to ``out``, its end to ``ends`` and its `Tidied` bits to ``tidied``."""
    o = 0
    for row in range(len(offsets) - 1):
        i, end = offsets[row], offsets[row + 1]
        begin = last = o  # where the document begins, where its last line with something visible ends
        done, inside = 0, 0  # `inside` counts once something visible follows
        blank_lines = 0
        while i < end:
            line = o
            i, o, removed, ended = _copy_line(data, i, end, tables, out, o)
            done |= removed
            visible = _first_visible(out, line, o, tables)
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
                out[o] = ord("\n")
                o += 1
        last = _without_trailing_space(out, begin, last, tables)
        if o > last:
            done |= _SURROUNDINGS
            o = last
        ends[row + 1] = o
        tidied[row] = done


@numba.njit(nogil=True, cache=True)
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
        for k in range(i - run):
            out[o + k] = data[run + k]
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
            if o > line and i < end and data[i] != ord("\n"):
                return i, o, removed, True
    return i, o, removed, False


@numba.njit(nogil=True, cache=True)
def _first_visible(text: Bytes, start: int, end: int, tables: _Tables) -> int:
    while start < end:
        code, width = decode(text, start)
        if tables.kinds[code] != _SPACE:
            break
        start += width
    return start


@numba.njit(nogil=True, cache=True)
def _without_trailing_space(text: Bytes, start: int, end: int, tables: _Tables) -> int:
    while end > start:
        at = end - 1
        while text[at] & 0xC0 == 0x80:
            at -= 1
        if tables.kinds[decode(text, at)[0]] != _SPACE:
            break
        end = at
    return end
