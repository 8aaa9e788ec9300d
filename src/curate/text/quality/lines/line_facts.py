"""Everything there is to know of one line: words, sentences, phrases, and how it ends.

What every byte has to say is counted in loops that become wide instructions; the rest hangs on the few bytes that
`LineTables.look` names. Phrases are sought without regard to the case of ASCII letters, and only where three of their
letters stand in a row.
"""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import regex  # type: ignore[import-untyped]
from numba import uint8, uint32, uint64

from curate.cache.tables import Tables, derived
from curate.text.core.arrow import Bytes
from curate.text.core.ascending import holds
from curate.text.core.bits import BLOCK, address, between, equal, lowest, some_ones
from curate.text.core.codepoints import CODE_POINTS
from curate.text.core.hashes import hashed
from curate.text.core.kernel import inlined, inner
from curate.text.core.words import SPACE, SYMBOL, characters, code_point_at
from curate.text.quality.bitmaps import SPACES, SYMBOLS, WORDS, in_set, part
from curate.text.quality.lines.sentence_ends import ends_sentence, plainly_ends, says_more

_NOTHING, _STOP, _FULL_WIDTH, _LETTER_J, _LETTER_K, _LETTER_V, _LETTER_F, _LETTER_P, _BRACKET = range(9)
"""What a byte may mean. Phrases are looked for where a rare letter of theirs and the two behind it stand."""
_COUNTED = (
    b"likes",
    b"shares",
    b"comments",
    b"retweets",
    b"reposts",
    b"quotes",
    b"bookmarks",
    b"upvotes",
    b"downvotes",
    b"downloads",
    b"views",
    b"followers",
)


class LineTables(NamedTuple):
    """Tables that kernels over lines ask."""

    look: npt.NDArray[np.uint8]
    """By byte: what it may mean."""
    classes: npt.NDArray[np.uint8]
    terminal: npt.NDArray[np.uint32]
    """Sentence terminals, ascending."""
    counted: npt.NDArray[np.uint8]
    """What counters count, one word a row, filled up with zeros."""


class Line(NamedTuple):
    """What one cleaned line holds."""

    characters: int
    words: int
    sentences: int
    hash: np.uint64
    terminal: bool
    """Whether it ends with a sentence terminal."""
    last: np.uint32
    """Its last code point."""
    dots: bool
    """Whether it ends with three full stops."""
    javascript: bool
    policy: bool
    lorem_ipsum: bool
    curly_bracket: bool


@functools.cache
def line_tables() -> LineTables:
    """The tables, by the Unicode of the running Python and of ``regex``."""
    terminals = derived("sentence_terminals", regex.__version__, _sentence_terminals)["terminals"]
    look = np.full(256, _NOTHING, np.uint8)
    look[[0xE3, 0xEF]] = _FULL_WIDTH  # first bytes of the full-width stops
    look[list(b".!?")] = _STOP
    look[ord("{")] = _BRACKET
    anchors = {"jJ": _LETTER_J, "kK": _LETTER_K, "vV": _LETTER_V, "fF": _LETTER_F, "pP": _LETTER_P}
    for letters, meaning in anchors.items():
        look[list(letters.encode())] = meaning
    counted = np.zeros((len(_COUNTED), max(map(len, _COUNTED))), np.uint8)
    for row, word in zip(counted, _COUNTED, strict=True):
        row[: len(word)] = list(word)
    return LineTables(look, characters().classes, terminals, counted)


def _sentence_terminals() -> Tables:
    every = "".join(chr(code) for code in range(CODE_POINTS) if not 0xD800 <= code < 0xE000)
    return {"terminals": np.array(sorted(map(ord, regex.findall(r"\p{Sentence_Terminal}", every))), np.uint32)}


@inlined
def _letter(place: int, lower: int) -> np.uint64:
    """Which of the 64 bytes from an address are a letter in either case."""
    return equal(place, lower) | equal(place, lower - 0x20)  # type: ignore[no-any-return]


@inlined
def _notable(place: int) -> np.uint64:
    """Which of the 64 bytes from an address may mean something; `line_tables` gives them a meaning."""
    found = equal(place, 0x2E) | equal(place, 0x21) | equal(place, 0x3F)
    found |= equal(place, 0x7B) | equal(place, 0xE3) | equal(place, 0xEF)
    behind, then = place + 1, place + 2
    found |= _letter(place, 0x6A) & _letter(behind, 0x61) & _letter(then, 0x76)  # javascript
    found |= _letter(place, 0x6B) & _letter(behind, 0x69) & _letter(then, 0x65)  # cookies
    found |= _letter(place, 0x76) & _letter(behind, 0x61) & _letter(then, 0x63)  # privacy
    found |= _letter(place, 0x66) & equal(behind, 0x20) & _letter(then, 0x75)  # terms of use
    return found | _letter(place, 0x70) & _letter(behind, 0x73) & _letter(then, 0x75)  # type: ignore[no-any-return]  # lorem ipsum


