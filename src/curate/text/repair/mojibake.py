"""ftfy at the speed of a scan: find the lines that ftfy could change, and let ftfy itself change those.

``ftfy.fix_text`` reads some 3 MB a second and changes nothing in most lines. Each of its steps can fire only where
certain characters stand, or stand next to each other. So a kernel first proves, segment by segment, that no step can
fire. A *segment* is a line, or a piece of a very long one. Segments that need nothing but substitutions of single
characters (full-width forms, CR LF …) are rewritten in the kernel when the result is proven to be a fixpoint; those
that need normalization or lose terminal escapes are done together; all others go through ftfy's steps. The result
equals that of ftfy on every segment, for every configuration.
"""

import functools
import operator
import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ftfy import TextFixerConfig
from ftfy.badness import is_bad
from ftfy.chardata import UTF8_DETECTOR_RE
from ftfy.fixes import ANSI_RE

from curate.text.core.arrow import Bytes, Offsets, read_only, utf8_array, utf8_view
from curate.text.core.replaced import replaced
from curate.text.repair.doubtful_mojibake import Surroundings, is_damage
from curate.text.repair.ftfy_scan import Left, flags_of, merge, segments, substitute_segments, suspects
from curate.text.repair.ftfy_steps import Step, fix_segment, fix_segment_with_ftfy, normalized
from curate.text.repair.ftfy_tables import ESCAPE, RESPELLED, SUSPECT, UNNORMALIZED, FtfyTables, ftfy_tables

__all__ = ["Fixed", "Step", "fix_texts", "fix_texts_with_ftfy"]


class Fixed(NamedTuple):
    """Texts as ftfy leaves them, and what it took."""

    texts: pa.Array
    """``large_string``, the very array that came in when nothing changed; a text as it came where not settled."""
    steps: npt.NDArray[np.uint16]
    """`Step` bits for each text; 0 where it did not change."""
    handed_over: int
    """Segments that had to go through ftfy's steps."""
    at_rest: npt.NDArray[np.bool_]
    """Texts of which every segment is proven to be as ftfy leaves it."""
    settled: npt.NDArray[np.bool_]
    """Texts in which the steps of each segment came to an end; see `curate.text.repair.ftfy_steps.MAX_STEPS`."""
    looked_at: npt.NDArray[np.int64]
    """Bytes of each text that had to go through ftfy's steps. Where they are more than were left for it, none went
    there: the text is as it came, and not settled."""


UNBOUNDED = np.iinfo(np.int64).max


def fix_texts(
    texts: pa.Array, config: TextFixerConfig, *, careful: bool = False, budget: npt.NDArray[np.int64] | None = None
) -> Fixed:
    """``ftfy.fix_text`` of every text; see `Fixed`.

    Args:
        texts: ``large_string`` without nulls; may be a slice.
        config: the configuration of ftfy. ``normalization`` is NFC, NFKC or None; long lines are cut by our own rule.
        careful: leave mojibake that is meant, and refuse repairs that repair nothing:
            `curate.text.repair.doubtful_mojibake`.
        budget: for each text, most bytes of it that may go through ftfy's steps; None: any number.

    Example:
        >>> fixed = fix_texts(pa.array(["plain", "cafÃ© “au lait”"], pa.large_string()), TextFixerConfig())
        >>> fixed.texts.to_pylist(), Step(int(fixed.steps[1]))
        (['plain', 'café "au lait"'], <Step.ENCODING|QUOTES: 18>)
    """
    tables = ftfy_tables(config)
    if tables is None:
        return fix_texts_with_ftfy(texts, config, careful=careful, budget=budget)
    found = _found(texts, tables, config)
    if not len(found.rows):
        return _fixed(texts, found, texts, np.zeros(0, np.uint16), np.zeros(0, np.bool_))
    allowed = found.looked_at <= (UNBOUNDED if budget is None else budget[found.rows])
    fixed, step, at_end = _segments_fixed(found, config, allowed, careful=careful)
    np.bitwise_or.at(found.steps, found.left[:, 0], step)
    settled = allowed.copy()
    settled[found.left[~at_end, 0]] = False
    return _fixed(texts, found, _put_in(found.out, found.ends, found.left, fixed), found.steps, settled)


