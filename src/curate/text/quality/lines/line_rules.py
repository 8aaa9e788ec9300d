r"""Lines cut by rule, and the signals of the lines that stay.

Definitions: C4 (Raffel et al. 2020, arXiv:1910.10683, section 2.2) and FineWeb (Penedo et al. 2024,
arXiv:2406.17557) in the sense of datatrove's ``C4QualityFilter`` and ``FineWebQualityFilter``; RefinedWeb (Penedo et
al. 2023, arXiv:2306.01116, appendix G.2) in the sense of DCLM's line modifiers.

A line is what stands between ``\n``. C4 takes it without the white space around it; a line stays when it passes all
rules, a blank one does not, and what stays is joined by single line feeds. With ``whole_lines`` it is taken as it
stands and blank lines stay, except at both ends of the text. The signals are those of the text that is left, blank
lines apart:

- *sentences*: a sentence ends at ``.``, ``!`` or ``?`` before white space or the end of its line, closing quotes and
  brackets between allowed; and at their full-width forms. A dot ends none in a word that holds a dot already
  (``e.g.``, ``...``) or after a single capital (``J. Smith``).
- *lorem_ipsum_lines*, *curly_bracket_lines*: lines that hold ``lorem ipsum`` or ``{``; those are not cut.
- *terminal_lines*: lines that end with a sentence terminal (Unicode property ``Sentence_Terminal``), of all.
- *short_lines*: lines of at most `SHORT` code points, of all.
- *repeated_line_characters*: code points in lines seen before, of all but line feeds.
- *newlines_per_word*: line feeds per word.
- *words_left*, *removed_words*: words between white space that stay, and those that do not, of all.
- *removed_bare_words*: those that do not stay, of the words between white space that begin with no symbol.
- *long_lines*: lines of at least `LONG` code points.
- *unpunctuated_lines*: lines that do not end with ``. ? ! " '``, of all.
- *javascript_lines*: lines that speak of JavaScript and would stay otherwise, of all of these.
- *policy_paragraphs*: paragraphs that speak of cookies, privacy policies or terms of use, of all (before those lines
  go).
- *words_per_line*, *line_uppercase*, *line_digits*: means over lines of words, of the share of upper-case letters, of
  ASCII digits.
- *verbatim_lines*: lines of code, mathematics and verse, of all; only with ``keep_code``. No other signal counts them
  then, and where they are more than half *sentences* is not defined.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import int64

from curate.text.core.arrow import Bytes, Offsets
from curate.text.core.bits import BLOCK, address
from curate.text.core.kernel import inner, kernel
from curate.text.quality.bitmaps import (
    DIGITS,
    LINE_FEEDS,
    RUNS,
    SPACES,
    SYMBOLS,
    TAILS,
    UPPER_CASE,
    WORDS,
    in_set,
    mark,
    marks_for,
    next_in,
    number_in,
    number_in_both,
)
from curate.text.quality.lines.inline_cuts import banners, citations, without
from curate.text.quality.lines.line_facts import (
    LineTables,
    has_longer_word,
    is_counter,
    line_tables,
    look_at,
    sentences_of_words,
    stripped,
)
from curate.text.quality.lines.line_settings import LineRules
from curate.text.quality.lines.verbatim import verbatim_lines, verbatim_tables
from curate.text.quality.repetition import Elements, copies, scratch

COLUMNS = (
    "sentences",
    "lorem_ipsum_lines",
    "curly_bracket_lines",
    "terminal_lines",
    "short_lines",
    "repeated_line_characters",
    "newlines_per_word",
    "words_left",
    "removed_words",
    "long_lines",
    "unpunctuated_lines",
    "javascript_lines",
    "policy_paragraphs",
    "words_per_line",
    "line_uppercase",
    "line_digits",
    "verbatim_lines",
    "removed_bare_words",
)
"""Signals of `line_signals`."""
(
    _SENTENCES,
    _LOREM_IPSUM,
    _CURLY_BRACKET,
    _TERMINAL,
    _SHORT_LINES,
    _REPEATED,
    _NEWLINES,
    _WORDS_LEFT,
    _REMOVED,
    _LONG_LINES,
    _UNPUNCTUATED,
    _JAVASCRIPT,
    _POLICY,
    _WORDS_PER_LINE,
    _UPPERCASE,
    _DIGITS,
    _VERBATIM,
    _REMOVED_BARE,
) = range(len(COLUMNS))

SHORT = 30
"""Code points of a short line (FineWeb)."""
LONG = 200
"""Code points of a long line (mC4)."""
_NO_SPLITS = np.zeros(0, np.uint8)
_BANNER_WORDS = 10  # longer lines keep theirs (RefinedWeb)


class Cuts(NamedTuple):
    """Edits of all documents back to back: document ``i`` has those from ``ends[i - 1]`` to ``ends[i]``."""

    starts: npt.NDArray[np.int64]
    """First byte cut, counted from the document's first."""
    stops: npt.NDArray[np.int64]
    newlines: npt.NDArray[np.int64]
    """How many line feeds take the place of what is cut."""
    ends: npt.NDArray[np.int64]


