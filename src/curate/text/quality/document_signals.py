"""The quality signals of whole documents.

`curate.text.quality.bitmaps` turns a document into sets of bytes, by which `curate.text.quality.pieces` cuts it into
words (`curate.text.core.words`), lines and paragraphs. `curate.text.quality.words.word_counts` counts words;
`curate.text.quality.repetition` and `curate.text.quality.repeated_ngrams` look for copies among the hashes. Signals
come in groups, so that what no rule asks for costs nothing; those of characters are in
`curate.text.quality.character_signals`, those of lines that a rule leaves in `curate.text.quality.lines.line_rules`.
"""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
from numba import int64

from curate.text.core.arrow import Bytes, Offsets
from curate.text.core.bits import address
from curate.text.core.kernel import inner, kernel
from curate.text.core.words import Characters, Words, characters
from curate.text.quality.bitmaps import NUMBER_SIGNS, SYMBOLS, TAILS, in_set, mark, mark_words, marks_for, number_in
from curate.text.quality.pieces import LineCounts, Pieces, cut_lines, cut_words, pieces_for
from curate.text.quality.repeated_ngrams import ngram_characters, window_characters
from curate.text.quality.repetition import (
    Scratch,
    copies,
    scratch,
    vocabulary,
)
from curate.text.quality.words.cores import cores_for, find_cores
from curate.text.quality.words.stop_words import StopWords, StopWordTable
from curate.text.quality.words.word_counts import (
    SentenceCounts,
    StopWordCounts,
    WordCounts,
    count_ellipses,
    count_sentences,
    count_stop_words,
    count_words,
)

GOPHER = (
    "characters",
    "words",
    "lines",
    "paragraphs",
    "mean_word_length",
    "symbol_ratio",
    "ellipsis_ratio",
    "bullet_lines",
    "ellipsis_lines",
    "alphabetic_words",
    "stop_words",
    "duplicate_lines",
    "duplicate_paragraphs",
    "duplicate_line_characters",
    "duplicate_paragraph_characters",
    "top_2gram",
    "top_3gram",
    "top_4gram",
    "duplicate_5gram",
    "duplicate_6gram",
    "duplicate_7gram",
    "duplicate_8gram",
    "duplicate_9gram",
    "duplicate_10gram",
    "most_common_2gram",
    "most_common_3gram",
    "most_common_4gram",
    "exact_stop_words",
    "all_bullet_lines",
    "all_ellipsis_lines",
)
"""Signals that are always measured."""

DETAILS = (
    "all_words",
    "mean_length_of_all_words",
    "median_word_length",
    "longest_word",
    "marked_words",
    "symbols_per_word",
    "uppercase_words",
    "stop_word_count",
    "stop_word_share",
    "unique_words",
    "word_entropy",
    "plain_sentences",
    "list_case_sentences",
    "recurring_lines",
    "recurring_paragraphs",
    "recurring_line_characters",
    "recurring_paragraph_characters",
    "raw_bullet_lines",
    "raw_ellipsis_lines",
    "raw_recurring_lines",
    "raw_recurring_line_characters",
    "top_2gram_words",
    "top_3gram_words",
    "top_4gram_words",
    "longest_top_2gram",
    "longest_top_3gram",
    "longest_top_4gram",
    "recurring_5gram",
    "recurring_6gram",
    "recurring_7gram",
    "recurring_8gram",
    "recurring_9gram",
    "recurring_10gram",
    "recurring_5gram_weight",
    "recurring_6gram_weight",
    "recurring_7gram_weight",
    "recurring_8gram_weight",
    "recurring_9gram_weight",
    "recurring_10gram_weight",
    "most_common_2gram_words",
    "most_common_3gram_words",
    "most_common_4gram_words",
    "exact_stop_word_count",
    "bare_words",
    "copied_5gram",
    "copied_6gram",
    "copied_7gram",
    "copied_8gram",
    "copied_9gram",
    "copied_10gram",
    "sign_words",
)
"""Signals that are measured when they are asked for: all of them or none."""

NGRAMS = tuple(name for name in (*GOPHER, *DETAILS) if "gram" in name)
"""Signals of n-grams of words."""

_N_GRAMS = 39  # values that `ngram_characters` finds
_NO_SPLITS = np.zeros(0, np.uint8)
_COMMON_LENGTHS = 64  # the median of word lengths below this is read from a histogram


