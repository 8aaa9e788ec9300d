"""spaCy's rules for cutting words, as tables for kernels: ``word_rules.toml`` says how, by language."""

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.cache.tables import Tables, derived, shipped
from curate.text.core.arrow import Bytes
from curate.text.core.bits import address
from curate.text.core.codepoints import CODE_POINTS
from curate.text.core.hashes import hashed, mix64
from curate.text.core.kernel import kernel
from curate.text.core.patterns import INFIX, PREFIX, SUFFIX, WHOLE, Kind, compiled, written_set

_READ = {"prefixes": PREFIX, "suffixes": SUFFIX, "infixes": INFIX, "whole": WHOLE}
JOINS = 1 << 63
"""Of a single word: the rules would cut it, so that its parts are joined where they stand beside each other."""
LONGEST = 32
"""Bytes that no single word is longer than."""
_AUTOMATA = ("prefixes", "suffixes", "infixes", "whole", "links")
_BASE = "xx"
_OTHERS = frozenset({_BASE, "punctuation", "sets", "texts", "lists", "same"})
_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
_TEXTS = re.compile(r"\{=(\w+)\}")

# Scripts that spaCy takes for letters without case, block by block.
_UNCASED = (
    (0x591, 0x5F4), (0x620, 0x64A), (0x66E, 0x6D5), (0x6E5, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8BD), (0x900, 0x9FF),
    (0xB80, 0xCFF), (0xD80, 0xDFF), (0x1100, 0x137F), (0x2E80, 0x2FDF), (0x2FF0, 0x30FF), (0x31C0, 0x31EF),
    (0x3200, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFB1D, 0xFBB1), (0xFBD3, 0xFD3D),
    (0xFD50, 0xFDC7), (0xFDF0, 0xFDFB), (0xFE30, 0xFE4F), (0xFE70, 0xFEFC), (0x1EE00, 0x1EEBB), (0x1F200, 0x1F2FF),
    (0x20000, 0x2A6DF), (0x2A700, 0x2EBEF), (0x2F800, 0x2FA1F),
)  # fmt: skip
_CASED = "άέήίαβγδεζηθικλμνξοπρςστυφχψωόύώабвгдежзийклмнопрстуфхцчшщъыьэюяѐёѓєѕіїјљњќѝґҗңүһәө"
_LATIN = 0xA7B9  # the last letter of Latin script that spaCy knows, but for full-width ones
_NOT_KNOWN = (
    (0x166D, 0x166D), (0x2B97, 0x2B97), (0x2BC9, 0x2BC9), (0x2BFF, 0x2BFF), (0x2E50, 0x2E51), (0x32FF, 0x32FF),
    (0xFD40, 0xFD4F), (0xFDCF, 0xFDCF), (0xFDFE, 0xFDFF), (0x1019C, 0x1019C), (0x11FD5, 0x11FF1), (0x1CF50, 0x1CFC3),
    (0x1D1E9, 0x1D1EA), (0x1E14F, 0x1E14F), (0x1ED2E, 0x1ED2E), (0x1F10D, 0x1F10F), (0x1F16C, 0x1F16F),
    (0x1F1AD, 0x1F1AD), (0x1F6D5, 0x1F6DF), (0x1F6FA, 0x1F6FC), (0x1F7E0, 0x1F7F0), (0x1F8B0, 0x1F8B1),
    (0x1F90C, 0x1F90F), (0x1F93F, 0x1F93F), (0x1F971, 0x1F972), (0x1F977, 0x1F979), (0x1F97B, 0x1F97B),
    (0x1F9A3, 0x1F9AF), (0x1F9BA, 0x1F9BF), (0x1F9C3, 0x1F9CF), (0x1FA00, 0x1FA53), (0x1FA70, 0x1FAFF),
    (0x1FB00, 0x1FBCA),
)  # fmt: skip
"""Symbols that came after Unicode 11."""