class _Rules(NamedTuple):
    """`LineRules` without the string, for the kernel."""

    min_words: int
    max_word_length: int
    terminal_punctuation: bool
    ellipsis_ends: bool
    javascript: bool
    policy: bool
    citations: bool
    max_uppercase: float
    max_digits: float
    counters: bool
    banners: bool
    whole_lines: bool
    max_line_feeds: int
    keep_code: bool
    cut: bool


def line_signals(
    data: Bytes, offsets: Offsets, rules: LineRules | None, splits: npt.NDArray[np.uint8] = _NO_SPLITS
) -> tuple[dict[str, npt.NDArray[np.float64]], Cuts]:
    r"""Signals of what the rules leave of each document, and what they cut.

    Args:
        data: UTF-8 bytes of all documents (uint8).
        offsets: int64, one more than documents; document ``i`` is ``data[offsets[i]:offsets[i + 1]]``.
        rules: None keeps every line as it is, blank ones too.
        splits: where words begin, as in `curate.text.quality.document_signals.document_signals`: sentences and
            ``newlines_per_word`` go by these words; empty: by those between white space.

    Returns:
        For each of `COLUMNS` float64 of one value a document, shares NaN where no line is left; and the `Cuts`.

    Example:
        >>> text = np.frombuffer(b"Home\nA first line. And more[1].\n\nAccept our use of cookies", np.uint8)
        >>> signals, cuts = line_signals(text, np.array([0, len(text)]), LineRules(3, policy=True, citations=True))
        >>> int(signals["sentences"][0]), list(zip(cuts.starts.tolist(), cuts.stops.tolist(), strict=True))
        (2, [(0, 5), (27, 30), (31, 58)])
    """
    documents = len(offsets) - 1
    signals = np.full((len(COLUMNS), documents), np.nan)
    longest = int(np.diff(offsets).max(initial=0))
    room = int(offsets[-1] - offsets[0]) + 2 * documents + 2
    cuts = Cuts(
        np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64), np.zeros(documents, np.int64)
    )
    fields = (rules or LineRules())._asdict()
    end_marks = np.zeros(128, np.bool_)
    end_marks[list(fields.pop("end_marks").encode())] = True
    kernel_rules = _Rules(**fields, cut=rules is not None)
    used = _measure(
        data, offsets, line_tables(), verbatim_tables(), kernel_rules, end_marks, longest, splits, signals, cuts
    )
    return dict(zip(COLUMNS, signals, strict=True)), Cuts(
        cuts.starts[:used], cuts.stops[:used], cuts.newlines[:used], cuts.ends
    )


