r"""How much of a document which characters make up.

ASCII is counted by comparing 64 bytes at once (`curate.text.core.bits`); the other code points, few in most text, are
looked up one by one.

- *alphanumeric_characters*: letters and numbers (``str.isalnum``), a count.
- *uppercase_characters*, *digit_characters* (general category Nd), *whitespace_characters* (``str.isspace``),
  *parenthesis_characters* (``()[]{}⟨⟩``), *curly_bracket_characters* (``{}``): shares of the code points.
- *unusual_characters*: all but ``a-z A-Z 0-9 ? ! , .`` and the line feed, of all (NeMo Curator).
- *url_characters*: in ``http://…`` and ``https://…`` up to the first byte that cannot be part of a link, of all.
- *regex_sentences*: runs of anything but ``.``, ``!`` and ``?`` that hold a letter or number (RedPajama-V2).
"""

import functools
import unicodedata

import numpy as np
import numpy.typing as npt
from numba import uint64

from curate.cache.tables import Tables, derived
from curate.text.core.arrow import Bytes, Offsets
from curate.text.core.bits import BLOCK, address, between, count, equal, lowest, some_ones
from curate.text.core.codepoints import CODE_POINTS
from curate.text.core.kernel import inner, kernel
from curate.text.core.words import code_point_at
from curate.text.quality.bitmaps import followed_by_line_feeds

COLUMNS = (
    "alphanumeric_characters",
    "uppercase_characters",
    "digit_characters",
    "whitespace_characters",
    "parenthesis_characters",
    "curly_bracket_characters",
    "unusual_characters",
    "url_characters",
    "regex_sentences",
)
"""Signals of `character_signals`."""
_ALPHANUMERIC, _UPPERCASE, _DIGIT, _WHITESPACE, _PARENTHESIS, _CURLY, _UNUSUAL, _URL, _SENTENCES = range(len(COLUMNS))
_CLASSES = 7  # the first seven are classes of code points: bits of one byte

_URL_SIGNS = bytes(range(0x24, 0x60)) + b"!"  # `[$-_@.&+]|[!*\\(),]`, as in NeMo Curator's expression


def character_signals(data: Bytes, offsets: Offsets) -> dict[str, npt.NDArray[np.float64]]:
    """Signals of the characters of each document.

    Args:
        data: UTF-8 bytes of all documents (uint8).
        offsets: int64, one more than documents; document ``i`` is ``data[offsets[i]:offsets[i + 1]]``.

    Returns:
        For each of `COLUMNS` float64 of one value a document; shares of an empty document are NaN.

    Example:
        >>> text = np.frombuffer(b"See https://example.org/a (in 2024).", np.uint8)
        >>> found = character_signals(text, np.array([0, len(text)]))
        >>> [round(float(found[name][0]) * len(text)) for name in ("url_characters", "parenthesis_characters")]
        [21, 2]
    """
    found = np.full((len(COLUMNS), len(offsets) - 1), np.nan)
    _measure(data, offsets, _classes(), _link_bytes(), found)
    return dict(zip(COLUMNS, found, strict=True))


@functools.cache
def _classes() -> npt.NDArray[np.uint8]:
    return derived("tallies", f"{unicodedata.unidata_version} 1", _build)["classes"]


def _build() -> Tables:
    classes = np.full(CODE_POINTS, 1 << _UNUSUAL, np.uint8)
    for code_point in range(CODE_POINTS):
        character = chr(code_point)
        asked = (
            (_ALPHANUMERIC, character.isalnum()),
            (_UPPERCASE, character.isupper()),
            (_DIGIT, unicodedata.category(character) == "Nd"),
            (_WHITESPACE, character.isspace()),
            (_PARENTHESIS, character in "()[]{}⟨⟩"),
            (_CURLY, character in "{}"),
        )
        for place, answer in asked:
            classes[code_point] |= answer << place
        if character == "\n" or (character.isascii() and (character.isalnum() or character in "?!,.")):
            classes[code_point] ^= 1 << _UNUSUAL
    return {"classes": classes}


@functools.cache
def _link_bytes() -> npt.NDArray[np.bool_]:
    """For each byte whether it may stand in a link."""
    link = np.zeros(256, np.bool_)
    for byte in range(0x80):
        link[byte] = chr(byte).isalnum() or byte in _URL_SIGNS
    return link