class WordRules(NamedTuple):
    """The rules of all languages; a row of ``starts`` is one set of rules."""

    classes: npt.NDArray[np.uint16]
    """For each code point its class, by which the automata read."""
    steps: npt.NDArray[np.uint16]
    accepts: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.uint16]
    """(rules, 5): first states of prefixes, suffixes, infixes, what stays whole before, and behind, affixes are cut."""
    opens: npt.NDArray[np.bool_]
    """(rules, classes): whether an infix may begin with a character of the class."""
    keys: npt.NDArray[np.uint64]
    """Single words: their hashes, salted with the number of the rules; 0 where a slot is free."""
    cuts: npt.NDArray[np.uint64]
    """Where their parts begin: bit ``i`` is byte ``i``; `JOINS` is one more bit."""
    reach: npt.NDArray[np.uint8]
    """(rules, 65536): bytes of the longest by its first two bytes, the first one lowest; 0 where there is none."""


@kernel
def word_key(text: Bytes, begin: int, end: int, row: int) -> np.uint64:
    """The key of a single word in `WordRules.keys`; of ``text`` eight bytes behind the word can be read."""
    return mix64(hashed(address(text) + begin, end - begin, False) + uint64(row)) | uint64(1)  # type: ignore[no-any-return]


@functools.cache
def word_rules() -> tuple[WordRules, Mapping[str, int]]:
    """The rules, and for each language that has its own the row of them.

    Example:
        >>> rules, rows = word_rules()
        >>> rules.starts.shape == (max(rows.values()) + 1, 5), rows["xx"]
        (True, 0)
    """
    text = _text()
    tables = derived("word_rules", f"{unicodedata.unidata_version} 3 {text}", functools.partial(_build, text))
    rules = WordRules(**tables)
    written = tomllib.loads(text)
    rows = {language: row for row, language in enumerate(_languages(written))}
    return rules, rows | {language: rows[other] for language, other in written["same"].items()}


def punctuation() -> str:
    """What datatrove takes for punctuation beyond ASCII, sentence terminals apart."""
    return str(tomllib.loads(_text())["punctuation"])


def _text() -> str:
    return shipped(__package__, "word_rules.toml")


def _languages(written: Mapping[str, Any]) -> Iterator[str]:
    yield _BASE
    yield from (name for name in written if name not in _OTHERS)


def _build(text: str) -> Tables:
    written = tomllib.loads(text)
    languages = list(_languages(written))
    lists = {name: _patterns(written, name) for name in languages}
    automata, starts = compiled(
        [one for each in lists.values() for one in each.values()], {**_sets(), **written["sets"]}
    )
    rows = np.zeros((len(languages), 5), np.uint16)
    opens = np.zeros((len(languages), automata.steps.shape[1]), np.bool_)
    for row, name in enumerate(languages):
        rows[row] = [starts[lists[name][kind]] if kind in lists[name] else 0 for kind in _AUTOMATA]
        before = np.unique(automata.steps[np.unique(automata.steps[rows[row, 2]])])  # where two characters lead
        opens[row] = (automata.steps[before] > 0).any(axis=0)
    keys, cuts, reach = _table([list(_words(written, name)) for name in languages])
    return {
        **automata._asdict(),
        "starts": rows,
        "opens": opens,
        "keys": keys,
        "cuts": cuts,
        "reach": reach,
    }


def _patterns(written: Mapping[str, Any], language: str) -> dict[str, tuple[Kind, tuple[str, ...]]]:
    """What to compile for a language: how its patterns are read, and they."""
    own = written[language]
    found = {}
    for name, kind in _READ.items():
        items = own.get(name, [] if name == "whole" else written[_BASE][name])
        if name == "whole" and language == _BASE:
            continue
        if items:
            found[name] = (kind, tuple(_spelt(written, items)))
    found["links"] = (WHOLE, tuple(_spelt(written, written[_BASE]["whole"])))
    return found


