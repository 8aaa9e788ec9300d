"""What the installed ftfy would look at, as tables by code point: the knowledge behind `curate.text.mojibake`.

Nothing here is typed in by hand. The badness expression is parsed, the fixers are run on every code point, the
composition rules come from the running Python. A release of ftfy with something in it that this module does not
understand raises `UnknownFtfyError`, and the fast path steps aside.
"""

import enum
import functools
import platform
import re
import threading
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from itertools import pairwise
from re import _constants as rx  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

import ftfy
import numpy as np
import numpy.typing as npt
from ftfy import badness, chardata, fixes

from curate.tables import Tables, derived
from curate.text.arrow import Bytes
from curate.text.codepoints import CODE_POINTS
from curate.text.kernel import kernel

_REVISION = "1"  # bump when the tables of the same ftfy and Python come out different


class Step(enum.IntFlag):
    """What ftfy did to a text; steps that undo a wrong decoding count as one."""

    ENTITIES = 1
    ENCODING = 2
    LIGATURES = 4
    WIDTH = 8
    QUOTES = 16
    LINE_BREAKS = 32
    ESCAPES = 64
    CONTROLS = 128
    NFC = 256


# Properties of a code point, in bits 8 to 15 of `FtfyTables.properties`.
REPLACED = 1  # substituted wherever it stands
SUSPECT = 2  # alone enough to make a line bad, or never left by NFC
COMPOSES = 4  # may combine with a starter before it (NFC_Quick_Check = Maybe)

# Bytes below 0x80 that need a look, in `FtfyTables.ascii`; REPLACED and SUSPECT also occur there.
NEWLINE = 16
AMPERSAND = 32
LESS_THAN = 64

PLAIN = [code for code in (0x09, *range(0x20, 0x7F)) if chr(code) not in "&<"]
"""ASCII that no step looks at. Kernels skip it, with line feeds and ``<``, without looking anything up."""


class FtfyTables(NamedTuple):
    """Everything the kernels look up. ``n`` counts replacements, of which number 0 means *keep*."""

    properties: npt.NDArray[np.uint32]
    """By code point: badness class | properties << 8 | canonical combining class << 16."""
    suspicious: npt.NDArray[np.bool_]
    """By badness class of a character and of the next one: may they be part of mojibake?"""
    ascii: npt.NDArray[np.uint8]
    """By byte: 0 for what no step of ftfy looks at."""
    compositions: npt.NDArray[np.int64]
    """Sorted ``first << 21 | second`` of all pairs that NFC changes."""
    entities: npt.NDArray[np.int64]
    """Sorted `name_hash` of the HTML entities that ftfy knows by name."""
    replacement: npt.NDArray[np.uint16]
    """By code point: number of its replacement."""
    replacement_ends: npt.NDArray[np.int64]
    """Replacement ``r`` is ``replacement_bytes[ends[r - 1]:ends[r]]``; (n,)."""
    replacement_bytes: npt.NDArray[np.uint8]
    replacement_steps: npt.NDArray[np.uint16]
    """`Step` bits that make replacement ``r``; (n,)."""


@kernel
def name_hash(data: Bytes, start: int, end: int) -> int:
    """A 31-bit polynomial hash of ``data[start:end]``, the same on every machine."""
    value = 0
    for i in range(start, end):
        value = (value * 1_000_003 + data[i]) & 0x7FFFFFFF
    return value


class UnknownFtfyError(Exception):
    """The installed ftfy does something that the tables cannot express."""


_loading = threading.Lock()


def ftfy_tables() -> FtfyTables | None:
    """The tables of the installed ftfy, or nothing (and a warning) when it is of an unknown kind."""
    with _loading:
        return _load()


@functools.cache
def _load() -> FtfyTables | None:
    made_from = (version("ftfy"), unicodedata.unidata_version, platform.python_version(), _REVISION)
    try:
        return FtfyTables(**derived("ftfy", " ".join(made_from), _build))
    except UnknownFtfyError as unknown:
        warnings.warn(f"ftfy {made_from[0]} runs without its fast path: {unknown}", RuntimeWarning, stacklevel=2)
        return None


