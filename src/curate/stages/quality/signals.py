"""The signals of a document: what each says, in which unit, where its definition comes from, and whose recipe asks
for it.

How words, lines and paragraphs are cut is defined in `curate.text.core.words` and `curate.text.quality.pieces`. A
signal is null where it is not defined, and a rule never fails on null. Where sources measure one thing in different
ways, each way is a signal of its own. ``docs/signals.md`` is made of this table.
"""

from typing import Literal, NamedTuple

import pyarrow as pa

GOPHER = "Gopher, arXiv:2112.11446, A1.1"
GOPHER_REPETITION = "Gopher, arXiv:2112.11446, Table A1"
C4 = "C4, arXiv:1910.10683, section 2.2"
MC4 = "mC4, arXiv:2010.11934, section 3.1"
FINEWEB = "FineWeb, arXiv:2406.17557, section 3.5"
REFINEDWEB = "RefinedWeb, arXiv:2306.01116, appendix G.2"
REDPAJAMA = "RedPajama-V2, arXiv:2411.12372, table of quality signals"
DOLMA = "Dolma 1.2.1, tagger gopher_v1"
DCLM = "DCLM, arXiv:2406.11794; OLMo 3"
NEMO = "NeMo Curator, heuristic_filter_english_pipeline.yaml"
DATATROVE = "datatrove 0.10.1, GopherRepetitionFilter"
MADLAD = "MADLAD-400, arXiv:2309.04662, section 2.4; OLMo 3"

Group = Literal["base", "details", "characters", "lines"]
"""What is measured together. ``base`` always is, the others when a rule is on one of their signals."""


class Signal(NamedTuple):
    """One number measured for each document."""

    name: str
    dtype: pa.DataType
    definition: str
    unit: str
    highest: float | None
    """The largest value it can take; None when there is no limit. The smallest is 0."""
    source: str
    group: Group = "base"


def _count(name: str, definition: str, source: str = "", group: Group = "base") -> Signal:
    return Signal(name, pa.int64(), definition, "count", None, source, group)


def _share(name: str, definition: str, source: str, group: Group = "base") -> Signal:
    return Signal(name, pa.float64(), definition, "share", 1.0, source, group)


def _ratio(name: str, definition: str, source: str, group: Group = "base") -> Signal:
    return Signal(name, pa.float64(), definition, "per word", None, source, group)


def _length(name: str, definition: str, source: str, group: Group = "base") -> Signal:
    return Signal(name, pa.float64(), definition, "code points", None, source, group)


def _unlimited_share(name: str, definition: str, source: str, group: Group = "base") -> Signal:
    return Signal(name, pa.float64(), definition, "share", None, source, group)


def _copies(name: str, elements: str) -> Signal:
    return _share(name, f"{elements} that repeat an earlier one, of all", GOPHER_REPETITION)


def _copied_characters(name: str, elements: str) -> Signal:
    return _share(name, f"characters in {elements} that repeat an earlier one, of the whole text", GOPHER_REPETITION)


def _top(n: int) -> Signal:
    definition = f"characters in the most frequent {n}-gram of words, of the whole text; 0 if none occurs twice"
    # Occurrences may overlap ("ha ha ha"), so this share can pass 1.
    return _unlimited_share(f"top_{n}gram", definition, GOPHER_REPETITION)


def _repeated(n: int) -> Signal:
    definition = f"characters in {n}-grams of words seen before, each word counted once, of the whole text"
    return _share(f"duplicate_{n}gram", definition, GOPHER_REPETITION)


def _top_words(n: int) -> Signal:
    definition = f"characters in the words of the most frequent {n}-gram, of those in all words; 0 if none occurs twice"
    return _unlimited_share(f"top_{n}gram_words", definition, REDPAJAMA, "details")


def _longest_top(n: int) -> Signal:
    definition = f"as `top_{n}gram_words`, for the longest of equally frequent {n}-grams rather than the first"
    return _unlimited_share(f"longest_top_{n}gram", definition, DCLM, "details")


def _common(n: int) -> Signal:
    definition = (
        f"as `top_{n}gram`, with a space between any two words; where none occurs twice, the first {n}-gram, once"
    )
    return _unlimited_share(f"most_common_{n}gram", definition, f"{DATATROVE}; {NEMO}")


