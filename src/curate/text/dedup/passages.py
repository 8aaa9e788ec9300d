r"""Passages: the lines or paragraphs of a document, as hashes that tell which documents share them; and cutting.

A *line* ends with ``\n``; a *paragraph* is a longest run of lines that are not blank. Two passages are the same when
they agree after white space at both ends is left away, every run of white space counts as one space (so a paragraph
that was wrapped anew is the same), and each code point has its lower case. Digits and signs count as they stand. The
length of a passage is that of this form, in code points.

Two different passages share a 64-bit hash with probability 2⁻⁶⁴. A passage is cut wrongly only where it shares its hash
with one that is repeated often: with 10¹⁰ distinct passages and 10⁶ repeated ones, 5 · 10⁻⁴ of them in expectation.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import uint64

from curate.text.core.arrow import Bytes, Offsets, utf8_view
from curate.text.core.ascending import place_in
from curate.text.core.hashes import mix64
from curate.text.core.kernel import inlined, inner, kernel
from curate.text.core.words import FNV_BASIS, FNV_PRIME, SPACE, Characters, characters, code_point_at, count_words
from curate.text.dedup.jaccard import capacity_for, insert
from curate.text.dedup.shingles import Hashes

_LINE_FEED = 0x0A


class Repeated(NamedTuple):
    """Passages of which one copy is to be kept."""

    keys: Hashes
    """Ascending; see `passage_keys`."""
    keeper: npt.NDArray[np.int64]
    """Number of the document that keeps each; no document has a number below 0."""


class Cuts(NamedTuple):
    """Spans cut from documents, back to back: document ``i`` has those from ``ends[i - 1]`` to ``ends[i]``."""

    starts: npt.NDArray[np.int64]
    """First byte cut, counted from the document's first."""
    stops: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    """Shape (documents, ``len(COUNTS)``)."""


COUNTS = ("cut_lines", "cut_characters", "characters", "words_before", "words_left")
"""Columns of `Cuts.counts`: lines cut that are not blank, code points cut, code points before, and words (see
`curate.text.core.words.count_words`) before and after."""


def passage_hashes(texts: pa.Array, *, paragraphs: bool, min_characters: int) -> tuple[Hashes, Offsets]:
    r"""The distinct passages of every text, as 64-bit hashes in the order of first appearance.

    Args:
        texts: ``large_string`` array without nulls.
        paragraphs: whether passages are paragraphs instead of lines.
        min_characters: length from which a passage counts, at least 1.

    Returns:
        ``hashes`` (uint64, none of them 0) and ``offsets`` (int64, one longer than ``texts``).

    Example:
        >>> texts = pa.array(["Read  more\nA story\n", "", "READ MORE"], pa.large_string())
        >>> hashes, offsets = passage_hashes(texts, paragraphs=False, min_characters=5)
        >>> offsets.tolist(), bool(hashes[0] == hashes[2])
        ([0, 2, 2, 3], True)
    """
    data, offsets = utf8_view(texts)
    room = _most_passages(np.diff(offsets), min_characters)
    hashes = np.empty(int(room.sum()), np.uint64)
    table = np.empty(capacity_for(int(room.max(initial=0))), np.uint64)
    ends = np.zeros(len(texts) + 1, np.int64)
    _hash_passages(data, offsets, characters(), paragraphs, min_characters, room, table, hashes, ends)
    return hashes[: ends[-1]], ends


@kernel
def passage_keys(hashes: Hashes, scopes: Hashes) -> Hashes:
    """Hashes of passages within their scopes: equal only where both are.

    Args:
        hashes: of passages (uint64).
        scopes: of what each is compared within (uint64).
    """
    keys = np.empty(len(hashes), np.uint64)
    for i in range(len(hashes)):
        keys[i] = mix64(hashes[i] ^ scopes[i])
    return keys


def cut_passages(
    texts: pa.Array,
    documents: npt.NDArray[np.int64],
    scopes: Hashes,
    repeated: Repeated,
    *,
    paragraphs: bool,
    min_characters: int,
) -> Cuts:
    r"""Cut every repeated passage out of the texts, except where the document is its keeper.

    A passage goes with its line feed. Blank lines that would come to stand beside others, at the beginning or at the
    end go with it, and neighbouring cuts are one.

    Args:
        texts: ``large_string`` array without nulls.
        documents: number of each (int64).
        scopes: scope of each (uint64).
        repeated: what to cut.
        paragraphs: see `passage_hashes`.
        min_characters: see `passage_hashes`.

    Example:
        >>> texts = pa.array(["One story\nRead more\n", "Read more\n\nAnother"], pa.large_string())
        >>> hashes, _ = passage_hashes(texts, paragraphs=False, min_characters=1)
        >>> scopes = np.zeros(2, np.uint64)
        >>> repeated = Repeated(passage_keys(hashes[1:2], scopes), np.array([0]))
        >>> cuts = cut_passages(texts, np.array([0, 1]), scopes, repeated, paragraphs=False, min_characters=1)
        >>> cuts.starts.tolist(), cuts.stops.tolist(), cuts.ends.tolist()
        ([0], [11], [0, 1])
    """
    data, offsets = utf8_view(texts)
    room = int(_most_passages(np.diff(offsets), min_characters).sum())
    documents_cut = len(texts)
    cuts = Cuts(
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.zeros(documents_cut, np.int64),
        np.zeros((documents_cut, len(COUNTS)), np.int64),
    )
    used = _cut_all(data, offsets, documents, scopes, characters(), repeated, paragraphs, min_characters, cuts)
    return Cuts(cuts.starts[:used], cuts.stops[:used], cuts.ends, cuts.counts)


