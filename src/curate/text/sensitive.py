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
from numba import njit

from curate.text.arrow import Bytes, Offsets, utf8_view

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
_DIGIT, _LETTER, _WORD, _LOCAL, _HEX = 1, 2, 4, 8, 16
_AT, _COLON, _DOT, _DASH, _PLUS, _NEWLINE, _SPACE = (ord(sign) for sign in "@:.-+\n ")
_GAP = 2  # bytes between groups of one number: ") ", " -"
_IBAN_GAP = 6  # " NWBK "


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
    ):
        table[list(members)] |= bit
    return table


@njit(nogil=True, cache=True)
def _find(data: Bytes, offsets: Offsets, classes: Codes) -> tuple[Offsets, Offsets, Offsets, Codes]:
    found, kinds = np.empty((64, 3), np.int64), np.empty(64, np.uint8)
    count = 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        at, word_end = start, start
        # The number being put together: where it begins and ends, its digits, and whether it may be an account's.
        begin, last, digits, account, mixed = start, start - 100, 0, False, False
        chain, chain_begin, chain_end = 0, start, start - 100  # groups of one to three digits between full stops
        while at < end:
            if count + 4 > len(found):
                found, kinds = _doubled(found), _doubled_codes(kinds)
            byte = data[at]
            if not classes[byte] & _WORD:
                if byte == _AT:
                    first, stop = _email(data, start, at, end, classes)
                    if stop:
                        found[count, 0], found[count, 1], found[count, 2] = row, first - start, stop - start
                        kinds[count] = _EMAIL
                        count += 1
                    if _is_login(data, start, at):
                        found[count, 0], found[count, 1], found[count, 2] = row, at - start, at + 1 - start
                        kinds[count] = _TOKEN
                        count += 1
                elif byte == _COLON:
                    stop = _ipv6_end(data, start, at, end, classes)
                    if stop:
                        found[count, 0], found[count, 1], found[count, 2] = row, at - 4 - start, stop - start
                        kinds[count] = _IPV6
                        count += 1
                at += 1
                continue
            word = at
            seen = 0
            while at < end and classes[data[at]] & _WORD:
                seen |= classes[data[at]]
                at += 1
            word_end = at
            length = word_end - word
            n_digits, n_letters = 0, 0
            if seen & _DIGIT:
                for i in range(word, word_end):
                    n_digits += classes[data[i]] & _DIGIT
                    n_letters += (classes[data[i]] & _LETTER) >> 1
            random = length >= LEAST_TOKEN and n_digits > 0 and n_letters > 0
            if random or _is_key_head(data, word, word_end):
                found[count, 0], found[count, 1], found[count, 2] = row, word - start, word_end - start
                kinds[count] = _TOKEN
                count += 1
            if not n_digits:
                continue
            near = word - last <= (_IBAN_GAP if account else _GAP)
            if not near:
                if digits >= LEAST_DIGITS or mixed:
                    found[count, 0], found[count, 1], found[count, 2] = row, begin - start, last - start
                    kinds[count] = _NUMBER
                    count += 1
                begin, digits, mixed = word, 0, False
                account = n_letters == 2 and n_digits >= 2 and 64 < data[word] < 91 and 64 < data[word + 1] < 91
            digits += n_digits
            mixed = mixed or (n_letters > 0 and n_digits >= 6)
            last = word_end
            if n_digits != length or length > 3:
                chain = 0
                continue
            if chain and chain_end == word - 1 and data[word - 1] == _DOT:
                chain += 1
            else:
                chain, chain_begin = 1, word
                if word > start and (data[word - 1] == _DOT or classes[data[word - 1]] & _WORD):
                    chain = 100  # a part of something longer
            chain_end = word_end
            more = word_end + 1 < end and data[word_end] == _DOT and classes[data[word_end + 1]] & _WORD
            if chain == 4 and not more:
                found[count, 0], found[count, 1], found[count, 2] = row, chain_begin - start, word_end - start
                kinds[count] = _IPV4
                count += 1
        if digits >= LEAST_DIGITS or mixed:
            if count + 1 > len(found):
                found, kinds = _doubled(found), _doubled_codes(kinds)
            found[count, 0], found[count, 1], found[count, 2] = row, begin - start, last - start
            kinds[count] = _NUMBER
            count += 1
    found = found[:count]
    return found[:, 0].copy(), found[:, 1].copy(), found[:, 2].copy(), kinds[:count]


@njit(nogil=True, cache=True)
def _doubled(rows: Offsets) -> Offsets:
    larger = np.empty((2 * len(rows), 3), np.int64)
    larger[: len(rows)] = rows
    return larger


@njit(nogil=True, cache=True)
def _doubled_codes(codes: Codes) -> Codes:
    larger = np.empty(2 * len(codes), np.uint8)
    larger[: len(codes)] = codes
    return larger


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True, inline="always")
def _is_path(data: Bytes, at: int, end: int) -> bool:
    return at + 1 < end and bool(data[at] == _COLON and data[at + 1] not in (_SPACE, _NEWLINE))


@njit(nogil=True, cache=True)
def _is_login(data: Bytes, start: int, at: int) -> bool:
    """Whether ``://user:password`` stands before the ``@`` at ``at``."""
    colons = False
    for i in range(at - 1, max(start + 2, at - 256), -1):
        byte = data[i]
        if byte <= _SPACE or byte == _AT:
            return False
        if byte == 47:  # "/"
            return colons and data[i - 1] == 47 and data[i - 2] == _COLON
        colons = colons or byte == _COLON
    return False


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True, inline="always")
def _is_key_head(data: Bytes, word: int, end: int) -> bool:
    """``-----BEGIN``, or a key id of AWS, which may have no digit."""
    if end - word == 10:
        return bool(data[word] == _DASH and data[word + 4] == _DASH and data[word + 5] == 66 and data[end - 1] == 78)
    return bool(end - word == 20 and data[word] == 65 and data[word + 2] == 73 and data[word + 3] == 65)  # A?IA