def document_signals(
    data: Bytes,
    offsets: Offsets,
    languages: npt.NDArray[np.int64],
    stop_words: StopWords,
    wanted: Collection[str] = GOPHER,
    splits: npt.NDArray[np.uint8] = _NO_SPLITS,
    tables: Characters | None = None,
    *,
    apart: bool = False,
) -> dict[str, npt.NDArray[np.float64]]:
    """Signals of each document.

    Args:
        data: UTF-8 bytes of all documents (uint8).
        offsets: int64, one more than documents; document ``i`` is ``data[offsets[i]:offsets[i + 1]]``.
        languages: int64, for each document the number of its language in ``stop_words``; -1 for no list.
        stop_words: lists to look words up in.
        wanted: names of signals; those of `DETAILS` are measured if one of them is there.
        splits: a word splitter of one's own: uint8, for each byte of ``data`` whether a word begins there although no
            white space stands before it, with room of `curate.text.quality.bitmaps.splits_for`. Empty for the rule of
            `curate.text.core.words`; all zero for words between white space.
        apart: whether ``splits`` says where words begin and end (`curate.text.quality.words.segments`), and what is
            between is none.
        tables: what code points are, those of `curate.text.core.words.characters` where there are none.

    Returns:
        For each signal measured float64 of one value a document; NaN where it is not defined: a share of
        nothing, stop words without a list, the mean word length of text that is mostly in a script without
        spaces.

    Example:
        >>> text = np.frombuffer(b"The cat and the dog.", np.uint8)
        >>> english = StopWords({"en": ("the", "and", "of")})
        >>> found = document_signals(text, np.array([0, 20]), np.array([0]), english, ["unique_words"])
        >>> [float(found[name][0]) for name in ("words", "mean_word_length", "stop_words", "unique_words")]
        [5.0, 3.2, 2.0, 0.8]
    """
    detailed = not set(DETAILS).isdisjoint(wanted)
    basic = np.full((len(GOPHER), len(offsets) - 1), np.nan)
    detail = np.full((len(DETAILS) if detailed else 0, len(offsets) - 1), np.nan)
    _measure_each(
        data, offsets, languages, tables or characters(), stop_words.table, splits, apart, detailed, basic, detail
    )
    return {**dict(zip(GOPHER, basic, strict=True)), **dict(zip(DETAILS, detail, strict=False))}


@kernel
def _measure_each(
    data: Bytes,
    offsets: Offsets,
    languages: npt.NDArray[np.int64],
    tables: Characters,
    stop_words: StopWordTable,
    splits: npt.NDArray[np.uint8],
    apart: bool,
    detailed: bool,
    basic: npt.NDArray[np.float64],
    detail: npt.NDArray[np.float64],
) -> None:
    most = int64(0)
    for document in range(len(offsets) - 1):
        most = max(most, offsets[document + 1] - offsets[document])
    marks, pieces = marks_for(most), pieces_for(most)
    words = pieces.words
    sets = address(marks.sets)
    cores = cores_for(most)
    ngrams = np.zeros(_N_GRAMS, np.int64)
    lengths = np.empty(_COMMON_LENGTHS, np.int64)
    room = scratch(int64(1024))
    for document in range(len(offsets) - 1):
        first, behind = offsets[document], offsets[document + 1]
        end = behind - first
        language = languages[document]
        of_document = splits[first:behind] if len(splits) else splits
        mark(data[first:behind], of_document, tables.classes, marks)
        if apart:
            mark_words(of_document, end, marks)
        n_words = cut_words(marks, end, words)
        counts = count_words(words, n_words)
        lines = cut_lines(marks, end, tables.classes, detailed, pieces)
        longest = end if detailed else stop_words.longest[language]
        find_cores(marks, words, n_words, tables, longest, cores)
        stops = count_stop_words(words, n_words, cores.hashes, stop_words, language)
        symbols = (number_in(sets, NUMBER_SIGNS, 0, end), count_ellipses(marks, end))
        characters = end - number_in(sets, TAILS, 0, end)
        if max(n_words, lines.raw_lines) > len(room.grams):
            room = scratch(max(n_words, lines.raw_lines))
        row = basic[:, document]
        row[0], row[1] = characters, n_words - counts.symbol_words
        row[2], row[3] = lines.lines, lines.paragraphs
        if language >= 0:
            row[10], row[27] = stops.different, stops.exact_different
        if detailed:
            _write_counts(
                counts,
                lines,
                stops,
                count_sentences(marks, end),
                symbols,
                pieces,
                cores.hashes,
                language,
                room,
                lengths,
                detail[:, document],
            )
        if n_words == 0:
            continue
        measured_words = n_words - counts.symbol_words - counts.unspaced_words
        if measured_words > counts.unspaced_words:
            row[4] = counts.measured_length / measured_words
        row[5] = symbols[0] / n_words
        row[6] = symbols[1] / n_words
        row[7] = lines.bullet_lines / lines.lines
        row[8] = lines.ellipsis_lines / lines.lines
        row[28] = lines.dash_lines / lines.split_lines
        row[29] = lines.ellipsis_lines / lines.split_lines
        row[9] = counts.alphabetic_words / n_words
        same_lines = copies(pieces.lines, lines.lines, room)
        same_paragraphs = copies(pieces.paragraphs, lines.paragraphs, room)
        row[11] = same_lines.duplicates / lines.lines
        row[12] = same_paragraphs.duplicates / lines.paragraphs
        row[13] = same_lines.duplicate_characters / characters
        row[14] = same_paragraphs.duplicate_characters / characters
        ngram_characters(words, n_words, room, detailed, ngrams)
        for i in range(9):
            row[15 + i] = ngrams[i] / characters
        for i in range(3):
            row[24 + i] = ngrams[27 + i] / characters
        if detailed:
            row = detail[:, document]
            row[13] = same_lines.recurring / lines.lines
            row[14] = same_paragraphs.recurring / lines.paragraphs
            row[15] = same_lines.recurring_characters / lines.length
            row[16] = same_paragraphs.recurring_characters / lines.paragraph_length
            signs = 0
            for i in range(n_words):
                begin = int64(words.begins[i])
                row[43] += not in_set(sets, SYMBOLS, begin)
                signs += _is_sign(marks.text, begin, int64(words.ends[i]))
            row[50] = signs / n_words
            for i in range(6):
                row[44 + i] = ngrams[33 + i] / characters
            _write_ngrams(words, n_words, ngrams, row)


