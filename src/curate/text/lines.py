r"""Lines cut by rule, as C4 does it, and the signals of the lines that stay.

Definitions: C4 (Raffel et al. 2020, arXiv:1910.10683, section 2.2) and FineWeb (Penedo et al. 2024,
arXiv:2406.17557) in the sense of datatrove's ``C4QualityFilter`` and ``FineWebQualityFilter``.

A line is what stands between ``\n``, without the white space around it. With rules, a line stays when it passes all of
them; blank lines do not. What stays is joined by single line feeds. The signals are those of the text that is left:

- *sentences*: a sentence ends at ``.``, ``!`` or ``?`` before white space or the end of its line, closing quotes and
  brackets between allowed; and at their full-width forms. A dot ends none in a word that holds a dot already
  (``e.g.``, ``...``) or after a single capital (``J. Smith``).
- *lorem_ipsum_lines*, *curly_bracket_lines*: lines that hold ``lorem ipsum`` or ``{``; those are not cut.
- *terminal_lines*: lines that end with a sentence terminal (Unicode property ``Sentence_Terminal``), of all.
- *short_lines*: lines of at most `SHORT` code points, of all.
- *repeated_line_characters*: code points in lines seen before, of all but line feeds.
- *newlines_per_word*: line feeds per word between white space.

Phrases are sought without regard to the case of ASCII letters.
"""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import regex  # type: ignore[import-untyped]
from numba import njit, uint8, uint32, uint64

from curate.text.arrow import Bytes, Offsets
from curate.text.codepoints import CODE_POINTS
from curate.text.line_rules import LineRules
from curate.text.repetition import Elements, copies, mixed, scratch
from curate.text.words import FNV_BASIS, FNV_PRIME, SPACE, characters, code_point_at

COLUMNS = (
    "sentences",
    "lorem_ipsum_lines",
    "curly_bracket_lines",
    "terminal_lines",
    "short_lines",
    "repeated_line_characters",
    "newlines_per_word",
)
"""Columns of the signals of `line_signals`."""
(
    _SENTENCES,
    _LOREM_IPSUM,
    _CURLY_BRACKET,
    _TERMINAL,
    _SHORT_LINES,
    _REPEATED,
    _NEWLINES,
) = range(len(COLUMNS))

SHORT = 30
"""Code points of a short line (FineWeb)."""


class Cuts(NamedTuple):
    """Edits of all documents back to back: document ``i`` has those from ``ends[i - 1]`` to ``ends[i]``."""

    starts: npt.NDArray[np.int64]
    """First byte cut, counted from the document's first."""
    stops: npt.NDArray[np.int64]
    newlines: npt.NDArray[np.bool_]
    """Whether a line feed takes the place of what is cut."""
    ends: npt.NDArray[np.int64]


_NOTHING, _STOP, _FULL_WIDTH, _LETTER_J, _LETTER_K, _LETTER_V, _LETTER_F, _LETTER_M, _BRACKET = range(9)
"""What a byte may mean. Phrases are looked for where a rare letter of theirs stands."""


class _Tables(NamedTuple):
    look: npt.NDArray[np.uint8]
    """By byte: one of the nine above."""
    classes: npt.NDArray[np.uint8]
    terminal: npt.NDArray[np.uint32]


@functools.cache
def _tables() -> _Tables:
    every = "".join(chr(code) for code in range(CODE_POINTS) if not 0xD800 <= code < 0xE000)
    terminal = sorted(map(ord, regex.findall(r"\p{Sentence_Terminal}", every)))
    classes = characters().classes
    look = np.full(256, _NOTHING, np.uint8)
    look[[0xE3, 0xEF]] = _FULL_WIDTH  # first bytes of the full-width stops
    for meaning, signs in {
        _STOP: ".!?",
        _LETTER_J: "jJ",
        _LETTER_K: "kK",
        _LETTER_V: "vV",
        _LETTER_F: "fF",
        _LETTER_M: "mM",
        _BRACKET: "{",
    }.items():
        look[[ord(sign) for sign in signs]] = meaning
    return _Tables(look, classes, np.array(terminal, np.uint32))


