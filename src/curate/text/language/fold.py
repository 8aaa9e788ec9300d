r"""Text as an identifier of languages was trained to see it: words in lower case, and nothing that is no word.

Why this exists: lid.176 was trained on sentences as they stood in Wikipedia and Tatoeba, cut at ASCII white space,
nothing folded (Edouard Grave in facebookresearch/fastText issue 340). It has hardly seen ``THE``, let alone bold
letters of mathematics, takes two words with a no-break space between them for one that it does not know, and code,
which it never saw, for noise. A label must not hang on any of this. So words are *folded*, for the identifier alone:

========================  ============================================================================================
how a word is written     capitals become small letters; full-width, mathematical, circled and small-capital letters,
                          ligatures and presentation forms the letters that they stand for; what composes is composed;
                          accents that only show stress, vowel marks of Arabic, lines through letters, and all marks
                          where three or more are heaped on a letter, go; curly quotes are straight
what is between words     white space of any kind is one space; letters spaced out are one word (``H E L L O``), words
                          divided at a line's end too; tags such as ``<b>`` and escapes of terminals separate or go
what is inside words      invisible characters go, but for joiners in scripts that need them; HTML's entities are what
                          they stand for; of a letter written more than three times in a row three are left
what is no word           words without a letter, and words in ASCII with a digit, with one of ``_/\{}=<>|$@#~^`&+%``,
                          with two hyphens before it, or with one of ``([*:`` behind a letter and before something
========================  ============================================================================================

Accuracy on labelled text with and without folding is in ``docs/language.md``.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import int64

from curate.text.core.arrow import Bytes, Offsets, utf8_array, utf8_view
from curate.text.core.codepoints import decode
from curate.text.core.kernel import inner, kernel
from curate.text.core.scripts import CYRILLIC, JOINING_FROM, LATIN, SCRIPTS
from curate.text.core.words import append_code_point
from curate.text.language.fold_reading import (
    A_SPACE,
    Entries,
    behind_line_end,
    behind_marks,
    capital_at,
    character,
    is_letter,
    looked_up,
    marks,
    skip_spaces,
    spaced_out,
    stands_alone,
)
from curate.text.language.fold_tables import (
    ACTION,
    BRACKET,
    CASED,
    CODE,
    COMPOSES,
    DIGIT,
    ENTITY,
    GOES,
    KIND,
    LETTER,
    MARK,
    POINT_BITS,
    SCRIPT,
    SEPARATES,
    TAG,
    UNFOLDS,
    FoldTables,
    fold_tables,
)

Letters = npt.NDArray[np.int64]
"""Bytes of letters in each script, by its number (`curate.text.core.scripts.SCRIPTS`)."""

LONGEST = 3
"""Bytes that one byte can become, at most."""

_OF_CODE = (DIGIT, CODE, TAG, ENTITY)
_REPEATED = 3
_SPACED_OUT, _SPACED_OUT_STILL = 4, 2
"""Letters that stand alone, from how many on they are one word; and behind such a word."""
_HEAPED = 3
"""Marks on one letter that are no accents any more."""
_CAPITAL_I, _DOTTED_I, _DOTLESS_I = 0x49, 0x130, 0x131
_HYPHENS = _HYPHEN_MINUS, _, _ = 0x2D, 0xAD, 0x2010
"""Of ASCII, the soft one, and that which is nothing else."""
_JOINERS = 0x200B, 0x200D
_ACTION_AND_SCRIPT = 0b111 << 8 | SCRIPT  # of an entry without its code point
_DOTLESS, _SPACED = 0, 1
"""What is known of a text so far: its capital I has no dot; the last word had its letters spaced out."""


class Folded(NamedTuple):
    """Texts as an identifier sees them."""

    texts: pa.Array
    """``large_string``: words with one space between them."""
    letters: Letters
    """``(texts, scripts)``: bytes of letters of each script in them."""


def folded(texts: pa.Array) -> Folded:
    """The words of each text, folded; a text without words is empty.

    Args:
        texts: ``large_string`` without nulls.

    Example:
        >>> texts = pa.array(["It is\u00a0DONE, see https://a.example", "42 %", "H E L L O"], pa.large_string())
        >>> folded(texts).texts.to_pylist()
        ['it is done, see', '', 'hello']
    """
    data, offsets = utf8_view(texts)
    longest = int(np.diff(offsets).max(initial=0))
    out = np.empty(LONGEST * int(offsets[-1] - offsets[0]) + len(texts), np.uint8)
    ends = np.zeros(len(offsets), np.int64)
    letters = np.zeros((len(texts), len(SCRIPTS)), np.int64)
    _fold_all(data, offsets, fold_tables(), room_for_word(longest), out, ends, letters)
    return Folded(utf8_array(out[: ends[-1]], ends), letters)


def room_for_word(longest: int) -> Bytes:
    """Room for any folded word of a text of ``longest`` bytes."""
    return np.empty(LONGEST * longest + 16, np.uint8)


@kernel
def _fold_all(
    data: Bytes, offsets: Offsets, tables: FoldTables, word: Bytes, out: Bytes, ends: Offsets, letters: Letters
) -> None:
    known = np.zeros(2, np.bool_)
    to = int64(0)
    for text in range(len(offsets) - 1):
        at, last = offsets[text], offsets[text + 1]
        known[:] = False
        begin = to
        while at < last:
            at, size = fold_word(data, at, last, tables, word, letters[text], known)
            if size:
                if to > begin:
                    out[to] = 32
                    to += 1
                out[to : to + size] = word[:size]
                to += size
        ends[text + 1] = to


@inner
def fold_word(
    data: Bytes,
    at: int,
    last: int,
    tables: FoldTables,
    out: Bytes,
    letters: Letters,
    known: npt.NDArray[np.bool_],
) -> tuple[int, int]:
    """Fold the word that begins at ``at`` or behind the white space there.

    Args:
        data: UTF-8.
        at: where to begin.
        last: where the text ends.
        tables: of `fold_tables`.
        out: receives the folded word; has `room_for_word`.
        letters: bytes of letters in each script, added to.
        known: of the text so far; two false values at its beginning.

    Returns:
        Where to go on, and the bytes in ``out``; 0 where this is no word.
    """
    entries = tables.entries
    at = skip_spaces(data, at, last, entries)
    joined = int64(0)
    if stands_alone(data, at, last, entries):
        joined = spaced_out(data, at, last, entries)
        if joined < (_SPACED_OUT_STILL if known[_SPACED] else _SPACED_OUT):
            joined = int64(0)
    size, wide = int64(0), int64(0)
    lettered, code, pending, capital = False, False, False, False
    while at < last:
        byte = data[at]
        if byte >= 0x80:
            point, width = decode(data, at)
            entry = entries[point]
            if 0 < entry >> KIND & _ACTION_AND_SCRIPT < COMPOSES and entry & POINT_BITS >= 0x80:
                stop = _put(out, size, int64(entry & POINT_BITS), entry >> KIND & CASED > 0)
                letters[entry >> KIND & SCRIPT] += stop - size
                wide += stop - size
                size, at, lettered, capital = stop, at + width, True, entry & POINT_BITS != point
                continue
        else:
            entry = entries[byte]
        if byte < 0x80 and entry >> KIND == LETTER and not (byte == _CAPITAL_I and known[_DOTLESS]):
            small = byte | 0x20
            if size < _REPEATED or out[size - 1] != small or out[size - 2] != small or out[size - 3] != small:
                out[size] = small
                size += 1
            lettered, capital = True, byte != small
            code |= pending
            at += 1
            continue
        point, after = character(data, at, last, tables)
        if point < 0:
            action, becomes, kind = SEPARATES if point == A_SPACE else GOES, point, int64(0)
        else:
            entry = entries[point]
            action, becomes, kind = int64(entry >> ACTION), int64(entry & POINT_BITS), int64(entry >> KIND & 0xFF)
        if action == SEPARATES:
            if size and joined <= 1:
                break
            joined -= size > 0
            at = after
            continue
        if size and point in _HYPHENS:
            onward = behind_line_end(data, after, last, entries) if _letter_before(out, size, entries) else after
            if onward > after:
                at = onward
                continue
        at = after
        if action == GOES:
            if _JOINERS[0] <= point <= _JOINERS[1] and size and _script_before(out, size, entries) >= JOINING_FROM:
                wide += 3
                size = append_code_point(out, size, point)
            continue
        before, capital = capital, becomes != point
        code |= pending
        pending = False
        if action == UNFOLDS:
            stop = _write_sequence(out, size, tables.lists[tables.lists[0] + becomes])
            if not _ascii(out, size, stop):
                letters[kind & SCRIPT if kind else LATIN] += stop - size
                wide += stop - size
            lettered, size = True, stop
        elif becomes >= 0x80:
            stop = size
            if kind & SCRIPT >= COMPOSES:
                if kind & SCRIPT == MARK and marks(data, at, last, entries) + 1 >= _HEAPED:
                    at = behind_marks(data, at, last, entries)
                else:
                    size = _put_mark(out, size, becomes, kind & SCRIPT == MARK, tables)
            else:
                size = _put(out, size, becomes, kind & CASED > 0)
                letters[kind & SCRIPT] += size - stop if kind & SCRIPT else 0
                lettered |= kind & SCRIPT > 0
            wide += size - stop
        elif point == _CAPITAL_I and known[_DOTLESS]:
            size, wide, lettered = append_code_point(out, size, _DOTLESS_I), wide + 2, True
            letters[LATIN] += 2
        else:
            if point == _DOTTED_I and (before or capital_at(data, at, last, entries)):
                known[_DOTLESS] = True
            lettered |= kind == LETTER
            code |= kind in _OF_CODE
            pending = kind == BRACKET and size > 0 and _alphanumeric(out[size - 1], entries)
            size = _put(out, size, becomes, kind == LETTER)
    code |= size >= 2 and out[0] == _HYPHEN_MINUS and out[1] == _HYPHEN_MINUS
    if not lettered or (code and not wide):
        return at, int64(0)
    if wide:
        _end_sigma(out, size)
    known[_SPACED] = joined > 0
    letters[LATIN] += size - wide
    return at, size


@inner
def _before(out: Bytes, size: int) -> int:
    """Where the last code point of a word begins."""
    size -= 1
    while size > 0 and out[size] & 0xC0 == 0x80:
        size -= 1
    return size


@inner
def _script_before(out: Bytes, size: int, entries: Entries) -> int:
    """The script of a word's last letter; 0 in ASCII and where it is none."""
    point, _ = decode(out, _before(out, size))
    return int64(entries[point] >> KIND & SCRIPT) if point >= 0x80 else int64(0)  # type: ignore[no-any-return]


