"""What a word is: every signal that counts words counts these.

A **word** is a run of code points without white space (``str.isspace``), with its punctuation. Scripts
written without spaces (Han, kana, Thai, Lao, Khmer, Myanmar, Tibetan, Tai) have no such runs: there each
letter, with the marks that follow it, is a word of its own. A **symbol word** holds only punctuation,
symbols and control characters.

The **core** of a word is what is left without the symbols at both ends, in lower case: ``"The`` and ``the,``
have the core ``the``. Stop words are compared by core.
"""

import functools
import unicodedata
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import int64, uint32

from curate.cache.tables import Tables, derived
from curate.text.core.arrow import Bytes
from curate.text.core.bits import address
from curate.text.core.hashes import hashed
from curate.text.core.kernel import inlined, inner, kernel

SPACE = 1
LETTER = 2
SYMBOL = 4  # general categories P, S and C
UNSPACED = 8  # a letter of a script written without spaces
MARK = 16  # combining: belongs to the letter before it
BULLET = 32
UPPER = 64  # an upper-case or title-case letter
LOWER = 128

BULLETS = "•‣▶◀◦■□▪▫\N{EN DASH}-*"
"""Signs that open a list item. Source: datatrove (``•``, ``-``), dolma (``*``), RedPajama-V2 (the others)."""

FNV_BASIS = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3


Places = npt.NDArray[np.int32]


class Characters(NamedTuple):
    """What kernels ask of a code point."""

    classes: npt.NDArray[np.uint8]
    """Class bits."""
    lowercase: npt.NDArray[np.uint32]
    """Its lower case; itself where that is more than one code point."""


class Words(NamedTuple):
    """The words of a document, an item for each; arrays are longer than what is used."""

    begins: Places
    """First byte of each,"""
    ends: Places
    """and the byte behind it."""
    hashes: npt.NDArray[np.uint64]
    lengths: npt.NDArray[np.int64]
    """Code points,"""
    totals: npt.NDArray[np.int64]
    """those of all words before it,"""
    contents: npt.NDArray[np.int32]
    """and how many of its own are no symbols."""
    kinds: npt.NDArray[np.uint16]
    """Which sets of `curate.text.quality.bitmaps` it has bytes in: bit ``k`` is set ``k``."""


_CODE_POINTS = 0x110000
_SURROGATES = range(0xD800, 0xE000)
_UNSPACED_NAMES = (
    "CJK UNIFIED IDEOGRAPH",
    "CJK COMPATIBILITY IDEOGRAPH",
    "IDEOGRAPHIC ITERATION MARK",
    "HIRAGANA",
    "KATAKANA",
    "HALFWIDTH KATAKANA",
    "THAI ",
    "LAO ",
    "KHMER ",
    "MYANMAR ",
    "TIBETAN ",
    "TAI ",
    "NEW TAI ",
)


@functools.cache
def characters() -> Characters:
    """Tables of every code point, by the Unicode of the running Python.

    Example:
        >>> classes, lowercase = characters()
        >>> bool(classes[ord("語")] & UNSPACED), bool(classes[ord("é")] & LETTER), chr(lowercase[ord("É")])
        (True, True, 'é')
    """
    tables = derived("characters", f"{unicodedata.unidata_version} {BULLETS} {_UNSPACED_NAMES} 2", _build)
    return Characters(tables["classes"], tables["lowercase"])


def _build() -> Tables:
    classes = np.zeros(_CODE_POINTS, np.uint8)
    lowercase = np.arange(_CODE_POINTS, dtype=np.uint32)
    for code_point in range(_CODE_POINTS):
        character = chr(code_point)
        classes[code_point] = _class_of(character)
        lower = character.lower()
        if lower != character and len(lower) == 1:
            lowercase[code_point] = ord(lower)
    classes[_SURROGATES.start : _SURROGATES.stop] = 0
    return {"classes": classes, "lowercase": lowercase}


