"""White space and invisible characters: what ftfy leaves behind that no reader can see.

One pass over the bytes of a document removes, as `Tidying` says,

- control characters (general category Cc) other than tab and line ends, annotation marks, the object replacement
  character and deprecated format characters. They never join words: what stood between two words leaves a space. But
  a NUL between every two characters, left of UTF-16, leaves none, and characters that a printer struck over each
  other (bold and underlined text of manuals) become one. A form feed inside a line ends the line;
- zero-width characters that only tell a renderer where it may or may not break a line: zero width space, word joiner,
  zero width no-break space. In scripts written without spaces (Thai, Khmer, Burmese …) a zero width space stands
  between words and stays. Joiners (U+200C, U+200D), bidi controls, variation selectors, tags and invisible operators
  of mathematics stay: they change what is read;
- soft hyphens, when asked for: some writers mean them as hyphens;
- blank lines beyond a limit, and those around the document. A line of white space alone is blank.

White space inside lines and at both their ends stays: it is indentation, a context line of a diff, a line break in
Markdown.
"""

import enum
import functools
import unicodedata
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.core.arrow import Bytes, Offsets, read_only, utf8_array, utf8_view
from curate.text.core.codepoints import CODE_POINTS, decode
from curate.text.core.kernel import inner, kernel
from curate.text.core.replaced import copy_bytes, replaced
from curate.text.core.words import SPACE, SYMBOL, characters


class Tidied(enum.IntFlag):
    """What `tidy` did to a text."""

    CONTROLS = 1
    ZERO_WIDTH = 2
    BLANK_LINES = 4
    SURROUNDINGS = 8
    SOFT_HYPHENS = 16


class Tidying(NamedTuple):
    """What is tidied."""

    max_blank_lines: int = 2
    """Blank lines kept in a row; -1 leaves all of them, also those around the text."""
    controls: bool = True
    zero_width: bool = True
    soft_hyphens: bool = False


ZERO_WIDTH = frozenset("\u200b\u2060\ufeff")
"""Invisible characters that are removed."""

CONTROLS = frozenset(
    char
    for char in map(chr, (*range(0xA0), *range(0x206A, 0x2070), *range(0xFFF9, 0xFFFD)))
    if char not in "\t\n\r" and unicodedata.category(char) in {"Cc", "Cf", "So"} and not 0x20 <= ord(char) < 0x7F
)
"""Control characters, and what ftfy counts among them."""

_SPACELESS = (
    (0x0E00, 0x1100),
    (0x1780, 0x1800),
    (0x1950, 0x1A00),
    (0x1A20, 0x1B80),
    (0xA980, 0xAAE0),
    (0x11700, 0x11750),
)
"""Blocks of scripts in which a zero width space stands between words: Thai to Myanmar, Khmer, Tai, Javanese …"""


def tidy(texts: pa.Array, tidying: Tidying) -> tuple[pa.Array, npt.NDArray[np.uint8]]:
    r"""Texts without invisible characters and needless blank lines, and the `Tidied` bits of each.

    The very array that came in is returned when nothing changed. Idempotent.

    Args:
        texts: ``large_string`` without nulls, lines ending in LF; may be a slice.
        tidying: what is tidied.

    Example:
        >>> texts, tidied = tidy(pa.array(["\n  a\x01b\n\n \n\n\nend"], pa.large_string()), Tidying(max_blank_lines=1))
        >>> texts.to_pylist(), Tidied(int(tidied[0]))
        (['  a b\n\nend'], <Tidied.CONTROLS|BLANK_LINES|SURROUNDINGS: 13>)
    """
    tables = _tables(tidying._replace(max_blank_lines=0))
    limit = tidying.max_blank_lines
    data, offsets = utf8_view(texts)
    rows = np.flatnonzero(_untidy(data, offsets, tables, limit))
    tidied = np.zeros(len(texts), np.uint8)
    if not len(rows):
        return texts, tidied
    out = np.empty(int(np.diff(offsets)[rows].sum()), np.uint8)
    ends = np.zeros(len(rows) + 1, np.int64)
    _tidy(data, offsets, rows, tables, limit, out, read_only(out), ends, tidied)
    if not tidied.any():
        return texts, tidied
    return replaced(texts, rows, utf8_array(out[: ends[-1]], ends)), tidied


