"""The section ``[quality]``: a recipe, and what the user changes in it."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from curate.errors import nearest
from curate.stages.contract import Settings
from curate.stages.quality.rules import Rule, recipe, recipe_names
from curate.stages.quality.signals import SIGNALS

Limit = float | bool | None
"""A number, ``false`` to switch the rule off, or None for the limit of the recipe."""


class QualitySettings(Settings, frozen=True):
    """Which documents count as good enough: the rules of ``recipe``, with own limits where given.

    Each key is a side and a signal: ``min_words = 30`` moves a limit, ``min_words = false`` switches the
    rule off, a key not given has the recipe's limit. All of them only judge: changing one measures nothing
    again. Which lines are cut (``cut_lines`` and the recipe) is part of measuring.

    Example:
        >>> [rule.limit for rule in QualitySettings(min_words=30, max_words=False).rules()][:2]
        [30.0, 3.0]
    """

    recipe: str = "gopher"
    cut_lines: bool = True
    """Whether lines are cut where the recipe has rules for them; their signals are measured either way."""
    signals: Literal["recipe", "all"] = "recipe"
    """Whether only those groups of signals are measured that a rule asks for."""
    words: Literal["unicode", "spaces"] = "unicode"
    """``spaces``: words between white space even in scripts without spaces, as Dolma and NeMo Curator have them."""

    min_words: Limit = None
    max_words: Limit = None
    min_mean_word_length: Limit = None
    max_mean_word_length: Limit = None
    max_symbol_ratio: Limit = None
    max_ellipsis_ratio: Limit = None
    max_bullet_lines: Limit = None
    max_ellipsis_lines: Limit = None
    min_alphabetic_words: Limit = None
    min_stop_words: Limit = None
    max_duplicate_lines: Limit = None
    max_duplicate_paragraphs: Limit = None
    max_duplicate_line_characters: Limit = None
    max_duplicate_paragraph_characters: Limit = None
    max_top_2gram: Limit = None
    max_top_3gram: Limit = None
    max_top_4gram: Limit = None
    max_duplicate_5gram: Limit = None
    max_duplicate_6gram: Limit = None
    max_duplicate_7gram: Limit = None
    max_duplicate_8gram: Limit = None
    max_duplicate_9gram: Limit = None
    max_duplicate_10gram: Limit = None
    min_sentences: Limit = None
    max_lorem_ipsum_lines: Limit = None
    max_curly_bracket_lines: Limit = None
    min_terminal_lines: Limit = None
    max_short_lines: Limit = None
    max_repeated_line_characters: Limit = None
    max_newlines_per_word: Limit = None

    thresholds: ClassVar[frozenset[str]] = frozenset(
        {"recipe", *(rule.key for name in recipe_names() for rule in recipe(name).rules)}
    )

    def __post_init__(self) -> None:
        if self.recipe not in recipe_names():
            hint = nearest(self.recipe, recipe_names())
            raise ValueError(f"`quality.recipe` must be the name of a recipe, but is `{self.recipe}`; {hint}")
        for signal in SIGNALS:
            for side in ("min", "max"):
                self._check(f"{side}_{signal.name}", signal.highest)
        self._check_sides()

    def rules(self) -> tuple[Rule, ...]:
        """The rules that judge: those of the recipe, with own limits, without those switched off."""
        return tuple(self._rules())

    def effective(self) -> dict[str, Any]:
        """Every limit that holds, whether it is the user's or the recipe's; ``False`` where no rule looks."""
        limits = {rule.key: rule.limit for rule in self.rules()}
        return {name: limits.get(name, False) for name in self.__struct_fields__} | {
            "recipe": self.recipe,
            "cut_lines": self.cut_lines,
            "signals": self.signals,
            "words": self.words,
        }

    def _rules(self) -> Iterator[Rule]:
        for rule in recipe(self.recipe).rules:
            own: Limit = getattr(self, rule.key)
            if own is None:
                yield rule
            elif own is not False:
                yield rule._replace(limit=float(own))

    def _check(self, key: str, highest: float | None) -> None:
        limit: Limit = getattr(self, key, None)
        if limit is None or limit is False:
            return
        if limit is True:
            raise ValueError(f"`quality.{key}` must be a number, or `false` for no such rule, but is `true`")
        if not limit >= 0 or (highest is not None and limit > highest):
            allowed = "0 or more" if highest is None else f"between 0 and {highest:g}"
            raise ValueError(f"`quality.{key}` must be {allowed}, but is {limit:g}")

    def _check_sides(self) -> None:
        limits = {(rule.signal, rule.side): rule.limit for rule in self.rules()}
        for (signal, side), limit in limits.items():
            above = limits.get((signal, "max"))
            if side == "min" and above is not None and limit > above:
                raise ValueError(
                    f"`quality.min_{signal}` must be at most `quality.max_{signal}`, "
                    f"which is {above:g}, but is {limit:g}"
                )
