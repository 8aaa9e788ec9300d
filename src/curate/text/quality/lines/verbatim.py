r"""Which lines are code, mathematics or verse: text that rules for prose would delete.

Judged line by line from signs that prose does not have, then with a look at the neighbours:

- *fenced*: between two lines that begin with three backticks or tildes, or with ``$$``; or between ``\begin{…}`` and
  ``\end{…}``.
- *code*: it is signs for the most part (more than three in ten code points that are not white space); or it holds two
  of the pairs ``() {} [] => -> :: == != <= >= += && || </ /> // /* */ ;`` at its end …, or one of them and signs for
  one in eight; or it begins as a statement or prompt does (``def``, ``import``, ``>>>``, ``$``, ``#include`` …) and
  ends as one.
- *mathematics*: a backslash before a letter together with one of ``{ } ^ _ $``; or two mathematical operators of
  Unicode.
- *carried on*: a line between two of these, or set in by four columns behind one, that does not end as a sentence does.
- *verse*: see `curate.text.quality.lines.verse`.

Source: our own; the figures are in ``docs/quality_parity.md``.
"""

import functools

import numpy as np
import numpy.typing as npt
from numba import uint8

from curate.text.core.arrow import Bytes
from curate.text.core.kernel import inner, kernel
from curate.text.quality.lines.verse import verse_lines

_PROSE, _BLANK, _VERBATIM = range(3)
CODE, VERSE = 1, 2
"""What a line is marked with: code and mathematics; verse."""

_SIGN, _PAIR_BEGIN, _MATH_SIGN = 1, 2, 4  # what a byte may be
_STATEMENTS = (
    "def ",
    "class ",
    "import ",
    "from ",
    "return ",
    "elif ",
    "else:",
    "try:",
    "except ",
    "for (",
    "for(",
    "if (",
    "if(",
    "while (",
    "while(",
    "switch (",
    "func ",
    "fn ",
    "let ",
    "const ",
    "var ",
    "public ",
    "private ",
    "static ",
    "void ",
    "#include",
    "#define",
    "#!/",
    ">>> ",
    "$ ",
    "> ",
    "PS ",
    "C:\\",
    "sudo ",
    "git ",
    "pip ",
    "npm ",
    "SELECT ",
    "INSERT ",
    "@",
    "<",
)
_PAIRS = (
    *("()", "{}", "[]", "=>", "->", "::", "==", "!=", "<=", ">=", "+=", "-=", "&&", "||", "</", "/>", "//", "/*", "*/"),
    *(");", "};", "];", '";', "';", "](", ")(", ");", "$(", "${", "<?", "?>", ":=", "<<", ">>", '="', "='", "({", "})"),
)


@functools.cache
def verbatim_tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], npt.NDArray[np.uint8]]:
    """What bytes may be; whether two bytes are a pair (by 128 × first + second); begins of statements, zero-filled."""
    kinds = np.zeros(256, np.uint8)
    kinds[list(b"{}[]()<>=;$\\|&*/_+^~@#%`")] |= _SIGN
    kinds[list(b"{}^_$")] |= _MATH_SIGN
    pairs = np.zeros(128 * 128, np.bool_)
    for pair in _PAIRS:
        first, second = pair.encode()
        kinds[first] |= _PAIR_BEGIN
        pairs[128 * first + second] = True
    statements = np.zeros((len(_STATEMENTS), max(map(len, _STATEMENTS)) + 1), np.uint8)
    for row, begin in zip(statements, _STATEMENTS, strict=True):
        row[: len(begin)] = list(begin.encode())
    return kinds, pairs, statements


@kernel
def verbatim_lines(
    text: Bytes,
    classes: npt.NDArray[np.uint8],
    kinds: npt.NDArray[np.uint8],
    pairs: npt.NDArray[np.bool_],
    statements: npt.NDArray[np.uint8],
    found: npt.NDArray[np.uint8],
) -> int:
    r"""Mark the lines that are code, mathematics or verse.

    Args:
        text: UTF-8 bytes of one document.
        classes: classes of code points.
        kinds: first of `verbatim_tables`; so are ``pairs`` and ``statements``.
        pairs: see ``kinds``.
        statements: see ``kinds``.
        found: out, for each line between ``\n`` `CODE` or `VERSE` where it is verbatim, else 0; room for one line more
            than bytes.

    Returns:
        How many lines there are.
    """
    lines = start = 0
    fence = 0
    starts = np.empty(np.sum(text == 0x0A) + 2, np.int64)
    while start <= len(text):
        stop = start
        while stop < len(text) and text[stop] != 0x0A:
            stop += 1
        first = start
        while first < stop and text[first] in (0x20, 0x09, 0x0D):
            first += 1
        behind = stop
        while behind > first and text[behind - 1] in (0x20, 0x09, 0x0D):
            behind -= 1
        marker = _fence(text, first, behind)
        kind = _PROSE
        if fence:
            kind = _VERBATIM
            fence = 0 if marker == fence or (fence == 0x5C and marker == -0x5C) else fence
        elif marker > 0:
            kind = _VERBATIM
            fence = marker
        elif first == behind:
            kind = _BLANK
        elif _is_code(text, first, behind, kinds, pairs, statements) or _is_mathematics(text, first, behind, kinds):
            kind = _VERBATIM
        found[lines] = kind
        starts[lines] = start
        lines += 1
        start = stop + 1
    starts[lines] = start
    verse = verse_lines(text, classes, starts, found[:lines] == _BLANK)
    _carry_on(text, found, starts[: lines + 1])
    for i in range(lines):
        if verse[i] and not found[i]:
            found[i] = VERSE
    return lines


