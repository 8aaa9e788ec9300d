"""What each code point is to an identifier of languages: tables by code point, derived from the running Python.

The knowledge behind `curate.text.language.fold`, which says what is folded and why.
"""

import functools
import html.entities
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.cache.tables import Tables, derived
from curate.text.core.codepoints import CODE_POINTS
from curate.text.core.scripts import OTHER, SCRIPTS

KIND, ACTION = 21, 29
"""An entry's lowest bits, up to the first shift, are a code point; then come eight bits for its kind, three for what is
done."""
POINT_BITS = (1 << KIND) - 1

BECOMES, SEPARATES, GOES, UNFOLDS = range(4)
"""What is done with a code point: another (or itself) is written, a word ends, nothing is written, or several are: the
point is then their place among the sequences."""

LETTER, DIGIT, CODE, BRACKET, ENTITY, TAG, PLAIN = range(7)
"""Kinds of what is written, in ASCII; beyond it, `SCRIPT` …"""
SCRIPT, CASED = 63, 64
"""Bits of the number of a letter's script, 0 for no letter; and of a letter that has case."""
COMPOSES, MARK = 61, 62
"""Instead of a script: what may become one with the character before it; a diacritic, which may, too."""

_REVISION = 2  # bump when the same Python gives other tables

_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x20\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\0" + "".join(
    map(chr, (*range(0x2000, 0x200B), 0x2800, 0x3164, 0xFFA0))  # the last three are letters that show nothing
)
_INVISIBLE = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180E, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0xE0000, 0xE01FF),
)  # fmt: skip
_DECORATION = (
    (0x305, 0x305), (0x332, 0x338), (0x33F, 0x33F), (0x35C, 0x362), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF), (0xFE20, 0xFE2F),
)  # fmt: skip
"""Combining lines through, under and around letters."""
_ARABIC_VOWELS = ((0x640, 0x640), (0x64B, 0x652), (0x670, 0x670))
"""Marks that ordinary text leaves out, and the stroke that lengthens words."""
_DIACRITICS = (0x300, 0x36F)
_STYLED = (
    (0x132, 0x133), (0x149, 0x149), (0x17F, 0x17F), (0x1C4, 0x1CC), (0x1F1, 0x1F3), (0x2B0, 0x2B8), (0x2E0, 0x2E4),
    (0x3D0, 0x3D6), (0x3F0, 0x3F5),
    (0x1D2C, 0x1D6A), (0x1D78, 0x1D78), (0x1D9B, 0x1DBF), (0x2070, 0x209C), (0x2100, 0x217F), (0x249C, 0x24E9),
    (0x2C7C, 0x2C7D), (0x2E80, 0x2FD5), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE70, 0xFEFC), (0xFF10, 0xFF19),
    (0xFF21, 0xFF3A), (0xFF41, 0xFF5A), (0xFF65, 0xFFDC), (0x1D400, 0x1D7FF), (0x1EE00, 0x1EEFF),
    (0x1F110, 0x1F149), (0x2F800, 0x2FA1F),
)  # fmt: skip
"""Where letters have another form for no other reason than looks: their compatibility form (NFKC) is the letter.
Elsewhere that form is not what people write: Thai's vowel *sara am*, Korean's single letters, full-width commas."""
_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz", strict=True))
_SQUARED_AND_CIRCLED = (0x1F150, 0x1F170)
"""Where the letters A to Z in black circles and squares begin."""
_QUOTES = dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc", "'") | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
_OTHERS = _SMALL_CAPITALS | _QUOTES | {"\u2011": "-", "ẞ": "ß", "İ": "i"}
_CHEROKEE = (0x13A0, 0x13F5)  # its small letters came late: text is in what Unicode calls capitals
_SAME = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xD800, 0xF8FF), (0x20000, 0x2F7FF))
"""Nothing to fold in here, and nothing to ask Python for."""
_MOST_LETTERS = 3
"""Ligatures of more letters are whole words or phrases, and stay."""

_CODE = frozenset("_/\\{}=<>|$@#~^`&+%")
_BRACKETS = frozenset("([*:")


class FoldTables(NamedTuple):
    """What kernels ask: few arrays, because every function that is given one is given all its parts."""

    entries: npt.NDArray[np.uint32]
    """By code point: what is done with it, the kind of what is written, and that itself."""
    lists: npt.NDArray[np.int64]
    """Where sequences, pairs and entities begin in here and where those end, then they themselves:

    - sequences: up to three code points, the first in the highest bits;
    - pairs that compose, ascending: two code points and what they become;
    - entities of HTML, ascending: a name of up to six letters, and in 16 bits the code point that it stands for.
    """


@functools.cache
def fold_tables() -> FoldTables:
    """Tables of every code point, by the Unicode of the running Python.

    Example:
        >>> entries = fold_tables().entries
        >>> [chr(entries[ord(letter)] & POINT_BITS) for letter in "É𝓮ｅᴇ"], bool(entries[0x3000] >> ACTION == SEPARATES)
        (['é', 'e', 'e', 'e'], True)
    """
    tables = derived("fold", f"{unicodedata.unidata_version} {_REVISION} {SCRIPTS}", _build)
    return FoldTables(**tables)


