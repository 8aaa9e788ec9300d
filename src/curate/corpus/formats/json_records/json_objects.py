"""Lines that are JSON objects, many at once: where some of their values are, and the rest as objects again.

The kernel answers only if it is certain. An unusual object (escapes in its keys, a duplicate key, deep nesting, half of
a surrogate pair) or anything that is not JSON makes the whole answer None, and a slower reader must be used. So the
kernel must know all that is allowed, but not what is wrong. No Python object is made, so other threads run meanwhile.

Source: RFC 8259, sections 2 to 7.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import int64, uint64

from curate.text.core.arrow import Bytes, Offsets
from curate.text.core.bits import BLOCK, address, between, equal, lowest
from curate.text.core.kernel import inlined, inner, kernel

MOST_KEYS = 64
"""Keys of an object, of which each is compared with all others."""
_DEEPEST = 60
_MOST_DIGITS = 200
_MOST_EXPONENT_DIGITS = 2
"""Of numbers that every reader of JSON takes."""

_QUOTE, _BACKSLASH, _COMMA, _COLON, _MINUS, _DOT = (ord(sign) for sign in '"\\,:-.')
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = (ord(sign) for sign in "{}[]")
_LITERALS = np.frombuffer(b"true false null ", np.uint8)
_ESCAPABLE = np.zeros(256, np.bool_)
_ESCAPABLE[list(b'"\\/bfnrt')] = True

Values = npt.NDArray[np.int64]
"""Of each line and each name: the first byte of the value, and the byte behind it; -1, -1 where it is missing."""


class Members(NamedTuple):
    """What a number of objects hold."""

    values: Values
    """Shape (lines, names, 2). A line of white space alone has no values."""
    rest: pa.LargeStringArray
    """All other members of each as an object, values as written; null where there are none."""


def members(data: Bytes, starts: Offsets, ends: Offsets, names: Sequence[bytes]) -> Members | None:
    r"""Find the values of some names in every line; None if any line should be looked at in another way.

    Args:
        data: bytes (uint8) in valid UTF-8 that hold the lines.
        starts: int64, first byte of each line.
        ends: int64, the byte behind it.
        names: keys, without anything that JSON escapes.

    Example:
        >>> line = np.frombuffer(b'{"text": "one", "n": 1.50}', np.uint8)
        >>> found = members(line, np.array([0]), np.array([len(line)]), [b"text", b"id"])
        >>> found.values.tolist(), found.rest.to_pylist()
        ([[[9, 14], [-1, -1]]], ['{"n":1.50}'])
        >>> members(line[:-1], np.array([0]), np.array([len(line) - 1]), [b"text"]) is None
        True
    """
    values = np.full((len(starts), len(names), 2), -1, np.int64)
    # Without white space no object is longer than its line; memory is given only to what is written.
    rest, rest_ends = np.empty(int((ends - starts).sum()), np.uint8), np.zeros(len(starts) + 1, np.int64)
    sought = np.frombuffer(b"".join(names), np.uint8), np.cumsum([0, *map(len, names)])
    if not _find_all(data, starts, ends, *sought, _LITERALS, _ESCAPABLE, values, rest, rest_ends):
        return None
    some = pa.array(np.diff(rest_ends) > 0).buffers()[1]
    return Members(
        values, pa.LargeStringArray.from_buffers(len(starts), pa.py_buffer(rest_ends), pa.py_buffer(rest), some)
    )


@kernel
def _find_all(
    data: Bytes,
    starts: Offsets,
    ends: Offsets,
    names: Bytes,
    name_ends: Offsets,
    literals: Bytes,
    escapable: npt.NDArray[np.bool_],
    values: Values,
    rest: Bytes,
    rest_ends: Offsets,
) -> bool:
    keys = np.empty((MOST_KEYS, 2), np.int64)
    for line in range(len(starts)):
        written = _find(
            data,
            starts[line],
            ends[line],
            names,
            name_ends,
            literals,
            escapable,
            values,
            line,
            rest,
            rest_ends[line],
            keys,
        )
        if written < 0:
            return False
        rest_ends[line + 1] = written
    return True


@inner
def _find(
    data: Bytes,
    at: int,
    end: int,
    names: Bytes,
    name_ends: Offsets,
    literals: Bytes,
    escapable: npt.NDArray[np.bool_],
    values: Values,
    line: int,
    rest: Bytes,
    written: int,
    keys: npt.NDArray[np.int64],
) -> int:
    """Find the members of one line; where the next may write to ``rest``, or -1."""
    at = _after_space(data, at, end)
    if at == end:
        return written
    if data[at] != _OPEN:
        return -1
    at, begin, count = _after_space(data, at + 1, end), written, 0
    if at < end and data[at] == _CLOSE:
        return written if _after_space(data, at + 1, end) == end else -1
    while True:
        key, at = at, _after_key(data, at, end)
        if at < 0 or count == MOST_KEYS:
            return -1
        keys[count, 0], keys[count, 1] = key, _key_end(data, key)
        for before in range(count):
            if _same(data, keys[before, 0], keys[before, 1], data, key, keys[count, 1]):
                return -1
        value, at = at, _after_value(data, at, end, literals, escapable)
        if at < 0:
            return -1
        name = _name(data, key, keys[count, 1], names, name_ends)
        if name < len(name_ends) - 1:
            values[line, name, 0], values[line, name, 1] = value, at
        else:
            rest[written] = _OPEN if written == begin else _COMMA
            written = _append(rest, written + 1, data, key, keys[count, 1])
            rest[written] = _COLON
            written = _append(rest, written + 1, data, value, at)
        count += 1
        at = _after_space(data, at, end)
        if at == end:
            return -1
        if data[at] == _CLOSE:
            break
        if data[at] != _COMMA:
            return -1
        at = _after_space(data, at + 1, end)
    if written > begin:
        rest[written] = _CLOSE
        written += 1
    return written if _after_space(data, at + 1, end) == end else -1


@inner
def _after_space(data: Bytes, at: int, end: int) -> int:
    while at < end and (data[at] == 32 or data[at] == 9 or data[at] == 10 or data[at] == 13):
        at += 1
    return at


@inner
def _after_key(data: Bytes, at: int, end: int) -> int:
    """Where the value of the key at ``at`` begins; -1 if there is none, or the key has anything to unescape."""
    if at >= end or data[at] != _QUOTE:
        return -1
    at += 1
    while at < end and data[at] != _QUOTE:
        if data[at] == _BACKSLASH or data[at] < 32:
            return -1
        at += 1
    at = _after_space(data, at + 1, end)
    if at >= end or data[at] != _COLON:
        return -1
    return _after_space(data, at + 1, end)  # type: ignore[no-any-return]


@inner
def _key_end(data: Bytes, key: int) -> int:
    """Behind the closing quotation mark of a key that has one."""
    at = key + 1
    while data[at] != _QUOTE:
        at += 1
    return at + 1


@inner
def _name(data: Bytes, key: int, key_end: int, names: Bytes, name_ends: Offsets) -> int:
    """Number of the name that a key is; the number of names if it is none of them."""
    for name in range(len(name_ends) - 1):
        if _same(data, key + 1, key_end - 1, names, name_ends[name], name_ends[name + 1]):
            return name
    return len(name_ends) - 1


@inner
def _same(data: Bytes, start: int, end: int, other: Bytes, other_start: int, other_end: int) -> bool:
    if end - start != other_end - other_start:
        return False
    for k in range(end - start):  # noqa: SIM110  (numba has no generator expressions)
        if data[start + k] != other[other_start + k]:
            return False
    return True


@inner
def _append(out: Bytes, at: int, data: Bytes, start: int, end: int) -> int:
    for k in range(end - start):
        out[at + k] = data[start + k]
    return at + end - start


@inner
def _after_value(data: Bytes, at: int, end: int, literals: Bytes, escapable: npt.NDArray[np.bool_]) -> int:
    """Behind the value that begins at ``at``; -1 if it is none, or is not certain to be one."""
    depth, objects = 0, uint64(0)  # the lowest bit: whether the innermost is an object
    while True:
        if at >= end:
            return -1
        byte = data[at]
        if byte in (_OPEN, _OPEN_LIST):
            is_object = byte == _OPEN
            at = _after_space(data, at + 1, end)
            if at < end and data[at] == (_CLOSE if is_object else _CLOSE_LIST):
                at += 1
            else:
                if depth == _DEEPEST:
                    return -1
                depth, objects = depth + 1, objects << uint64(1) | uint64(is_object)
                if is_object:
                    at = _after_key(data, at, end)
                    if at < 0:
                        return -1
                continue
        elif byte == _QUOTE:
            at = _after_string(data, at + 1, end, escapable)
        elif byte == _MINUS or _is_digit(byte):
            at = _after_number(data, at, end)
        else:
            at = _after_literal(data, at, end, literals)
        if at < 0:
            return -1
        at, depth, objects = _after_closing(data, at, end, depth, objects)
        if at < 0 or depth == 0:
            return at


@inner
def _after_closing(data: Bytes, at: int, end: int, depth: int, objects: np.uint64) -> tuple[int, int, np.uint64]:
    """Behind a value: all that closes here, and if something is still open, where its next value begins."""
    while depth > 0:
        at = _after_space(data, at, end)
        if at >= end:
            return int64(-1), depth, objects
        in_object = objects & uint64(1)
        if data[at] == _COMMA:
            at = _after_space(data, at + 1, end)
            return (_after_key(data, at, end) if in_object else at), depth, objects
        if data[at] != (_CLOSE if in_object else _CLOSE_LIST):
            return int64(-1), depth, objects
        at, depth, objects = at + 1, depth - 1, objects >> uint64(1)
    return at, depth, objects


@inner
def _after_string(data: Bytes, at: int, end: int, escapable: npt.NDArray[np.bool_]) -> int:
    """Behind the closing quotation mark of a string of which ``at`` is the first byte inside."""
    place = address(data)
    while at < end:
        if at + BLOCK <= end:
            stops = equal(place + at, _QUOTE) | equal(place + at, _BACKSLASH) | between(place + at, 0, 31)
            at += lowest(stops)
            if not stops:
                continue
        byte = data[at]
        if byte == _QUOTE:
            return at + 1
        if byte == _BACKSLASH:
            at = _after_escape(data, at, end, escapable)
            if at < 0:
                return -1
        elif byte < 32:
            return -1
        else:
            at += 1
    return -1


@inner
def _after_escape(data: Bytes, at: int, end: int, escapable: npt.NDArray[np.bool_]) -> int:
    """Behind an escape; -1 also if it is half of a surrogate pair."""
    if at + 1 < end and escapable[data[at + 1]]:
        return at + 2
    high = _surrogate(data, at, end)
    if high < 0 or high == 2:
        return -1
    if high == 0:
        return at + 6
    return at + 12 if _surrogate(data, at + 6, end) == 2 else -1


@inner
def _surrogate(data: Bytes, at: int, end: int) -> int:
    r"""What ``\uXXXX`` at ``at`` names: 0 a code point, 1 or 2 one half of one; -1: it is no such thing."""
    if at + 6 > end or data[at] != _BACKSLASH or data[at + 1] != 0x75:
        return -1
    for k in range(at + 2, at + 6):
        if not (_is_digit(data[k]) or 0x61 <= data[k] | 0x20 <= 0x66):
            return -1
    if data[at + 2] | 0x20 != 0x64 or data[at + 3] < 0x38:  # D800 to DFFF
        return 0
    return 1 if data[at + 3] == 0x38 or data[at + 3] == 0x39 or data[at + 3] | 0x20 <= 0x62 else 2


@inlined
def _is_digit(byte: int) -> bool:
    return bool(0x30 <= byte <= 0x39)


@inner
def _after_number(data: Bytes, at: int, end: int) -> int:
    """Behind a number; -1 if it is none, or so large that some readers refuse it."""
    if data[at] == _MINUS:
        at += 1
    first, at = at, _after_digits(data, at, end)
    if at < 0 or (data[first] == 0x30 and at > first + 1):
        return -1
    if at < end and data[at] == _DOT:
        at = _after_digits(data, at + 1, end)
        if at < 0:
            return -1
    if at - first >= _MOST_DIGITS:
        return -1
    if at < end and data[at] | 0x20 == 0x65:
        at += 1
        if at < end and (data[at] == 0x2B or data[at] == _MINUS):
            at += 1
        first, at = at, _after_digits(data, at, end)
        return at if at - first <= _MOST_EXPONENT_DIGITS else -1
    return at


@inner
def _after_digits(data: Bytes, at: int, end: int) -> int:
    """Behind one digit or more; -1 if there is none."""
    first = at
    while at < end and _is_digit(data[at]):
        at += 1
    return at if at > first else -1


@inner
def _after_literal(data: Bytes, at: int, end: int, literals: Bytes) -> int:
    """Behind ``true``, ``false`` or ``null``; -1 for any other word."""
    start = 0
    for stop in range(len(literals)):
        if literals[stop] == 32:
            size = stop - start
            if at + size <= end and _same(data, at, at + size, literals, start, stop):
                return at + size
            start = stop + 1
    return -1
