"""The signals of a document: what each says, in which unit, and where its definition comes from.

How words, lines and paragraphs are cut is defined in `curate.text.words` and `curate.text.signals`. A
signal is null where it is not defined, and a rule never fails on null.
"""

from typing import NamedTuple

import pyarrow as pa

GOPHER = "Gopher, arXiv:2112.11446, A1.1"
C4 = "C4, arXiv:1910.10683, section 2.2"
FINEWEB = "FineWeb, arXiv:2406.17557, section 3.5"
GOPHER_REPETITION = "Gopher, arXiv:2112.11446, Table A1"


class Signal(NamedTuple):
    """One number measured for each document."""

    name: str
    dtype: pa.DataType
    definition: str
    unit: str
    highest: float | None
    """The largest value it can take; None when there is no limit. The smallest is 0."""
    source: str


def _count(name: str, definition: str, source: str = "") -> Signal:
    return Signal(name, pa.int64(), definition, "count", None, source)


def _share(name: str, definition: str, source: str) -> Signal:
    return Signal(name, pa.float64(), definition, "share", 1.0, source)


def _ratio(name: str, definition: str, source: str) -> Signal:
    return Signal(name, pa.float64(), definition, "per word", None, source)


def _copies(name: str, elements: str) -> Signal:
    return _share(name, f"{elements} that repeat an earlier one, of all", GOPHER_REPETITION)


def _copied_characters(name: str, elements: str) -> Signal:
    return _share(name, f"characters in {elements} that repeat an earlier one, of the whole text", GOPHER_REPETITION)


def _top(n: int) -> Signal:
    definition = f"characters in the most frequent {n}-gram of words, of the whole text; 0 if none occurs twice"
    # Occurrences may overlap ("ha ha ha"), so this share can pass 1.
    return Signal(f"top_{n}gram", pa.float64(), definition, "share", None, GOPHER_REPETITION)


def _repeated(n: int) -> Signal:
    definition = f"characters in {n}-grams of words seen before, each word counted once, of the whole text"
    return _share(f"duplicate_{n}gram", definition, GOPHER_REPETITION)


SIGNALS: tuple[Signal, ...] = (
    _count("characters", "code points"),
    _count("words", "words that are not only punctuation and symbols", GOPHER),
    _count("lines", "lines that are not blank"),
    _count("paragraphs", "runs of lines without a blank line between"),
    Signal(
        "mean_word_length",
        pa.float64(),
        "code points in a word, on average over `words`; null where most are in a script without spaces",
        "code points",
        None,
        GOPHER,
    ),
    _ratio("symbol_ratio", "number signs (#) per word", GOPHER),
    _ratio("ellipsis_ratio", "ellipses (… or ...) per word", GOPHER),
    _share("bullet_lines", "lines that begin with a bullet or dash, of all", GOPHER),
    _share("ellipsis_lines", "lines that end with an ellipsis, of all", GOPHER),
    _share("alphabetic_words", "words with a letter, of all, symbol words included", GOPHER),
    _count("stop_words", "different stop words of its language that occur; null without a list for it", GOPHER),
    _copies("duplicate_lines", "lines"),
    _copies("duplicate_paragraphs", "paragraphs"),
    _copied_characters("duplicate_line_characters", "lines"),
    _copied_characters("duplicate_paragraph_characters", "paragraphs"),
    *(_top(n) for n in range(2, 5)),
    *(_repeated(n) for n in range(5, 11)),
    _count("sentences", "sentences in the lines that stay", C4),
    _count("lorem_ipsum_lines", "lines that hold `lorem ipsum`", C4),
    _count("curly_bracket_lines", "lines that hold `{`", C4),
    _share("terminal_lines", "lines that end with a sentence terminal, of those that stay", FINEWEB),
    _share("short_lines", "lines of at most 30 code points, of those that stay", FINEWEB),
    _share("repeated_line_characters", "code points in lines seen before, of the lines that stay", FINEWEB),
    _ratio("newlines_per_word", "line feeds per word between white space, in what stays", FINEWEB),
)
"""The last seven are null unless the recipe has rules for lines; see `curate.text.lines`."""
