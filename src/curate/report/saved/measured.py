"""What ``curate measure`` found, as ``evidence.json`` beside the run holds it and the report shows it."""

import math
from pathlib import Path
from typing import Any

import msgspec

from curate.report import quantities
from curate.report.saved.compute import Figure
from curate.store.checked_json import BrokenJson, read_json, write_json
from curate.store.run_directory import EVIDENCE

SCHEMA_VERSION = 1


class Measured(Figure, frozen=True, kw_only=True):
    """A figure of a proxy. Where only one side of it was measured, ``bound`` is ``<`` or ``>``; an open end is null."""

    value: float | None  # type: ignore[assignment]
    low: float | None  # type: ignore[assignment]
    high: float | None  # type: ignore[assignment]
    bound: str = ""


class AtBudget(msgspec.Struct, frozen=True, kw_only=True):
    """The multiplier after some tokens of the curated arm."""

    tokens: int
    multiplier: Measured


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A point of a loss curve: bits a byte, mean and standard deviation over seeds."""

    tokens: int
    loss: float
    spread: float


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation text and what it says."""

    name: str
    kind: str
    """``independent``, ``raw`` or ``curated``."""
    headline: bool
    documents: int
    dropped: int
    """Documents removed because an arm has a fifth of their wording."""
    bytes: int
    fingerprint: str
    multiplier: Measured
    control: Measured
    by_budget: tuple[AtBudget, ...]
    raw: tuple[Point, ...]
    curated: tuple[Point, ...]


