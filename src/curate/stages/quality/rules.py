"""Rules as data: a limit on a signal, the reason it gives, and recipes made of them."""

import functools
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.stages.quality.signals import SIGNALS
from curate.text.line_rules import LineRules

Values = Mapping[str, npt.NDArray[np.float64]]
"""Signal → values of each document, NaN where the signal is not defined."""


class Rule(NamedTuple):
    """Leave a document out when ``signal`` is beyond ``limit``; a value equal to the limit passes."""

    reason: str
    signal: str
    side: Literal["min", "max"]
    limit: float
    sentence: str
    source: str

    @property
    def key(self) -> str:
        """The setting that changes its limit.

        Example:
            >>> recipe("gopher").rules[0].key
            'min_words'
        """
        return f"{self.side}_{self.signal}"


class Recipe(NamedTuple):
    """A named, versioned set of rules."""

    name: str
    title: str
    version: int
    source: str
    rules: tuple[Rule, ...]
    lines: LineRules | None
    """Which lines are cut; None: the signals of lines are not measured."""


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that ship."""
    entries = (entry.name for entry in files(__package__).joinpath("recipes").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in entries if name.endswith(".toml")))


@functools.cache
def recipe(name: str) -> Recipe:
    """The recipe called ``name``.

    Raises:
        FileNotFoundError: none is called that.

    Example:
        >>> [(rule.reason, rule.limit) for rule in recipe("gopher").rules[:2]]
        [('too_few_words', 50.0), ('too_many_words', 100000.0)]
    """
    table = tomllib.loads(files(__package__).joinpath("recipes", f"{name}.toml").read_text("utf-8"))
    rules = {rule.key: rule for other in table.get("extends", ()) for rule in recipe(other).rules}
    rules |= {rule.key: rule for rule in map(_rule, table["rules"])}
    lines = LineRules(**table["lines"]) if "lines" in table else None
    return Recipe(name, table["title"], table["version"], table["source"], tuple(rules.values()), lines)


def failures(rules: Iterable[Rule], values: Values) -> dict[str, npt.NDArray[np.bool_]]:
    """Reason → mask of the documents that fail its rule; NaN never fails.

    Example:
        >>> {code: mask.tolist() for code, mask in failures(
        ...     recipe("gopher").rules[:2], {"words": np.array([49, 50, np.nan])}
        ... ).items()}
        {'too_few_words': [True, False, False], 'too_many_words': [False, False, False]}
    """
    masks: dict[str, npt.NDArray[np.bool_]] = {}
    for rule in rules:
        found = values[rule.signal]
        masks[rule.reason] = found < rule.limit if rule.side == "min" else found > rule.limit
    return masks


def score(rules: Iterable[Rule], values: Values) -> npt.NDArray[np.float64]:
    """How far inside the rules a document lies: 0 to 1, the mean of its credit for each rule.

    A rule gives credit 0.5 at its limit, rising evenly to 1 and falling evenly to 0 over the same distance:
    that from the limit to the best value of the signal (0 for a maximum; for a minimum the signal's highest
    value, or twice the limit where there is none). Rules whose signal is not defined are left out; NaN
    where none is.

    It is a summary of the rules that grows as any of them is met better, **not a probability of being
    good**: a document that one rule removes may score higher than one that all rules keep.

    Example:
        >>> score(recipe("gopher").rules[:1], {"words": np.array([0, 50, 75, 1000])}).tolist()
        [0.0, 0.5, 0.75, 1.0]
    """
    highest = {signal.name: signal.highest for signal in SIGNALS}
    total: npt.NDArray[np.float64] | float = 0.0
    defined: npt.NDArray[np.int64] | int = 0
    for rule in rules:
        found = values[rule.signal]
        best = 0.0 if rule.side == "max" else (highest[rule.signal] or 2 * rule.limit)
        credit = np.clip(0.5 + 0.5 * (found - rule.limit) / (best - rule.limit), 0.0, 1.0)
        total = total + np.nan_to_num(credit, nan=0.0)
        defined = defined + ~np.isnan(credit)
    with np.errstate(invalid="ignore"):
        return np.divide(total, defined)


def _rule(row: Mapping[str, Any]) -> Rule:
    side: Literal["min", "max"] = "min" if "min" in row else "max"
    return Rule(row["reason"], row["signal"], side, float(row[side]), row["sentence"], row["source"])
