"""Rules: a limit on one side of a signal, and the reason of those beyond it."""

import functools
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.stages.quality.signals import SIGNALS

Side = Literal["min", "max"]

SIDES: tuple[Side, Side] = ("min", "max")

Values = Mapping[str, npt.NDArray[np.float64]]
"""Signal → values of each document, NaN where the signal is not defined."""


class Languages(NamedTuple):
    """The languages of documents."""

    codes: tuple[str, ...]
    numbers: npt.NDArray[np.int64]
    """For each document the place of its language in ``codes``; -1 where it is another, or not known."""


class Rule(NamedTuple):
    """Leave a document out when ``signal`` is beyond its limit; a value equal to the limit passes."""

    reason: str
    signal: str
    side: Side
    limit: float
    """For documents in other languages than the following; NaN: none."""
    sentence: str
    by_language: Mapping[str, float] = {}
    """Language → the limit that holds there instead; NaN: none."""

    @property
    def key(self) -> str:
        """The setting that holds its limit.

        Example:
            >>> rule("words", "min", 50).key
            'min_words'
        """
        return f"{self.side}_{self.signal}"

    def limits(self, languages: Languages | None) -> float | npt.NDArray[np.float64]:
        """The limit for each document, or the one for all."""
        if languages is None or not self.by_language:
            return self.limit
        table = np.array([self.by_language.get(code, self.limit) for code in languages.codes] + [self.limit])
        return table[languages.numbers]


def rule(signal: str, side: Side, limit: float, by_language: Mapping[str, float] | None = None) -> Rule:
    """The rule on one side of a signal.

    Example:
        >>> rule("words", "min", 50).reason, rule("paragraphs", "max", 9).reason
        ('too_few_words', 'high_paragraphs')
    """
    written = _written().get(signal, {}).get(side, {})
    word = {"min": "low", "max": "high"}[side]
    reason = written.get("reason", f"{word}_{signal}")
    beyond = {"min": "below", "max": "above"}[side]
    sentence = written.get("sentence", f"Its `{signal}` ({_definitions()[signal]}) is {beyond} `{side}_{signal}`.")
    return Rule(reason, signal, side, limit, sentence, by_language or {})


def is_written(signal: str, side: Side) -> bool:
    """Whether the reason of a rule has words of its own.

    Example:
        >>> is_written("words", "min"), is_written("paragraphs", "max")
        (True, False)
    """
    return side in _written().get(signal, {})


def failures(
    rules: Iterable[Rule], values: Values, languages: Languages | None = None
) -> dict[str, npt.NDArray[np.bool_]]:
    """Reason → mask of the documents that fail its rule; NaN never fails.

    Args:
        rules: to judge by.
        values: of every signal that a rule is on.
        languages: of the documents; None: every document is held to the limits for all languages.

    Example:
        >>> rules = [rule("words", "min", 50, {"zh": 20})]
        >>> words = {"words": np.array([49, 50, np.nan, 30])}
        >>> failures(rules, words)["too_few_words"].tolist()
        [True, False, False, True]
        >>> failures(rules, words, Languages(("zh",), np.array([-1, -1, -1, 0])))["too_few_words"].tolist()
        [True, False, False, False]
    """
    masks: dict[str, npt.NDArray[np.bool_]] = {}
    for one in rules:
        found, limits = values[one.signal], one.limits(languages)
        masks[one.reason] = found < limits if one.side == "min" else found > limits
    return masks


@functools.cache
def _written() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads(files(__package__).joinpath("rules.toml").read_text("utf-8"))


@functools.cache
def _definitions() -> dict[str, str]:
    return {signal.name: signal.definition for signal in SIGNALS}