@inner
def _is_sign(text: Bytes, begin: int, end: int) -> bool:
    """Whether a word is ``#`` or an ellipsis, be it in brackets."""
    first = text[begin]
    if end - begin == 5:
        last = text[end - 1]
        if not ((first == 0x5B and last == 0x5D) or (first == 0x28 and last == 0x29)):
            return False
        begin, end = begin + 1, end - 1
    if end - begin == 3:
        dots = text[begin] == 0x2E and text[begin + 1] == 0x2E and text[begin + 2] == 0x2E
        return bool(dots or (text[begin] == 0xE2 and text[begin + 1] == 0x80 and text[begin + 2] == 0xA6))
    return bool(end - begin == 1 and first == 0x23)


@inner
def _write_counts(
    counts: WordCounts,
    lines: LineCounts,
    stops: StopWordCounts,
    sentences: SentenceCounts,
    symbols: tuple[int, int],
    pieces: Pieces,
    cores: npt.NDArray[np.uint64],
    language: int,
    room: Scratch,
    lengths: npt.NDArray[np.int64],
    row: npt.NDArray[np.float64],
) -> None:
    """Details that need no n-grams."""
    worded = counts.words - counts.symbol_words
    row[0] = counts.words
    row[11] = sentences.sentences
    row[43] = 0
    if language >= 0:
        row[7], row[42] = stops.all, stops.exact
    raw = copies(pieces.raw_lines, lines.raw_lines, room)
    row[17] = lines.raw_bullet_lines / lines.raw_lines
    row[18] = lines.raw_ellipsis_lines / lines.raw_lines
    row[19] = raw.recurring / lines.raw_lines
    if counts.words:
        row[1] = counts.length / counts.words
        row[2], row[3] = _median_and_longest(pieces.words.lengths[: counts.words], lengths)
        row[4] = counts.marked_words / counts.words
        row[5] = (symbols[0] + symbols[1]) / counts.words
        row[6] = counts.uppercase_words / counts.words
        row[20] = raw.recurring_characters / counts.length
    if worded:
        if language >= 0:
            row[8] = stops.all / worded
        different, row[10] = vocabulary(cores, pieces.words.contents, counts.words, room)
        row[9] = different / worded
    if sentences.sentences:
        row[12] = sentences.list_cases / sentences.sentences


@inner
def _median_and_longest(words: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> tuple[float, int]:
    """Median and maximum of word lengths."""
    lengths[:] = 0
    longest = int64(0)
    for length in words:
        longest = max(longest, length)
        if length < len(lengths):
            lengths[length] += 1
    n = len(words)
    if n == 0:
        return np.nan, 0
    lower = upper = -1
    below = 0
    for length in range(len(lengths)):
        below += lengths[length]
        if lower < 0 and below > (n - 1) // 2:
            lower = length
        if below > n // 2:
            upper = length
            break
    if upper < 0:
        lower, upper = _ranked(words, (n - 1) // 2, longest), _ranked(words, n // 2, longest)
    return (lower + upper) / 2, longest


@inner
def _ranked(words: npt.NDArray[np.int64], rank: int, longest: int) -> int:
    """The word length that has ``rank`` others before it, in order; `numpy.median` takes a second to compile."""
    low, high = 0, longest
    while low < high:
        middle = (low + high) // 2
        up_to = 0
        for length in words:
            up_to += length <= middle
        if up_to > rank:
            high = middle
        else:
            low = middle + 1
    return low


@inner
def _write_ngrams(words: Words, n: int, ngrams: npt.NDArray[np.int64], row: npt.NDArray[np.float64]) -> None:
    """Details of n-grams: shares of the code points in words, and of those in all n-grams of the same size."""
    for i in range(12):
        row[21 + i] = ngrams[9 + i] / words.totals[n]
    for i in range(3):
        row[39 + i] = ngrams[30 + i] / words.totals[n]
    for i in range(6):
        weight = ngrams[21 + i]
        row[33 + i] = weight / window_characters(words, n, 5 + i) if weight else 0.0
