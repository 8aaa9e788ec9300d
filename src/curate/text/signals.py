r"""All quality signals of a document in one pass over its UTF-8 bytes.

The pass cuts the text into words (`curate.text.words`), lines and paragraphs, counts signs on the way and
keeps one hash and one length for each of them; `curate.text.repetition` then looks for copies among the
hashes.

A **line** is text up to ``\n`` that is more than white space; white space at its end (a ``\r`` too) is not
part of it. A **paragraph** is a run of lines without a blank line between. Characters are code points.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, uint8, uint32, uint64

from curate.text.arrow import Bytes, Offsets
from curate.text.repetition import Elements, copies, mixed, ngram_characters, scratch
from curate.text.words import (
    BULLET,
    FNV_BASIS,
    FNV_PRIME,
    LETTER,
    MARK,
    SPACE,
    SYMBOL,
    UNSPACED,
    Characters,
    characters,
    code_point_at,
    core_hash,
)

COLUMNS = (
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
)
"""Columns of what `document_signals` returns."""

(
    _CHARACTERS,
    _WORDS,
    _LINES,
    _PARAGRAPHS,
    _MEAN_WORD_LENGTH,
    _SYMBOL_RATIO,
    _ELLIPSIS_RATIO,
    _BULLET_LINES,
    _ELLIPSIS_LINES,
    _ALPHABETIC_WORDS,
    _STOP_WORDS,
    _DUPLICATE_LINES,
    _DUPLICATE_PARAGRAPHS,
    _DUPLICATE_LINE_CHARACTERS,
    _DUPLICATE_PARAGRAPH_CHARACTERS,
    _FIRST_NGRAM,
) = range(16)
_NGRAMS = len(COLUMNS) - _FIRST_NGRAM

_NEWLINE = 0x0A
_NUMBER_SIGN = 0x23
_DOT = 0x2E
_ELLIPSIS = 0x2026
_MOST_STOP_WORDS = 64  # seen ones are bits of one integer


class StopWords:
    """Stop words of several languages, ready for the kernel.

    Args:
        lists: for each language its words, at most 64.

    Attributes:
        languages: the languages; the place of each is its number in `document_signals`.
    """

    def __init__(self, lists: dict[str, tuple[str, ...]]) -> None:
        self.languages = tuple(lists)
        most = max(map(len, lists.values()), default=0)
        self.hashes = np.zeros((len(lists) + 1, most), np.uint64)  # the last row is what language -1 finds
        self.lengths = np.array([max(map(len, words), default=0) for words in lists.values()], np.int64)
        tables = characters()
        for language, words in enumerate(lists.values()):
            if len(words) > _MOST_STOP_WORDS:
                raise ValueError(f"a list holds at most {_MOST_STOP_WORDS} stop words, but has {len(words)}")
            for place, word in enumerate(words):
                data = np.frombuffer(word.encode(), np.uint8)
                self.hashes[language, place] = core_hash(data, 0, len(data), tables)


def document_signals(
    data: Bytes, offsets: Offsets, languages: npt.NDArray[np.int64], stop_words: StopWords
) -> npt.NDArray[np.float64]:
    """Signals of each document.

    Args:
        data: UTF-8 bytes of all documents (uint8).
        offsets: int64, one more than documents; document ``i`` is ``data[offsets[i]:offsets[i + 1]]``.
        languages: int64, for each document the number of its language in ``stop_words``; -1 for no list.
        stop_words: lists to look words up in.

    Returns:
        float64 of shape (documents, ``len(COLUMNS)``); NaN where a signal is not defined: a share of
        nothing, stop words without a list, the mean word length of text that is mostly in a script without
        spaces.

    Example:
        >>> text = np.frombuffer(b"The cat and the dog.", np.uint8)
        >>> english = StopWords({"en": ("the", "and", "of")})
        >>> found = document_signals(text, np.array([0, 20]), np.array([0]), english)
        >>> row = dict(zip(COLUMNS, found[0].tolist(), strict=True))
        >>> row["words"], row["mean_word_length"], row["stop_words"]
        (5.0, 3.2, 2.0)
    """
    signals = np.full((len(offsets) - 1, len(COLUMNS)), np.nan)
    _measure(data, offsets, languages, characters(), stop_words.hashes, stop_words.lengths, signals)
    return signals


class Pieces(NamedTuple):
    """What a document is cut into; arrays are longer than what is used."""

    words: Elements
    glued: npt.NDArray[np.bool_]
    """Whether a word follows the one before it without white space."""
    lines: Elements
    paragraphs: Elements


@njit(nogil=True, cache=True)
def _measure(
    data: Bytes,
    offsets: Offsets,
    languages: npt.NDArray[np.int64],
    tables: Characters,
    stop_hashes: npt.NDArray[np.uint64],
    stop_lengths: npt.NDArray[np.int64],
    signals: npt.NDArray[np.float64],
) -> None:
    most = 0
    for document in range(len(offsets) - 1):
        most = max(most, (offsets[document + 1] - offsets[document]) // 2 + 1)
    # Two bytes make a word or a line at most; the operating system gives memory only to what is written.
    pieces = Pieces(
        Elements(np.empty(most, np.uint64), np.empty(most, np.int64)),
        np.empty(most, np.bool_),
        Elements(np.empty(most, np.uint64), np.empty(most, np.int64)),
        Elements(np.empty(most, np.uint64), np.empty(most, np.int64)),
    )
    ngrams = np.empty(_NGRAMS, np.int64)
    room = scratch(1024)
    for document in range(len(offsets) - 1):
        text = data[offsets[document] : offsets[document + 1]]
        language = languages[document]
        longest_stop_word = stop_lengths[language] if language >= 0 else 0
        row = signals[document]
        n_words, n_lines, n_paragraphs = _scan(text, tables, stop_hashes[language], longest_stop_word, pieces, row)
        if language < 0:
            row[_STOP_WORDS] = np.nan
        if n_words == 0:
            continue
        if n_words > len(room.grams):
            room = scratch(n_words)
        characters = row[_CHARACTERS]
        count, length = copies(pieces.lines, n_lines, room)
        row[_DUPLICATE_LINES] = count / n_lines
        row[_DUPLICATE_LINE_CHARACTERS] = length / characters
        count, length = copies(pieces.paragraphs, n_paragraphs, room)
        row[_DUPLICATE_PARAGRAPHS] = count / n_paragraphs
        row[_DUPLICATE_PARAGRAPH_CHARACTERS] = length / characters
        ngram_characters(pieces.words, pieces.glued, n_words, room, ngrams)
        for i in range(_NGRAMS):
            row[_FIRST_NGRAM + i] = ngrams[i] / characters


@njit(nogil=True, cache=True)
def _scan(
    text: Bytes,
    tables: Characters,
    stop_hashes: npt.NDArray[np.uint64],
    longest_stop_word: int,
    pieces: Pieces,
    row: npt.NDArray[np.float64],
) -> tuple[int, int, int]:
    """Cut ``text`` into ``pieces`` and write the signals that need no copies; how many of each piece."""
    classes = tables.classes
    words, glued, lines, paragraphs = pieces
    characters = n_words = n_lines = n_paragraphs = 0
    symbol_words = unspaced_words = alphabetic_words = measured_words = measured_length = 0
    number_signs = ellipses = bullet_lines = ellipsis_lines = 0
    stop_words_seen = uint64(0)

    word = uint64(FNV_BASIS)  # hash of the word so far; then what it has: code points, non-symbols, classes
    length = 0
    content = 0
    seen = uint8(0)
    word_begin = 0
    after_space = True

    line = uint64(FNV_BASIS)  # hash of the line so far; `kept_…` are up to the end of its last word
    line_length = 0
    kept_line = line
    kept_length = 0
    first_class = uint8(0)
    last = uint32(0)
    dots = last_dots = 0

    paragraph = uint64(FNV_BASIS)
    paragraph_length = 0
    blank_lines = 0

    end = len(text)
    i = 0
    while i <= end:
        here = i
        if i < end:
            code_point, i = code_point_at(text, i)
            characters += 1
        else:
            code_point = uint32(_NEWLINE)  # the end of the text ends its last line
            i += 1
        kind = classes[code_point]

        alone = (seen | kind) & UNSPACED and not kind & MARK
        if length and (kind & SPACE or alone):
            words.hashes[n_words] = word
            words.lengths[n_words] = length
            glued[n_words] = not after_space
            n_words += 1
            if seen & LETTER:
                alphabetic_words += 1
            if content == 0:
                symbol_words += 1
            elif seen & UNSPACED:
                unspaced_words += 1
            else:
                measured_words += 1
                measured_length += length
            if 0 < content <= longest_stop_word:
                core = core_hash(text, word_begin, here, tables)
                for place in range(len(stop_hashes)):
                    if stop_hashes[place] == core:
                        stop_words_seen |= uint64(1) << uint64(place)
            line = mixed(line ^ word)
            line_length += length
            kept_line = line
            kept_length = line_length
            word = uint64(FNV_BASIS)
            length = 0
            content = 0
            seen = uint8(0)
            after_space = False

        if not kind & SPACE:
            if length == 0:
                word_begin = here
                if kept_length == 0:
                    first_class = kind
            word = (word ^ uint64(code_point)) * uint64(FNV_PRIME)
            length += 1
            seen |= kind
            content += 0 if kind & SYMBOL else 1
            dots = dots + 1 if code_point == _DOT else 0
            last = code_point
            last_dots = dots
            if code_point == _NUMBER_SIGN:
                number_signs += 1
            elif code_point == _ELLIPSIS or (code_point == _DOT and dots % 3 == 0):
                ellipses += 1
            continue

        after_space = True
        dots = 0
        if code_point != _NEWLINE:
            line = (line ^ uint64(code_point)) * uint64(FNV_PRIME)
            line_length += 1
            continue

        if kept_length == 0:
            blank_lines += 1
        else:
            if blank_lines and paragraph_length:
                paragraphs.hashes[n_paragraphs] = paragraph
                paragraphs.lengths[n_paragraphs] = paragraph_length
                n_paragraphs += 1
                paragraph = uint64(FNV_BASIS)
                paragraph_length = 0
            lines.hashes[n_lines] = kept_line
            lines.lengths[n_lines] = kept_length
            n_lines += 1
            paragraph = mixed(paragraph ^ kept_line)
            paragraph_length += kept_length + (1 if paragraph_length else 0)
            if first_class & BULLET:
                bullet_lines += 1
            if last == _ELLIPSIS or last_dots >= 3:
                ellipsis_lines += 1
            blank_lines = 0
        line = uint64(FNV_BASIS)
        line_length = 0
        kept_length = 0
    if paragraph_length:
        paragraphs.hashes[n_paragraphs] = paragraph
        paragraphs.lengths[n_paragraphs] = paragraph_length
        n_paragraphs += 1

    row[_CHARACTERS] = characters
    row[_WORDS] = n_words - symbol_words
    row[_LINES] = n_lines
    row[_PARAGRAPHS] = n_paragraphs
    row[_STOP_WORDS] = _bits_set(stop_words_seen)
    if measured_words > unspaced_words:
        row[_MEAN_WORD_LENGTH] = measured_length / measured_words
    if n_words:
        row[_SYMBOL_RATIO] = number_signs / n_words
        row[_ELLIPSIS_RATIO] = ellipses / n_words
        row[_ALPHABETIC_WORDS] = alphabetic_words / n_words
        row[_BULLET_LINES] = bullet_lines / n_lines
        row[_ELLIPSIS_LINES] = ellipsis_lines / n_lines
    return n_words, n_lines, n_paragraphs


@njit(inline="always", cache=True)
def _bits_set(x: np.uint64) -> int:
    count = 0
    while x:
        x &= x - uint64(1)
        count += 1
    return count
