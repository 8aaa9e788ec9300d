"""Reading a text for `curate.text.language.fold`: by characters, with entities, tags and escapes as what they mean."""

import numpy as np
import numpy.typing as npt
from numba import int64, uint8

from curate.text.core.arrow import Bytes
from curate.text.core.codepoints import CODE_POINTS, decode
from curate.text.core.kernel import inlined, inner
from curate.text.language.fold_tables import (
    ACTION,
    BECOMES,
    COMPOSES,
    ENTITY,
    GOES,
    KIND,
    LETTER,
    MARK,
    POINT_BITS,
    SCRIPT,
    SEPARATES,
    TAG,
    FoldTables,
)

Entries = npt.NDArray[np.uint32]
Lists = npt.NDArray[np.int64]

A_SPACE, NOTHING = -1, -2
"""In place of a code point: a tag, an escape of a terminal."""

_ESCAPE = 0x1B
_LONGEST_TAG = 200


@inner
def character(data: Bytes, at: int, last: int, tables: FoldTables) -> tuple[int, int]:
    """The code point at ``at``, or what an entity there stands for, and where the next begins.

    `A_SPACE` for a tag, `NOTHING` for an escape of a terminal.
    """
    byte = data[at]
    if byte >= 0x80:
        point, width = decode(data, at)
        return int64(point), at + width
    kind = tables.entries[byte] >> KIND
    if kind == ENTITY:
        point, stop = _entity(data, at, last, tables.lists)
        if stop > at:
            return point, stop
    elif kind == TAG:
        stop = _behind_tag(data, at, last)
        if stop > at:
            return int64(A_SPACE), stop
    elif byte == _ESCAPE:
        return int64(NOTHING), _behind_escape(data, at, last)
    return int64(byte), at + 1


@inner
def _entity(data: Bytes, at: int, last: int, lists: Lists) -> tuple[int, int]:
    """The code point of the entity at ``at`` and where it ends; ``at`` where there is none."""
    number, base, begin = at + 1 < last and data[at + 1] == ord("#"), int64(10), at + 1
    if number:
        begin += 1
        if begin < last and data[begin] | 0x20 == ord("x"):
            base, begin = int64(16), begin + 1
    value, stop = int64(0), begin
    while stop < last and stop - begin < (7 if number else 6) and data[stop] != ord(";"):
        byte = int64(data[stop])
        if number:
            digit = byte - ord("0") if byte <= ord("9") else (byte | 0x20) - ord("a") + 10
            if not 0 <= digit < base or (byte > ord("9") and digit < 10):
                return int64(0), at
            value = value * base + digit
        else:
            value = value << 8 | byte
        stop += 1
    if stop == begin or stop >= last or data[stop] != ord(";"):
        return int64(0), at
    if number:
        scalar = 0 < value < 0xD800 or 0xE000 <= value < CODE_POINTS
        return value, stop + 1 if scalar else at
    found = looked_up(lists, lists[2], lists[3], value << 16, int64(0xFFFF))
    return (found, stop + 1) if found >= 0 else (int64(0), at)


@inner
def looked_up(lists: Lists, first: int, last: int, key: int, value: int) -> int:
    """The bits of ``value`` of the item between two places that has the others of ``key``; -1 where none has."""
    end = last
    while first < last:
        middle = (first + last) >> 1
        if lists[middle] < key:
            first = middle + 1
        else:
            last = middle
    return lists[first] & value if first < end and lists[first] & ~value == key else int64(-1)  # type: ignore[no-any-return]


@inner
def _behind_tag(data: Bytes, at: int, last: int) -> int:
    """Where the tag at ``at`` ends; ``at`` where there is none."""
    first = data[at + 1] if at + 1 < last else uint8(0)
    if not (ord("a") <= first | 0x20 <= ord("z") or first == ord("/") or first == ord("!") or first == ord("?")):
        return at
    for stop in range(at + 2, min(last, at + _LONGEST_TAG)):
        if data[stop] == ord(">"):
            return stop + 1
        if data[stop] == ord("<"):
            break
    return at