@inner
def look_at(text: Bytes, first: int, behind: int, characters: int, words: int, tables: LineTables) -> Line:
    """Look at the line in bytes ``first`` to ``behind``.

    Args:
        text: UTF-8 bytes, of which 66 more can be read.
        first: first byte.
        behind: byte behind the last.
        characters: code points in it if they are known, else -1.
        words: words in it if they are known, else -1.
        tables: the tables.
    """
    start = address(text)
    if characters < 0:
        characters = _code_points(text[first:behind])
    if words < 0:
        words = words_between_spaces(text, first, behind, tables.classes)
    sentences = 0
    javascript = policy = lorem_ipsum = curly_bracket = False
    done = first  # up to where sentences have ended
    last = uint32(0)
    for begin in range(first, behind, BLOCK):
        notable = _notable(start + begin) & some_ones(min(behind - begin, BLOCK))
        while notable:
            at = begin + lowest(notable)
            notable &= notable - uint64(1)
            meaning = tables.look[text[at]]
            if meaning == _STOP:
                if plainly_ends(start, first, at, behind) or ends_sentence(text, first, at, behind, tables.classes):
                    sentences += 1
                    done = at + 1
            elif meaning == _FULL_WIDTH:
                code_point, after = code_point_at(text, at)
                if code_point in (0x3002, 0xFF01, 0xFF1F):
                    sentences += 1
                    done = after
            elif meaning == _BRACKET:
                curly_bracket = True
            elif meaning == _LETTER_J:
                javascript = javascript or follows(text, at, behind, b"javascript")
            elif meaning == _LETTER_K:  # of cookies
                policy = policy or _speaks_of_cookies(text, first, at, behind)
            elif meaning == _LETTER_V:
                policy = policy or (at - 3 >= first and follows(text, at - 3, behind, b"privacy policy"))
            elif meaning == _LETTER_F:
                policy = policy or (at - 7 >= first and follows(text, at - 7, behind, b"terms of use"))
            elif meaning == _LETTER_P:
                lorem_ipsum = lorem_ipsum or (at - 7 >= first and follows(text, at - 7, behind, b"lorem ipsum"))
    if first < behind:
        at = behind - 1
        while text[at] & 0xC0 == 0x80:
            at -= 1
        last, _ = code_point_at(text, at)
    if done < behind:
        _, trimmed = stripped(text, first, behind, tables.classes)
        sentences += says_more(text, done, trimmed)
    dots = behind - first >= 3 and text[behind - 1] == 0x2E and text[behind - 2] == 0x2E and text[behind - 3] == 0x2E
    terminal = last in (0x2E, 0x21, 0x3F)
    if last >= 0x80:
        terminal = holds(tables.terminal, last)
    running = hashed(start + first, behind - first, False)
    return Line(
        characters, words, sentences, running, terminal, last, dots, javascript, policy, lorem_ipsum, curly_bracket
    )


@inner
def sentences_of_words(text: Bytes, sets: int, first: int, behind: int, tables: LineTables) -> int:
    """Sentences of a line as spaCy's sentencizer counts them.

    One begins with the first word that is not only punctuation, behind a word that is a sentence terminal alone; white
    space beyond one space is such a word.

    Args:
        text: UTF-8 bytes, of which 66 more can be read.
        sets: address of the sets of `curate.text.quality.bitmaps`.
        first: first byte, no white space.
        behind: byte behind the last.
        tables: the tables.
    """
    sentences = 1
    at = first
    while at < behind:
        size = min(behind - at, BLOCK)
        ends = part(sets, SYMBOLS, at, size) & part(sets, WORDS, at, size)
        block = address(text) + at
        ends &= equal(block, 0x2E) | equal(block, 0x21) | equal(block, 0x3F) | between(block, 0x80, 0xFF)
        if not ends:
            at += size
            continue
        at += lowest(ends)
        code_point, after = code_point_at(text, at)
        at = after
        if after < behind and not (in_set(sets, WORDS, after) or in_set(sets, SPACES, after)):
            continue
        if code_point not in (0x2E, 0x21, 0x3F) and not holds(tables.terminal, code_point):
            continue
        at = _sentence_begin(text, sets, after, behind, tables.classes)
        sentences += at < behind
    return sentences


@inner
def _sentence_begin(text: Bytes, sets: int, at: int, behind: int, classes: npt.NDArray[np.uint8]) -> int:
    """Where the next word begins that is not only punctuation."""
    while at < behind:
        if in_set(sets, SPACES, at):
            at += text[at] == 0x20
            if at < behind and in_set(sets, SPACES, at):
                return at
        begin = at
        punctuation = True
        while at < behind and not in_set(sets, SPACES, at) and (at == begin or not in_set(sets, WORDS, at)):
            code_point, at = code_point_at(text, at)
            punctuation = punctuation and is_punctuation(code_point, classes)
        if not punctuation:
            return begin
    return behind


@inlined
def is_punctuation(code_point: int, classes: npt.NDArray[np.uint8]) -> bool:
    """Whether a code point is of the category P; beyond ASCII other symbols count, too."""
    symbol = classes[code_point] & SYMBOL != 0
    return symbol and not (code_point in (0x24, 0x2B, 0x3C, 0x3D, 0x3E, 0x5E, 0x60, 0x7C, 0x7E) or code_point < 0x20)


