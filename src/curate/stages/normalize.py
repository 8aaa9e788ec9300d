"""Repair the text itself before anything is measured: encodings, entities, line ends, invisible characters.

By default only damage is repaired; what its writers meant stays as they wrote it, in any script. Every step can be
switched on or off.

Normalizing what is already normalized changes nothing. That takes more than one round: a removed zero-width
character can bring two halves of an HTML entity together, a line cut in two can read differently to ftfy. So a
changed document goes through all steps again until nothing changes any more.
"""

from typing import ClassVar, Literal, NamedTuple, get_args

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from ftfy import TextFixerConfig

from curate.settings.base import Reason, Settings
from curate.stages.contract import Rewriter, reasons_where
from curate.text.core.arrow import utf8_view
from curate.text.core.line_ends import LineEnds, unify_line_ends
from curate.text.core.replaced import replaced
from curate.text.repair.entities import unescape_prose
from curate.text.repair.ftfy_steps import Step
from curate.text.repair.low_bytes import restore_high_bytes
from curate.text.repair.mojibake import fix_texts, fix_texts_with_ftfy
from curate.text.repair.whitespace import Tidied, Tidying, tidy

MAX_ROUNDS = 16
"""Real text is at rest by the third round. Text made to go on and on is left as it came, and removed as `unsettled`."""


class Change(NamedTuple):
    """One entry of the measure ``changes``: a stable code and a sentence for people."""

    code: str
    sentence: str
    steps: Step = Step(0)
    tidied: Tidied = Tidied(0)
    line_ends: LineEnds = LineEnds(0)


CHANGES = (
    Change("mojibake", "Text decoded in the wrong encoding was put right (`cafÃ©` is `café`).", Step.ENCODING),
    Change("html_entities", "HTML entities became the characters they stand for (`Tom &amp; Jerry`).", Step.ENTITIES),
    Change("terminal_escapes", "Escape sequences for terminals, such as colours, were removed.", Step.ESCAPES),
    Change("ligatures", "Latin ligatures were spelled out (`ﬁ` is `fi`).", Step.LIGATURES),
    Change("full_width", "Full-width and half-width forms got their usual width (`ﾀｰﾝ` is `ターン`).", Step.WIDTH),
    Change("curly_quotes", 'Curly quotation marks became straight ones (`“so”` is `"so"`).', Step.QUOTES),
    Change(
        "line_ends",
        "Line ends of other systems (CR LF, CR, U+2028, U+2029) became line feeds.",
        line_ends=LineEnds.LINE_ENDS,
    ),
    Change(
        "separators",
        "Vertical tabs and separators of records (U+000B, U+001C to U+001E) became line feeds, those of fields tabs.",
        line_ends=LineEnds.SEPARATORS,
    ),
    Change(
        "control_characters",
        "Control characters without a meaning in text were removed, and words beside them kept apart.",
        Step.CONTROLS,
        Tidied.CONTROLS,
    ),
    Change(
        "zero_width", "Zero-width spaces, word joiners and byte order marks were removed.", tidied=Tidied.ZERO_WIDTH
    ),
    Change("soft_hyphens", "Soft hyphens were removed.", tidied=Tidied.SOFT_HYPHENS),
    Change(
        "unicode_form",
        "Characters were brought into a Unicode normalization form (`e` and a combining accent are `é`).",
        Step.NORMALIZATION,
    ),
    Change("blank_lines", "Runs of blank lines were shortened to `max_blank_lines`.", tidied=Tidied.BLANK_LINES),
    Change("surrounding_space", "Blank lines around the text were removed.", tidied=Tidied.SURROUNDINGS),
)


