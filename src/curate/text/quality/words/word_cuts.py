"""The ways to cut documents into words: which there are, and where words begin by each."""

import functools
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import regex  # type: ignore[import-untyped]

from curate.cache.tables import Tables, derived
from curate.text.core.arrow import Bytes, Offsets
from curate.text.core.words import SYMBOL, UNSPACED, Characters, characters
from curate.text.quality.bitmaps import splits_for

Words = Literal["unicode", "spaces", "spacy"]
"""``unicode``: between white space, and each letter of scripts without spaces (`curate.text.core.words`). ``spaces``:
between white space. ``spacy``: as spaCy's tokenizer of the document's language cuts
(`curate.text.quality.words.word_rules`)."""

UNSPACED_LANGUAGES = frozenset({"bo", "ja", "km", "lo", "my", "th", "zh"})
"""Languages that are written without spaces; no rules cut their words, so that each letter is one."""


class WordCuts(NamedTuple):
    """Where the words of a batch of documents begin, and what is in them."""

    splits: npt.NDArray[np.uint8]
    """For `curate.text.quality.document_signals` and `curate.text.quality.lines.line_rules`."""
    tables: Characters
    """Which code points are symbols."""
    by_letters: npt.NDArray[np.bool_]
    """For each document whether its words are single letters, so that their length says nothing."""


def word_cuts(words: Words, data: Bytes, offsets: Offsets, languages: Sequence[str | None]) -> WordCuts:
    """Cut the documents of a batch.

    Args:
        words: the way.
        data: UTF-8 bytes of all documents (uint8).
        offsets: int64, one more than documents.
        languages: the language of each, a BCP 47 primary subtag; None is taken for English.

    Example:
        >>> text = "Don't (ever)."
        >>> data = np.frombuffer(text.encode(), np.uint8)
        >>> cuts = word_cuts("spacy", data, np.array([0, len(data)]), ["en"])
        >>> begins = [*np.flatnonzero(cuts.splits).tolist(), len(text)]
        >>> [text[begin:end].strip() for begin, end in zip(begins, begins[1:])]
        ['Do', "n't", '(', 'ever', ')', '.']
    """
    by_letters = np.zeros(len(offsets) - 1, np.bool_)
    if words == "unicode":
        return WordCuts(np.zeros(0, np.uint8), characters(), by_letters)
    splits = splits_for(len(data))
    if words == "spaces":
        return WordCuts(splits, characters(), by_letters)
    from curate.text.quality.words.word_rules import word_rules
    from curate.text.quality.words.word_splits import word_starts

    rules, rows = word_rules()
    of_documents = np.array([_row(language, rows) for language in languages], np.int64)
    word_starts(data, offsets, of_documents, rules, characters().classes, splits)
    return WordCuts(splits, _spacy_characters(), of_documents < 0)


def _row(language: str | None, rows: Mapping[str, int]) -> int:
    return -1 if language in UNSPACED_LANGUAGES else rows.get(language or "en", rows["xx"])


@functools.cache
def _spacy_characters() -> Characters:
    """Code points, with those alone as symbols that datatrove takes for punctuation, and no script without spaces."""
    from curate.text.quality.words.word_rules import punctuation

    marks = punctuation()
    version = f"{unicodedata.unidata_version} {regex.__version__} {marks} 1"
    classes = derived("spacy_characters", version, functools.partial(_build, marks))["classes"]
    return Characters(classes, characters().lowercase)


def _build(marks: str) -> Tables:
    classes = characters().classes & ~np.uint8(UNSPACED)
    classes[0x80:] &= ~np.uint8(SYMBOL)
    every = "".join(chr(code) for code in range(0x80, len(classes)) if not 0xD800 <= code < 0xE000)
    for character in {*marks, *regex.findall(r"\p{Sentence_Terminal}|[\x80-\x9F]", every)}:
        classes[ord(character)] |= SYMBOL
    return {"classes": classes}
