"""Where words begin as spaCy cuts them: `curate.text.quality.words.word_rules` on what stands between white space.

From both ends prefixes and suffixes are cut off until none is left or what is left is a single word that the rules
know; then infixes cut it, unless it is a link or the like.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import int64, uint64

from curate.text.core.arrow import Bytes, Offsets
from curate.text.core.bits import BLOCK, address, lowest, some_ones
from curate.text.core.kernel import inlined, inner, kernel
from curate.text.core.patterns import BOUNDARY
from curate.text.core.words import code_point_at
from curate.text.quality.bitmaps import DIGITS, RUNS, SPACES, SYMBOLS, WORDS, mark, marks_for, next_in, part, places
from curate.text.quality.words.word_rules import JOINS, LONGEST, WordRules, word_key

_PREFIX, _SUFFIX, _INFIX, _WHOLE, _LINK = range(5)
_LONGEST_WHOLE = 256  # code points; nothing longer is kept together but a link


class _Chunk(NamedTuple):
    """What stands between white space, by code point."""

    classes: npt.NDArray[np.uint16]
    """Class of each by the rules,"""
    places: npt.NDArray[np.int32]
    """and the byte that it begins with."""


@kernel
def word_starts(
    data: Bytes,
    offsets: Offsets,
    rows: npt.NDArray[np.int64],
    rules: WordRules,
    classes: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.uint8],
) -> None:
    """Mark where words begin.

    Args:
        data: UTF-8 bytes of all documents (uint8).
        offsets: int64, one more than documents; document ``i`` is ``data[offsets[i]:offsets[i + 1]]``.
        rows: int64, for each document the row of its rules; -1 for those of all languages, with each letter of a script
            without spaces a word of its own.
        rules: the rules.
        classes: class bits of code points.
        starts: out, uint8, zeros, for each byte of ``data`` whether a word begins there.
    """
    longest = int64(0)
    for document in range(len(offsets) - 1):
        longest = max(longest, offsets[document + 1] - offsets[document])
    marks = marks_for(longest)
    no_splits = np.zeros(0, np.uint8)
    chunk = _Chunk(np.empty(longest + 8, np.uint16), np.empty(longest + 8, np.int32))
    begins, begins_inside = np.empty(longest + 16, np.int32), np.empty(longest + 2, np.int32)
    sets, text = address(marks.sets), marks.text
    for document in range(len(offsets) - 1):
        first, end = offsets[document], offsets[document + 1] - offsets[document]
        mark(data[first : first + end], no_splits, classes, marks)
        of_document = starts[first : first + end]
        row = max(rows[document], 0)
        if rows[document] < 0:
            n = places(marks.sets, int64(WORDS), end, begins)
            for i in range(n):
                if begins[i] < end:
                    of_document[begins[i]] = 1
        n = places(marks.sets, int64(RUNS), end, begins)
        for i in range(n):
            begin = int64(begins[i])
            if begin >= end:
                break
            behind = next_in(sets, SPACES, begin)
            of_document[begin] = 1
            length = behind - begin
            if length <= BLOCK:
                signs, digits = part(sets, SYMBOLS, begin, length), part(sets, DIGITS, begin, length)
                if signs == 0 and (digits == 0 or digits == some_ones(length)):
                    _mark(of_document, begin, _single(text, begin, behind, row, rules))
                    continue
                if (
                    digits == 0
                    and signs == uint64(1) << uint64(length - 1)
                    and length > 1
                    and _ends_plainly(text, behind)
                ):
                    cuts = _single(text, begin, behind, row, rules)
                    if cuts == 0:
                        of_document[behind - 1] = 1
                        cuts = _single(text, begin, behind - 1, row, rules)
                    _mark(of_document, begin, cuts)
                    if cuts:
                        _join(text, begin, behind, row, rules, begins_inside, of_document)
                    continue
            _cut(text, begin, behind, row, rules, chunk, of_document)
            _join(text, begin, behind, row, rules, begins_inside, of_document)


@inlined
def _ends_plainly(text: Bytes, behind: int) -> bool:
    """Whether the last byte is one that all rules cut off behind a letter."""
    last, before = text[behind - 1], text[behind - 2]
    mark = (last == 0x2C) | (last == 0x3B) | (last == 0x3A) | (last == 0x21) | (last == 0x3F) | (last == 0x29)
    return mark | ((last == 0x2E) & (before >= 0x61) & (before <= 0x7A))  # type: ignore[no-any-return]


@inner
def _cut(
    text: Bytes, begin: int, behind: int, row: int, rules: WordRules, chunk: _Chunk, starts: npt.NDArray[np.uint8]
) -> None:
    """Cut one chunk."""
    classes, at = chunk.classes, chunk.places
    n = int64(0)
    i = begin
    while i < behind:
        at[n] = i
        code_point, i = code_point_at(text, i)
        classes[n] = rules.classes[code_point]
        n += 1
    at[n] = behind
    low, high, before = int64(0), n, int64(-1)
    cuts = uint64(0)
    whole = False
    while low < high and high - low != before:
        whole = _is_whole(rules, rules.starts[row, _WHOLE], classes, low, high)
        cuts = _single(text, int64(at[low]), int64(at[high]), row, rules)
        if whole or cuts:
            break
        before = high - low
        prefix = _prefix(rules, rules.starts[row, _PREFIX], classes, low, high)
        if prefix and low + prefix < high:
            cuts = _single(text, int64(at[low + prefix]), int64(at[high]), row, rules)
            if cuts:
                low += prefix
                break
        suffix = _suffix(rules, rules.starts[row, _SUFFIX], classes, low + prefix, high)
        if suffix and low < high - suffix:
            cuts = _single(text, int64(at[low]), int64(at[high - suffix]), row, rules)
            if cuts:
                high -= suffix
                starts[at[high]] = 1
                break
        low += prefix
        high -= suffix
        if suffix:
            starts[at[high]] = 1
        if prefix and low < n:
            starts[at[low]] = 1
    if low < high:
        starts[at[low]] = 1
        if cuts:
            _mark(starts, int64(at[low]), cuts)
        elif not whole and not _is_link(rules, rules.starts[row, _LINK], classes, low, high):
            _cut_inside(rules, row, classes, at, low, high, starts)


@inner
def _join(
    text: Bytes,
    begin: int,
    behind: int,
    row: int,
    rules: WordRules,
    begins: npt.NDArray[np.int32],
    starts: npt.NDArray[np.uint8],
) -> None:
    """Make the single words of what the rules have cut: the most parts first, of as many the first."""
    n = int64(0)
    for i in range(begin, behind):
        begins[n] = i
        n += starts[i]
    begins[n] = behind
    joined = False
    for parts in range(min(n, LONGEST), 1, -1):
        for i in range(n - parts + 1):
            first, end = int64(begins[i]), int64(begins[i + parts])
            if end - first > LONGEST or starts[first] > 1 or starts[begins[i + parts - 1]] > 1:
                continue
            cuts = _single(text, first, end, row, rules)
            if cuts & uint64(JOINS):
                joined = True
                for k in range(first, end):
                    starts[k] = 2 * starts[k]
                for k in range(first, end):
                    inside = cuts >> uint64(k - first) & uint64(1)
                    starts[k] = 2 if inside else (4 if starts[k] else 0)
    if joined:
        for i in range(begin, behind):
            starts[i] = starts[i] & 3 != 0


@inlined
def _mark(starts: npt.NDArray[np.uint8], begin: int, cuts: np.uint64) -> None:
    cuts &= ~uint64(JOINS)
    while cuts:
        starts[begin + lowest(cuts)] = 1
        cuts &= cuts - uint64(1)


@inlined
def _single(text: Bytes, begin: int, end: int, row: int, rules: WordRules) -> np.uint64:
    """Where the parts of a single word begin, 0 if it is none."""
    pair = int64(text[begin]) | (int64(text[begin + 1]) << 8 if end - begin > 1 else int64(0))
    if end - begin > rules.reach[row, pair]:
        return uint64(0)  # type: ignore[no-any-return]
    key = word_key(text, begin, end, row)
    mask = uint64(len(rules.keys) - 1)
    slot = key & mask
    while rules.keys[slot] and rules.keys[slot] != key:
        slot = (slot + uint64(1)) & mask
    return rules.cuts[slot] if rules.keys[slot] else uint64(0)  # type: ignore[no-any-return]


@inlined
def _prefix(rules: WordRules, state: int, classes: npt.NDArray[np.uint16], low: int, high: int) -> int:
    """Length of the longest prefix."""
    edge, found = rules.classes[BOUNDARY], 0
    for i in range(low, high + 1):
        state = rules.steps[state, classes[i] if i < high else edge]
        if state == 0:
            break
        if rules.accepts[state]:
            found = i - low
    return found


@inlined
def _suffix(rules: WordRules, state: int, classes: npt.NDArray[np.uint16], low: int, high: int) -> int:
    """Length of the longest suffix."""
    edge, found = rules.classes[BOUNDARY], 0
    for i in range(high - 1, low - 3, -1):
        state = rules.steps[state, classes[i] if i >= low else edge]
        if state == 0:
            break
        if rules.accepts[state]:
            found = high - i - 2
    return found


@inlined
def _is_whole(rules: WordRules, state: int, classes: npt.NDArray[np.uint16], low: int, high: int) -> bool:
    """Whether the rules keep all of it together."""
    if state == 0 or high - low > _LONGEST_WHOLE:
        return False
    return _is_link(rules, state, classes, low, high)  # type: ignore[no-any-return]


@inlined
def _is_link(rules: WordRules, state: int, classes: npt.NDArray[np.uint16], low: int, high: int) -> bool:
    """Whether an automaton matches all of it."""
    for i in range(low, high):
        state = rules.steps[state, classes[i]]
        if state == 0:
            return False
    return bool(rules.accepts[rules.steps[state, rules.classes[BOUNDARY]]])


@inner
def _cut_inside(
    rules: WordRules,
    row: int,
    classes: npt.NDArray[np.uint16],
    at: npt.NDArray[np.int32],
    low: int,
    high: int,
    starts: npt.NDArray[np.uint8],
) -> None:
    """Cut at infixes, but not at one that stands first."""
    i = low
    while i < high:
        if rules.opens[row, classes[i]]:
            end = _infix(rules, rules.starts[row, _INFIX], classes, low, i, high)
            if end >= 0:
                if i > low:
                    starts[at[i]] = 1
                    if end < high:
                        starts[at[end]] = 1
                i = max(end, i + 1)
                continue
        i += 1


@inner
def _infix(rules: WordRules, state: int, classes: npt.NDArray[np.uint16], low: int, begin: int, high: int) -> int:
    """Where the longest infix from ``begin`` ends; -1 where none begins there."""
    edge, found = rules.classes[BOUNDARY], -1
    for i in range(begin - 2, high + 1):
        state = rules.steps[state, classes[i] if low <= i < high else edge]
        if state == 0:
            break
        if rules.accepts[state]:
            found = i
    return found