class NormalizeSettings(Settings, frozen=True):
    """``[normalize]``: what is repaired. Names in brackets are those of ``ftfy.TextFixerConfig``."""

    backend: Literal["fast", "ftfy"] = "fast"
    """``fast`` gives ftfy only the lines it could change; ``ftfy`` gives it everything. The results are equal."""
    mojibake: Literal["careful", "ftfy", "keep"] = "careful"
    """Text decoded in the wrong encoding (``fix_encoding``): ``careful`` leaves it where it is quoted as an example."""
    mojibake_spaces: bool = True
    """Repair it also where a no-break space of it became a space (``restore_byte_a0``)."""
    mojibake_losses: bool = True
    """Repair it also where bytes of it were lost, which become U+FFFD (``replace_lossy_sequences``)."""
    mojibake_pieces: bool = True
    """Repair pieces of a line of which the rest is right (``decode_inconsistent_utf8``)."""
    c1_controls: bool = True
    """Take C1 controls for the characters of Windows-1252 (``fix_c1_controls``)."""
    html_entities: Literal["careful", "ftfy", "always", "keep"] = "careful"
    """HTML entities (``unescape_html``): ``careful`` unescapes prose by one level, ``ftfy`` all until a ``<`` comes."""
    terminal_escapes: Literal["remove", "keep"] = "remove"
    """Escape sequences for terminals (``remove_terminal_escapes``)."""
    ligatures: Literal["spell_out", "keep"] = "keep"
    """Latin ligatures and digraphs of one character (``fix_latin_ligatures``)."""
    character_width: Literal["usual", "keep"] = "keep"
    """Full-width Latin letters and punctuation, half-width Katakana (``fix_character_width``)."""
    curly_quotes: Literal["straighten", "keep"] = "keep"
    """Curly quotation marks and apostrophes (``uncurl_quotes``)."""
    line_ends: Literal["line_feed", "keep"] = "line_feed"
    """CR LF, CR, U+2028, U+2029 and separators of lines and records (``fix_line_breaks``)."""
    control_characters: Literal["separate", "remove", "keep"] = "separate"
    """Controls and the like: ``separate`` removes them, words stay apart; ``remove`` is ``remove_control_chars``."""
    zero_width: Literal["remove", "keep"] = "remove"
    """Zero width space, word joiner, byte order mark."""
    soft_hyphens: Literal["remove", "keep"] = "keep"
    """U+00AD."""
    unicode_form: Literal["NFC", "NFKC", "keep"] = "NFC"
    """Normalization form (``normalization``). NFC changes how characters are stored, never which ones they are."""
    max_blank_lines: int | bool = 2
    """Blank lines kept in a row; none around the text. ``false`` leaves all of them."""
    max_looked_at: int = 8_000_000
    """Most bytes of a document that go through ftfy's steps, over all rounds; one with more is left as it came and
    removed. Only damage goes there, and what looks like it."""

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(self):
            choices, value = get_args(field.type), getattr(self, field.name)
            if isinstance(value, str) and value not in choices:
                *first, last = (f"`{choice}`" for choice in choices)
                listed = f"{', '.join(first)} or {last}"
                raise ValueError(f"`normalize.{field.name}` must be {listed}, but is `{value}`")
        if self.max_blank_lines is True or self.max_blank_lines < 0:
            raise ValueError(
                "`normalize.max_blank_lines` must be 0 or more, or `false` for any number,"
                f" but is {str(self.max_blank_lines).lower()}"
            )
        if self.max_looked_at < 1:
            raise ValueError(f"`normalize.max_looked_at` must be 1 byte or more, but is {self.max_looked_at}")

    @property
    def config(self) -> TextFixerConfig:
        """The configuration for ftfy. Line ends and most controls are our own work, so that no words are joined."""
        return TextFixerConfig(
            unescape_html={"careful": False, "ftfy": "auto", "always": True, "keep": False}[self.html_entities],
            remove_terminal_escapes=self.terminal_escapes == "remove",
            fix_encoding=self.mojibake != "keep",
            restore_byte_a0=self.mojibake_spaces,
            replace_lossy_sequences=self.mojibake_losses,
            decode_inconsistent_utf8=self.mojibake_pieces,
            fix_c1_controls=self.c1_controls,
            fix_latin_ligatures=self.ligatures == "spell_out",
            fix_character_width=self.character_width == "usual",
            uncurl_quotes=self.curly_quotes == "straighten",
            fix_line_breaks=False,
            remove_control_chars=self.control_characters == "remove",
            normalization=None if self.unicode_form == "keep" else self.unicode_form,
        )

    @property
    def tidying(self) -> Tidying:
        """What is tidied when ftfy is done."""
        return Tidying(
            max_blank_lines=-1 if self.max_blank_lines is False else self.max_blank_lines,
            controls=self.control_characters == "separate",
            zero_width=self.zero_width == "remove",
            soft_hyphens=self.soft_hyphens == "remove",
        )