@inner
def stripped(text: Bytes, start: int, stop: int, classes: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Bounds of a line without the white space around it; equal when it is blank."""
    while start < stop:
        code_point, after = code_point_at(text, start)
        if not classes[code_point] & SPACE:
            break
        start = after
    while stop > start:
        at = stop - 1
        while text[at] & 0xC0 == 0x80:
            at -= 1
        if not classes[code_point_at(text, at)[0]] & SPACE:
            break
        stop = at
    return start, stop


@inner
def words_between_spaces(text: Bytes, first: int, behind: int, classes: npt.NDArray[np.uint8]) -> int:
    """Runs of what is not white space."""
    line = text[first:behind]
    if len(line) == 0:
        return 0
    others = line[0]
    words = int(not _is_white(line[0]))
    for k in range(1, len(line)):
        before, here = line[k - 1], line[k]
        words += _is_white(before) & (not _is_white(here))
        others |= here
    if others < 0x80:
        return words
    words = 0
    space = True
    i = first
    while i < behind:
        code_point, i = code_point_at(text, i)
        now = classes[code_point] & SPACE != 0
        words += space and not now
        space = now
    return words


@inner
def has_longer_word(text: Bytes, first: int, behind: int, most: int, classes: npt.NDArray[np.uint8]) -> bool:
    """Whether one of its words has more than ``most`` code points."""
    if behind - first <= most:
        return False
    length = 0
    i = first
    while i < behind:
        code_point, i = code_point_at(text, i)
        length = 0 if classes[code_point] & SPACE else length + 1
        if length > most:
            return True
    return False


@inner
def is_counter(text: Bytes, first: int, behind: int, tables: LineTables) -> bool:
    """Whether the line is a number of likes, shares and the like, with no other letter."""
    i = _symbols_end(text, first, behind, tables.classes)
    begin = i
    while i < behind and (0x30 <= text[i] <= 0x39 or (i > begin and text[i] in (0x2C, 0x2E))):
        i += 1
    if i == begin:
        return False
    if i < behind and text[i] | 0x20 in (0x6B, 0x6D, 0x62):  # k, m, b
        i += 1
    spaces = i
    while i < behind:
        code_point, after = code_point_at(text, i)
        if not tables.classes[code_point] & SPACE:
            break
        i = after
    if i == spaces:
        return False
    for word in tables.counted:
        k = 0
        while k < len(word) and word[k] and i + k < behind and text[i + k] | uint8(0x20) == word[k]:
            k += 1
        if k == len(word) or word[k] == 0:
            return bool(_symbols_end(text, i + k, behind, tables.classes) == behind)
    return False


@inner
def _symbols_end(text: Bytes, i: int, behind: int, classes: npt.NDArray[np.uint8]) -> int:
    """Where what is neither letter, number nor underscore ends."""
    while i < behind:
        code_point, after = code_point_at(text, i)
        if not classes[code_point] & (SPACE | SYMBOL) or code_point == 0x5F:
            break
        i = after
    return i


@inner
def stands(text: Bytes, at: int, end: int, phrase: bytes) -> bool:
    """Whether exactly ``phrase`` stands at ``at``."""
    if at + len(phrase) > end:
        return False
    for k in range(len(phrase)):  # noqa: SIM110  (numba has no generator expressions)
        if text[at + k] != phrase[k]:
            return False
    return True


@inner
def follows(text: Bytes, at: int, end: int, phrase: bytes) -> bool:
    """Whether ``phrase`` (lower case) stands at ``at``, whatever the case of ASCII letters."""
    if at < 0 or at + len(phrase) > end:
        return False
    for k in range(len(phrase)):
        byte = text[at + k]
        if 0x41 <= byte <= 0x5A:
            byte |= uint8(0x20)
        if byte != phrase[k]:
            return False
    return True


@inlined
def _is_white(byte: np.uint8) -> bool:
    """ASCII white space as Python has it."""
    return (byte == 0x20) | ((byte >= 0x09) & (byte <= 0x0D)) | ((byte >= 0x1C) & (byte <= 0x1F))  # type: ignore[no-any-return]


@inner
def _code_points(line: Bytes) -> int:
    characters = 0
    for byte in line:
        characters += byte & 0xC0 != 0x80
    return characters


@inner
def _speaks_of_cookies(text: Bytes, first: int, k: int, behind: int) -> bool:
    """Whether a ``k`` is that of ``cookie policy``, ``uses cookies``, ``use of cookies`` or ``use cookies``."""
    if k - 3 < first:
        return False
    if follows(text, k - 3, behind, b"cookie policy"):
        return True
    if not follows(text, k - 3, behind, b"cookies"):
        return False
    return bool(
        (k - 8 >= first and follows(text, k - 8, behind, b"uses "))
        or (k - 7 >= first and follows(text, k - 7, behind, b"use "))
        or (k - 10 >= first and follows(text, k - 10, behind, b"use of "))
    )