def _common_words(n: int) -> Signal:
    definition = f"as `top_{n}gram_words`; where none occurs twice, the first {n}-gram, once"
    return _unlimited_share(f"most_common_{n}gram_words", definition, DOLMA, "details")


def _recurring(n: int) -> Signal:
    definition = f"characters in words of {n}-grams that occur more than once, each word once, of those in all words"
    return _share(f"recurring_{n}gram", definition, f"{REDPAJAMA}; {DCLM}", "details")


def _copied(n: int) -> Signal:
    definition = (
        f"characters in words of {n}-grams seen before, each word once, with a space between two, of the whole text"
    )
    return _share(f"copied_{n}gram", definition, NEMO, "details")


def _weight(n: int) -> Signal:
    definition = f"characters in {n}-grams that occur more than once, of those in all {n}-grams (a word counts in each)"
    return _share(f"recurring_{n}gram_weight", definition, DOLMA, "details")


_BASE = (
    _count("characters", "code points"),
    _count("words", "words that are not only punctuation and symbols", GOPHER),
    _count("lines", "lines that are not blank"),
    _count("paragraphs", "runs of lines without a blank line between"),
    _length(
        "mean_word_length",
        "code points in a word, on average over `words`; null where most are in a script without spaces",
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
    *(_common(n) for n in range(2, 5)),
    _count(
        "exact_stop_words",
        "as `stop_words`, of those in lower case without punctuation beside them",
        "datatrove 0.10.1, GopherQualityFilter",
    ),
    _share(
        "all_bullet_lines",
        "lines, blank ones too, that begin with • or - behind white space, of all",
        "datatrove 0.10.1, GopherQualityFilter",
    ),
    _share(
        "all_ellipsis_lines",
        "lines, blank ones too, that end with an ellipsis, of all",
        "datatrove 0.10.1, GopherQualityFilter",
    ),
)

_DETAILS = (
    _count("all_words", "words, symbol words included", f"{DOLMA}; {NEMO}", "details"),
    _length(
        "mean_length_of_all_words", "code points in a word, on average over `all_words`", f"{DCLM}; {NEMO}", "details"
    ),
    _length("median_word_length", "code points in a word, median of `all_words`", DOLMA, "details"),
    _count("longest_word", "code points of the longest word", NEMO, "details"),
    _share("marked_words", "words that hold # or …, of all", DOLMA, "details"),
    _ratio("symbols_per_word", "number signs and ellipses per word", f"{REDPAJAMA}; {DCLM}", "details"),
    _share("uppercase_words", "words with upper-case letters and no lower-case ones, of all", REDPAJAMA, "details"),
    _count("stop_word_count", "stop words of its language, each time they occur", DCLM, "details"),
    _share("stop_word_share", "`stop_word_count` of `words`", REDPAJAMA, "details"),
    _share("unique_words", "different words by their cores, of `words`", REDPAJAMA, "details"),
    Signal(
        "word_entropy",
        pa.float64(),
        "entropy of the distribution of the cores of words",
        "nats",
        None,
        REDPAJAMA,
        "details",
    ),
    _count("plain_sentences", "sentences: up to a word that ends in . ! or ?, or to the end", MADLAD, "details"),
    _share(
        "list_case_sentences",
        "plain sentences of 12 words or more of which most begin with a capital, of all",
        MADLAD,
        "details",
    ),
    _share("recurring_lines", "lines that occur more than once, each time, of all", DCLM, "details"),
    _share("recurring_paragraphs", "paragraphs that occur more than once, each time, of all", DCLM, "details"),
    _share("recurring_line_characters", "characters in `recurring_lines`, of those in lines", DCLM, "details"),
    _share(
        "recurring_paragraph_characters",
        "characters in `recurring_paragraphs`, of those in paragraphs",
        DCLM,
        "details",
    ),
    _share("raw_bullet_lines", "lines, blank ones too, whose first character is * or -, of all", DOLMA, "details"),
    _share("raw_ellipsis_lines", "lines, blank ones too, whose last character is …, of all", DOLMA, "details"),
    _share(
        "raw_recurring_lines", "lines, blank ones too, that occur more than once, each time, of all", DOLMA, "details"
    ),
    _unlimited_share(
        "raw_recurring_line_characters", "characters in `raw_recurring_lines`, of those in words", DOLMA, "details"
    ),
    *(_top_words(n) for n in range(2, 5)),
    *(_longest_top(n) for n in range(2, 5)),
    *(_recurring(n) for n in range(5, 11)),
    *(_weight(n) for n in range(5, 11)),
    *(_common_words(n) for n in range(2, 5)),
    _count(
        "exact_stop_word_count",
        "as `stop_word_count`, of those in lower case without punctuation beside them",
        f"{DOLMA}; {NEMO}",
        "details",
    ),
    _count("bare_words", "words that begin with no symbol", DCLM, "details"),
    *(_copied(n) for n in range(5, 11)),
    _share("sign_words", "words that are # or an ellipsis, be it in brackets, of all", NEMO, "details"),
)

_CHARACTERS = (
    _count("alphanumeric_characters", "letters and numbers", "OLMo 3", "characters"),
    _share("uppercase_characters", "upper-case letters, of all code points", REDPAJAMA, "characters"),
    _share("digit_characters", "decimal digits, of all code points", NEMO, "characters"),
    _share("whitespace_characters", "white space, of all code points", NEMO, "characters"),
    _share("parenthesis_characters", "()[]{}⟨⟩, of all code points", NEMO, "characters"),
    _share("curly_bracket_characters", "{ and }, of all code points", REDPAJAMA, "characters"),
    _share("unusual_characters", "all but a-z A-Z 0-9 ? ! , . and line feeds, of all code points", NEMO, "characters"),
    _share(
        "url_characters",
        "characters of links that begin with http:// or https://, of all code points",
        NEMO,
        "characters",
    ),
    _count(
        "regex_sentences", "runs of anything but . ! and ? with a letter or number in them", REDPAJAMA, "characters"
    ),
)

_LINES = (
    _count("sentences", "sentences in the lines that stay; null where most of them are kept as code", C4, "lines"),
    _count("lorem_ipsum_lines", "lines that hold `lorem ipsum`", C4, "lines"),
    _count("curly_bracket_lines", "lines that hold `{`", C4, "lines"),
    _share("terminal_lines", "lines that end with a sentence terminal, of those that stay", FINEWEB, "lines"),
    _share("short_lines", "lines of at most 30 code points, of those that stay", FINEWEB, "lines"),
    _share("repeated_line_characters", "code points in lines seen before, of the lines that stay", FINEWEB, "lines"),
    _ratio("newlines_per_word", "line feeds per white-space-separated word, in the kept text", FINEWEB, "lines"),
    _count("words_left", "white-space-separated words in the kept text", "", "lines"),
    _share("removed_words", "words between white space in what is cut, of all", f"{REFINEDWEB}; {DCLM}", "lines"),
    _count("long_lines", "lines of 200 code points or more that stay", MC4, "lines"),
    _share("unpunctuated_lines", "lines that do not end with . ? ! \" or ', of those that stay", NEMO, "lines"),
    _share(
        "javascript_lines",
        "lines that speak of JavaScript, of those that would stay otherwise",
        f"{C4}; {REDPAJAMA}",
        "lines",
    ),
    _share(
        "policy_paragraphs", "paragraphs that speak of cookies, privacy policies or terms of use, of all", NEMO, "lines"
    ),
    Signal(
        "words_per_line",
        pa.float64(),
        "white-space-separated words in a kept line, on average",
        "words",
        None,
        REDPAJAMA,
        "lines",
    ),
    _share("line_uppercase", "share of upper-case letters in a kept line, on average", REDPAJAMA, "lines"),
    _share("line_digits", "share of ASCII digits in a kept line, on average", REDPAJAMA, "lines"),
    _share(
        "verbatim_lines",
        "lines of code, mathematics and verse, of those that stay; null without `keep_code`",
        "",
        "lines",
    ),
    _share(
        "removed_bare_words",
        "words in what is cut, of all that stand between white space and begin with no symbol",
        DCLM,
        "lines",
    ),
)

SIGNALS: tuple[Signal, ...] = (*_BASE, *_DETAILS, *_CHARACTERS, *_LINES)