def line_signals(data: Bytes, offsets: Offsets, rules: LineRules | None) -> tuple[npt.NDArray[np.float64], Cuts]:
    r"""Signals of what the rules leave of each document, and what they cut.

    Args:
        data: UTF-8 bytes of all documents (uint8).
        offsets: int64, one more than documents; document ``i`` is ``data[offsets[i]:offsets[i + 1]]``.
        rules: None keeps every line as it is, blank ones too.

    Returns:
        float64 of shape (documents, ``len(COLUMNS)``), shares NaN where no line is left; and the `Cuts`.

    Example:
        >>> text = np.frombuffer(b"Home\nA first line. And more[1].\n\nAccept our use of cookies", np.uint8)
        >>> signals, cuts = line_signals(text, np.array([0, len(text)]), LineRules(3, policy=True, citations=True))
        >>> int(signals[0, 0]), list(zip(cuts.starts.tolist(), cuts.stops.tolist(), strict=True))
        (2, [(0, 5), (27, 30), (31, 58)])
    """
    documents = len(offsets) - 1
    signals = np.full((documents, len(COLUMNS)), np.nan)
    longest = int(np.diff(offsets).max(initial=0))
    room = (
        int(offsets[-1] - offsets[0]) // 2 + 2 * documents + 2
    )  # two bytes at least for each cut, two cuts at the ends
    cuts = Cuts(
        np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.bool_), np.zeros(documents, np.int64)
    )
    used = _measure(data, offsets, _tables(), rules or LineRules(), rules is not None, longest, signals, cuts)
    return signals, Cuts(cuts.starts[:used], cuts.stops[:used], cuts.newlines[:used], cuts.ends)


class _Line(NamedTuple):
    """What one cleaned line holds."""

    characters: int
    words: int
    sentences: int
    hash: np.uint64
    terminal: bool
    ends_well: bool
    javascript: bool
    policy: bool
    lorem_ipsum: bool
    curly_bracket: bool