@kernel
def _measure(
    data: Bytes,
    offsets: Offsets,
    tables: LineTables,
    code_tables: tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], npt.NDArray[np.uint8]],
    rules: _Rules,
    end_marks: npt.NDArray[np.bool_],
    longest: int,
    splits: npt.NDArray[np.uint8],
    signals: npt.NDArray[np.float64],
    cuts: Cuts,
) -> int:
    lines = Elements(np.empty(longest // 2 + 2, np.uint64), np.empty(longest // 2 + 2, np.int64))
    marks_of = marks_for(longest)
    text, sets = marks_of.text, address(marks_of.sets)
    by_words = len(splits) > 0
    cleaned = np.empty(longest + 2 * BLOCK, np.uint8)
    marks = np.empty(longest + 2, np.int64)
    verbatim = np.zeros(longest + 2 if rules.keep_code else 1, np.uint8)
    room = scratch(int64(1024))
    classes = tables.classes
    used = int64(0)
    for document in range(len(offsets) - 1):
        whole_text = data[offsets[document] : offsets[document + 1]]
        end = len(whole_text)
        row = signals[:, document]
        mark(whole_text, splits[offsets[document] : offsets[document + 1]] if by_words else splits, classes, marks_of)
        if rules.keep_code:
            verbatim_lines(whole_text, classes, code_tables[0], code_tables[1], code_tables[2], verbatim)
        last, start, number = int64(0), 0, -1  # end of what stays so far; begin of the line and which it is
        kept = filled = code = newlines = newlines_left = sentences = all_words = words = prose_words = cut_words = 0
        blank = all_bare = bare = 0
        lorem_ipsum = curly_bracket = terminal = short = long = characters = unpunctuated = javascript = 0
        paragraphs = policy_paragraphs = 0
        paragraph_begun = paragraph_policy = False
        uppercase = digits = 0.0
        while start < end:
            stop = next_in(sets, LINE_FEEDS, start)
            number += 1
            first, behind = start, stop
            while first < stop and in_set(sets, SPACES, first):
                first += 1
            while behind > first and in_set(sets, SPACES, behind - 1):
                behind -= 1
            line_start, start = start, stop + 1
            newlines += stop < end
            if first == behind:
                paragraph_begun = paragraph_policy = False
                if rules.whole_lines and kept and (line_start == stop or rules.min_words == 0):
                    blank += 1
                continue
            line_words = number_in(sets, RUNS, first, behind)
            all_words += line_words
            line_bare = line_words - number_in_both(sets, RUNS, SYMBOLS, first, behind)
            all_bare += line_bare
            is_code = rules.keep_code and verbatim[number]
            if not is_code:
                if line_words < rules.min_words:
                    continue
                most = rules.max_word_length
                if most and behind - first > most and has_longer_word(text, first, behind, most, classes):
                    continue
            inner, outer = (line_start, stop) if rules.whole_lines else (first, behind)
            length = outer - inner - number_in(sets, TAILS, inner, outer)
            upper, digit = number_in(sets, UPPER_CASE, inner, outer), number_in(sets, DIGITS, inner, outer)
            if not is_code:
                if rules.max_uppercase > 0 and upper > rules.max_uppercase * length:
                    continue
                if rules.max_digits > 0 and digit > rules.max_digits * length:
                    continue
                if rules.counters and is_counter(text, first, behind, tables):
                    continue
            source, n_marks, content_first, content_end = text, 0, first, behind
            if not is_code and rules.citations:
                n_marks = citations(text, first, behind, marks)
            if not is_code and rules.banners and line_words <= _BANNER_WORDS:
                n_marks = banners(text, first, behind, marks)
            if n_marks:
                content_first, content_end = 0, without(text, first, behind, marks, n_marks, cleaned)
                source = cleaned
                if rules.banners:
                    content_first, content_end = stripped(cleaned, int64(0), content_end, classes)
                    if content_first == content_end:
                        continue
            known = not (n_marks or rules.whole_lines)
            line = look_at(
                source,
                content_first,
                content_end,
                length if known else -1,
                -1 if n_marks else line_words,
                tables,
            )
            if line.words == 0:
                continue
            ends_well = line.last < 0x80 and end_marks[line.last] and (rules.ellipsis_ends or not line.dots)
            if rules.terminal_punctuation and not is_code and not ends_well:
                continue
            if not is_code:
                lorem_ipsum += line.lorem_ipsum
                javascript += line.javascript
                if rules.javascript and line.javascript:
                    continue
                curly_bracket += line.curly_bracket
                paragraphs += not paragraph_begun
                paragraph_begun = True
                policy_paragraphs += line.policy and not paragraph_policy
                paragraph_policy = paragraph_policy or line.policy
                if rules.policy and line.policy:
                    continue
            if rules.cut:
                begin = line_start if is_code or (rules.whole_lines and kept) else first
                # A first line of code keeps what it is set in by.
                between = min(blank + 1, rules.max_line_feeds) if rules.max_line_feeds else blank + 1
                used = _keep(text, last, begin, kept == 0, between, cuts, used)
                newlines_left += between if kept else 0
                for i in range(n_marks):
                    used = _cut(cuts, used, marks[2 * i], marks[2 * i + 1], int64(0))
                last = stop if rules.whole_lines else behind
            kept += 1
            blank = 0
            words += line.words
            bare += line_bare
            for i in range(n_marks):
                begin, end_of_mark = marks[2 * i], marks[2 * i + 1]
                bare -= number_in(sets, RUNS, begin, end_of_mark) - number_in_both(
                    sets, RUNS, SYMBOLS, begin, end_of_mark
                )
            if is_code:
                code += 1
                continue
            prose_words += line.words
            if by_words:
                cut_words += number_in(sets, WORDS, first, behind)
                for i in range(n_marks):
                    cut_words -= number_in(sets, WORDS, marks[2 * i], marks[2 * i + 1])
            by_tokens = by_words and n_marks == 0
            sentences += sentences_of_words(text, sets, first, behind, tables) if by_tokens else line.sentences
            terminal += line.terminal
            short += line.characters <= SHORT
            long += line.characters >= LONG
            unpunctuated += line.last not in (0x2E, 0x3F, 0x21, 0x22, 0x27)
            characters += line.characters
            uppercase += upper / length
            digits += digit / length
            lines.hashes[filled] = line.hash
            lines.lengths[filled] = line.characters
            filled += 1
        if rules.cut:
            newlines = newlines_left
            _, last = stripped(text, int64(0), last, classes)
            if last < end:
                used = _cut(cuts, used, last, end, int64(0))
        cuts.ends[document] = used
        row[_SENTENCES], row[_LOREM_IPSUM], row[_CURLY_BRACKET] = sentences, lorem_ipsum, curly_bracket
        row[_WORDS_LEFT], row[_LONG_LINES] = words, long
        if all_words:
            row[_REMOVED] = 1 - words / all_words
        if all_bare:
            row[_REMOVED_BARE] = 1 - bare / all_bare
        if rules.keep_code and kept:
            row[_VERBATIM] = code / kept
            if 2 * code > kept:
                row[_SENTENCES] = np.nan
        if paragraphs:
            row[_POLICY] = policy_paragraphs / paragraphs
        if filled + (javascript if rules.javascript else 0):
            row[_JAVASCRIPT] = javascript / (filled + (javascript if rules.javascript else 0))
        if filled:
            if filled > len(room.grams):
                room = scratch(filled)
            row[_TERMINAL], row[_SHORT_LINES] = terminal / filled, short / filled
            row[_REPEATED] = copies(lines, filled, room).duplicate_characters / characters
            row[_NEWLINES] = max(newlines - code, 0) / (cut_words if by_words else prose_words)
            row[_UNPUNCTUATED], row[_WORDS_PER_LINE] = unpunctuated / filled, prose_words / filled
            row[_UPPERCASE], row[_DIGITS] = uppercase / filled, digits / filled
    return used  # type: ignore[no-any-return]


@inner
def _cut(cuts: Cuts, used: int, start: int, stop: int, newlines: int) -> int:
    cuts.starts[used], cuts.stops[used], cuts.newlines[used] = start, stop, newlines
    return used + 1


@inner
def _keep(text: Bytes, last: int, begin: int, is_first: bool, newlines: int, cuts: Cuts, used: int) -> int:
    """Cut what lies between the line before, which ends at ``last``, and this one, down to ``newlines``."""
    if is_first:
        return _cut(cuts, used, int64(0), begin, int64(0)) if begin > 0 else used
    same = begin - last == newlines
    for i in range(last, begin):
        same = same and text[i] == 0x0A
    return used if same else _cut(cuts, used, last, begin, newlines)