@inner
def _fence(text: Bytes, first: int, behind: int) -> int:
    r"""The sign of a line that opens or closes a fence, negative for ``\end``; 0 for no fence."""
    if behind - first < 2:
        return 0
    sign = int(text[first])
    if sign in (0x60, 0x7E) and behind - first >= 3 and text[first + 1] == sign and text[first + 2] == sign:
        return sign
    if sign == 0x24 and text[first + 1] == sign:
        closed = behind - first > 4 and text[behind - 1] == sign and text[behind - 2] == sign
        return 0 if closed else sign
    if sign == 0x5C and behind - first >= 6:
        if text[first + 1] == 0x62 and text[first + 2] == 0x65 and text[first + 3] == 0x67 and text[first + 6] == 0x7B:
            return sign
        if text[first + 1] == 0x65 and text[first + 2] == 0x6E and text[first + 3] == 0x64 and text[first + 4] == 0x7B:
            return -sign
    return 0


@inner
def _is_code(
    text: Bytes,
    first: int,
    behind: int,
    kinds: npt.NDArray[np.uint8],
    pairs: npt.NDArray[np.bool_],
    statements: npt.NDArray[np.uint8],
) -> bool:
    signs = found_pairs = filled = 0
    for i in range(first, behind):
        byte = text[i]
        kind = kinds[byte]
        filled += byte > 0x20
        signs += kind & _SIGN != 0
        if kind & _PAIR_BEGIN and i + 1 < behind and text[i + 1] < 0x80:
            # The slashes of a link are no comment.
            link = byte == 0x2F and i > first and text[i - 1] == 0x3A
            found_pairs += pairs[128 * np.int64(byte) + text[i + 1]] and not link
    last = text[behind - 1]
    if last in (0x7B, 0x7D) or (last == 0x3B and signs >= 2):
        return True
    if 10 * signs > 3 * filled or found_pairs >= 2 or (found_pairs and 8 * signs >= filled):
        return True
    return _begins_statement(text, first, behind, statements) and (last in (0x3A, 0x29, 0x3B) or 16 * signs >= filled)


@inner
def _begins_statement(text: Bytes, first: int, behind: int, statements: npt.NDArray[np.uint8]) -> bool:
    for begin in statements:
        k = 0
        while begin[k] and first + k < behind and text[first + k] == begin[k]:
            k += 1
        if begin[k] == 0:
            return True
    return False


@inner
def _is_mathematics(text: Bytes, first: int, behind: int, kinds: npt.NDArray[np.uint8]) -> bool:
    commands = signs = operators = 0
    for i in range(first, behind):
        byte = text[i]
        signs += kinds[byte] & _MATH_SIGN != 0
        if byte == 0x5C and i + 1 < behind:
            after = text[i + 1] | uint8(0x20)
            commands += 0x61 <= after <= 0x7A or text[i + 1] in (0x28, 0x5B)
        elif byte == 0xE2 and i + 2 < behind:  # U+2190 to U+22FF: arrows and operators
            operators += 0x86 <= text[i + 1] <= 0x8B and not (text[i + 1] == 0x86 and text[i + 2] < 0x90)
    return (commands > 0 and signs > 0) or operators >= 2


@inner
def _carry_on(text: Bytes, found: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64]) -> None:
    """Turn kinds into marks: neighbours of code are code."""
    before = _PROSE
    for i in range(len(starts) - 1):
        kind = found[i]
        if kind == _PROSE and before == _VERBATIM:
            start, first, behind = starts[i], starts[i], starts[i + 1] - 1
            while first < behind and text[first] in (0x20, 0x09, 0x0D, 0x22, 0x27):
                first += 1
            while behind > first and text[behind - 1] in (0x20, 0x09, 0x0D):
                behind -= 1
            indented = first - start >= 4 or (first > start and text[start] == 0x09)
            sentence = behind > first and text[behind - 1] in (0x2E, 0x21, 0x3F)
            between = i + 2 < len(starts) and found[i + 1] == _VERBATIM
            if (between or indented) and not sentence and behind - first <= 100:
                kind = uint8(_VERBATIM)
        found[i] = CODE if kind == _VERBATIM else 0
        before = kind
