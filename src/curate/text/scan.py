r"""One pass over a document: cut it into words, lines and paragraphs, and count what needs no copies.

A **line** is text up to ``\n`` that is more than white space; white space at its end (a ``\r`` too) is not
part of it. A **paragraph** is a run of lines without a blank line between. A **raw line** is text up to ``\n``,
blank or not, with all of its white space. A **plain sentence** ends with a word that ends in ``.``, ``!`` or ``?``.
Characters are code points.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, uint8, uint32, uint64

from curate.text.arrow import Bytes
from curate.text.repetition import Elements, mixed
from curate.text.stop_words import stop_word_at
from curate.text.words import (
    BULLET,
    FNV_BASIS,
    FNV_PRIME,
    LETTER,
    LOWER,
    MARK,
    SPACE,
    SYMBOL,
    UNSPACED,
    UPPER,
    Characters,
    code_point_at,
    core_hash,
)

_NEWLINE = 0x0A
_NUMBER_SIGN = 0x23
_DOT = 0x2E
_ELLIPSIS = 0x2026
_LIST_CASE_WORDS = 12  # a shorter sentence is no list case (MADLAD-400)


class Pieces(NamedTuple):
    """What a document is cut into; arrays are longer than what is used."""

    words: Elements
    glued: npt.NDArray[np.bool_]
    """Whether a word follows the one before it without white space."""
    cores: npt.NDArray[np.uint64]
    """Hash of the core of each word that is no symbol word, back to back; filled when details are wanted."""
    lines: Elements
    paragraphs: Elements
    raw_lines: Elements


class Counts(NamedTuple):
    """What a document holds; words include symbol words unless the name says otherwise."""

    characters: int
    words: int
    symbol_words: int
    unspaced_words: int
    """Words of one letter of a script without spaces."""
    measured_length: int
    """Code points in the words that are neither of the two."""
    length: int
    """Code points in words."""
    alphabetic_words: int
    uppercase_words: int
    """Words with upper-case letters and no lower-case ones."""
    marked_words: int
    """Words that hold ``#`` or ``…``."""
    stop_words: int
    """Different ones."""
    stop_word_count: int
    exact_stop_words: int
    """Different ones among those in lower case without punctuation beside them."""
    exact_stop_word_count: int
    number_signs: int
    ellipses: int
    lines: int
    bullet_lines: int
    ellipsis_lines: int
    line_length: int
    """Code points in lines."""
    paragraphs: int
    paragraph_length: int
    raw_lines: int
    raw_bullet_lines: int
    raw_ellipsis_lines: int
    sentences: int
    list_case_sentences: int