def _class_of(character: str) -> int:
    if character.isspace():
        return SPACE
    category = unicodedata.category(character)[0]
    bits = BULLET if character in BULLETS else 0
    bits |= UPPER if character.isupper() or character.istitle() else LOWER if character.islower() else 0
    if category in "PSC":
        return bits | SYMBOL
    if category == "M":
        return bits | MARK
    if character.isalpha():
        bits |= LETTER
        if unicodedata.name(character, "").startswith(_UNSPACED_NAMES):
            bits |= UNSPACED
    return bits


@inlined
def code_point_at(data: Bytes, i: int) -> tuple[int, int]:
    """The code point (uint32) whose UTF-8 begins at byte ``i``, and where the next one begins."""
    lead = uint32(data[i])
    if lead < 0x80:
        return lead, i + 1
    if lead < 0xE0:
        return uint32((lead & 0x1F) << 6 | (data[i + 1] & 0x3F)), i + 2
    if lead < 0xF0:
        return uint32((lead & 0xF) << 12 | (uint32(data[i + 1]) & 0x3F) << 6 | (data[i + 2] & 0x3F)), i + 3
    high = (lead & 7) << 18 | (uint32(data[i + 1]) & 0x3F) << 12
    return uint32(high | (uint32(data[i + 2]) & 0x3F) << 6 | (data[i + 3] & 0x3F)), i + 4


@inner
def append_code_point(into: Bytes, at: int, code_point: int) -> int:
    """Write a code point as UTF-8 at byte ``at``; where it ends."""
    if code_point < 0x80:
        into[at] = code_point
        return at + 1
    if code_point < 0x800:
        into[at] = 0xC0 | code_point >> 6
        into[at + 1] = 0x80 | code_point & 0x3F
        return at + 2
    if code_point < 0x10000:
        into[at] = 0xE0 | code_point >> 12
        into[at + 1] = 0x80 | code_point >> 6 & 0x3F
        into[at + 2] = 0x80 | code_point & 0x3F
        return at + 3
    into[at] = 0xF0 | code_point >> 18
    into[at + 1] = 0x80 | code_point >> 12 & 0x3F
    into[at + 2] = 0x80 | code_point >> 6 & 0x3F
    into[at + 3] = 0x80 | code_point & 0x3F
    return at + 4


@kernel
def core_hash(data: Bytes, start: int, end: int, characters: Characters, room: Bytes) -> np.uint64:
    """Hash of the core of the word in bytes ``start`` to ``end``; symbol words share the hash of nothing.

    Args:
        data: UTF-8 bytes.
        start: first byte.
        end: byte behind the last.
        characters: tables of code points.
        room: what it holds does not matter: twice the bytes of the word and eight.
    """
    filled = core = int64(0)
    i = start
    while i < end:
        code_point, i = code_point_at(data, i)
        symbol = characters.classes[code_point] & SYMBOL
        if filled or not symbol:
            filled = append_code_point(room, filled, characters.lowercase[code_point])
            core = core if symbol else filled
    return hashed(address(room), core, False)  # type: ignore[no-any-return]


@kernel
def count_words(data: Bytes, start: int, end: int, characters: Characters) -> int:
    """Words in bytes ``start`` to ``end``, without symbol words; both lie beside white space or at an end.

    Example:
        >>> text = "Ein Satz, -- 二字".encode()
        >>> count_words(np.frombuffer(text, np.uint8), 0, len(text), characters())
        4
    """
    count = 0
    inside = marks_join = False  # in a word that counts; right behind a letter that is one, which takes marks
    i = start
    while i < end:
        code_point, i = code_point_at(data, i)
        kind = characters.classes[code_point]
        if kind & MARK and marks_join:
            continue
        begins = not inside and not kind & (SPACE | SYMBOL)
        count += bool(kind & UNSPACED) or begins
        marks_join = bool(kind & UNSPACED)
        inside = not kind & (SPACE | UNSPACED) and (inside or not kind & SYMBOL)
    return count