@inner
def _behind_escape(data: Bytes, at: int, last: int) -> int:
    """Where the escape at ``at`` ends: a colour or the like, or the one byte."""
    stop = at + 1
    if stop < last and data[stop] == ord("["):
        stop += 1
        while stop < last and 0x20 <= data[stop] < 0x40:
            stop += 1
        if stop < last and 0x40 <= data[stop] < 0x7F:
            return stop + 1
    return at + 1


@inner
def behind_line_end(data: Bytes, at: int, last: int, entries: Entries) -> int:
    """Where a word goes on behind the end of a line; ``at`` where it does not."""
    stop, lines = at, int64(0)
    while stop < last and data[stop] < 0x80 and entries[data[stop]] >> ACTION == SEPARATES:
        lines += data[stop] == 10
        stop += 1
    return stop if lines == 1 and stop < last and is_letter(data, stop, entries) else at


@inner
def skip_spaces(data: Bytes, at: int, last: int, entries: Entries) -> int:
    """Where the white space at ``at`` ends."""
    while at < last:
        point, width = decode(data, at)
        if entries[point] >> ACTION != SEPARATES:
            return at
        at += width
    return at


@inner
def is_letter(data: Bytes, at: int, entries: Entries) -> bool:
    """Whether a letter begins at ``at``."""
    point, _ = decode(data, at)
    entry = entries[point]
    if entry & POINT_BITS < 0x80:
        return entry >> KIND == LETTER  # type: ignore[no-any-return]
    return 0 < entry >> KIND & SCRIPT < COMPOSES  # type: ignore[no-any-return]


@inlined
def stands_alone(data: Bytes, at: int, last: int, entries: Entries) -> bool:
    """Whether a character at ``at`` may stand alone: it takes no more than four bytes until something like a space."""
    if at >= last or data[at] < 0x80:
        return bool(at + 1 < last and (data[at + 1] >= 0x80 or entries[data[at + 1]] >> ACTION == SEPARATES))
    width = 2 if data[at] < 0xE0 else 3 if data[at] < 0xF0 else 4
    return bool(
        at + width < last and (data[at + width] >= 0xC2 or entries[data[at + width] & 0x7F] >> ACTION == SEPARATES)
    )


@inner
def spaced_out(data: Bytes, at: int, last: int, entries: Entries) -> int:
    """How many letters in a row stand alone from here on, with one space between them."""
    count = int64(0)
    while at < last and is_letter(data, at, entries):
        _, width = decode(data, at)
        at += width
        if at >= last:
            return count + 1  # type: ignore[no-any-return]
        point, width = decode(data, at)
        if entries[point] >> ACTION != SEPARATES:
            break
        count += 1
        at += width
    return count  # type: ignore[no-any-return]


@inner
def capital_at(data: Bytes, at: int, last: int, entries: Entries) -> bool:
    """Whether a letter stands at ``at`` that folds."""
    if at >= last:
        return False
    point, _ = decode(data, at)
    return entries[point] >> ACTION == BECOMES and entries[point] & POINT_BITS != point  # type: ignore[no-any-return]


@inner
def marks(data: Bytes, at: int, last: int, entries: Entries) -> int:
    """Diacritics that follow, invisible characters between them left aside."""
    count = int64(0)
    while at < last and data[at] >= 0x80:
        point, width = decode(data, at)
        if entries[point] >> KIND == MARK:
            count += 1
        elif entries[point] >> ACTION != GOES:
            break
        at += width
    return count  # type: ignore[no-any-return]


@inner
def behind_marks(data: Bytes, at: int, last: int, entries: Entries) -> int:
    """Where the diacritics and invisible characters at ``at`` end."""
    while at < last and data[at] >= 0x80:
        point, width = decode(data, at)
        if entries[point] >> KIND != MARK and entries[point] >> ACTION != GOES:
            break
        at += width
    return at
