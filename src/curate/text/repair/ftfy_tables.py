"""What the installed ftfy would look at, as tables by code point: the knowledge behind `curate.text.repair.mojibake`.

Nothing here is typed in by hand. The badness expression is parsed, the fixers are run on every code point, the
composition rules come from the running Python. A release of ftfy with something in it that this module does not
understand raises `UnknownFtfyError`, and the fast path steps aside.

What takes seconds is the same for every configuration; it is kept on disk. The tables for one configuration are made
of it in milliseconds.
"""

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
from ftfy import TextFixerConfig, badness, chardata, fixes

from curate.cache.tables import Tables, derived
from curate.text.core.codepoints import CODE_POINTS
from curate.text.core.words import characters
from curate.text.repair.entity_names import entity_names
from curate.text.repair.ftfy_steps import Step, fix_segment, fix_segment_with_ftfy

_REVISION = "3"  # bump when the tables of the same ftfy and Python come out different

# Properties of a code point, in bits 8 to 15 of `FtfyTables.properties`; those of a line, too.
REPLACED = 1  # substituted wherever it stands
SUSPECT = 2  # alone enough to make a line bad
COMPOSES = 4  # may combine with a starter before it (NFC_Quick_Check = Maybe)
UNNORMALIZED = 8  # normalization may change it, or its place among marks
RESPELLED = 16  # normalization substitutes it, and nothing else does
ESCAPE = 32  # may open a terminal escape
ENTITY = 64  # of a line alone: an HTML entity is to be unescaped

# Bytes below 0x80 that need a look, in `FtfyTables.ascii`, beside properties of theirs.
NEWLINE = 256
AMPERSAND = 512
LESS_THAN = 1024

PLAIN = [code for code in (0x09, *range(0x20, 0x7F)) if chr(code) not in "&<"]
"""ASCII that no step looks at. Kernels skip it, with line feeds and ``<``, without looking anything up."""


class FtfyTables(NamedTuple):
    """Everything the kernels look up. ``n`` counts replacements, of which number 0 means *keep*."""

    properties: npt.NDArray[np.uint32]
    """By code point: badness class | properties << 8 | canonical combining class << 16."""
    suspicious: npt.NDArray[np.bool_]
    """By badness class of a character and of the next one: may they be part of mojibake?"""
    ascii: npt.NDArray[np.uint16]
    """By byte: 0 for what no step of ftfy looks at."""
    compositions: npt.NDArray[np.int64]
    """Sorted ``first << 21 | second`` of all pairs that NFC changes."""
    entities: npt.NDArray[np.int64]
    """`curate.text.repair.entity_names.entity_names`."""
    replacement: npt.NDArray[np.uint16]
    """By code point: number of its replacement."""
    replacement_ends: npt.NDArray[np.int64]
    """Replacement ``r`` is ``replacement_bytes[ends[r - 1]:ends[r]]``; (n,)."""
    replacement_bytes: npt.NDArray[np.uint8]
    replacement_steps: npt.NDArray[np.uint16]
    """`Step` bits that make replacement ``r``; (n,)."""
    classes: npt.NDArray[np.uint8]
    """`curate.text.core.words.Characters.classes`."""


class UnknownFtfyError(Exception):
    """The installed ftfy does something that the tables cannot express."""


_loading = threading.Lock()


def ftfy_tables(config: TextFixerConfig) -> FtfyTables | None:
    """The tables of the installed ftfy under a configuration, or nothing (and a warning) when it is of an unknown kind.

    Args:
        config: ``normalization`` is NFC, NFKC or None; ``fix_surrogates`` makes no difference in UTF-8.
    """
    with _loading:
        basis = _basis()
        return None if basis is None else _tables(config)


@functools.cache
def _basis() -> Tables | None:
    made_from = (version("ftfy"), unicodedata.unidata_version, platform.python_version(), _REVISION)
    try:
        return derived("ftfy", " ".join(made_from), _build)
    except UnknownFtfyError as unknown:
        warnings.warn(f"ftfy {made_from[0]} runs without its fast path: {unknown}", RuntimeWarning, stacklevel=2)
        return None


def _build() -> Tables:
    _check_shape()
    characters = [chr(code) for code in range(CODE_POINTS) if not 0xD800 <= code < 0xE000]
    classes, suspicious, always_bad = _badness_classes(characters)
    if not always_bad.issuperset(range(0x80, 0xA0)):
        raise UnknownFtfyError("it finds nothing wrong with C1 controls")
    combining = np.zeros(CODE_POINTS, np.uint8)
    for char in characters:
        if order := unicodedata.combining(char):
            combining[ord(char)] = order
    return {
        "classes": classes,
        "suspicious": suspicious,
        "always_bad": np.array(sorted(always_bad), np.int64),
        "substituted": _substituted(characters),
        "NFC": _codes(char for char in characters if not unicodedata.is_normalized("NFC", char)),
        "NFKC": _codes(char for char in characters if not unicodedata.is_normalized("NFKC", char)),
        "combining": combining,
        "compositions": _compositions(characters),
    }