class OnText(msgspec.Struct, frozen=True, kw_only=True):
    """A multiplier on one evaluation text."""

    name: str
    multiplier: Measured


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """What one stage or rule is worth: the kept text against what would be kept without it."""

    kind: str
    """``stage`` or ``rule``."""
    name: str
    """``stage``, ``stage.reason``, or ``stage.rule`` of one that edits (``quality.lines.policy``)."""
    documents: int
    """That it alone removed, in the sample."""
    edited: int = 0
    """Kept documents that have another text because of it, in the sample."""
    tokens: float
    """Estimate of theirs in the corpus."""
    share: float
    """Of the tokens that would be kept without it."""
    multiplier: Measured | None
    """Above 1: it earns its keep. None where too few documents come back to tell."""
    verdict: str
    """``earns its keep``, ``costs more than it brings``, ``no measurable difference``, ``too little to measure``, or
    ``not measured`` and why."""
    on: tuple[OnText, ...]


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """What one side was trained on."""

    documents: int
    bytes: int
    """Before sampling, in the parts that were looked at."""
    sampled_documents: int
    sampled_bytes: int
    sampled_tokens: int
    """Of the proxy's own vocabulary."""
    tokens: float
    """Estimate for the arm before sampling."""


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """What another proxy said before of the same run, on the same text."""

    proxy: str
    seeds: int
    budget: int
    multiplier: Measured


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of one run."""

    schema_version: int
    curate: str
    run_id: str
    command: str
    question: str = ""
    """Digest of what was asked: proxy, seeds, budget, texts."""
    proxy: str
    about: str
    seeds: int
    seed: int
    budget: int
    """Tokens of the curated arm that the headline is about."""
    evaluation: str
    """The text that the headline is about."""
    multiplier: Measured
    second: Second | None = None
    saving: Measured
    saving_at_equal_quality: Measured
    value_of_removed_token: Measured
    control: Measured
    slope: Measured
    """How log m changes with log budget: below 0 the multiplier shrinks with scale."""
    duplicates: Figure | None
    """What the removal of duplicates is worth, as a bracket; nothing was trained for it."""
    combined: Measured | None
    """Filters and duplicates together, if their effects are independent."""
    kept_share: float
    """Tokens of the curated arm by those of the raw one; both without duplicates."""
    arms: dict[str, Arm]
    evaluations: tuple[Evaluated, ...]
    contributions: tuple[Contribution, ...]
    notes: tuple[str, ...]
    cpu_seconds: float
    wall_seconds: float

    @property
    def sentence(self) -> str:
        """What it says in one sentence, without a full stop."""
        m, on = self.multiplier, self.evaluation
        low, high = _ends(m)
        model = f"A small {_KINDS.get(self.proxy, 'model')}"
        if self.kept_share == 1:
            return "Nothing but duplicates was removed: there is nothing to measure"
        if low <= 1 <= high:
            return f"{model} learns {on} as well from the kept as from the raw text, as far as was measured"
        if low > 1:
            fewer = "more than " if m.bound else ""
            share = f"{fewer}{quantities.share(self.saving.value)}"
            return f"{model} learns {on} as well from {share} fewer tokens of the kept text"
        return f"{model} learns {on} worse from the kept than from the raw text"

    @property
    def caution(self) -> str:
        """What to make of the multiplier, to be read beside it; empty where nothing is to be said."""
        return "; ".join(filter(None, (self._of_control, self._of_size))) if self.kept_share != 1 else ""

    @property
    def _of_control(self) -> str:
        low, high = _ends(self.control)
        if low <= 1 <= high:
            return ""
        return f"raw against raw text gave {self.control.value or 0:.2f}x where 1 is right: such a difference is noise"

    @property
    def _of_size(self) -> str:
        low, high = _ends(self.multiplier)
        if low <= 1 <= high and not self.second:
            return ""
        if not self.second:
            own, other = ("ngram", "transformer") if self.proxy == "ngram" else ("transformer", "ngram")
            return (
                f"the size depends on the kind of model: on {_COMPARED_ON} {_indefinite(own)} said {_COMPARED[own]}"
                f" and {_indefinite(other)} {_COMPARED[other]}; trust the sign"
            )
        m, kind = self.second.multiplier, _indefinite(self.second.proxy)
        said = f"{kind} said {f'{m.bound} ' if m.bound else ''}{m.value or 0:.2f}x of this run"
        least, most = _ends(m)
        if (low > 1 and most < 1) or (high < 1 and least > 1):
            return f"{said}, the opposite: rely on neither"
        agree = "trust the sign, and " if (low > 1 and least > 1) or (high < 1 and most < 1) else ""
        return f"{said}: {agree}take the distance between the two as the uncertainty of the size"


def _ends(figure: Measured) -> tuple[float, float]:
    return figure.low or 0.0, math.inf if figure.high is None else figure.high


def _indefinite(proxy: str) -> str:
    """A kind of model with its article."""
    kind = _KINDS.get(proxy, "model")
    return f"{'an' if kind.startswith('n-') else 'a small'} {kind}"


_KINDS = {"ngram": "n-gram model", "transformer": "transformer"}
_COMPARED = {"ngram": "2.26x [2.08, 2.46]", "transformer": "1.39x [1.27, 1.52]"}
_COMPARED_ON = "37,126 technical pages"
"""The corpus that both were measured on: benchmarks/README.md, *Compute saved*."""


def write_evidence(run: Path, evidence: Evidence) -> Path:
    """Write the result beside the run, in place of an earlier one; returns where."""
    target = run / EVIDENCE
    write_json(target, as_data(evidence))
    return target


def read_evidence(run: Path, run_id: str) -> Evidence | None:
    """The result of the last measurement; None if there is none of this very run, or it is damaged."""
    try:
        content = read_json(run / EVIDENCE)
        evidence = msgspec.convert(content, Evidence)
    except (FileNotFoundError, BrokenJson, msgspec.ValidationError):
        return None
    return evidence if evidence.run_id == run_id else None


def second_opinion(before: Evidence | None, proxy: str, text: Evaluated) -> Second | None:
    """What another proxy said of the same run and text, as an earlier measurement has it."""
    if not before or [each.fingerprint for each in before.evaluations[:1]] != [text.fingerprint]:
        return None
    if before.proxy == proxy:
        return before.second
    return Second(proxy=before.proxy, seeds=before.seeds, budget=before.budget, multiplier=before.multiplier)


def as_data(evidence: Evidence) -> dict[str, Any]:
    """The result as JSON has it, with its sentence and what to make of it: an open end is null."""
    data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(evidence))
    return data | {"sentence": evidence.sentence, "caution": evidence.caution}
