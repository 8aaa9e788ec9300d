r"""A document cut into words, lines and paragraphs.

A **line** is text up to ``\n`` that is more than white space; white space at its end (a ``\r`` too) is not
part of it. A **paragraph** is a run of lines without a blank line between. A **raw line** is text up to ``\n``,
blank or not, with all of its white space. Characters are code points.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import int64, uint64

from curate.text.core.arrow import Bytes
from curate.text.core.bits import BLOCK, address, count
from curate.text.core.hashes import hash_all, hashed, mix64
from curate.text.core.kernel import inlined, inner, maker
from curate.text.core.words import BULLET, Places, Words, code_point_at
from curate.text.quality.bitmaps import (
    ENDS,
    LINE_FEEDS,
    RUNS,
    SPACES,
    SYMBOLS,
    TAILS,
    WORDS,
    Marks,
    in_set,
    kinds_in,
    next_in,
    number_in,
    part,
    places,
)
from curate.text.quality.repetition import Elements

_DOT = 0x2E


class Pieces(NamedTuple):
    """What a document is cut into; arrays are longer than what is used."""

    words: Words
    lines: Elements
    paragraphs: Elements
    raw_lines: Elements
    line_ends: Places
    """Of raw lines."""


class LineCounts(NamedTuple):
    """What `cut_lines` found."""

    lines: int
    bullet_lines: int
    ellipsis_lines: int
    length: int
    """Code points in lines."""
    paragraphs: int
    paragraph_length: int
    raw_lines: int
    raw_bullet_lines: int
    raw_ellipsis_lines: int
    dash_lines: int
    """Lines that begin with ``•`` or ``-`` behind white space."""
    split_lines: int
    """Raw lines, but for an empty one at the end."""


@maker
def elements(room: int) -> Elements:
    """Room for so many lines or the like."""
    return Elements(np.empty(room, np.uint64), np.empty(room, np.int64))


@maker
def pieces_for(longest: int) -> Pieces:
    """Room for the pieces of documents of up to ``longest`` bytes, of which each may be a word or a line.

    The operating system gives memory only to what is written.
    """
    room = longest + 8  # the end of the text ends a line, and `places` writes seven in vain
    words = Words(
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.empty(room, np.uint64),
        np.empty(room, np.int64),
        np.zeros(room, np.int64),
        np.empty(room, np.int32),
        np.empty(room, np.uint16),
    )
    return Pieces(words, elements(room), elements(room), elements(room), np.empty(room, np.int32))


@inner
def cut_words(marks: Marks, end: int, words: Words) -> int:
    """Cut a document of ``end`` bytes into words; how many they are."""
    begins, ends, hashes, lengths, totals, contents, kinds = words
    sets = address(marks.sets)
    n = places(marks.sets, int64(WORDS), end, begins)
    places(marks.sets, int64(ENDS), end, ends)
    hash_all(marks.text, begins, ends, n, False, hashes)
    for i in range(n):
        at, behind = begins[i], ends[i]
        length = content = behind - at
        kind = 0
        while at < behind:
            size = min(behind - at, BLOCK)
            here = kinds_in(sets, at, size)
            kind |= here
            content -= count(part(sets, SYMBOLS, at, size))
            if here & 1 << TAILS:
                tails = count(part(sets, TAILS, at, size))
                length -= tails
                content -= tails
            at += size
        kinds[i], lengths[i], contents[i] = kind, length, content
        totals[i + 1] = totals[i] + length
    return n  # type: ignore[no-any-return]


@inner
def cut_lines(marks: Marks, end: int, classes: npt.NDArray[np.uint8], details: bool, pieces: Pieces) -> LineCounts:
    """Cut a document into lines, paragraphs and, when ``details`` are wanted, raw lines.

    Args:
        marks: the document.
        end: its bytes.
        classes: class bits of code points.
        details: whether to fill ``raw_lines``.
        pieces: out.
    """
    text, sets = marks.text, address(marks.sets)
    start = address(text)
    lines, paragraphs, raw_lines, line_ends = pieces.lines, pieces.paragraphs, pieces.raw_lines, pieces.line_ends
    n_lines = n_paragraphs = lines_length = paragraphs_length = 0
    bullet_lines = ellipsis_lines = raw_bullet_lines = raw_ellipsis_lines = dash_lines = 0
    paragraph = uint64(0)
    paragraph_length = line_begin = 0
    blank_before = False
    n_raw_lines = places(marks.sets, int64(LINE_FEEDS), end, line_ends)  # the end of the text ends its last line
    last_begin = 0
    for number in range(n_raw_lines):
        last_begin = line_begin
        line_end = line_ends[number]
        kept_end = line_end
        while kept_end > line_begin and in_set(sets, SPACES, kept_end - 1):
            kept_end -= 1
        line = hashed(start + line_begin, kept_end - line_begin, False)
        kept_length = kept_end - line_begin - number_in(sets, TAILS, line_begin, kept_end)
        if details:
            same = kept_end == line_end
            raw_lines.hashes[number] = line if same else hashed(start + line_begin, line_end - line_begin, False)
            raw_lines.lengths[number] = line_end - line_begin - number_in(sets, TAILS, line_begin, line_end)
            raw_bullet_lines += line_end > line_begin and (text[line_begin] == 0x2A or text[line_begin] == 0x2D)
            raw_ellipsis_lines += same and _ends_with_ellipsis(text, line_begin, line_end)
        if kept_end == line_begin:
            blank_before = True
        else:
            if blank_before and paragraph_length:
                paragraphs.hashes[n_paragraphs], paragraphs.lengths[n_paragraphs] = paragraph, paragraph_length
                paragraphs_length += paragraph_length
                n_paragraphs += 1
                paragraph = uint64(0)
                paragraph_length = 0
            lines.hashes[n_lines], lines.lengths[n_lines] = line, kept_length
            lines_length += kept_length
            n_lines += 1
            paragraph = mix64(paragraph ^ line)
            paragraph_length += kept_length + (1 if paragraph_length else 0)
            opening, _ = code_point_at(text, next_in(sets, RUNS, line_begin))
            bullet_lines += classes[opening] & BULLET != 0
            dash_lines += (opening == 0x2D) | (opening == 0x2022)
            ellipsis_lines += _ends_with_ellipsis(text, 0, kept_end) or _ends_with_dots(text, kept_end)
            blank_before = False
        line_begin = line_end + 1
    if paragraph_length:
        paragraphs.hashes[n_paragraphs], paragraphs.lengths[n_paragraphs] = paragraph, paragraph_length
        paragraphs_length += paragraph_length
        n_paragraphs += 1
    return LineCounts(
        n_lines,
        bullet_lines,
        ellipsis_lines,
        lines_length,
        n_paragraphs,
        paragraphs_length,
        n_raw_lines,
        raw_bullet_lines,
        raw_ellipsis_lines,
        dash_lines,
        n_raw_lines - (line_ends[n_raw_lines - 1] == last_begin),
    )


@inlined
def _ends_with_ellipsis(text: Bytes, first: int, end: int) -> bool:
    """Whether ``…`` stands before byte ``end``."""
    return end - first >= 3 and text[end - 3] == 0xE2 and text[end - 2] == 0x80 and text[end - 1] == 0xA6


@inlined
def _ends_with_dots(text: Bytes, end: int) -> bool:
    """Whether three full stops stand before byte ``end``."""
    return end >= 3 and text[end - 3] == _DOT and text[end - 2] == _DOT and text[end - 1] == _DOT