@functools.lru_cache(maxsize=16)
def _tables(config: TextFixerConfig) -> FtfyTables:
    """The tables for one configuration, made of the basis."""
    basis = _basis()
    assert basis is not None
    flags = np.zeros(CODE_POINTS, np.uint32)
    replacement, ends, blob, steps = _replacements(basis, config, flags)
    if config.fix_encoding:
        flags[basis["always_bad"]] |= SUSPECT
    if config.fix_c1_controls:
        flags[0x80:0xA0] |= SUSPECT
    if config.remove_terminal_escapes:
        flags[0x1B] |= ESCAPE
    if config.normalization:
        flags[basis["compositions"] & 0x1FFFFF] |= COMPOSES
    combining = basis["combining"].astype(np.uint32) * bool(config.normalization)

    ascii_flags = np.zeros(256, np.uint16)
    ascii_flags[:128] = flags[:128]
    marks = {
        "\n": NEWLINE,
        "&": AMPERSAND * bool(config.unescape_html),
        "<": LESS_THAN * (config.unescape_html == "auto"),
    }
    for char, mark in marks.items():
        ascii_flags[ord(char)] |= mark
    if ascii_flags[PLAIN].any():
        raise UnknownFtfyError("it changes printable ASCII")
    return FtfyTables(
        properties=basis["classes"] | flags << np.uint32(8) | combining << np.uint32(16),
        suspicious=basis["suspicious"] & config.fix_encoding,
        ascii=ascii_flags,
        compositions=basis["compositions"] if config.normalization else basis["compositions"][:0],
        entities=entity_names(),
        replacement=replacement,
        replacement_ends=ends,
        replacement_bytes=blob,
        replacement_steps=steps,
        classes=characters().classes,
    )


def _codes(characters: Iterator[str]) -> npt.NDArray[np.int64]:
    return np.array([ord(char) for char in characters], np.int64)


# --- the shape of ftfy that the kernels assume ---------------------------------------------------------------

_SETTINGS = (
    "unescape_html",
    "remove_terminal_escapes",
    "fix_encoding",
    "restore_byte_a0",
    "replace_lossy_sequences",
    "decode_inconsistent_utf8",
    "fix_c1_controls",
    "fix_latin_ligatures",
    "fix_character_width",
    "uncurl_quotes",
    "fix_line_breaks",
    "fix_surrogates",
    "remove_control_chars",
    "normalization",
    "max_decode_length",
    "explain",
)
_PROBES = (
    "&lt;Ã© &ATILDE;&#169; “ﬁ” \uff21\r\n",
    "\x1b[31mÃƒÂ©\x1b[0m\x92 e\u0301\x00",
    "â€œlossyâ€� Â\xa0 voilÃ  l\u2019Ã©tÃ©\u2028",
    "\x1b[\uff06\x1b[0mamp\uff1b0m ﬃ\x85 ŉÃ\x83\ufeff",
)


def _check_shape() -> None:
    if TextFixerConfig._fields != _SETTINGS:
        raise UnknownFtfyError("its settings are not the ones we know")
    if chardata.HTML_ENTITY_RE.pattern != "&#?[0-9A-Za-z]{1,24};":
        raise UnknownFtfyError("it looks for other HTML entities")
    if not fixes.ANSI_RE.pattern.startswith("\x1b") and not fixes.ANSI_RE.pattern.startswith("\033"):
        raise UnknownFtfyError("its terminal escapes do not begin with ESC")
    if chardata.C1_CONTROL_RE.pattern != r"[\x80-\x9f]":
        raise UnknownFtfyError("it looks for other C1 controls")
    if not hasattr(ftfy, "_fix_encoding_one_step_and_explain"):
        raise UnknownFtfyError("it repairs encodings in another way")
    config = TextFixerConfig()
    if any(fix_segment(probe, config) != fix_segment_with_ftfy(probe, config) for probe in _PROBES):
        raise UnknownFtfyError("it takes its steps in another order")


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
    ("fix_latin_ligatures", Step.LIGATURES),
    ("fix_character_width", Step.WIDTH),
    ("uncurl_quotes", Step.QUOTES),
    ("fix_line_breaks", Step.LINE_BREAKS),
    ("remove_control_chars", Step.CONTROLS),
)


def _substituted(characters: list[str]) -> npt.NDArray[np.int64]:
    """Code points that one of ftfy's substitutions changes."""
    found: list[str] = []
    for start in range(0, len(characters), 256):
        block = "".join(characters[start : start + 256])
        if any(ftfy.FIXERS[name](block) != block for name, _ in _SUBSTITUTIONS):
            found += [char for char in block if any(ftfy.FIXERS[name](char) != char for name, _ in _SUBSTITUTIONS)]
    return _codes(iter(found))


def _replacements(
    basis: Tables, config: TextFixerConfig, flags: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    """What the configuration substitutes, for the last four tables; ``flags`` gets what it says of each code point."""
    replacement = np.zeros(CODE_POINTS, np.uint16)
    blob, ends, steps = bytearray(), [0], [0]
    unnormalized = basis[config.normalization] if config.normalization else np.zeros(0, np.int64)
    for code in np.union1d(basis["substituted"], unnormalized).tolist():
        before = after = chr(code)
        done = Step(0)
        for name, step in _SUBSTITUTIONS:
            if getattr(config, name) and (fixed := ftfy.FIXERS[name](after)) != after:
                after, done = fixed, done | step
        if config.normalization and (fixed := unicodedata.normalize(config.normalization, after)) != after:
            after, done = fixed, done | Step.NORMALIZATION
        if not done:
            continue
        if len(after.encode()) > 2 * len(before.encode()):
            if done != Step.NORMALIZATION:
                raise UnknownFtfyError(f"it replaces {before!r} by something more than twice as long")
            flags[code] |= UNNORMALIZED
            continue
        flags[code] |= RESPELLED if done == Step.NORMALIZATION else REPLACED
        replacement[code] = len(ends)
        blob += after.encode()
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
