"""Clean the text itself before anything is measured: ftfy, NFC, line ends, invisible characters, blank lines.

Normalizing what is already normalized changes nothing. That takes more than one round: a removed zero-width
character can bring two halves of an HTML entity together, a line cut in two can read differently to ftfy. So a
changed document is cleaned again until nothing changes any more.
"""

from typing import ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.stages.contract import Reason, Settings, reasons_where
from curate.text.mojibake import Step, fix_texts, fix_texts_with_ftfy
from curate.text.replaced import replaced
from curate.text.whitespace import Tidied, tidy

MAX_ROUNDS = 16
"""Real text is at rest by the third round. Text made to go on and on is left as it came, and out as `unsettled`."""


class Change(NamedTuple):
    """One entry of the measure ``changes``: a stable code and a sentence for people."""

    code: str
    sentence: str
    steps: Step = Step(0)
    tidied: Tidied = Tidied(0)


CHANGES = (
    Change("mojibake", "Text decoded in the wrong encoding was put right (`cafÃ©` is `café`).", Step.ENCODING),
    Change("html_entities", "HTML entities became the characters they stand for.", Step.ENTITIES),
    Change("terminal_escapes", "Escape sequences for terminals were removed.", Step.ESCAPES),
    Change("ligatures", "Latin ligatures were spelled out (`ﬁ` is `fi`).", Step.LIGATURES),
    Change("full_width", "Full-width and half-width forms got their usual width.", Step.WIDTH),
    Change("curly_quotes", "Curly quotation marks became straight ones.", Step.QUOTES),
    Change("line_ends", "Line ends of other systems became line feeds.", Step.LINE_BREAKS),
    Change(
        "control_characters",
        "Control characters without a meaning in text, and byte order marks, were removed.",
        Step.CONTROLS,
        Tidied.CONTROLS,
    ),
    Change("zero_width", "Zero-width spaces, word joiners and soft hyphens were removed.", tidied=Tidied.ZERO_WIDTH),
    Change("unicode_nfc", "Characters were composed to Unicode normalization form C.", Step.NFC),
    Change(
        "blank_lines", "Runs of blank lines were shortened, white space in them removed.", tidied=Tidied.BLANK_LINES
    ),
    Change("surrounding_space", "White space around the text was removed.", tidied=Tidied.SURROUNDINGS),
)


class NormalizeSettings(Settings, frozen=True):
    """``[normalize]``: how text is cleaned."""

    backend: Literal["fast", "ftfy"] = "fast"
    """``fast`` gives ftfy only the lines it could change; ``ftfy`` gives it everything. The results are equal."""
    max_blank_lines: int = 2
    """Blank lines kept in a row."""

    def __post_init__(self) -> None:
        if self.backend not in {"fast", "ftfy"}:
            raise ValueError(f"`normalize.backend` must be `fast` or `ftfy`, but is `{self.backend}`")
        if self.max_blank_lines < 0:
            raise ValueError(f"`normalize.max_blank_lines` must be 0 or more, but is {self.max_blank_lines}")


class Normalize:
    r"""The stage ``normalize``, a `Rewriter`.

    Example:
        >>> stage = Normalize(NormalizeSettings())
        >>> text, measures = stage.rewrite(
        ...     pa.record_batch({"text": pa.array(["cafÃ©\r\n", "plain"], pa.large_string())})
        ... )
        >>> text.to_pylist(), measures["changes"].to_pylist()
        (['café', 'plain'], [['mojibake', 'line_ends', 'surrounding_space'], []])
    """

    name: ClassVar = "normalize"
    version: ClassVar = 1
    needs: ClassVar = ("text",)
    adds: ClassVar = {"changes": pa.list_(pa.string()), "characters": pa.int64(), "settled": pa.bool_()}
    reasons: ClassVar = (
        Reason("empty_after_cleaning", "Nothing is left of the text once it is cleaned."),
        Reason("unsettled", f"Cleaning still changed the text after {MAX_ROUNDS} rounds; it is left as it came."),
    )
    about: ClassVar = "Repairs encoding damage and Unicode, line ends, invisible characters and blank lines."
    settings_type: ClassVar = NormalizeSettings

    def __init__(self, settings: NormalizeSettings) -> None:
        self.settings = settings

    def rewrite(self, batch: pa.RecordBatch) -> tuple[pa.Array, pa.RecordBatch]:
        """The cleaned text; what was done to it, how long it is, whether cleaning came to an end."""
        text, changed, settled = self._settle(batch["text"])
        changes = reasons_where({change.code: changed & _bits(change) > 0 for change in CHANGES}, len(text))
        measures = [changes, pc.utf8_length(text), pa.array(settled)]
        return text, pa.record_batch(measures, schema=pa.schema(self.adds.items()))

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The measures of `rewrite`."""
        return self.rewrite(batch)[1]

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """Leaves out what is empty, and what cleaning came to no end with."""
        empty = pc.fill_null(pc.equal(measures["characters"], 0), fill_value=False)
        unsettled = pc.fill_null(pc.invert(measures["settled"]), fill_value=False)
        rules = {
            "empty_after_cleaning": empty.to_numpy(zero_copy_only=False),
            "unsettled": unsettled.to_numpy(zero_copy_only=False),
        }
        return reasons_where(rules, len(empty))

    def _settle(self, texts: pa.Array) -> tuple[pa.Array, npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
        """Clean until nothing changes: text, bits of changes (see `_bits`), and whether each text came to rest."""
        result, changed, at_rest = self._clean(texts)
        moving = np.flatnonzero(~at_rest)
        for rounds_left in reversed(range(MAX_ROUNDS - 1)):
            if not len(moving):
                break
            again, bits, at_rest = self._clean(result.take(pa.array(moving)))
            moved = bits > 0
            if moved.any():
                result = replaced(result, moving[moved], again.filter(pa.array(moved)))
                changed[moving] |= bits
            moving = moving[~at_rest if rounds_left else moved]
        settled = np.ones(len(texts), np.bool_)
        settled[moving] = False
        if len(moving):
            result = replaced(result, moving, texts.take(pa.array(moving)))
        return result, _unless_equal(changed, texts, result), settled

    def _clean(self, texts: pa.Array) -> tuple[pa.Array, npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
        """One round: text, bits of changes, and which texts another round would surely leave as they are."""
        fix = fix_texts if self.settings.backend == "fast" else fix_texts_with_ftfy
        fixed = fix(texts)
        result, tidied = tidy(fixed.texts, self.settings.max_blank_lines)
        bits = fixed.steps | tidied.astype(np.uint32) << np.uint32(_TIDIED)
        at_rest = fixed.at_rest & (tidied & ~np.uint8(_HARMLESS) == 0)
        return result, bits, at_rest | (bits == 0)


_HARMLESS = Tidied.BLANK_LINES | Tidied.SURROUNDINGS
"""Changes that bring no two characters together which were apart, so nothing new can come up for ftfy."""

_TIDIED = 16  # bits of `Step` below, of `Tidied` above


def _bits(change: Change) -> int:
    return change.steps | change.tidied << _TIDIED


def _unless_equal(changed: npt.NDArray[np.uint32], before: pa.Array, after: pa.Array) -> npt.NDArray[np.uint32]:
    """``changed``, but nothing where the rounds together (or giving up) led back to the text that came in."""
    rows = np.flatnonzero(changed)
    same = pc.equal(before.take(pa.array(rows)), after.take(pa.array(rows)))
    changed[rows[same.to_numpy(zero_copy_only=False)]] = 0
    return changed
