"""Which lines are verse: text with a line break where the sentence goes on.

Judged by stanza, lines without a blank one between. It is verse if it has three lines or more and

- nearly all (17 in 20) are plain: 1 to 16 words, at most 80 code points, no bullet, digit, link or sign of code;
- three in four begin with a capital, which wrapped prose does not;
- one in three ends with punctuation and one in ten within a sentence (``, ; :`` or a dash), which menus and lists of
  titles do not;
- half of the words begin with a small letter, three words a line and no more than 60 code points on average.

A line set in by four columns more than the one before, with a small letter, carries that one on. Beside a stanza, one
that is shorter or has less punctuation is verse, too (a couplet, an exclamation), and a single short line before one is
its title.

Source: our own; the figures are in ``docs/quality_parity.md``.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.text.core.arrow import Bytes
from curate.text.core.ascending import holds
from curate.text.core.kernel import inner, maker
from curate.text.core.words import BULLET, LETTER, LOWER, SPACE, SYMBOL, UPPER, code_point_at

_STANZA = 3
_WORDS, _CHARACTERS, _SHORT = 16, 80, 60
_SET_IN = 4
_SIGNS = np.zeros(128, np.bool_)
_SIGNS[list(b"|<>{}=@#\\_/+~^%$[]&0123456789")] = True
_CLOSING = np.array(sorted(map(ord, "\"')_\N{RIGHT DOUBLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}»")))
_WITHIN = np.array(sorted(map(ord, ",;:-\N{EM DASH}\N{EN DASH}")))
_ENDING = np.array(sorted(map(ord, ".!?…")))


class _Line(NamedTuple):
    plain: bool
    capital: bool
    """Whether its first letter is one."""
    within: bool
    """Whether it ends within a sentence,"""
    ending: bool
    """or as one."""
    words: int
    small: int
    """Words that begin with a small letter."""
    characters: int


class _Stanza(NamedTuple):
    """Sums over its lines."""

    lines: int
    plain: int
    capitals: int
    within: int
    ending: int
    words: int
    small: int
    characters: int
    titles: int
    """Lines that are plain and short enough for a title."""


@maker
def verse_lines(
    text: Bytes, classes: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], blank: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Whether each line is verse.

    Args:
        text: UTF-8 bytes of one document.
        classes: classes of code points.
        starts: int64, for each line where it begins, and one more: where the line behind the last would.
        blank: for each line whether it holds nothing but white space.
    """
    lines = len(blank)
    begins = np.zeros(lines + 1, np.int64)
    ends = np.zeros(lines + 1, np.int64)
    stanzas = 0
    for i in range(lines):
        if blank[i]:
            continue
        if i == 0 or blank[i - 1]:
            begins[stanzas] = i
            stanzas += 1
        ends[stanzas - 1] = i + 1
    verse = np.zeros(lines, np.bool_)
    before = False
    here = _sum(text, classes, starts, begins[0], ends[0])
    here_is = _is_stanza(here)
    for k in range(stanzas):
        behind = _sum(text, classes, starts, begins[k + 1], ends[k + 1]) if k + 1 < stanzas else here
        behind_is = k + 1 < stanzas and _is_stanza(behind)
        found = (
            here_is or ((before or behind_is) and _is_beside(here)) or (behind_is and here.titles == here.lines == 1)
        )
        verse[begins[k] : ends[k]] = found
        before, here, here_is = found, behind, behind_is
    return verse


@inner
def _is_stanza(stanza: _Stanza) -> bool:
    return (
        stanza.lines >= _STANZA
        and _is_beside(stanza)
        and 3 * (stanza.within + stanza.ending) >= stanza.lines
        and 10 * stanza.within >= stanza.lines
        and stanza.words >= 3 * stanza.lines
    )


@inner
def _is_beside(stanza: _Stanza) -> bool:
    """Whether it may be verse beside a stanza that is."""
    return bool(
        20 * stanza.plain >= 17 * stanza.lines
        and 4 * stanza.capitals >= 3 * stanza.lines
        and 4 * (stanza.within + stanza.ending) >= stanza.lines
        and 2 * stanza.small >= stanza.words >= 2 * stanza.lines
        and stanza.characters <= _SHORT * stanza.lines
    )


@inner
def _sum(text: Bytes, classes: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], begin: int, end: int) -> _Stanza:
    lines = plain = capitals = within = ending = words = small = characters = titles = 0
    margin = -1
    for i in range(begin, end):
        first, behind = starts[i], starts[i + 1] - 1
        while first < behind and text[first] in (0x20, 0x09, 0x0D):
            first += 1
        while behind > first and text[behind - 1] in (0x20, 0x09, 0x0D):
            behind -= 1
        line = _look(text, first, behind, classes)
        indent = first - starts[i]
        if lines and indent >= margin + _SET_IN and not line.capital:
            continue
        margin = indent
        lines += 1
        plain += line.plain
        capitals += line.capital
        within += line.within
        ending += line.ending
        words += line.words
        small += line.small
        characters += line.characters
        titles += line.plain and line.characters <= _SHORT
    return _Stanza(lines, plain, capitals, within, ending, words, small, characters, titles)


@inner
def _look(text: Bytes, first: int, behind: int, classes: npt.NDArray[np.uint8]) -> _Line:
    characters = words = small = last = 0
    plain = True
    capital = lettered = False  # of the word so far whether it has a letter
    opening = True  # no letter or number of the line was seen yet
    i = first
    while i < behind:
        code_point, i = code_point_at(text, i)
        kind = classes[code_point]
        characters += 1
        if code_point < 128 and _SIGNS[code_point]:
            plain = False
        if characters == 1 and kind & BULLET and (i >= behind or text[i] in (0x20, 0x09)):
            plain = False
        if kind & SPACE:
            lettered = False
            continue
        if last == 0 or not kind & SYMBOL or not holds(_CLOSING, code_point):
            last = code_point
        if opening and not kind & SYMBOL:
            opening = False
            capital = kind & UPPER != 0
        if not lettered and kind & LETTER:
            lettered = True
            words += 1
            small += kind & LOWER != 0
    plain = plain and 1 <= words <= _WORDS and characters <= _CHARACTERS
    return _Line(plain, capital, holds(_WITHIN, last), holds(_ENDING, last), words, small, characters)
