r"""How much of a document which characters make up, from a histogram of its bytes.

One count for each byte answers every question about ASCII; the other code points, few in most text, are looked up one
by one. Links and sentences are found in the bytes.

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
from numba import njit

from curate.tables import Tables, derived
from curate.text.arrow import Bytes, Offsets
from curate.text.codepoints import CODE_POINTS
from curate.text.words import code_point_at

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
_WORDY, _STOP = 1, 2


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
    _measure(data, offsets, _classes(), *_byte_tables(), found)
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
def _byte_tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """For each byte what it means for sentences, and whether it may stand in a link."""
    sentence = np.zeros(256, np.uint8)
    link = np.zeros(256, np.bool_)
    for byte in range(0x80):
        alphanumeric = chr(byte).isalnum()
        sentence[byte] = _WORDY if alphanumeric or byte == ord("_") else 0
        link[byte] = alphanumeric or byte in _URL_SIGNS
    sentence[list(b".!?")] = _STOP
    return sentence, link


@njit(nogil=True, cache=True)
def _measure(
    data: Bytes,
    offsets: Offsets,
    classes: npt.NDArray[np.uint8],
    sentence: npt.NDArray[np.uint8],
    link: npt.NDArray[np.bool_],
    found: npt.NDArray[np.float64],
) -> None:
    histogram = np.empty((4, 256), np.int64)
    tally = np.empty(_CLASSES, np.int64)
    for document in range(len(offsets) - 1):
        text = data[offsets[document] : offsets[document + 1]]
        row = found[:, document]
        sentences = _histogram(text, sentence, classes, histogram)
        tally[:] = 0
        characters = _tally(text, histogram, classes, tally)
        row[_ALPHANUMERIC], row[_SENTENCES] = tally[_ALPHANUMERIC], sentences
        if characters == 0:
            continue
        for place in range(_ALPHANUMERIC + 1, _CLASSES):
            row[place] = tally[place] / characters
        links = histogram[0, 0x3A] and histogram[0, 0x2F] > 1  # a colon and two slashes
        row[_URL] = _link_characters(text, link) / characters if links else 0.0


@njit(nogil=True, cache=True)
def _histogram(
    text: Bytes, sentence: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8], histogram: npt.NDArray[np.int64]
) -> int:
    """Count bytes; into four tables, so that equal neighbours need not wait for each other. Returns sentences."""
    histogram[:] = 0
    begun = 0  # whether the sentence holds a letter or number yet
    sentences = 0
    i = 0
    while i < len(text):
        byte = text[i]
        histogram[i & 3, byte] += 1
        meaning = int(sentence[byte])
        if byte >= 0xC0:
            code_point, _ = code_point_at(text, i)
            meaning = int(classes[code_point] >> _ALPHANUMERIC & 1)
        sentences += meaning & _WORDY & (1 - begun)
        begun = (begun | (meaning & _WORDY)) & (1 - (meaning >> 1))
        i += 1
    histogram[0] += histogram[1] + histogram[2] + histogram[3]
    return sentences


@njit(nogil=True, cache=True)
def _tally(
    text: Bytes, histogram: npt.NDArray[np.int64], classes: npt.NDArray[np.uint8], tally: npt.NDArray[np.int64]
) -> int:
    """Code points of each class, and in all."""
    ascii_bytes = 0
    for byte in range(0x80):
        count = histogram[0, byte]
        ascii_bytes += count
        for place in range(_CLASSES):
            tally[place] += count * (classes[byte] >> place & 1)
    others = 0
    if ascii_bytes < len(text):
        i = 0
        while i < len(text):
            if text[i] < 0x80:
                i += 1
                continue
            code_point, i = code_point_at(text, i)
            others += 1
            for place in range(_CLASSES):
                tally[place] += classes[code_point] >> place & 1
    return ascii_bytes + others


@njit(nogil=True, cache=True)
def _link_characters(text: Bytes, link: npt.NDArray[np.bool_]) -> int:
    """Code points in links, which are ASCII."""
    total = 0
    i = 4
    while i + 3 < len(text):
        if text[i] != 0x3A or text[i + 1] != 0x2F or text[i + 2] != 0x2F:
            i += 1
            continue
        begin = _scheme(text, i)
        end = i + 3
        while end < len(text) and link[text[end]]:
            end += 1
        if begin >= 0 and end > i + 3:
            total += end - begin
        i = end
    return total


@njit(nogil=True, cache=True)
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
