"""Rules that can never decide: no document reaches their limit, or another rule removes all that do."""

import functools
import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from curate.stages.quality.rules import Rule, Side
from curate.stages.quality.settings import SIGNAL_OF, QualitySettings

NEVER_ABOVE: tuple[tuple[str, str], ...] = (
    ("words", "all_words"),
    ("all_words", "characters"),
    ("lines", "characters"),
    ("paragraphs", "lines"),
    ("alphanumeric_characters", "characters"),
    ("stop_words", "stop_word_count"),
    ("stop_word_count", "words"),
    ("median_word_length", "longest_word"),
    ("mean_length_of_all_words", "longest_word"),
    ("symbol_ratio", "symbols_per_word"),
    ("ellipsis_ratio", "symbols_per_word"),
    ("curly_bracket_characters", "parenthesis_characters"),
    ("lorem_ipsum_lines", "lines"),
    ("curly_bracket_lines", "lines"),
    ("duplicate_lines", "recurring_lines"),
    ("duplicate_paragraphs", "recurring_paragraphs"),
    ("duplicate_line_characters", "recurring_line_characters"),
    ("duplicate_paragraph_characters", "recurring_paragraph_characters"),
    ("all_ellipsis_lines", "ellipsis_lines"),
    ("all_bullet_lines", "bullet_lines"),
    ("bare_words", "all_words"),
    ("exact_stop_words", "stop_words"),
    ("exact_stop_word_count", "stop_word_count"),
    *((f"top_{n}gram_words", f"longest_top_{n}gram") for n in range(2, 5)),
    *((f"top_{n}gram", f"most_common_{n}gram") for n in range(2, 5)),
    *((f"top_{n}gram_words", f"most_common_{n}gram_words") for n in range(2, 5)),
    *((f"duplicate_{n}gram", f"recurring_{n}gram") for n in range(5, 11)),
    *((f"recurring_{n + 1}gram", f"recurring_{n}gram") for n in range(5, 10)),
)
"""Pairs of signals of which the first is never above the second, by their definitions."""


class Idle(NamedTuple):
    """A rule that never decides."""

    key: str
    """Its setting, in the section ``[quality]``."""
    why: str


Limits = Mapping[tuple[str, Side], float]
"""Signal and side → limit, of the rules that hold."""


def idle_rules(settings: QualitySettings) -> tuple[Idle, ...]:
    """The rules that never decide, with those that never do for a single language.

    Example:
        >>> [(idle.key, idle.why) for idle in idle_rules(QualitySettings(min_stop_words=0))]
        [('min_stop_words', 'no document has `stop_words` below 0')]
    """
    rules = settings.rules()
    found = {idle.key: idle for idle in _idle(_limits(rules, ""), "")}
    for language, own in settings.languages.items():
        for idle in _idle(_limits(rules, language), f"languages.{language}."):
            bare = idle.key.removeprefix(f"languages.{language}.")
            if bare not in found and getattr(own, bare) is not None:
                found[idle.key] = idle
    return tuple(found.values())


def _limits(rules: tuple[Rule, ...], language: str) -> Limits:
    limits = {(one.signal, one.side): one.by_language.get(language, one.limit) for one in rules}
    return {rule: limit for rule, limit in limits.items() if not math.isnan(limit)}


def _idle(limits: Limits, place: str) -> Iterator[Idle]:
    highest = {signal.name: signal.highest for signal, _ in SIGNAL_OF.values()}
    for (signal, side), limit in limits.items():
        edge = highest[signal] if side == "max" else 0.0
        if edge is not None and (limit >= edge if side == "max" else limit <= edge):
            beyond = "above" if side == "max" else "below"
            yield Idle(f"{place}{side}_{signal}", f"no document has `{signal}` {beyond} {limit:g}")
    for lesser, greater in _all_pairs():
        yield from _shadowed(limits, lesser, greater, place)
    yield from _few_characters(limits, place)


@functools.cache
def _all_pairs() -> tuple[tuple[str, str], ...]:
    """`NEVER_ABOVE`, and what follows from two of its pairs, or more."""
    pairs = dict.fromkeys(NEVER_ABOVE)
    while more := {(a, d): None for a, b in pairs for c, d in pairs if b == c and (a, d) not in pairs}:
        pairs |= more
    return tuple(pairs)


def _shadowed(limits: Limits, lesser: str, greater: str, place: str) -> Iterator[Idle]:
    """The rules on two signals of which one is never above the other."""
    most, other = limits.get((lesser, "max")), limits.get((greater, "max"))
    if most is not None and other is not None and most >= other:
        yield _by_another(f"max_{lesser}", most, f"max_{greater}", other, place)
    least, other = limits.get((greater, "min")), limits.get((lesser, "min"))
    if least is not None and other is not None and least <= other:
        yield _by_another(f"min_{greater}", least, f"min_{lesser}", other, place)


def _few_characters(limits: Limits, place: str) -> Iterator[Idle]:
    """So many words of such a length have more characters anyway."""
    characters, length = (limits.get((signal, "min")) for signal in ("characters", "mean_length_of_all_words"))
    for signal in ("words", "all_words"):
        words = limits.get((signal, "min"))
        if characters is not None and words is not None and length is not None and characters <= words * length:
            yield Idle(
                f"{place}min_characters",
                f"every document that min_characters = {characters:g} removes, min_{signal} = {words:g} or "
                f"min_mean_length_of_all_words = {length:g} removes too",
            )
            return


def _by_another(key: str, limit: float, other: str, others: float, place: str) -> Idle:
    return Idle(
        f"{place}{key}",
        f"every document that {key} = {limit:g} removes, {other} = {others:g} removes too",
    )