_VISIBLE, _SPACE, _NEWLINE, _FORM_FEED, _CONTROL, _INVISIBLE, _BREAK, _SOFT_HYPHEN = range(8)
_WORD, _SPACELESS_SCRIPT, _KIND = 8, 16, 7  # two marks beside the kind of a character, and the bits of the kind
_CONTROLS, _ZERO_WIDTH, _BLANK_LINES, _SURROUNDINGS, _SOFT_HYPHENS = map(int, Tidied)  # kernels know no flags


class _Tables(NamedTuple):
    kinds: npt.NDArray[np.uint8]
    """By code point: one of the eight above, and its marks."""
    plain: npt.NDArray[np.bool_]
    """By byte: is it neither removed nor a line end, nor the first byte of such a character?"""
    leads: npt.NDArray[np.uint8]
    """Three bytes beyond ASCII that are not plain."""


@functools.cache
def _tables(tidying: Tidying) -> _Tables:
    kinds = np.zeros(CODE_POINTS, np.uint8)
    classes = characters().classes
    kinds[classes & SPACE != 0] = _SPACE
    if tidying.controls:
        kinds[[ord(char) for char in CONTROLS]] = _CONTROL
        kinds[[ord("\f"), 0x85]] = _FORM_FEED
    if tidying.zero_width:
        kinds[[ord(char) for char in ZERO_WIDTH]] = _INVISIBLE
        kinds[0x200B] = _BREAK
    if tidying.soft_hyphens:
        kinds[0xAD] = _SOFT_HYPHEN
    kinds[0x0A] = _NEWLINE
    plain = np.ones(256, np.bool_)
    plain[[chr(code).encode()[0] for code in np.flatnonzero(kinds >= _NEWLINE)]] = False
    leads = np.full(3, 0xFF, np.uint8)  # no byte of UTF-8
    found = np.flatnonzero(~plain[0x80:]) + 0x80
    leads[: len(found)] = found
    kinds[(classes & (SPACE | SYMBOL) == 0) & (kinds == _VISIBLE)] |= _WORD
    for start, stop in _SPACELESS:
        kinds[start:stop] |= _SPACELESS_SCRIPT
    return _Tables(kinds, plain, leads)


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
    lines = max_blank_lines >= 0
    if lines and start < end:
        first = _first_visible(data, start, end, tables)
        if first == end or data[first] == 0x0A:
            return True
        last = _without_trailing_space(data, start, end, tables)
        if data[last - 1] == 0x0A:
            return True
    i = start
    while i < end:
        i = _next_to_look_at(data, i, end, tables.leads)
        if i == end:
            break
        if data[i] != 0x0A:
            code, width = decode(data, i)
            if tables.kinds[code] & _KIND > _NEWLINE:
                return True
            i += width
            continue
        line, blank_lines = i + 1, 0
        i += 1
        while lines and line < end:
            i = _first_visible(data, line, end, tables)
            if i == end or data[i] != 0x0A:
                break
            blank_lines += 1
            if blank_lines > max_blank_lines:
                return True
            line = i = i + 1
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
            i, o, removed, ended = _copy_line(data, i, end, tables, out, shown, o)
            done |= removed
            if max_blank_lines >= 0:
                if _first_visible(shown, line, o, tables) < o:
                    done |= inside
                    blank_lines, inside = 0, 0
                    last = o
                elif last == begin:
                    done |= _SURROUNDINGS
                    o = line
                    continue
                else:
                    blank_lines += 1
                    if blank_lines > max_blank_lines:
                        inside |= _BLANK_LINES
                        o = line
                        continue
            if ended:
                out[o] = 0x0A
                o += 1
        if max_blank_lines >= 0 and o > last:
            done |= _SURROUNDINGS
            o = last
        ends[number + 1] = o
        tidied[row] = done