class Normalize(Rewriter):
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
    version: ClassVar = 3
    needs: ClassVar = ("text",)
    adds: ClassVar = {
        "changes": pa.list_(pa.string()),
        "characters": pa.int64(),
        "settled": pa.bool_(),
        "looked_at": pa.int64(),
    }
    reasons: ClassVar = (
        Reason("empty_after_cleaning", "Nothing is left of the text once it is cleaned."),
        Reason("unsettled", "Cleaning the text did not finish: each step left more to do. The text is unchanged."),
        Reason(
            "too_much_to_look_at",
            "More of it than `normalize.max_looked_at` looks damaged. The text is unchanged.",
        ),
    )
    changes: ClassVar = CHANGES
    about: ClassVar = "Repairs encoding damage, HTML entities, line ends, invisible characters and blank lines."
    settings_type: ClassVar = NormalizeSettings
    settings: NormalizeSettings

    def __init__(self, settings: NormalizeSettings) -> None:
        self.settings = settings

    def rewrite(self, batch: pa.RecordBatch) -> tuple[pa.Array, pa.RecordBatch]:
        """The cleaned text; what was done to it, how long it is, whether cleaning came to an end."""
        text, changed, settled, looked_at = self._settle(batch["text"])
        changes = reasons_where({change.code: changed & _bits(change) > 0 for change in CHANGES}, len(text))
        measures = [changes, pc.utf8_length(text), pa.array(settled), pa.array(looked_at)]
        return text, pa.record_batch(measures, schema=pa.schema(self.adds.items()))

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The measures of `rewrite`."""
        return self.rewrite(batch)[1]

    def judge(self, measures: pa.RecordBatch) -> pa.Array:
        """Removes what is empty, what cleaning came to no end with, and what was too much to look at."""
        empty = pc.fill_null(pc.equal(measures["characters"], 0), fill_value=False)
        unseen = pc.fill_null(pc.greater(measures["looked_at"], self.settings.max_looked_at), fill_value=False)
        unsettled = pc.and_not(pc.fill_null(pc.invert(measures["settled"]), fill_value=False), unseen)
        rules = {
            "empty_after_cleaning": empty.to_numpy(zero_copy_only=False),
            "unsettled": unsettled.to_numpy(zero_copy_only=False),
            "too_much_to_look_at": unseen.to_numpy(zero_copy_only=False),
        }
        return reasons_where(rules, len(empty))

    def _settle(self, texts: pa.Array) -> "_Settled":
        """Clean until nothing changes, or until a text has had its share of looks."""
        budget = np.full(len(texts), self.settings.max_looked_at, np.int64)
        result, changed, at_rest, settled, looked_at = self._clean(texts, budget)
        moving = np.flatnonzero(~at_rest & settled)
        for rounds_left in reversed(range(MAX_ROUNDS - 1)):
            if not len(moving):
                break
            once = self._clean(result.take(pa.array(moving)), budget[moving] - looked_at[moving])
            looked_at[moving] += once.looked_at
            moved = once.changed > 0
            if moved.any():
                result = replaced(result, moving[moved], once.texts.filter(pa.array(moved)))
                changed[moving] |= once.changed
            settled[moving] = once.settled
            moving = moving[(~once.at_rest if rounds_left else moved) & once.settled]
        settled[moving] = False
        given_up = np.flatnonzero(~settled)
        if len(given_up):
            result = replaced(result, given_up, texts.take(pa.array(given_up)))
        return _Settled(result, _unless_equal(changed, texts, result), settled, looked_at)

    def _clean(self, texts: pa.Array, budget: npt.NDArray[np.int64]) -> "_Cleaned":
        """One round, in which of each text so many bytes may go through ftfy's steps."""
        settings = self.settings
        bits = np.zeros(len(texts), np.uint32)
        if settings.mojibake == "careful":
            texts, restored = restore_high_bytes(texts)
            bits |= restored * np.uint32(Step.ENCODING)
        if settings.line_ends == "line_feed":
            texts, ended = unify_line_ends(texts)
            bits |= ended.astype(np.uint32) << np.uint32(_LINE_ENDS)
        fix = fix_texts if settings.backend == "fast" else fix_texts_with_ftfy
        fixed = fix(texts, settings.config, careful=settings.mojibake == "careful", budget=budget)
        result, tidied = tidy(fixed.texts, settings.tidying)
        at_rest = fixed.at_rest & (tidied & ~np.uint8(_HARMLESS) == 0)
        bits |= fixed.steps | tidied.astype(np.uint32) << np.uint32(_TIDIED)
        if settings.html_entities == "careful":
            result, unescaped = unescape_prose(result)
            bits |= unescaped * np.uint32(Step.ENTITIES)
            at_rest &= ~unescaped
        return _Cleaned(result, bits, at_rest | (bits == 0), fixed.settled, fixed.looked_at)


class _Settled(NamedTuple):
    """Texts that are clean, or as they came."""

    texts: pa.Array
    changed: npt.NDArray[np.uint32]
    """Bits of changes, see `_bits`."""
    settled: npt.NDArray[np.bool_]
    """Whether cleaning came to an end; the text is as it came where not."""
    looked_at: npt.NDArray[np.int64]
    """Bytes that went through ftfy's steps, or, where that would have been too many, would have gone there."""


class _Cleaned(NamedTuple):
    """Texts after one round."""

    texts: pa.Array
    changed: npt.NDArray[np.uint32]
    at_rest: npt.NDArray[np.bool_]
    """Which of them another round would surely leave as they are."""
    settled: npt.NDArray[np.bool_]
    """For which of them the steps of ftfy came to an end."""
    looked_at: npt.NDArray[np.int64]


_HARMLESS = Tidied.BLANK_LINES | Tidied.SURROUNDINGS
"""Changes that bring no two characters together which were apart, so nothing new can come up for ftfy."""

_TIDIED, _LINE_ENDS = 16, 24  # bits of `Step` below, of `Tidied` from 16 and of `LineEnds` from 24


def _bits(change: Change) -> int:
    return change.steps | change.tidied << _TIDIED | change.line_ends << _LINE_ENDS


def _unless_equal(changed: npt.NDArray[np.uint32], before: pa.Array, after: pa.Array) -> npt.NDArray[np.uint32]:
    """``changed``, but nothing where the rounds together (or giving up) led back to the text that came in."""
    lengths = [np.diff(utf8_view(texts)[1]) for texts in (before, after)]
    rows = np.flatnonzero((changed > 0) & (lengths[0] == lengths[1]))
    same = pc.equal(before.take(pa.array(rows)), after.take(pa.array(rows)))
    changed[rows[same.to_numpy(zero_copy_only=False)]] = 0
    return changed