@njit(nogil=True, cache=True)
def _measure(
    data: Bytes,
    offsets: Offsets,
    tables: _Tables,
    rules: LineRules,
    cutting: bool,
    longest: int,
    signals: npt.NDArray[np.float64],
    cuts: Cuts,
) -> int:
    lines = Elements(np.empty(longest // 2 + 2, np.uint64), np.empty(longest // 2 + 2, np.int64))
    cleaned = np.empty(longest + 1, np.uint8)
    marks = np.empty(longest + 2, np.int64)
    room = scratch(1024)
    used = 0
    for document in range(len(offsets) - 1):
        text = data[offsets[document] : offsets[document + 1]]
        row = signals[document]
        end = len(text)
        last, start = 0, 0  # end of what stays so far; begin of the line
        kept = filled = newlines = words = sentences = 0
        lorem_ipsum = curly_bracket = terminal = short = characters = 0
        while start < end:
            stop = start
            while stop < end and text[stop] != 0x0A:
                stop += 1
            first, behind = _stripped(text, start, stop, tables.classes)
            start = stop + 1
            newlines += stop < end
            if first == behind or not _fits(text, first, behind, rules, tables.classes):
                continue
            source, n_marks, content_first, content_end = text, 0, first, behind
            if rules.citations:
                n_marks = _citations(text, first, behind, marks)
            if n_marks:
                content_first, content_end = 0, _without(text, first, behind, marks, n_marks, cleaned)
                source = cleaned
            line = _look(source, content_first, content_end, tables)
            if line.words == 0 or (rules.terminal_punctuation and not line.ends_well):
                continue
            lorem_ipsum += line.lorem_ipsum
            if rules.javascript and line.javascript:
                continue
            curly_bracket += line.curly_bracket
            if rules.policy and line.policy:
                continue
            kept += 1
            words += line.words
            sentences += line.sentences
            terminal += line.terminal
            short += line.characters <= SHORT
            characters += line.characters
            lines.hashes[filled] = line.hash
            lines.lengths[filled] = line.characters
            filled += 1
            if cutting:
                used = _keep(text, last, first, kept == 1, marks, n_marks, cuts, used)
                last = behind
        if cutting:
            newlines = max(kept - 1, 0)
            if last < end:
                used = _cut(cuts, used, last, end, False)
        cuts.ends[document] = used
        row[_SENTENCES], row[_LOREM_IPSUM], row[_CURLY_BRACKET] = sentences, lorem_ipsum, curly_bracket
        if kept:
            if filled > len(room.grams):
                room = scratch(filled)
            row[_TERMINAL], row[_SHORT_LINES] = terminal / kept, short / kept
            row[_REPEATED] = copies(lines, filled, room)[1] / characters
            row[_NEWLINES] = newlines / words
    return used


@njit(nogil=True, cache=True)
def _cut(cuts: Cuts, used: int, start: int, stop: int, newline: bool) -> int:
    cuts.starts[used], cuts.stops[used], cuts.newlines[used] = start, stop, newline
    return used + 1


@njit(nogil=True, cache=True)
def _keep(
    text: Bytes,
    last: int,
    first: int,
    is_first: bool,
    marks: npt.NDArray[np.int64],
    n_marks: int,
    cuts: Cuts,
    used: int,
) -> int:
    """Cut what lies between the line before and this one, and the citation marks in it."""
    if is_first:
        if first > 0:
            used = _cut(cuts, used, 0, first, False)
    elif not (first == last + 1 and text[last] == 0x0A):
        used = _cut(cuts, used, last, first, True)
    for i in range(n_marks):
        used = _cut(cuts, used, marks[2 * i], marks[2 * i + 1], False)
    return used


@njit(nogil=True, cache=True)
def _stripped(text: Bytes, start: int, stop: int, classes: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Bounds of a line without the white space around it; equal when it is blank."""
    while start < stop:
        code_point, after = code_point_at(text, start)
        if not classes[code_point] & SPACE:
            break
        start = after
    while stop > start:
        at = stop - 1
        while text[at] & 0xC0 == 0x80:
            at -= 1
        if not classes[code_point_at(text, at)[0]] & SPACE:
            break
        stop = at
    return start, stop


@njit(nogil=True, cache=True)
def _fits(text: Bytes, first: int, behind: int, rules: LineRules, classes: npt.NDArray[np.uint8]) -> bool:
    """Whether it has enough words, none of them too long."""
    if rules.min_words == 0 and rules.max_word_length == 0:
        return True
    if rules.max_word_length == 0 or behind - first <= rules.max_word_length:
        enough = 1  # words so far; stop as soon as there are enough
        i = first
        space = False
        while i < behind and enough < rules.min_words:
            code_point, i = code_point_at(text, i)
            now = classes[code_point] & SPACE != 0
            enough += space and not now
            space = now
        return bool(enough >= rules.min_words)
    words = length = 0
    i = first
    while i < behind:
        code_point, i = code_point_at(text, i)
        if classes[code_point] & SPACE:
            length = 0
            continue
        words += length == 0
        length += 1
        if length > rules.max_word_length:
            return False
    return bool(words >= rules.min_words)


@njit(nogil=True, cache=True)
def _citations(text: Bytes, first: int, behind: int, marks: npt.NDArray[np.int64]) -> int:
    """Write begin and end of every ``[12]``, ``[]``, ``[edit]`` and ``[citation needed]``; how many there are."""
    n_marks = 0
    i = first
    while i < behind:
        if text[i] != 0x5B:
            i += 1
            continue
        k = i + 1
        while k < behind and 0x30 <= text[k] <= 0x39:
            k += 1
        if k == i + 1 and k < behind:
            if _stands(text, k, behind, b"edit"):
                k += 4
            elif _stands(text, k, behind, b"citation needed"):
                k += 15
        if k < behind and text[k] == 0x5D:
            marks[2 * n_marks], marks[2 * n_marks + 1] = i, k + 1
            n_marks += 1
            i = k
        i += 1
    return n_marks


@njit(nogil=True, cache=True)
def _without(text: Bytes, first: int, behind: int, marks: npt.NDArray[np.int64], n_marks: int, cleaned: Bytes) -> int:
    """Copy the line without its marks; where the copy ends."""
    o = 0
    i = first
    for mark in range(n_marks + 1):
        stop = marks[2 * mark] if mark < n_marks else behind
        while i < stop:
            cleaned[o] = text[i]
            o += 1
            i += 1
        if mark < n_marks:
            i = marks[2 * mark + 1]
    return o


@njit(nogil=True, cache=True)
def _stands(text: Bytes, at: int, end: int, phrase: bytes) -> bool:
    """Whether exactly ``phrase`` stands at ``at``."""
    if at + len(phrase) > end:
        return False
    for k in range(len(phrase)):  # noqa: SIM110  (numba has no generator expressions)
        if text[at + k] != phrase[k]:
            return False
    return True


@njit(nogil=True, cache=True)
def _follows(text: Bytes, at: int, end: int, phrase: bytes) -> bool:
    """Whether ``phrase`` (lower case) stands at ``at``, whatever the case of ASCII letters."""
    if at < 0 or at + len(phrase) > end:
        return False
    for k in range(len(phrase)):
        byte = text[at + k]
        if 0x41 <= byte <= 0x5A:
            byte |= uint8(0x20)
        if byte != phrase[k]:
            return False
    return True


@njit(nogil=True, cache=True)
def _look(text: Bytes, first: int, behind: int, tables: _Tables) -> _Line:
    """Everything there is to know of one line. What every byte has to say is counted in loops that become wide
    instructions; the rest hangs on the few bytes that `_Tables.look` names.
    """
    running, characters = _hashed(text[first:behind])
    words = _words(text, first, behind, characters == behind - first, tables.classes)
    sentences = 0
    javascript = policy = lorem_ipsum = curly_bracket = False
    done = first  # up to where sentences have ended
    last = uint32(0)
    i = first
    while i < behind:
        at = i
        byte = text[i]
        look = tables.look[byte]
        i += 1
        if look == _NOTHING:
            continue
        if look == _STOP:
            if _ends_sentence(text, first, at, behind, tables.classes):
                sentences += 1
                done = i
        elif look == _FULL_WIDTH:
            code_point, i = code_point_at(text, at)
            if code_point in (0x3002, 0xFF01, 0xFF1F):
                sentences += 1
                done = i
        elif look == _LETTER_J:
            javascript = javascript or _follows(text, at, behind, b"javascript")
        elif look == _LETTER_K:  # of cookies
            policy = policy or _speaks_of_cookies(text, first, at, behind)
        elif look == _LETTER_V:
            policy = policy or (at - 3 >= first and _follows(text, at - 3, behind, b"privacy policy"))
        elif look == _LETTER_F:
            policy = policy or (at - 7 >= first and _follows(text, at - 7, behind, b"terms of use"))
        elif look == _LETTER_M:
            lorem_ipsum = lorem_ipsum or (at - 4 >= first and _follows(text, at - 4, behind, b"lorem ipsum"))
        else:
            curly_bracket = True
    if first < behind:
        at = behind - 1
        while text[at] & 0xC0 == 0x80:
            at -= 1
        last, _ = code_point_at(text, at)
    _, trimmed = _stripped(text, first, behind, tables.classes)
    sentences += _says_more(text, done, trimmed)
    ends_well = last in (0x2E, 0x3F, 0x21, 0x22, 0x27)
    if last == 0x2E and behind - first >= 3 and text[behind - 2] == 0x2E and text[behind - 3] == 0x2E:
        ends_well = False
    place = np.searchsorted(tables.terminal, last)
    terminal = place < len(tables.terminal) and tables.terminal[place] == last
    return _Line(
        characters, words, sentences, running, terminal, ends_well, javascript, policy, lorem_ipsum, curly_bracket
    )


@njit(nogil=True, cache=True)
def _words(text: Bytes, first: int, behind: int, is_ascii: bool, classes: npt.NDArray[np.uint8]) -> int:
    """Runs of what is not white space."""
    words = 0
    space = True
    if is_ascii:
        line = text[first:behind]
        for k in range(1, len(line)):
            before, here = line[k - 1], line[k]
            words += _is_white(before) & (not _is_white(here))
        return words + (len(line) > 0 and not _is_white(line[0]))
    i = first
    while i < behind:
        code_point, i = code_point_at(text, i)
        now = classes[code_point] & SPACE != 0
        words += space and not now
        space = now
    return words


@njit(nogil=True, cache=True, inline="always")
def _is_white(byte: np.uint8) -> bool:
    """ASCII white space as Python has it."""
    return (byte == 0x20) | ((byte >= 0x09) & (byte <= 0x0D)) | ((byte >= 0x1C) & (byte <= 0x1F))  # type: ignore[no-any-return]


@njit(nogil=True, cache=True)
def _says_more(text: Bytes, done: int, end: int) -> bool:
    """Whether anything but closing quotes and brackets is left after the last sentence."""
    i = done
    while i < end:
        code_point, i = code_point_at(text, i)
        if code_point not in (0x22, 0x27, 0x29, 0x5D, 0x2019, 0x201D, 0xBB):
            return True
    return False


@njit(nogil=True, cache=True)
def _hashed(line: Bytes) -> tuple[np.uint64, int]:
    """A hash and the code points of a line; four lanes, since each multiplication waits for the one before."""
    prime = uint64(FNV_PRIME)
    a = b = c = d = uint64(FNV_BASIS)
    characters = 0
    i = 0
    while i + 4 <= len(line):
        four = line[i : i + 4]
        a = (a ^ uint64(four[0])) * prime
        b = (b ^ uint64(four[1])) * prime
        c = (c ^ uint64(four[2])) * prime
        d = (d ^ uint64(four[3])) * prime
        i += 4
    for byte in line[i:]:
        a = (a ^ uint64(byte)) * prime
    for byte in line:
        characters += byte & 0xC0 != 0x80
    return mixed(a ^ mixed(b ^ mixed(c ^ mixed(d ^ uint64(len(line)))))), characters


@njit(nogil=True, cache=True)
def _speaks_of_cookies(text: Bytes, first: int, k: int, behind: int) -> bool:
    """Whether a ``k`` is that of ``cookie policy``, ``uses cookies``, ``use of cookies`` or ``use cookies``."""
    if k - 3 < first:
        return False
    if _follows(text, k - 3, behind, b"cookie policy"):
        return True
    if not _follows(text, k - 3, behind, b"cookies"):
        return False
    return bool(
        (k - 8 >= first and _follows(text, k - 8, behind, b"uses "))
        or (k - 7 >= first and _follows(text, k - 7, behind, b"use "))
        or (k - 10 >= first and _follows(text, k - 10, behind, b"use of "))
    )


@njit(nogil=True, cache=True)
def _ends_sentence(text: Bytes, first: int, at: int, behind: int, classes: npt.NDArray[np.uint8]) -> bool:
    """Whether the ``.``, ``!`` or ``?`` at ``at`` ends a sentence."""
    if text[at] == 0x2E and not _dot_may_end(text, first, at, classes):
        return False
    i = at + 1
    while i < behind:
        code_point, after = code_point_at(text, i)
        if classes[code_point] & SPACE:
            return True
        if code_point not in (0x22, 0x27, 0x29, 0x5D, 0x2019, 0x201D, 0xBB):
            return False
        i = after
    return True


@njit(nogil=True, cache=True)
def _dot_may_end(text: Bytes, first: int, at: int, classes: npt.NDArray[np.uint8]) -> bool:
    """Whether the word before a dot is one that may end a sentence: no dot in it, more than a capital."""
    word = at
    while word > first:
        begin = word - 1
        while text[begin] & 0xC0 == 0x80:
            begin -= 1
        if text[begin] == 0x2E:
            return False
        if classes[code_point_at(text, begin)[0]] & SPACE:
            break
        word = begin
    return bool(word < at and not (word == at - 1 and 0x41 <= text[word] <= 0x5A))
