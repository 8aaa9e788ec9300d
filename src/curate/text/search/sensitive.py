"""Where a text may hold an address, a number or a key that points to a person: one look at its bytes.

The kernel says *where to look closer*, for a price that clean text can pay; what is found there is decided by libraries
that know the formats. It must miss nothing that they would find, and may find too much.
"""

import functools
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.core.arrow import Bytes, Offsets, utf8_view
from curate.text.core.kernel import inlined, inner, kernel, maker

Codes = npt.NDArray[np.uint8]


class Hint(IntEnum):
    """What a span looks like."""

    EMAIL = 0
    """Exactly an e-mail address."""
    IPV4 = 1
    """Exactly four groups of one to three digits between full stops."""
    IPV6 = 2
    """Hexadecimal groups of a global unicast address."""
    NUMBER = 3
    """`LEAST_DIGITS` digits or more, close together, or a word of letters and six digits or more."""
    TOKEN = 4
    """A word of `LEAST_TOKEN` characters or more with letters and digits, the head of a key file, or a password in a
    URL."""


LEAST_DIGITS = 8
LEAST_TOKEN = 20


class Spans(NamedTuple):
    """Spans back to back, in the order of texts."""

    rows: Offsets
    """Which text."""
    starts: Offsets
    """First byte, counted from the start of the text."""
    stops: Offsets
    """The byte behind the last."""
    hints: Codes
    """A `Hint` each."""


def sensitive_spans(texts: pa.Array) -> Spans:
    """Spans worth a closer look.

    Args:
        texts: ``large_string`` without nulls.

    Example:
        >>> texts = pa.array(["Nothing here.", "Write to ann@mail.example or 192.0.2.17."], pa.large_string())
        >>> spans = sensitive_spans(texts)
        >>> spans.rows.tolist(), spans.starts.tolist(), [Hint(hint).name for hint in spans.hints]
        ([1, 1], [9, 29], ['EMAIL', 'IPV4'])
    """
    data, offsets = utf8_view(texts)
    return Spans(*_find(data, offsets, _classes()))


_EMAIL, _IPV4, _IPV6, _NUMBER, _TOKEN = map(int, Hint)  # kernels know no enumerations
_DIGIT, _LETTER, _WORD, _LOCAL, _HEX, _WAKING = 1, 2, 4, 8, 16, 32
_AT, _COLON, _DOT, _DASH, _SLASH, _NEWLINE, _SPACE = (ord(sign) for sign in "@:.-/\n ")
_A, _B, _N, _Z = (ord(letter) for letter in "ABNZ")
_GAP = 2  # bytes between groups of one number: ") ", " -"
_IBAN_GAP = 6  # " NWBK "
_MIXED_DIGITS = 6
_PART_OF_MORE = 100  # more groups than an address has


@functools.cache
def _classes() -> Codes:
    digits, letters = b"0123456789", bytes(range(65, 91)) + bytes(range(97, 123))
    table = np.zeros(256, np.uint8)
    for bit, members in (
        (_DIGIT, digits),
        (_LETTER, letters),
        (_WORD, digits + letters + b"_-"),
        (_LOCAL, digits + letters + b"._%+-"),
        (_HEX, digits + b"abcdefABCDEF"),
        (_WAKING, digits + b"@:-I"),
    ):
        table[list(members)] |= bit
    return table


@kernel
def _find(data: Bytes, offsets: Offsets, classes: Codes) -> tuple[Offsets, Offsets, Offsets, Codes]:
    """Stop at bytes that matter, at a digit take the whole word, and put numbers together from words close by."""
    found, count = np.empty((64, 4), np.int64), 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        at, behind = start, start  # the end of the last word taken
        # The number being put together: where it begins and ends, its digits, and whether it may be an account's.
        begin, last, digits, account, mixed = start, start - 100, 0, False, False
        chain, chain_begin, chain_end = 0, start, start - 100  # groups of one to three digits between full stops
        while True:
            while at < end and not classes[data[at]] & _WAKING:
                at += 1
            if at == end:
                break
            if count + 4 > len(found):
                found = _doubled(found)
            if not classes[data[at]] & _DIGIT:
                count = _at_sign(data, start, at, end, classes, found, count, row)
                at += 1
                continue
            word = at
            while word > behind and classes[data[word - 1]] & _WORD:
                word -= 1
            n_digits, n_letters = 0, 0
            at = word
            while at < end and classes[data[at]] & _WORD:
                n_digits += classes[data[at]] & _DIGIT
                n_letters += (classes[data[at]] & _LETTER) >> 1
                at += 1
            behind = at
            if at - word >= LEAST_TOKEN and n_letters:
                count = _put(found, count, row, word - start, at - start, _TOKEN)
            if word - last > (_IBAN_GAP if account else _GAP):
                if digits >= LEAST_DIGITS or mixed:
                    count = _put(found, count, row, begin - start, last - start, _NUMBER)
                begin, digits, mixed = word, 0, False
                account = n_letters == 2 and n_digits >= 2 and _is_capital(data[word]) and _is_capital(data[word + 1])
            digits += n_digits
            mixed = mixed or (n_letters > 0 and n_digits >= _MIXED_DIGITS)
            last = at
            if n_digits != at - word or n_digits > 3:
                chain = 0
                continue
            if chain and chain_end == word - 1 and data[word - 1] == _DOT:
                chain += 1
            else:
                chain, chain_begin = 1, word
                if word > start and data[word - 1] == _DOT:
                    chain = _PART_OF_MORE
            chain_end = at
            if chain == 4 and not (at + 1 < end and data[at] == _DOT and classes[data[at + 1]] & _WORD):
                count = _put(found, count, row, chain_begin - start, at - start, _IPV4)
        if digits >= LEAST_DIGITS or mixed:
            if count == len(found):
                found = _doubled(found)
            count = _put(found, count, row, begin - start, last - start, _NUMBER)
    found = found[:count]
    return found[:, 0].copy(), found[:, 1].copy(), found[:, 2].copy(), found[:, 3].astype(np.uint8)