def _build() -> Tables:
    folded = {point: _folded(chr(point)) for point in _asked()}
    becomes = {point: text for point, text in folded.items() if text != chr(point) or text == " "}
    kinds = _kinds()
    pairs = {pair: point for pair, point in _pairs().items() if point not in becomes}
    kinds[[second for _, second in pairs]] = COMPOSES
    kinds[_DIACRITICS[0] : _DIACRITICS[1] + 1] = MARK
    entries = np.arange(CODE_POINTS, dtype=np.uint32) | kinds.astype(np.uint32) << KIND
    sequences: list[int] = []
    for point, text in becomes.items():
        if text == " ":
            entries[point] = SEPARATES << ACTION
        elif not text:
            entries[point] = GOES << ACTION
        elif len(text) == 1:
            entries[point] = ord(text) | int(kinds[ord(text)]) << KIND
        else:
            entries[point] = len(sequences) | int(kinds[ord(text[0])]) << KIND | UNFOLDS << ACTION
            sequences.append(_packed(*map(ord, text.rjust(_MOST_LETTERS, "\0"))))
    lists = [sequences, sorted(_packed(*pair, point) for pair, point in pairs.items()), sorted(_entities())]
    starts = np.cumsum([4, *map(len, lists)])
    return {"entries": entries, "lists": np.concatenate([starts, *lists]).astype(np.int64)}


def _kinds() -> npt.NDArray[np.uint8]:
    kinds = np.zeros(CODE_POINTS, np.uint8)
    for number, script in enumerate(SCRIPTS):
        for first, last in script.ranges:
            kinds[first : last + 1] = number
    for point in _asked():
        kinds[point] = _ascii_kind(chr(point)) if point < 0x80 else _kind(chr(point), int(kinds[point]))
    return kinds


def _entities() -> Iterator[int]:
    named = html.entities.name2codepoint | {"apos": ord("'")}
    return (int.from_bytes(name.encode()) << 16 | point for name, point in named.items() if len(name) <= 6)


def _packed(*points: int) -> int:
    """Three code points in one number."""
    return functools.reduce(lambda number, point: number << KIND | point, points, 0)


def _asked() -> Iterator[int]:
    """Code points that may fold, or whose kind is not that of their range."""
    code_point = 0
    while code_point < 0x32400:
        skipped = next((last for first, last in _SAME if first <= code_point <= last), None)
        if skipped is None:
            yield code_point
            code_point += 1
        else:
            code_point = skipped + 1
    yield from range(0xE0000, 0xE0200)


def _kind(character: str, script: int) -> int:
    """Script and case of a letter; 0 for anything else."""
    if unicodedata.category(character)[0] != "L":
        return 0
    return (script or OTHER) | CASED * (character.lower() != character.upper())


def _ascii_kind(character: str) -> int:
    if character.isalnum():
        return DIGIT if character.isdigit() else LETTER
    if character in "&<":
        return ENTITY if character == "&" else TAG
    return CODE if character in _CODE else BRACKET if character in _BRACKETS else PLAIN


def _folded(character: str) -> str:
    """What a character becomes: a space, nothing, or one or more characters."""
    code_point = ord(character)
    if character in _SPACES:
        return " "
    if 0x80 <= code_point < 0xA0:  # no controls in practice, but Windows' characters: &#146; and worse
        meant = bytes([code_point]).decode("cp1252", "ignore")
        return _folded(meant) if meant else ""
    if unicodedata.category(character) == "Cc" or _inside(code_point, _INVISIBLE + _DECORATION + _ARABIC_VOWELS):
        return ""
    if character in _OTHERS:
        return _OTHERS[character]
    for first in _SQUARED_AND_CIRCLED:
        if first <= code_point < first + 26:
            return chr(ord("a") + code_point - first)
    if _inside(code_point, (_CHEROKEE,)):
        return character
    return _plain_form(character) if _inside(code_point, _STYLED) else _lower(character)


def _plain_form(character: str) -> str:
    """The letters that a styled letter, a ligature or a form of a letter stands for; itself where it is none."""
    plain = unicodedata.normalize("NFKC", character).strip("()\u3014\u3015 ")
    letters = "".join(_lower(one) for one in plain if not _inside(ord(one), _ARABIC_VOWELS))
    known = any(unicodedata.category(one)[0] in "LMN" for one in letters)
    return letters if known and len(letters) <= _MOST_LETTERS else character


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character


def _inside(code_point: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code_point <= last for first, last in ranges)


def _pairs() -> dict[tuple[int, int], int]:
    """What composes (NFC): letters and marks in any order of marks, syllables of Hangul, voiced kana."""
    found: dict[tuple[int, int], int] = {}
    for point in _asked():
        parts = unicodedata.decomposition(chr(point)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            first, second = (int(part, 16) for part in parts)
            if unicodedata.normalize("NFC", chr(first) + chr(second)) == chr(point):
                found[first, second] = point
    marks = {second for _, second in found if _inside(second, (_DIACRITICS,))}
    for composed in [*found.values()]:
        for mark in marks:
            both = unicodedata.normalize("NFC", chr(composed) + chr(mark))
            if len(both) == 1:
                found[composed, mark] = ord(both)
    for syllable in range(0xAC00, 0xD7A4):
        jamo = unicodedata.normalize("NFD", chr(syllable))
        found[ord(unicodedata.normalize("NFC", jamo[:-1])), ord(jamo[-1])] = syllable
    return found