def fix_texts_with_ftfy(
    texts: pa.Array, config: TextFixerConfig, *, careful: bool = False, budget: npt.NDArray[np.int64] | None = None
) -> Fixed:
    """The same by ftfy alone: the reference that `fix_texts` must equal, some fifty times slower."""
    tables = ftfy_tables(config)
    looked_at = np.diff(utf8_view(texts)[1]).astype(np.int64)
    if tables is not None:
        known = _found(texts, tables, config)
        looked_at = np.zeros(len(texts), np.int64)
        looked_at[known.rows] = known.looked_at
    allowed = looked_at <= (UNBOUNDED if budget is None else budget)
    steps, settled = np.zeros(len(texts), np.uint16), allowed.copy()
    fixed, number = [], 0
    for row, text in enumerate(texts.to_pylist()):
        if not allowed[row]:
            fixed.append(text)
            continue
        told, document, pieces = config, Surroundings(text), []
        for segment in segments(text):
            if told.unescape_html == "auto" and "<" in segment:
                told = told._replace(unescape_html=False)
            piece, step, at_end = fix_segment_with_ftfy(segment, _told_of(segment, told, document, careful=careful))
            pieces.append(piece)
            steps[row] |= step
            settled[row] &= at_end
        fixed.append("".join(pieces))
        number += len(pieces)
    steps *= settled
    changed = np.flatnonzero(steps)
    result = pa.array(fixed, pa.large_string())
    texts = replaced(texts, changed, result.take(pa.array(changed))) if len(changed) else texts
    return Fixed(texts, steps, number, np.zeros(len(texts), np.bool_), settled, looked_at)


def _fixed(
    texts: pa.Array,
    found: "_Found",
    result: pa.Array,
    steps_of_rows: npt.NDArray[np.uint16],
    at_end: npt.NDArray[np.bool_],
) -> Fixed:
    """``texts`` with the ``result`` of some rows put in, where they changed and came to an end."""
    rows, steps, settled = found.rows, np.zeros(len(texts), np.uint16), np.ones(len(texts), np.bool_)
    looked_at = np.zeros(len(texts), np.int64)
    looked_at[rows] = found.looked_at
    steps[rows] = steps_of_rows * at_end
    settled[rows] = at_end
    changed = np.flatnonzero(steps[rows])
    if len(changed):
        texts = replaced(texts, rows[changed], result.take(pa.array(changed)))
    return Fixed(texts, steps, len(found.left), found.counts == 0, settled, looked_at)


# --- what the kernels leave --------------------------------------------------------------------------------------


_TOGETHER = UNNORMALIZED | RESPELLED | ESCAPE
"""Segments with these flags alone are done in one go, in C."""

_ENCODING, _ESCAPES, _NORMALIZATION = map(int, (Step.ENCODING, Step.ESCAPES, Step.NORMALIZATION))
_SHORT = 200  # characters of a segment that is remembered: lines that come again and again are short


class _Found(NamedTuple):
    """What of some texts ftfy could change, with all done that needs no step of ftfy's."""

    rows: npt.NDArray[np.int64]
    """Texts that hold anything; the following are of these."""
    counts: npt.NDArray[np.int64]
    """Of every text, segments that ftfy could change."""
    texts: pa.Array
    out: Bytes
    ends: Offsets
    steps: npt.NDArray[np.uint16]
    left: npt.NDArray[np.int64]
    """Segments that the kernels leave: a table of `Left`."""
    lines: list[str]
    """Of the segments, what they are now."""
    line_steps: npt.NDArray[np.uint16]
    undone: list[int]
    """Segments that must go through ftfy's steps."""
    looked_at: npt.NDArray[np.int64]
    """Bytes in them, by text."""


def _found(texts: pa.Array, tables: FtfyTables, config: TextFixerConfig) -> _Found:
    counts = suspects(*utf8_view(texts), tables)
    rows = np.flatnonzero(counts)
    some = texts.take(pa.array(rows))
    data, offsets = utf8_view(some)
    out = np.empty(2 * int(offsets[-1] - offsets[0]), np.uint8)
    ends = np.zeros(len(rows) + 1, np.int64)
    steps = np.zeros(len(rows), np.uint16)
    left = np.empty((int(counts.sum()), len(Left._fields)), np.int64)
    if len(rows):
        left = left[: substitute_segments(data, offsets, tables, out, read_only(out), ends, steps, left)]
    source = data.data
    lines = [str(source[i:j], "utf-8") for i, j in zip(left[:, 1].tolist(), left[:, 2].tolist(), strict=True)]
    line_steps, seen = np.zeros(len(lines), np.uint16), left[:, 4].tolist()
    easy = [k for k, flags in enumerate(seen) if not flags & ~_TOGETHER or _has_only_c1(lines[k], flags, config)]
    undone = set(range(len(lines))).difference(easy)
    for k, fixed, step in zip(easy, *_fixed_together([lines[k] for k in easy], tables, config), strict=True):
        if fixed is None:
            undone.add(k)
        else:
            lines[k], line_steps[k] = fixed, step
    looks = sorted(undone)
    sizes = left[looks, 2] - left[looks, 1]
    looked_at = np.bincount(left[looks, 0], sizes, len(rows)).astype(np.int64)
    return _Found(rows, counts, some, out, ends, steps, left, lines, line_steps, looks, looked_at)


