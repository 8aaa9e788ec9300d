"""``score``: how usual a document is among edited English texts, in its worst respect.

Rules alone, no model: for each of Gopher's rules, the share of the reference that comes at least as near to its limit;
the least of these shares is the document's worst respect; its score is the share of the reference whose worst respect
is worse. So 0.8 says that 80 % of the reference are worse, and removing what is below 0.05 removes 5 % of
such texts. A rank, not a probability of being good. What the reference is, how far its shares hold on texts that it has
not seen, and where they do not hold: ``docs/quality_score.md``.
"""

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.stages.quality.rules import Rule, Values
from curate.stages.quality.settings import QualitySettings
from curate.stages.quality.signals import SIGNALS

Numbers = npt.NDArray[np.float64]

SCORED_BY = QualitySettings().rules()
"""The rules behind ``score``: Gopher's. Fixed, so that the scores of two runs compare and no setting moves them."""


class Curve(NamedTuple):
    """Straight lines between points."""

    x: Numbers
    """Rising."""
    y: Numbers

    def at(self, values: Numbers) -> Numbers:
        """The height at each value; NaN at NaN."""
        found: Numbers = np.interp(values, self.x, self.y)
        return found


class Reference(NamedTuple):
    """The texts that a document is compared with."""

    nearer: Mapping[str, Curve]
    """Setting of a rule → how near a document comes to the limit (`nearness`) → share of texts that come as near."""
    worse: Curve
    """The worst respect of a document → share of texts whose worst respect is worse."""


def score(values: Values, reference: Reference | None = None) -> Numbers:
    """Share of the reference that is worse in its worst respect, 0 to 1; NaN where no signal is defined.

    Args:
        values: of every signal that a rule of `SCORED_BY` is on.
        reference: the one that ships if there is none: chapters of novels, newspaper articles and pages of
            documentation in English, a third each.

    Example:
        >>> signals = {one.signal: np.array([0.0, np.nan]) for one in SCORED_BY}
        >>> bool(score(signals)[0] < 0.01), score(signals)[1]
        (True, np.float64(nan))
    """
    reference = reference or shipped()
    return reference.worse.at(worst_respect(values, reference.nearer))


def worst_respect(values: Values, nearer: Mapping[str, Curve]) -> Numbers:
    """The least share of texts, over all rules, that come at least as near to the limit of one."""
    least = np.full(len(next(iter(values.values()))), np.nan)
    for one in SCORED_BY:
        least = np.fmin(least, nearer[one.key].at(nearness(one, values[one.signal])))
    return least


def nearness(rule: Rule, values: Numbers) -> Numbers:
    """How near values come to a limit: 0 at the signal's best value, 0.5 at the limit, 1 as far beyond it or further.

    The best value is for a minimum the signal's highest value, or twice the limit if there is none; for a maximum 0,
    or half the limit where the signal has a minimum, too.

    Example:
        >>> max_top_2gram = next(one for one in SCORED_BY if one.key == "max_top_2gram")
        >>> nearness(max_top_2gram, np.array([0, 0.1, 0.2, 0.3])).tolist()
        [0.0, 0.25, 0.5, 0.75]
    """
    best = _best_values()[rule.key]
    found: Numbers = np.clip(0.5 - 0.5 * (values - rule.limit) / (best - rule.limit), 0.0, 1.0)
    return found


@functools.cache
def shipped() -> Reference:
    """The reference that comes with the program, ``reference.toml``."""
    table = tomllib.loads(files(__package__).joinpath("reference.toml").read_text("utf-8"))
    nearer = {key: Curve(np.array(one["nearness"]), np.array(one["share"])) for key, one in table["nearer"].items()}
    return Reference(nearer, Curve(np.array(table["worse"]["worst"]), np.array(table["worse"]["share"])))


@functools.cache
def _best_values() -> Mapping[str, float]:
    """For each rule of `SCORED_BY` the value of its signal from which on it is of no concern."""
    highest = {signal.name: signal.highest for signal in SIGNALS}
    two_sided = {one.signal for one in SCORED_BY if one.side == "min"}
    return {
        one.key: (highest[one.signal] or 2 * one.limit)
        if one.side == "min"
        else (one.limit / 2 if one.signal in two_sided else 0.0)
        for one in SCORED_BY
    }