@inner
def _at_sign(data: Bytes, start: int, at: int, end: int, classes: Codes, found: Offsets, count: int, row: int) -> int:
    """Put what the sign (or letter) at ``at`` is a part of; returns the new count."""
    byte = data[at]
    if byte == _AT:
        first, stop = _email(data, start, at, end, classes)
        if stop:
            count = _put(found, count, row, first - start, stop - start, _EMAIL)
        if _is_login(data, start, at):
            count = _put(found, count, row, at - start, at + 1 - start, _TOKEN)
    elif byte == _COLON:
        stop = _ipv6_end(data, start, at, end, classes)
        if stop:
            count = _put(found, count, row, at - 4 - start, stop - start, _IPV6)
    elif byte == _DASH:
        if at + 10 <= end and data[at + 4] == _DASH and data[at + 5] == _B and data[at + 9] == _N:  # -----BEGIN
            count = _put(found, count, row, at - start, at + 10 - start, _TOKEN)
    elif at >= start + 2 and at + 1 < end and data[at - 2] == _A and data[at + 1] == _A:  # AKIA, ASIA: keys of AWS
        count = _put(found, count, row, at - 2 - start, at + 2 - start, _TOKEN)
    return count


@inlined
def _put(found: Offsets, count: int, row: int, start: int, stop: int, hint: int) -> int:
    found[count, 0], found[count, 1], found[count, 2], found[count, 3] = row, start, stop, hint
    return count + 1


@maker
def _doubled(rows: Offsets) -> Offsets:
    larger = np.empty((2 * len(rows), rows.shape[1]), np.int64)
    larger[: len(rows)] = rows
    return larger


@inlined
def _is_capital(byte: int) -> bool:
    return bool(_A <= byte <= _Z)


@inner
def _email(data: Bytes, start: int, at: int, end: int, classes: Codes) -> tuple[int, int]:
    """First byte and end of the address around the ``@`` at ``at``; 0, 0 when there is none.

    ``local@label.label``: the last label has two letters or more and no digit. ``git@host:path`` is a place.
    """
    first = at
    while first > start and at - first < 64 and classes[data[first - 1]] & _LOCAL:
        first -= 1
    while first < at and not classes[data[first]] & (_DIGIT | _LETTER):  # ".ann" and "-ann" begin with a sign
        first += 1
    if first == at or data[at - 1] == _DOT:
        return 0, 0
    stop, label, dots, letters = 0, at + 1, 0, True
    i = at + 1
    while True:
        if i < end and (classes[data[i]] & (_DIGIT | _LETTER) or data[i] == _DASH):
            letters = letters and classes[data[i]] & _LETTER > 0
            i += 1
            continue
        if i == label or data[label] == _DASH or data[i - 1] == _DASH:
            break
        if dots and letters and i - label >= 2:
            stop = i
        if i >= end or data[i] != _DOT:
            break
        dots += 1
        i += 1
        label, letters = i, True
    if not stop or (stop == i and _is_path(data, stop, end)):
        return 0, 0
    return first, stop


@inlined
def _is_path(data: Bytes, at: int, end: int) -> bool:
    return at + 1 < end and bool(data[at] == _COLON and data[at + 1] not in (_SPACE, _NEWLINE))


@inner
def _is_login(data: Bytes, start: int, at: int) -> bool:
    """Whether ``://user:password`` stands before the ``@`` at ``at``."""
    colons = False
    for i in range(at - 1, max(start + 2, at - 256), -1):
        byte = data[i]
        if byte <= _SPACE or byte == _AT:
            return False
        if byte == _SLASH:
            return bool(colons and data[i - 1] == _SLASH and data[i - 2] == _COLON)
        colons = colons or byte == _COLON
    return False


@inner
def _ipv6_end(data: Bytes, start: int, at: int, end: int, classes: Codes) -> int:
    """End of the IPv6 address whose first group ends at the colon at ``at``; 0 when there is none.

    Global unicast addresses are those in 2000::/3: their first group has four digits, the first a 2 or a 3.
    """
    if at - 4 < start or data[at - 4] not in (50, 51):
        return 0
    for i in range(at - 3, at):
        if not classes[data[i]] & _HEX:
            return 0
    if at - 5 >= start and (classes[data[at - 5]] & _WORD or data[at - 5] == _COLON):
        return 0
    stop, colons = at, 0
    while stop < end and (classes[data[stop]] & _HEX or data[stop] == _COLON):
        colons += data[stop] == _COLON
        stop += 1
    if colons < 2 or (stop < end and classes[data[stop]] & _WORD):
        return 0
    return stop if data[stop - 1] != _COLON or data[stop - 2] == _COLON else stop - 1