def _segments_fixed(
    found: _Found, config: TextFixerConfig, allowed: npt.NDArray[np.bool_], *, careful: bool
) -> tuple[list[str], npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Each segment as ftfy leaves it, its `Step` bits, and whether they came to an end; only of texts ``allowed``."""
    lines, steps, left = found.lines, found.line_steps, found.left
    settled = np.ones(len(lines), np.bool_)
    document, read = Surroundings(""), -1
    for k in found.undone:
        if not allowed[left[k, 0]]:
            continue
        told = config if left[k, 5] else config._replace(unescape_html=False)
        if left[k, 4] & SUSPECT and careful:
            if left[k, 0] != read:
                read = int(left[k, 0])
                document = Surroundings(found.texts[read].as_py())
            told = _told_of(lines[k], told, document, careful=True)
        fix = _remembered if len(lines[k]) <= _SHORT else fix_segment
        lines[k], steps[k], settled[k] = fix(lines[k], told)
    return lines, steps, settled


_LONE_C1 = re.compile("(?:^|[!->@-~])[\x80-\x9f]")
_C1 = {code: bytes([code]).decode("sloppy-windows-1252") for code in range(0x80, 0xA0)}


def _has_only_c1(line: str, seen: int, config: TextFixerConfig) -> bool:
    """Has ftfy nothing to repair in the encoding of a suspect line but to take C1 controls for Windows-1252?

    A control behind ASCII is no part of UTF-8, so the line as a whole was none; nor are pieces of it. (A ``?`` may be
    a lost byte, a space a lost no-break space.)
    """
    if seen & ~(_TOGETHER | SUSPECT) or not config.fix_c1_controls or not _LONE_C1.search(line):
        return False
    return not config.fix_encoding or not UTF8_DETECTOR_RE.search(line)


def _fixed_together(
    lines: list[str], tables: FtfyTables, config: TextFixerConfig
) -> tuple[list[str | None], list[int]]:
    """Lines normalized, without C1 controls and terminal escapes, and the steps; None where ftfy has more to do."""
    if not lines:
        return [], []
    bodies = [line.removesuffix("\n") for line in lines]
    decoded = "\n".join(bodies)
    decoded = decoded.translate(_C1) if config.fix_c1_controls else decoded
    bare = ANSI_RE.sub("", decoded) if config.remove_terminal_escapes else decoded
    fixed = normalized(config.normalization, bare) if config.normalization else bare
    after = [stage.split("\n") for stage in (decoded, bare, fixed)]
    flags = flags_of(*utf8_view(pa.array(after[-1], pa.large_string())), tables)
    if any(map(operator.ne, bodies, after[0])):  # ftfy goes on with the encoding before anything else
        flags |= flags_of(*utf8_view(pa.array(after[0], pa.large_string())), tables) & SUSPECT
    results: list[str | None] = []
    steps = []
    for line, body, first, second, last, seen in zip(lines, bodies, *after, flags.tolist(), strict=True):
        done = not seen & ~ESCAPE and not (seen and ANSI_RE.search(last))
        results.append(last + line[len(body) :] if done else None)
        steps.append(_ENCODING * (body != first) | _ESCAPES * (first != second) | _NORMALIZATION * (second != last))
    return results, steps


_remembered = functools.lru_cache(maxsize=4096)(fix_segment)


def _told_of(segment: str, config: TextFixerConfig, document: Surroundings, *, careful: bool) -> TextFixerConfig:
    """The configuration of ftfy for one segment: mojibake that is meant is not repaired."""
    if careful and config.fix_encoding and is_bad(segment) and not is_damage(segment, config, document):
        return config._replace(fix_encoding=False)
    return config


def _put_in(out: Bytes, ends: Offsets, left: npt.NDArray[np.int64], segments: list[str]) -> pa.Array:
    """The output of `substitute_segments` with the segments that it left put in."""
    new, new_offsets = utf8_view(pa.array(segments, pa.large_string()))
    result = np.empty(int(ends[-1]) + int(new_offsets[-1]), np.uint8)
    moved = np.zeros(len(ends), np.int64)
    merge(out, ends, left, new, new_offsets, result, moved)
    return utf8_array(result, moved)