def _build() -> Tables:
    _check_shape()
    characters = [chr(code) for code in range(CODE_POINTS) if not 0xD800 <= code < 0xE000]
    classes, suspicious, always_bad = _badness_classes(characters)
    if not always_bad.issuperset(range(0x80, 0xA0)):
        raise UnknownFtfyError("it finds nothing wrong with C1 controls")
    replacement, ends, blob, steps = _replacements(characters)
    compositions = _compositions(characters)

    flags = np.zeros(CODE_POINTS, np.uint32)
    flags[replacement > 0] |= REPLACED
    flags[sorted(always_bad)] |= SUSPECT
    flags[[ord(char) for char in characters if not unicodedata.is_normalized("NFC", char)]] |= SUSPECT
    flags[0x1B] |= SUSPECT  # may open a terminal escape
    flags[compositions & 0x1FFFFF] |= COMPOSES
    combining = np.zeros(CODE_POINTS, np.uint32)
    for char in characters:
        if order := unicodedata.combining(char):
            combining[ord(char)] = order

    ascii_flags = np.zeros(256, np.uint8)
    ascii_flags[:128] = flags[:128]
    for char, mark in (("\n", NEWLINE), ("&", AMPERSAND), ("<", LESS_THAN)):
        ascii_flags[ord(char)] |= mark
    if ascii_flags[PLAIN].any():
        raise UnknownFtfyError("it changes printable ASCII")
    return {
        "properties": classes.astype(np.uint32) | flags << 8 | combining << 16,
        "suspicious": suspicious,
        "ascii": ascii_flags,
        "compositions": compositions,
        "entities": _entities(),
        "replacement": replacement,
        "replacement_ends": ends,
        "replacement_bytes": blob,
        "replacement_steps": steps,
    }


# --- the shape of ftfy that the kernels assume ---------------------------------------------------------------

_DEFAULTS = {
    "unescape_html": "auto",
    "remove_terminal_escapes": True,
    "fix_encoding": True,
    "restore_byte_a0": True,
    "replace_lossy_sequences": True,
    "decode_inconsistent_utf8": True,
    "fix_c1_controls": True,
    "fix_latin_ligatures": True,
    "fix_character_width": True,
    "uncurl_quotes": True,
    "fix_line_breaks": True,
    "fix_surrogates": True,
    "remove_control_chars": True,
    "normalization": "NFC",
    "max_decode_length": 1_000_000,
    "explain": True,
}


def _check_shape() -> None:
    if ftfy.TextFixerConfig()._asdict() != _DEFAULTS:
        raise UnknownFtfyError("its default configuration is not the one we know")
    if chardata.HTML_ENTITY_RE.pattern != "&#?[0-9A-Za-z]{1,24};":
        raise UnknownFtfyError("it looks for other HTML entities")
    if not fixes.ANSI_RE.pattern.startswith("\x1b"):
        raise UnknownFtfyError("its terminal escapes do not begin with ESC")
    if chardata.C1_CONTROL_RE.pattern != r"[\x80-\x9f]":
        raise UnknownFtfyError("it looks for other C1 controls")


def _entities() -> npt.NDArray[np.int64]:
    names = [np.frombuffer(entity[1:-1].encode(), np.uint8) for entity in chardata.HTML_ENTITIES]
    return np.unique([name_hash(name, 0, len(name)) for name in names])


# --- mojibake: the badness expression as a relation between neighbours ---------------------------------------


class _CharacterSet(NamedTuple):
    codes: frozenset[int]
    negated: bool

    def frequency(self) -> int:
        """Roughly how often the set occurs in text; ASCII counts most, a negated set is everywhere."""
        return 10**6 if self.negated else 1000 * sum(code < 0x80 for code in self.codes) + len(self.codes)


def _badness_classes(
    characters: list[str],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], set[int]]:
    """Classes of code points and the pairs of classes without which the badness expression cannot match.

    Each alternative of the expression is a sequence of character sets. Two *adjacent* ones that every match must
    contain are a necessary condition; we take the rarest two. Code points that are in the same sets form a class.
    """
    pairs: list[tuple[_CharacterSet, _CharacterSet]] = []
    always_bad: set[int] = set()
    for alternative in _alternatives(characters):
        if len(alternative) == 1 and alternative[0] and not alternative[0].negated:
            always_bad |= alternative[0].codes
            continue
        adjacent = [(a, b) for a, b in pairwise(alternative) if a and b]
        if not adjacent:
            raise UnknownFtfyError("a pattern of mojibake has no two adjacent characters")
        pairs.append(min(adjacent, key=lambda pair: pair[0].frequency() + pair[1].frequency()))

    sets = [each for pair in pairs for each in pair]
    elsewhere = sum(1 << bit for bit, each in enumerate(sets) if each.negated)
    membership: defaultdict[int, int] = defaultdict(lambda: elsewhere)
    for bit, each in enumerate(sets):
        for code in each.codes:
            membership[code] ^= 1 << bit
    numbers = {elsewhere: 0}
    for signature in membership.values():
        numbers.setdefault(signature, len(numbers))
    if len(numbers) > 256:
        raise UnknownFtfyError("its characters of mojibake fall into more than 256 classes")

    classes = np.zeros(CODE_POINTS, np.uint8)
    classes[list(membership)] = [numbers[signature] for signature in membership.values()]
    suspicious = np.zeros((len(numbers), len(numbers)), np.bool_)
    for bit in range(0, len(sets), 2):
        left = [number for signature, number in numbers.items() if signature >> bit & 1]
        right = [number for signature, number in numbers.items() if signature >> bit + 1 & 1]
        suspicious[np.ix_(left, right)] = True
    if suspicious[np.ix_(classes[:128], classes[:128])].any():
        raise UnknownFtfyError("it finds mojibake in pure ASCII")
    return classes, suspicious, always_bad