@njit(nogil=True, cache=True)
def scan(
    text: Bytes,
    splits: npt.NDArray[np.uint8],
    tables: Characters,
    stop_words: npt.NDArray[np.uint64],
    stop_places: npt.NDArray[np.uint8],
    longest_stop_word: int,
    details: bool,
    pieces: Pieces,
) -> Counts:
    """Cut ``text`` into ``pieces`` and count.

    Args:
        text: UTF-8 bytes of one document.
        splits: for each byte whether a word begins there although no white space stands before it; empty to
            split between letters of scripts without spaces.
        tables: classes and lower case of code points.
        stop_words: row of `StopWordTable.keys` of its language.
        stop_places: row of `StopWordTable.places`.
        longest_stop_word: code points.
        details: whether to fill ``cores`` and ``raw_lines`` and to count what only they need: stop words in all,
            sentences, upper-case and marked words.
        pieces: out.
    """
    classes = tables.classes
    words, glued, cores, lines, paragraphs, raw_lines = pieces
    own_splits = len(splits) > 0
    characters = n_words = n_cores = n_lines = n_paragraphs = n_raw_lines = 0
    symbol_words = unspaced_words = alphabetic_words = uppercase_words = marked_words = 0
    all_length = measured_length = lines_length = paragraphs_length = 0
    number_signs = ellipses = bullet_lines = ellipsis_lines = raw_bullet_lines = raw_ellipsis_lines = 0
    stop_word_count = sentences = list_case_sentences = sentence_words = capitals = 0
    exact_stop_word_count = 0
    stop_words_seen = exact_stop_words_seen = uint64(0)

    word = uint64(FNV_BASIS)  # hash of the word so far; then what it has: code points, symbols, classes, marks
    length = symbols = 0
    seen = uint8(0)
    marked = False
    word_begin = dots = 0
    after_space = True

    line = uint64(FNV_BASIS)  # hash of the line so far; `kept_…` are up to the end of its last word
    line_length = 0
    kept_line = line
    kept_length = 0
    kept_end = 0
    line_begin = 0
    first_class = uint8(0)

    paragraph = uint64(FNV_BASIS)
    paragraph_length = 0
    blank_lines = 0

    end = len(text)
    i = 0
    while i <= end:
        if not own_splits and not seen & UNSPACED:  # the quick way: ASCII inside a word
            begin = i
            while i < end:
                byte = text[i]
                if byte >= 0x80:
                    break
                kind = classes[byte]
                if kind & SPACE:
                    break
                word = (word ^ uint64(byte)) * uint64(FNV_PRIME)
                seen |= kind
                if kind & SYMBOL:
                    symbols += 1
                    if byte == _DOT:
                        dots = dots + 1 if i > 0 and text[i - 1] == _DOT else 1
                        if dots % 3 == 0:
                            ellipses += 1
                    elif byte == _NUMBER_SIGN:
                        number_signs += 1
                        marked = True
                i += 1
            if i > begin:
                if length == 0:
                    word_begin = begin
                    if kept_length == 0:
                        first_class = classes[text[begin]]
                length += i - begin

        here = i
        if i < end:
            code_point, i = code_point_at(text, i)
        else:
            code_point = uint32(_NEWLINE)  # the end of the text ends its last line
            i += 1
        kind = classes[code_point]

        alone = splits[here] != 0 if own_splits and here < end else (seen | kind) & UNSPACED and not kind & MARK
        if length and (kind & SPACE or alone):
            characters += length
            all_length += length
            words.hashes[n_words] = word
            words.lengths[n_words] = length
            glued[n_words] = not after_space
            n_words += 1
            if seen & LETTER:
                alphabetic_words += 1
            content = length - symbols
            if content == 0:
                symbol_words += 1
            elif seen & UNSPACED:
                unspaced_words += 1
            else:
                measured_length += length
            if content and (details or content <= longest_stop_word):
                # In lower case and without symbols a word is its own core.
                core = word if not seen & (UPPER | SYMBOL) else core_hash(text, word_begin, here, tables)
                slot = stop_word_at(stop_words, core)
                if slot >= 0:
                    stop_word_count += 1
                    stop_words_seen |= uint64(1) << uint64(stop_places[slot])
                    if core == word:
                        exact_stop_word_count += 1
                        exact_stop_words_seen |= uint64(1) << uint64(stop_places[slot])
                if details:
                    cores[n_cores] = core
                    n_cores += 1
            if details:
                uppercase_words += (seen & (UPPER | LOWER)) == UPPER
                marked_words += marked
                if content:
                    sentence_words += 1
                    if seen & UPPER and _begins_with_capital(text, word_begin, here, classes):
                        capitals += 1
                if kind & SPACE and text[here - 1] in (0x2E, 0x21, 0x3F) and sentence_words:
                    sentences += 1
                    list_case_sentences += sentence_words >= _LIST_CASE_WORDS and 2 * capitals > sentence_words
                    sentence_words = capitals = 0
            line = mixed(line ^ word)
            line_length += length
            kept_line = line
            kept_length = line_length
            kept_end = here
            word = uint64(FNV_BASIS)
            length = symbols = 0
            seen = uint8(0)
            marked = False
            after_space = False

        if not kind & SPACE:
            if length == 0:
                word_begin = here
                if kept_length == 0:
                    first_class = kind
            word = (word ^ uint64(code_point)) * uint64(FNV_PRIME)
            length += 1
            seen |= kind
            symbols += kind & SYMBOL != 0
            if code_point == _DOT:
                dots = dots + 1 if here > 0 and text[here - 1] == _DOT else 1
                ellipses += dots % 3 == 0
            elif code_point == _ELLIPSIS:
                ellipses += 1
                marked = True
            elif code_point == _NUMBER_SIGN:
                number_signs += 1
                marked = True
            continue

        after_space = True
        characters += here < end
        if code_point != _NEWLINE:
            line = (line ^ uint64(code_point)) * uint64(FNV_PRIME)
            line_length += 1
            continue

        if details:
            raw_lines.hashes[n_raw_lines] = line
            raw_lines.lengths[n_raw_lines] = line_length
            n_raw_lines += 1
            if here > line_begin:
                raw_bullet_lines += text[line_begin] in (0x2A, 0x2D)
                raw_ellipsis_lines += here == kept_end and _ends_with_ellipsis(text, line_begin, here)
            line_begin = here + 1
        if kept_length == 0:
            blank_lines += 1
        else:
            if blank_lines and paragraph_length:
                paragraphs.hashes[n_paragraphs] = paragraph
                paragraphs.lengths[n_paragraphs] = paragraph_length
                paragraphs_length += paragraph_length
                n_paragraphs += 1
                paragraph = uint64(FNV_BASIS)
                paragraph_length = 0
            lines.hashes[n_lines] = kept_line
            lines.lengths[n_lines] = kept_length
            lines_length += kept_length
            n_lines += 1
            paragraph = mixed(paragraph ^ kept_line)
            paragraph_length += kept_length + (1 if paragraph_length else 0)
            if first_class & BULLET:
                bullet_lines += 1
            if _ends_with_ellipsis(text, 0, kept_end) or _ends_with_dots(text, kept_end):
                ellipsis_lines += 1
            blank_lines = 0
        line = uint64(FNV_BASIS)
        line_length = 0
        kept_length = 0
    if paragraph_length:
        paragraphs.hashes[n_paragraphs] = paragraph
        paragraphs.lengths[n_paragraphs] = paragraph_length
        paragraphs_length += paragraph_length
        n_paragraphs += 1
    if sentence_words:
        sentences += 1
        list_case_sentences += sentence_words >= _LIST_CASE_WORDS and 2 * capitals > sentence_words
    return Counts(
        characters,
        n_words,
        symbol_words,
        unspaced_words,
        measured_length,
        all_length,
        alphabetic_words,
        uppercase_words,
        marked_words,
        _bits_set(stop_words_seen),
        stop_word_count,
        _bits_set(exact_stop_words_seen),
        exact_stop_word_count,
        number_signs,
        ellipses,
        n_lines,
        bullet_lines,
        ellipsis_lines,
        lines_length,
        n_paragraphs,
        paragraphs_length,
        n_raw_lines,
        raw_bullet_lines,
        raw_ellipsis_lines,
        sentences,
        list_case_sentences,
    )


@njit(nogil=True, cache=True)
def _begins_with_capital(text: Bytes, start: int, end: int, classes: npt.NDArray[np.uint8]) -> bool:
    """Whether the first code point that is no symbol is an upper-case letter."""
    i = start
    while i < end:
        code_point, i = code_point_at(text, i)
        kind = classes[code_point]
        if not kind & SYMBOL:
            return bool(kind & UPPER)
    return False


@njit(inline="always", cache=True)
def _ends_with_ellipsis(text: Bytes, first: int, end: int) -> bool:
    """Whether ``…`` stands before byte ``end``."""
    return end - first >= 3 and text[end - 3] == 0xE2 and text[end - 2] == 0x80 and text[end - 1] == 0xA6


@njit(inline="always", cache=True)
def _ends_with_dots(text: Bytes, end: int) -> bool:
    """Whether three full stops stand before byte ``end``."""
    return end >= 3 and text[end - 3] == _DOT and text[end - 2] == _DOT and text[end - 1] == _DOT


@njit(inline="always", cache=True)
def _bits_set(x: np.uint64) -> int:
    count = 0
    while x:
        x &= x - uint64(1)
        count += 1
    return count
