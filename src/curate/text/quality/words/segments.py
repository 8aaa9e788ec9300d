"""Words by Unicode's rules (UAX 29), without what stands between them: those that begin with a letter or number."""

import functools
import unicodedata
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import regex  # type: ignore[import-untyped]
from numba import int64

from curate.cache.tables import Tables, derived
from curate.text.core.arrow import Bytes, Offsets
from curate.text.core.codepoints import CODE_POINTS
from curate.text.core.kernel import kernel
from curate.text.core.patterns import BOUNDARY, PREFIX, compiled, written_set
from curate.text.core.words import code_point_at

BEGIN, LAST = 1, 2
"""Bits of a byte: a word begins with it; it is the last one of a word."""

_PROPERTIES = {
    "letter": r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}]",
    "number": r"\p{WB=Numeric}",
    "katakana": r"\p{WB=Katakana}",
    "joiner": r"\p{WB=ExtendNumLet}",
    "in_word": r"[\p{WB=MidLetter}\p{WB=MidNumLet}\p{WB=Single_Quote}]",
    "in_number": r"[\p{WB=MidNum}\p{WB=MidNumLet}\p{WB=Single_Quote}]",
    "extend": r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]",
    "any": r"[^\p{WB=CR}\p{WB=LF}\p{WB=Newline}]",
}
_RUN = (
    "({letter}{extend}*({in_word}{extend}*{letter}{extend}*)*|{number}{extend}*({in_number}{extend}*{number}{extend}*)*)+"
    "|({katakana}{extend}*)+"
)
_JOINER = "({joiner}{extend}*)"
_WORD = f"({_RUN})({_JOINER}+({_RUN}))*{_JOINER}*"
_PATTERNS = (_WORD, f"{_JOINER}+({_WORD})?", "{any}{extend}*")


class SegmentRules(NamedTuple):
    """The automaton that reads a word."""

    classes: npt.NDArray[np.uint16]
    steps: npt.NDArray[np.uint16]
    accepts: npt.NDArray[np.bool_]
    begins: npt.NDArray[np.bool_]
    """For each code point whether a word may begin with it: Unicode counts some symbols and joiners among letters."""


@functools.cache
def segment_rules() -> SegmentRules:
    """The rules, by the Unicode of ``regex``."""
    version = f"{unicodedata.unidata_version} {regex.__version__} {_PROPERTIES} {_PATTERNS} 2"
    return SegmentRules(**derived("segments", version, _build))


def _build() -> Tables:
    every = "".join(chr(code) for code in range(CODE_POINTS) if not 0xD800 <= code < 0xE000)
    found = {name: [ord(one) for one in regex.findall(one_set, every)] for name, one_set in _PROPERTIES.items()}
    automata, _ = compiled([(PREFIX, _PATTERNS)], {name: written_set(codes) for name, codes in found.items()})
    begins = np.array([chr(code).isalnum() for code in range(CODE_POINTS)], np.bool_)
    return {**automata._asdict(), "begins": begins}


@kernel
def word_segments(data: Bytes, offsets: Offsets, rules: SegmentRules, splits: npt.NDArray[np.uint8]) -> None:
    """Mark where words begin and end.

    Args:
        data: UTF-8 bytes of all documents (uint8).
        offsets: int64, one more than documents; document ``i`` is ``data[offsets[i]:offsets[i + 1]]``.
        rules: the rules.
        splits: out, uint8, zeros, the bits `BEGIN` and `LAST` of each byte of ``data``.
    """
    edge = rules.classes[BOUNDARY]
    for document in range(len(offsets) - 1):
        i, end = offsets[document], offsets[document + 1]
        while i < end:
            begin, at, word_end, after = i, i, i, i
            state = int64(1)
            first = 0
            while state:
                code, code_point = edge, 0
                if at < end:
                    code_point, after = code_point_at(data, at)
                    code = rules.classes[code_point]
                if at == begin:
                    first, i = code_point, after
                state = int64(rules.steps[state, code])
                if rules.accepts[state]:
                    word_end = at
                if at >= end:
                    break
                at = after
            if word_end > begin:
                i = word_end
                if rules.begins[first]:
                    splits[begin] |= BEGIN
                    splits[word_end - 1] |= LAST