def _most_passages(lengths: npt.NDArray[np.int64], min_characters: int) -> npt.NDArray[np.int64]:
    """How many passages so many bytes can hold: each has its line feed, but for the last."""
    most: npt.NDArray[np.int64] = (lengths + 1) // (min_characters + 1)
    return most


class _Passage(NamedTuple):
    """What begins at some byte: a passage, or a blank line (then of no characters)."""

    stop: int
    hash: np.uint64
    characters: int
    lines: int


@inner
def _passage_at(data: Bytes, start: int, end: int, tables: Characters, paragraphs: bool) -> _Passage:
    """FNV-1a over the form that is compared, finalised, never 0."""
    running, prime = uint64(FNV_BASIS), uint64(FNV_PRIME)
    length = lines = 0
    space = blank = True
    at = line = start
    while at < end:
        code_point, at = code_point_at(data, at)
        if code_point == _LINE_FEED:
            if blank and lines:
                at = line  # the blank line stays for the next call
                break
            lines += not blank
            if blank or not paragraphs:
                break
            space = blank = True
            line = at
            continue
        if tables.classes[code_point] & SPACE:
            space = True
            continue
        if space and length:
            running = (running ^ uint64(0x20)) * prime
            length += 1
        running = (running ^ uint64(tables.lowercase[code_point])) * prime
        length += 1
        space = blank = False
    else:
        if blank and lines:
            at = line
        lines += not blank
    return _Passage(at, max(mix64(running), uint64(1)), length, lines)


@kernel
def _hash_passages(
    data: Bytes,
    offsets: Offsets,
    tables: Characters,
    paragraphs: bool,
    min_characters: int,
    room: npt.NDArray[np.int64],
    table: Hashes,
    hashes: Hashes,
    ends: Offsets,
) -> None:
    filled = 0
    for text in range(len(offsets) - 1):
        at, end = offsets[text], offsets[text + 1]
        capacity = capacity_for(room[text])
        table[:capacity] = 0
        while at < end:
            passage = _passage_at(data, at, end, tables, paragraphs)
            at = passage.stop
            if passage.characters >= min_characters and insert(table, capacity, passage.hash):
                hashes[filled] = passage.hash
                filled += 1
        ends[text + 1] = filled


@kernel
def _cut_all(
    data: Bytes,
    offsets: Offsets,
    documents: npt.NDArray[np.int64],
    scopes: Hashes,
    tables: Characters,
    repeated: Repeated,
    paragraphs: bool,
    min_characters: int,
    cuts: Cuts,
) -> int:
    used = 0
    for row in range(len(documents)):
        text = data[offsets[row] : offsets[row + 1]]
        first, at = used, 0
        adjoins = False  # whether the last cut ends here
        gap = True  # whether a blank line, or nothing, is what stays before it
        while at < len(text):
            passage = _passage_at(text, at, len(text), tables, paragraphs)
            if passage.characters == 0:
                goes = adjoins and gap
                gap = True
            else:
                goes = passage.characters >= min_characters and _is_cut(
                    mix64(passage.hash ^ scopes[row]), documents[row], repeated
                )
                gap = gap and goes
            if goes:
                if not adjoins:
                    cuts.starts[used] = at
                    used += 1
                cuts.stops[used - 1] = passage.stop
                cuts.counts[row, 0] += passage.lines
            adjoins = goes
            at = passage.stop
        if used > first and cuts.stops[used - 1] == len(text):
            used = _widen_last(text, first, used, cuts)
        cuts.ends[row] = used
        _count(text, first, used, tables, cuts, row)
    return used


@inlined
def _is_cut(key: int, document: int, repeated: Repeated) -> bool:
    at = place_in(repeated.keys, key)
    return bool(at < len(repeated.keys) and repeated.keys[at] == key and repeated.keeper[at] != document)


@inner
def _widen_last(text: Bytes, first: int, used: int, cuts: Cuts) -> int:
    """Let the cut that reaches the end take the line feeds before it, but for the one the text ended with."""
    while True:
        last = used - 1
        floor = cuts.stops[last - 1] if last > first else 0
        while cuts.starts[last] > floor and text[cuts.starts[last] - 1] == _LINE_FEED:
            cuts.starts[last] -= 1
        if last == first or cuts.starts[last] > floor:
            break
        used = last
        cuts.stops[used - 1] = len(text)
    if cuts.starts[used - 1] > 0 and text[len(text) - 1] == _LINE_FEED:
        cuts.starts[used - 1] += 1
    return used


@inner
def _count(text: Bytes, first: int, used: int, tables: Characters, cuts: Cuts, row: int) -> None:
    words = count_words(text, 0, len(text), tables)
    cuts.counts[row, 2] = _code_points(text, 0, len(text))
    cuts.counts[row, 3] = words
    for cut in range(first, used):
        cuts.counts[row, 1] += _code_points(text, cuts.starts[cut], cuts.stops[cut])
        words -= count_words(text, cuts.starts[cut], cuts.stops[cut], tables)
    cuts.counts[row, 4] = words


@inner
def _code_points(text: Bytes, start: int, stop: int) -> int:
    total = 0
    for at in range(start, stop):
        total += text[at] & 0xC0 != 0x80
    return total