@inner
def _copy_line(
    data: Bytes, i: int, end: int, tables: _Tables, out: Bytes, shown: Bytes, o: int
) -> tuple[int, int, int, bool]:
    """Copy one line without its end and without what is removed from it.

    Returns:
        Where the next line begins in ``data``, where this one ends in ``out``, what was removed, and whether the
        line had an end.
    """
    begin, line, removed = i, o, 0
    apart = False  # was something removed behind a word that must not join the next one?
    while i < end:
        if not apart:
            run = i
            while i < end and tables.plain[data[i]]:
                i += 1
            copy_bytes(data[run:i], out[o : o + i - run])
            o += i - run
            if i == end:
                break
        code, width = decode(data, i)
        kind = tables.kinds[code] & _KIND
        if kind == _BREAK and (
            _spaceless_before(data, begin, i, tables) or _spaceless_at(data, i + width, end, tables)
        ):
            kind = _VISIBLE
        if kind <= _SPACE:
            if apart and tables.kinds[code] & _WORD:
                out[o] = 0x20
                o += 1
            apart = False
            for k in range(i, i + width):
                out[o] = data[k]
                o += 1
            i += width
            continue
        i += width
        if kind == _NEWLINE:
            return i, o, removed, True
        if kind == _SOFT_HYPHEN:
            removed |= _SOFT_HYPHENS
        elif kind in (_INVISIBLE, _BREAK):
            removed |= _ZERO_WIDTH
        elif kind == _FORM_FEED:
            removed |= _CONTROLS
            if o > line and i < end and data[i] != 0x0A:
                return i, o, removed, True
        else:
            removed |= _CONTROLS
            before = _character_before(shown, line, o)
            if code == 0x08 and before < o and _struck_over(data, i, end, shown, before, o, tables):
                if data[i] == 0x5F:
                    i += 1
                else:
                    o = before
            elif not apart and before < o and not _between_all(data, begin, i - 1, end):
                apart = bool(tables.kinds[decode(shown, before)[0]] & _WORD)
    return i, o, removed, False


@inner
def _character_before(text: Bytes, start: int, end: int) -> int:
    """Where the last character of ``text[start:end]`` begins; ``end`` if there is none."""
    at = end
    while at > start:
        at -= 1
        if text[at] & 0xC0 != 0x80:
            break
    return at


@inner
def _struck_over(data: Bytes, i: int, end: int, shown: Bytes, before: int, o: int, tables: _Tables) -> bool:
    """Is the character that follows a backspace, at ``i``, the one before it again, or one of them an underline?"""
    if i == end:
        return False
    code, width = decode(data, i)
    if tables.kinds[code] & _KIND != _VISIBLE:
        return False
    if shown[before] == 0x5F or code == 0x5F:
        return True
    return bool(o - before == width and decode(shown, before)[0] == code)


@inner
def _between_all(data: Bytes, begin: int, at: int, end: int) -> bool:
    """Is the NUL at ``at`` one of those that stand between all characters of text that was UTF-16?"""
    if data[at] != 0 or (at + 1 < end and data[at + 1] == 0) or (at > begin and data[at - 1] == 0):
        return False
    return bool((at >= begin + 2 and data[at - 2] == 0) or (at + 2 < end and data[at + 2] == 0))


@inner
def _spaceless_before(text: Bytes, start: int, end: int, tables: _Tables) -> bool:
    at = _character_before(text, start, end)
    return at < end and bool(tables.kinds[decode(text, at)[0]] & _SPACELESS_SCRIPT)


@inner
def _spaceless_at(text: Bytes, at: int, end: int, tables: _Tables) -> bool:
    return at < end and bool(tables.kinds[decode(text, at)[0]] & _SPACELESS_SCRIPT)


@inner
def _first_visible(text: Bytes, start: int, end: int, tables: _Tables) -> int:
    while start < end:
        code, width = decode(text, start)
        if tables.kinds[code] & _KIND != _SPACE:
            break
        start += width
    return start


@inner
def _without_trailing_space(text: Bytes, start: int, end: int, tables: _Tables) -> int:
    while end > start:
        at = _character_before(text, start, end)
        if tables.kinds[decode(text, at)[0]] & _KIND != _SPACE:
            break
        end = at
    return end