@kernel
def _measure(
    data: Bytes,
    offsets: Offsets,
    classes: npt.NDArray[np.uint8],
    link: npt.NDArray[np.bool_],
    found: npt.NDArray[np.float64],
) -> None:
    longest = 0
    for document in range(len(offsets) - 1):
        longest = max(longest, offsets[document + 1] - offsets[document])
    text = np.empty(longest + 3 * BLOCK, np.uint8)
    tally = np.empty(len(found), np.int64)
    for document in range(len(offsets) - 1):
        end = offsets[document + 1] - offsets[document]
        followed_by_line_feeds(data[offsets[document] : offsets[document + 1]], text)
        characters = _tally(text, end, classes, link, tally)
        row = found[:, document]
        row[_ALPHANUMERIC], row[_SENTENCES] = tally[_ALPHANUMERIC], tally[_SENTENCES]
        if characters:
            for place in range(_ALPHANUMERIC + 1, _SENTENCES):
                row[place] = tally[place] / characters


@inner
def _tally(
    text: Bytes, end: int, classes: npt.NDArray[np.uint8], link: npt.NDArray[np.bool_], tally: npt.NDArray[np.int64]
) -> int:
    """Count everything of `COLUMNS`; returns the code points."""
    start = address(text)
    tally[:] = 0
    others = tails = alphanumeric = uppercase = digits = spaces = parentheses = curly = usual = sentences = 0
    link_end = 4
    begun = False  # whether the sentence holds a letter or number yet
    for at in range(0, end, BLOCK):
        block = start + at
        inside = some_ones(min(end - at, BLOCK))
        upper, digit = between(block, 0x41, 0x5A), between(block, 0x30, 0x39)
        wordy = upper | digit | between(block, 0x61, 0x7A)
        stops = equal(block, 0x2E) | equal(block, 0x21) | equal(block, 0x3F)
        braces = equal(block, 0x7B) | equal(block, 0x7D)
        uppercase += count(upper)
        digits += count(digit)
        alphanumeric += count(wordy)
        spaces += count(inside & (equal(block, 0x20) | between(block, 0x09, 0x0D) | between(block, 0x1C, 0x1F)))
        curly += count(braces)
        parentheses += count(braces | between(block, 0x28, 0x29) | equal(block, 0x5B) | equal(block, 0x5D))
        usual += count(inside & (wordy | stops | equal(block, 0x2C) | equal(block, 0x0A)))
        wordy |= equal(block, 0x5F)
        leads = between(block, 0xC0, 0xFF)
        others += count(between(block, 0x80, 0xFF))
        tails += count(between(block, 0x80, 0xBF))
        while leads:
            place = lowest(leads)
            leads &= leads - uint64(1)
            kinds = classes[code_point_at(text, at + place)[0]]
            for kind in range(_CLASSES):
                tally[kind] += kinds >> kind & 1
            wordy |= uint64(kinds >> _ALPHANUMERIC & 1) << uint64(place)
        between_them = ~(wordy | stops)
        open_from = stops << uint64(1) | uint64(not begun)
        # Adding one to a run of bytes that mean nothing carries it to what stands behind them.
        carried = between_them + (between_them & open_from)
        sentences += count(wordy & (carried | open_from))
        begun = wordy > stops if wordy | stops else begun
        colons = equal(block, 0x3A)
        while colons:
            colon = at + lowest(colons)
            colons &= colons - uint64(1)
            if link_end <= colon < end - 3 and text[colon + 1] == 0x2F and text[colon + 2] == 0x2F:
                begin, link_end = _link(text, colon, end, link)
                tally[_URL] += link_end - begin
    tally[_ALPHANUMERIC] += alphanumeric
    tally[_UPPERCASE] += uppercase
    tally[_DIGIT] += digits
    tally[_WHITESPACE] += spaces
    tally[_PARENTHESIS] += parentheses
    tally[_CURLY] += curly
    tally[_UNUSUAL] += end - others - usual
    tally[_SENTENCES] = sentences
    return end - tails


@inner
def _link(text: Bytes, colon: int, end: int, link: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Begin and end of the link around the colon of ``://``; both the same where it is none."""
    behind = colon + 3
    while behind < end and link[text[behind]]:
        behind += 1
    begin = _scheme(text, colon)
    return (begin if begin >= 0 and behind > colon + 3 else behind), behind


@inner
def _scheme(text: Bytes, colon: int) -> int:
    """Where the ``http`` or ``https`` before a colon begins; -1 where none stands there."""
    begin = colon - 4 if text[colon - 1] != 0x73 else colon - 5
    if (
        begin < 0
        or text[begin] != 0x68
        or text[begin + 1] != 0x74
        or text[begin + 2] != 0x74
        or text[begin + 3] != 0x70
    ):
        return -1
    return begin