@inner
def _letter_before(out: Bytes, size: int, entries: Entries) -> bool:
    return is_letter(out, _before(out, size), entries)  # type: ignore[no-any-return]


@inner
def _alphanumeric(byte: int, entries: Entries) -> bool:
    return byte < 0x80 and (entries[byte] >> KIND == LETTER or entries[byte] >> KIND == DIGIT)


@inner
def _ascii(out: Bytes, first: int, last: int) -> bool:
    for at in range(first, last):  # noqa: SIM110  (numba has no generator expressions)
        if out[at] >= 0x80:
            return False
    return True


@inner
def _put_mark(out: Bytes, size: int, mark: int, diacritic: bool, tables: FoldTables) -> int:
    """Compose a mark with what is before it; where nothing composes, one diacritic may stay, but no stress."""
    lists = tables.lists
    if size:
        begin = _before(out, size)
        base, _ = decode(out, begin)
        key = (int64(base) << KIND | int64(mark)) << KIND
        composed = looked_up(lists, lists[1], lists[2], key, int64(POINT_BITS))
        if composed >= 0:
            return append_code_point(out, begin, composed)  # type: ignore[no-any-return]
        script = _script_before(out, size, tables.entries)
        if diacritic and not (_letter_before(out, size, tables.entries) and script != CYRILLIC):
            return size
    elif diacritic:
        return size
    return append_code_point(out, size, mark)  # type: ignore[no-any-return]


@inner
def _put(out: Bytes, size: int, point: int, cased: bool) -> int:
    """Write a code point, but for a cased letter that has been there three times already."""
    after = append_code_point(out, size, point)
    width = after - size
    if not cased or size < _REPEATED * width:
        return after  # type: ignore[no-any-return]
    for at in range(after - 1, size - 1, -1):
        for times in range(1, _REPEATED + 1):
            if out[at] != out[at - times * width]:
                return after  # type: ignore[no-any-return]
    return size


@inner
def _write_sequence(out: Bytes, size: int, points: int) -> int:
    """Write up to three code points; where they end."""
    for shift in range(2 * KIND, -1, -KIND):
        if points >> shift & POINT_BITS:
            size = append_code_point(out, size, points >> shift & POINT_BITS)
    return size


@inner
def _end_sigma(out: Bytes, size: int) -> None:
    """Write the sigma that ends a word as Greek does."""
    while size > 0 and out[size - 1] < 0x61:  # punctuation behind it
        size -= 1
    if size > 2 and out[size - 2] == 0xCF and out[size - 1] == 0x83:
        out[size - 1] = 0x82
