"""The section ``[quality]``: limits on signals, for all languages and for single ones, and which lines are cut."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec

from curate.recipes import recipe
from curate.settings.base import Limit as MeasureLimit
from curate.settings.base import Mentions, Settings, Unused
from curate.stages.contract import LABELS_FIRST, NO_LABELS
from curate.stages.quality.rules import SIDES, Rule, rule
from curate.stages.quality.signals import SIGNALS
from curate.text.quality.lines.line_settings import CUTS, LineRules

Limit = int | float | bool
"""A number, or ``false`` for no such rule."""

SIGNAL_OF = {f"{side}_{signal.name}": (signal, side) for signal in SIGNALS for side in SIDES}
"""Setting → signal and side: every signal can have a limit on both."""

GOPHER: Mapping[str, Limit] = recipe("gopher").tree["quality"]
"""The rules that hold where neither a recipe nor a file says another."""

if TYPE_CHECKING:
    from curate.stages.quality.idle import Idle

    _Limits = Settings
    _LanguageLimits = Settings
    _Lines = Settings
else:

    def _struct(name: str, fields: list[tuple[str, Any, Any]]) -> type[Settings]:
        return msgspec.defstruct(name, fields, bases=(Settings,), module=__name__, frozen=True, kw_only=True)

    _Limits = _struct("_Limits", [(key, Limit, GOPHER.get(key, False)) for key in SIGNAL_OF])
    _LanguageLimits = _struct("_LanguageLimits", [(key, Limit | None, None) for key in SIGNAL_OF])
    _Lines = _struct(
        "_Lines", [(key, LineRules.__annotations__[key], LineRules._field_defaults[key]) for key in LineRules._fields]
    )


class LanguageLimits(_LanguageLimits, frozen=True):
    """Limits for the documents of one language; those not given are the ones of all languages."""

    stop_words: tuple[str, ...] | None = None
    """At most 64 words that take the place of the language's own list; changing them measures again."""


class LineSettings(_Lines, frozen=True):
    """Which lines are cut: the fields of `LineRules`; a number of 0 or ``false`` cuts none."""