def _alternatives(characters: list[str]) -> Iterator[list[_CharacterSet | None]]:
    """Each way to match, as the sets that must follow one another; None stands for a repeat, which may be empty."""
    expression = badness.BADNESS_RE
    if expression.flags & ~(re.VERBOSE | re.UNICODE):
        raise UnknownFtfyError("its pattern of mojibake has unknown flags")
    text = "".join(characters)
    categories = {
        rx.CATEGORY_WORD: frozenset(map(ord, re.findall(r"\w", text))),
        rx.CATEGORY_SPACE: frozenset(map(ord, re.findall(r"\s", text))),
    }
    for items in _branches(list(parser.parse(expression.pattern, expression.flags))):
        yield [
            None if operator in {rx.MAX_REPEAT, rx.MIN_REPEAT} else _character_set(operator, argument, categories)
            for operator, argument in items
            if operator is not rx.AT
        ]


def _branches(items: list[Any]) -> Iterator[list[Any]]:
    # The parser moves what all alternatives begin with in front of the branch, so a branch is always last.
    if items and items[-1][0] is rx.BRANCH:
        for branch in items[-1][1][1]:
            for rest in _branches(list(branch)):
                yield items[:-1] + rest
    else:
        yield items


def _character_set(operator: Any, argument: Any, categories: dict[Any, frozenset[int]]) -> _CharacterSet:
    if operator is rx.LITERAL:
        return _CharacterSet(frozenset({argument}), negated=False)
    if operator is rx.NOT_LITERAL:
        return _CharacterSet(frozenset({argument}), negated=True)
    if operator is rx.ANY:
        return _CharacterSet(frozenset({ord("\n")}), negated=True)
    if operator is not rx.IN:
        raise UnknownFtfyError(f"its pattern of mojibake holds {operator}")
    codes: set[int] = set()
    for kind, value in argument:
        if kind is rx.LITERAL:
            codes.add(value)
        elif kind is rx.RANGE:
            codes.update(range(value[0], value[1] + 1))
        elif kind is rx.CATEGORY and value in categories:
            codes |= categories[value]
        elif kind is not rx.NEGATE:
            raise UnknownFtfyError(f"its pattern of mojibake holds {kind} {value}")
    return _CharacterSet(frozenset(codes), negated=argument[0][0] is rx.NEGATE)


# --- substitutions and NFC ------------------------------------------------------------------------------------

_SUBSTITUTIONS = (  # in ftfy's order; all but CR LF work on one character at a time
    (fixes.fix_latin_ligatures, Step.LIGATURES),
    (fixes.fix_character_width, Step.WIDTH),
    (fixes.uncurl_quotes, Step.QUOTES),
    (fixes.fix_line_breaks, Step.LINE_BREAKS),
    (fixes.remove_control_chars, Step.CONTROLS),
)


def _substitute(text: str) -> tuple[str, Step]:
    done = Step(0)
    for fix, step in _SUBSTITUTIONS:
        fixed = fix(text)
        if fixed != text:
            text, done = fixed, done | step
    return text, done


def _replacements(
    characters: list[str],
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    replacement = np.zeros(CODE_POINTS, np.uint16)
    blob, ends, steps = bytearray(), [0], [0]
    for start in range(0, len(characters), 256):
        block = characters[start : start + 256]
        if not _substitute("".join(block))[1]:
            continue
        for char in block:
            fixed, done = _substitute(char)
            if not done:
                continue
            if len(fixed.encode()) > 2 * len(char.encode()):
                raise UnknownFtfyError(f"it replaces {char!r} by something more than twice as long")
            replacement[ord(char)] = len(ends)
            blob += fixed.encode()
            ends.append(len(blob))
            steps.append(int(done))
    return replacement, np.array(ends, np.int64), np.array(blob, np.uint8), np.array(steps, np.uint16)


def _compositions(characters: list[str]) -> npt.NDArray[np.int64]:
    """All pairs of a starter and a later character that NFC does not leave as they are.

    More than the primary composites of UAX #15: ``U+021F U+0327`` composes to nothing, but the cedilla goes below
    the caron inside the first and makes ``U+1E29 U+030C``. Marks in between change nothing about this.
    """
    pairs, starters, seconds = set(), set(), set()
    for char in characters:
        if "가" <= char <= "힣":
            jamo = unicodedata.normalize("NFD", char)
            pairs.add((unicodedata.normalize("NFC", jamo[:-1]), jamo[-1]))
            continue
        decomposition = unicodedata.decomposition(char).split()
        if len(decomposition) == 2 and not decomposition[0].startswith("<"):
            first, second = (chr(int(part, 16)) for part in decomposition)
            starters |= {first, char}
            if unicodedata.is_normalized("NFC", char):
                seconds.add(second)
    for first in starters:
        pairs |= {(first, each) for each in seconds if not unicodedata.is_normalized("NFC", first + each)}
    return np.array(sorted(ord(first) << 21 | ord(second) for first, second in pairs), np.int64)