def _spelt(written: Mapping[str, Any], items: list[str]) -> Iterator[str]:
    for item in items:
        if item.startswith("@"):
            yield from _spelt(written, written["lists"][item[1:]])
            continue
        spelt = item
        while _TEXTS.search(spelt):
            spelt = _TEXTS.sub(lambda found: written["texts"][found[1]], spelt)
        yield spelt


def _words(written: Mapping[str, Any], language: str) -> Iterator[str]:
    """Single words of a language, with a space wherever they are cut."""
    own = [] if language == _BASE else written[language].get("words", [])
    base = [] if written[language].get("alone") else written[_BASE]["words"]
    joined = [
        cased + end
        for begins, ends in written[language].get("joined", [])
        for begin in begins
        for cased in (begin, begin.capitalize())
        for end in ends
    ]
    unless = set(written[language].get("unless", []))
    for word in [*base, *joined, *own]:
        if word.replace(" ", "") not in unless:
            yield from {word, word.replace("'", _APOSTROPHE)}


def _table(words: list[list[str]]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """Hash table of the words of all rules."""
    slots = 1 << (4 * sum(map(len, words))).bit_length()
    keys, cuts = np.zeros(slots, np.uint64), np.zeros(slots, np.uint64)
    reach = np.zeros((len(words), 1 << 16), np.uint8)
    for row, of_row in enumerate(words):
        for word in of_row:
            data = word.replace(" ", "").encode()
            pair = data[0] | (data[1] << 8 if len(data) > 1 else 0)
            reach[row, pair] = max(int(reach[row, pair]), len(data))
            key = int(word_key(np.frombuffer(data + bytes(8), np.uint8), 0, len(data), row))
            slot = key % slots
            while keys[slot] not in {0, key}:
                slot = (slot + 1) % slots
            begin, bits = 0, 0
            for part in word.split(" "):
                bits |= 1 << begin
                begin += len(part.encode())
            keys[slot], cuts[slot] = key, bits | JOINS * _joins(word)
    return keys, cuts, reach


def _joins(word: str) -> bool:
    """Whether the rules would cut it, if it were not known."""
    apostrophes = {"'", _APOSTROPHE}
    marks = [character for character in word if not character.isalnum() and character not in {" ", *apostrophes}]
    return bool(marks) or word[0] in apostrophes or word[-1] in apostrophes


def _sets() -> dict[str, str]:
    """Sets of characters that are made from Unicode, as `curate.text.core.patterns` reads them."""
    lower: list[int] = []
    upper: list[int] = []
    icons, word = [], []
    for code_point in range(CODE_POINTS):
        character = chr(code_point)
        category = unicodedata.category(character)
        if character.isalnum() or character == "_":
            word.append(code_point)
        if category in {"Ll", "Lu"} and _known_latin(code_point):
            (lower if category == "Ll" else upper).append(code_point)
        elif category == "So" and not any(first <= code_point <= last for first, last in _NOT_KNOWN):
            icons.append(code_point)
    lower += map(ord, _CASED)
    upper += map(ord, _CASED.upper())
    uncased = [code_point for first, last in _UNCASED for code_point in range(first, last + 1)]
    return {
        "LOWER": written_set([*lower, *uncased]),
        "UPPER": written_set([*upper, *uncased]),
        "ALPHA": written_set([*lower, *upper, *uncased, 0x1BB, 0x1C5, 0x1C8, 0x1CB, 0x1F2]),
        "ICON": written_set(icons),
        "ICON_BUT_DEGREE": written_set(one for one in icons if one != ord("°")),
        "WORD": written_set(word),
        "WIDE": "A-Za-z0-9\xa1-\uffff",
        "COMBINING": "\u0300-\u036f",
    }


def _known_latin(code_point: int) -> bool:
    name = unicodedata.name(chr(code_point), "")
    return name.startswith("FULLWIDTH LATIN") or (
        name.startswith("LATIN") and (code_point <= _LATIN or 0xAB30 <= code_point <= 0xAB64) and code_point != 0x2184
    )