class QualitySettings(_Limits, frozen=True):
    """Which documents count as good enough: for each signal the smallest and the largest value in a kept document.

    Each key is a side and a signal: ``min_words = 30`` sets a limit, ``min_words = false`` switches the rule
    off. The defaults are Gopher's; another recipe is chosen by ``pipeline.recipe``. All limits only judge: changing
    one measures nothing again. Which lines are cut (``lines``, ``cut_lines``) is part of measuring.

    Example:
        >>> settings = QualitySettings(min_words=30, max_words=False, languages={"zh": LanguageLimits(min_words=10)})
        >>> [(rule.key, rule.limit, rule.by_language) for rule in settings.rules()][:2]
        [('min_words', 30.0, {'zh': 10.0}), ('min_mean_word_length', 3.0, {})]
    """

    lines: LineSettings = LineSettings()
    cut_lines: bool = True
    """Whether lines are cut where ``lines`` has rules; their signals are measured either way."""
    signals: Literal["recipe", "all"] = "recipe"
    """Whether only those groups of signals are measured that a rule asks for."""
    words: Literal["unicode", "spaces", "spacy"] = "unicode"
    """``unicode``: words between white space, and each letter of scripts without spaces; ``(see don't).`` is two words.
    ``spaces``: between white space in every script, as Dolma and NeMo Curator have them. ``spacy``: as spaCy's
    tokenizer of the language cuts, as datatrove has them: ``( see do n't ) .`` are six."""
    ngram_words: Literal["words", "segments"] = "words"
    """Words of which n-grams are made: those of ``words``, or by Unicode's rules (UAX 29) without punctuation, as DCLM
    and OLMo 3 have them in n-grams alone: ``(see don't).`` is two words, ``see`` and ``don't``."""
    languages: dict[str, LanguageLimits] = msgspec.field(default_factory=dict)
    """BCP 47 primary subtag → the limits of that language, where it has others."""

    thresholds: ClassVar[frozenset[str]] = frozenset({*SIGNAL_OF, "languages"})
    blank: ClassVar[Mapping[str, Any]] = dict.fromkeys(SIGNAL_OF, False)

    def __post_init__(self) -> None:
        """Check every limit against what its signal can be."""
        _check_limits(self, "quality")
        for language, limits in self.languages.items():
            _check_limits(limits, f"quality.languages.{language}")
        _check_sides(self.rules())

    def rules(self) -> tuple[Rule, ...]:
        """The rules that judge, in the order of the signals."""
        return tuple(self._rules())

    def limits(self) -> tuple[MeasureLimit, ...]:
        """The rules as limits on measures."""
        return tuple(
            MeasureLimit(one.key, one.signal, one.side, one.limit, one.reason, languages=one.by_language)
            for one in self.rules()
        )

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:
        """Rules that never decide, limits by language where none is known, what only goes with rules for lines."""
        if "language" not in runs[: runs.index("quality")]:
            for key in ("languages", *(one.key for one in self.rules() if one.signal == "stop_words")):
                yield Unused(key, NO_LABELS, LABELS_FIRST.format("quality"))
        for idle in self._idle():
            yield Unused(idle.key, idle.why, f"quality.{idle.key} = false switches the rule off")
        if not getattr(self.lines, "whole_lines"):  # noqa: B009  (a field of a struct made by the thirty)
            yield Unused("lines.max_line_feeds", "`quality.lines.whole_lines` is false")
        if self.line_rules() is None:
            yield Unused("cut_lines", "no rule of `quality.lines` cuts a line")

    def mentions(self) -> Iterator[Mentions]:
        """The languages that have limits of their own."""
        for language in self.languages:
            yield Mentions(f"languages.{language}", languages=(language,))

    def _idle(self) -> "Iterator[Idle]":
        from curate.stages.quality.idle import idle_rules

        return iter(idle_rules(self))

    def line_rules(self) -> LineRules | None:
        """Which lines are cut; None: none."""
        rules = LineRules(**{name: getattr(self.lines, name) for name in LineRules._fields})
        return None if rules == LineRules() else rules

    def without_line_rules(self) -> "dict[str, QualitySettings]":
        """Rule on lines that cuts something → the settings without it."""
        rules = self.line_rules() if self.cut_lines else None
        off = LineRules()
        return {
            f"lines.{name}": msgspec.structs.replace(
                self, lines=msgspec.structs.replace(self.lines, **{name: getattr(off, name)})
            )
            for name in CUTS
            if rules and getattr(rules, name) != getattr(off, name)
        }

    def stop_words(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Languages with stop words of their own, and these."""
        own = ((language, limits.stop_words) for language, limits in self.languages.items())
        return tuple((language, words) for language, words in own if words is not None)

    def effective(self) -> dict[str, Any]:
        """The limits that hold, and the rules on lines."""
        everything = super().effective()
        everything["languages"] = {
            language: {key: limit for key, limit in limits.items() if limit is not None}
            for language, limits in everything["languages"].items()
        }
        return {name: value for name, value in everything.items() if name not in SIGNAL_OF or value is not False}

    def _rules(self) -> Iterator[Rule]:
        for key, (signal, side) in SIGNAL_OF.items():
            limit = _number(getattr(self, key))
            own = {language: getattr(limits, key) for language, limits in self.languages.items()}
            by_language = {language: _number(value) for language, value in own.items() if value is not None}
            if not math.isnan(limit) or not all(map(math.isnan, by_language.values())):
                yield rule(signal.name, side, limit, by_language)


def _number(limit: Limit) -> float:
    """The limit as a number, NaN for none."""
    return math.nan if limit is False else float(limit)


def _check_limits(limits: Settings, place: str) -> None:
    """Raise ValueError for a limit that its signal can never reach."""
    for key, (signal, _) in SIGNAL_OF.items():
        limit: Limit | None = getattr(limits, key)
        if limit is None or limit is False:
            continue
        if limit is True:
            raise ValueError(f"`{place}.{key}` must be a number, or `false` for no such rule, but is `true`")
        if not limit >= 0 or (signal.highest is not None and limit > signal.highest):
            allowed = "0 or more" if signal.highest is None else f"between 0 and {signal.highest:g}"
            raise ValueError(f"`{place}.{key}` must be {allowed}, but is {limit:g}")


def _check_sides(rules: Iterable[Rule]) -> None:
    """Raise ValueError for a signal whose least value is above its highest: every document would go."""
    by_side = {(one.signal, one.side): one for one in rules}
    for (signal, side), low in by_side.items():
        high = by_side.get((signal, "max"))
        if side == "max" or high is None:
            continue
        for language in ("", *{**low.by_language, **high.by_language}):
            least, most = (one.by_language.get(language, one.limit) for one in (low, high))
            if least > most:
                place = f"quality.languages.{language}" if language else "quality"
                raise ValueError(
                    f"`{place}.{low.key}` must be at most `{place}.{high.key}`, which is {most:g}, but is {least:g}"
                )
