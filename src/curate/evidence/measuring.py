"""One measurement of one run, from its judgments to `curate.report.measured.Evidence`."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import psutil

from curate import __version__
from curate.errors import InputError
from curate.evidence.arms import HEADLINE, Arms, Trained
from curate.evidence.attribution import MOST, contributions, enough, left_out
from curate.evidence.attribution import Contribution as Contributed
from curate.evidence.held_out import FEWEST, RAW, HeldOut, bundled, bundled_languages, decontaminated, split
from curate.evidence.multiplier import (
    Curves,
    Floats,
    Interval,
    saving_at_equal_quality,
    saving_of,
    student,
    value_of_removed,
)
from curate.evidence.pool import Mask, Pool, read_pool
from curate.evidence.proxy import Proxy
from curate.evidence.scratch import Later
from curate.recipes.lint import run_settings
from curate.report.compute import Figure, Tag
from curate.report.duplicates import find_duplicates
from curate.report.judgments import Judgments
from curate.report.measured import (
    SCHEMA_VERSION,
    Arm,
    AtBudget,
    Contribution,
    Evaluated,
    Evidence,
    Measured,
    OnText,
    Point,
)
from curate.store.manifest import read_manifest
from curate.store.run_directory import RunDirectory

LEAST_BYTES = 2_000_000
"""Of an arm: below, samples of different seeds would be the same text."""
THREAD_BYTES = 700_000_000
"""Memory of one proxy in training."""


class Question(NamedTuple):
    """What is to be measured, and how."""

    seeds: int = 8
    own: tuple[HeldOut, ...] = ()
    """Evaluation texts of the user; the first is the headline's."""
    by: tuple[str, ...] = ()
    """``stage``, ``rule``: what each of them contributes."""
    command: str = ""


class Listener(Protocol):
    """Who is told how far a measurement is."""

    def say(self, what: str) -> None:
        """A sentence, once."""

    def advance(self, what: str, done: int, of: int) -> None:
        """Some of what is being done is done."""


class Silent:
    """Nobody is told."""

    def say(self, what: str) -> None:
        """Nothing."""

    def advance(self, what: str, done: int, of: int) -> None:
        """Nothing."""


def measure(run: Path, proxy: Proxy, question: Question, listener: Listener | None = None) -> Evidence:
    """Train the proxy on raw and on curated text of a run and compare.

    Args:
        run: a finished run.
        proxy: what to train.
        question: seeds, evaluation texts, and what to attribute the difference to.
        listener: hears of trainings done, and of how many there are.

    Raises:
        InputError: the run is not finished, has too little text, or there is no text to score on.
    """
    started, cpu, listener = time.monotonic(), time.process_time(), listener or Silent()
    manifest = read_manifest(run)
    directory = RunDirectory.finished(run, manifest)
    seed = int(manifest["config"].get("run", {}).get("seed", 42))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, min(cores, psutil.virtual_memory().available // (2 * THREAD_BYTES)))
    with ThreadPoolExecutor(threads) as workers:
        later = None
        if question.by:
            listener.say("documents that a stage removed are shown to the stages behind it, in the sample alone")
            later = Later(run_settings(run), [stage["name"] for stage in manifest["stages"]])
        pool = read_pool(directory, manifest, seed, later, workers.map)
        _refuse_small(pool)
        judgments = Judgments(directory, [stage["name"] for stage in manifest["stages"]], workers.map)
        independent = [*question.own, *_bundled(judgments, manifest, needed=not question.own)]
        sampled = pool
        pool, held = split(pool, seed)
        evaluations = _enough(decontaminated([*independent, *held], pool))
        arms = Arms(pool, evaluations, seed)
        at = time.monotonic()
        trained = arms.train(proxy, question.seeds, workers, lambda done, of: listener.advance("arms", done, of))
        speed = question.seeds * (arms.raw_budgets[-1] + 2 * arms.largest) / (time.monotonic() - at)
        left = left_out(question.by, arms, manifest) if question.by else []
        if left:
            number = min(MOST, sum(enough(each, arms) for each in left))
            seconds = number * question.seeds * 2 * arms.largest / speed
            listener.say(f"{number} stages and rules are left out one by one: about {math.ceil(seconds)} s")
        contributed = contributions(
            left, arms, trained, proxy, question.seeds, workers, lambda d, of: listener.advance("left out", d, of)
        )
        found = find_duplicates(manifest, judgments, 1.0)
    return _Result(manifest, sampled, arms, evaluations, trained, question, proxy).evidence(
        contributed,
        found.redundancy.multiplier if found and found.redundancy and found.removed else None,
        cpu_seconds=time.process_time() - cpu,
        wall_seconds=time.monotonic() - started,
    )


def main_language(judgments: Judgments, manifest: Mapping[str, Any]) -> str:
    """The language of most kept text; where none was identified, the first that the run was to keep, else English."""
    import polars as pl

    if judgments.has("language.label"):
        found = (
            judgments.frame.filter(judgments.kept())
            .group_by(pl.col("language.label").cast(pl.String).alias("label"))
            .agg(pl.col("raw_bytes").sum())
            .drop_nulls()
            .sort("raw_bytes", "label", descending=[True, False])
            .collect(engine="streaming")
        )
        if len(found):
            return str(found["label"][0])
    keep = manifest["config"].get("language", {}).get("keep") or ["en"]
    return str(keep[0])


def _bundled(judgments: Judgments, manifest: Mapping[str, Any], *, needed: bool) -> list[HeldOut]:
    language = main_language(judgments, manifest)
    return [bundled(language)] if needed or language in bundled_languages() else []


def _refuse_small(pool: Pool) -> None:
    for name, arm in (("raw", pool.raw), ("curated", pool.curated)):
        size = sum(len(text.encode()) for text, here in zip(pool.texts, arm, strict=True) if here)
        if size < LEAST_BYTES:
            raise InputError(
                f"the {name} text without duplicates has {size / 1e6:.2f} MB, but {LEAST_BYTES / 1e6:g} MB are needed:"
                " with less, every sample is the same text",
                hint="run `curate run` over a larger corpus; report.html has what is known without training",
            )


def _enough(evaluations: Sequence[HeldOut]) -> list[HeldOut]:
    """Those with documents enough, the headline's first."""
    left = [each for each in evaluations if len(each.texts) >= FEWEST]
    independent = [each for each in evaluations if each.kind == "independent"]
    if not any(each.kind == "independent" for each in left):
        short = independent[0]
        raise InputError(
            f"`{short.name}` has {len(short.texts)} documents left to measure on, but {FEWEST} are needed"
            f" ({short.dropped} are in the corpus, too)",
            hint="name good text that is not in the corpus: --eval NAME=PATH",
        )
    return left


class _Result:
    """The figures of a measurement."""

    def __init__(
        self,
        manifest: Mapping[str, Any],
        sampled: Pool,
        arms: Arms,
        evaluations: Sequence[HeldOut],
        trained: Trained,
        question: Question,
        proxy: Proxy,
    ) -> None:
        self.manifest, self.sampled, self.arms, self.question, self.proxy = manifest, sampled, arms, question, proxy
        self.evaluations, self.trained = evaluations, trained
        self.arm = {
            "raw": self._arm("raw", sampled.raw),
            "curated": self._arm("curated", sampled.curated),
        }
        self.kept_share = self.arm["curated"].tokens / self.arm["raw"].tokens

    def evidence(
        self, contributed: Sequence[Contributed], duplicates: Figure | None, *, cpu_seconds: float, wall_seconds: float
    ) -> Evidence:
        evaluated = tuple(self._evaluated(each, headline=not number) for number, each in enumerate(self.evaluations))
        headline = self._curves(self.evaluations[0].name, self.trained.curated)
        found = headline.multiplier(HEADLINE, self.arms.seed)
        return Evidence(
            schema_version=SCHEMA_VERSION,
            curate=__version__,
            run_id=self.manifest["run_id"],
            command=self.question.command,
            proxy=self.proxy.name,
            about=self.proxy.about,
            seeds=self.question.seeds,
            seed=self.arms.seed,
            budget=self.arms.budgets[HEADLINE],
            evaluation=self.evaluations[0].name,
            multiplier=evaluated[0].multiplier,
            saving=self._follows(found, saving_of, "share", "1 - 1/m"),
            saving_at_equal_quality=self._follows(
                found,
                lambda m: saving_at_equal_quality(m, self.kept_share),
                "share",
                "1 - E·D_curated/D_raw, E epochs worth one pass over the raw text (arXiv 2305.16264)",
            ),
            value_of_removed_token=self._follows(
                found,
                lambda m: value_of_removed(m, self.kept_share),
                "kept tokens",
                "(1/m - k) / (1 - k), k the share of tokens kept",
            ),
            control=evaluated[0].control,
            slope=self._slope(headline),
            duplicates=duplicates,
            combined=self._combined(found, duplicates),
            kept_share=self.kept_share,
            arms=self.arm,
            evaluations=evaluated,
            contributions=tuple(map(self._contribution, contributed)),
            notes=self._notes(evaluated),
            cpu_seconds=round(cpu_seconds, 2),
            wall_seconds=round(wall_seconds, 2),
        )

    def _arm(self, name: str, arm: Mask) -> Arm:
        sizes = np.array([len(text.encode()) for text in self.sampled.texts])
        sampled, trained = int(sizes[arm].sum()), self.arms.tokens[name]
        own = self.arms.pool.raw if name == "raw" else self.arms.pool.curated
        per_byte = trained / max(
            1, sum(len(t.encode()) for t, here in zip(self.arms.pool.texts, own, strict=True) if here)
        )
        totals = self.sampled.totals[name]
        share = self.sampled.share[name]
        return Arm(
            documents=totals.documents,
            bytes=totals.bytes,
            sampled_documents=int(np.count_nonzero(arm)),
            sampled_bytes=sampled,
            sampled_tokens=trained,
            tokens=round(sampled * per_byte / share),
        )

    def _curves(self, name: str, arm: Mapping[str, Floats]) -> Curves:
        return Curves(
            self.arms.raw_budgets, self.arms.budgets, self.trained.raw[name], arm[name], self.arms.sizes[name]
        )

    def _evaluated(self, each: HeldOut, *, headline: bool) -> Evaluated:
        curves = self._curves(each.name, self.trained.curated)
        by_budget = [curves.multiplier(which, self.arms.seed) for which in range(len(self.arms.budgets))]
        control = self._curves(each.name, self.trained.control).multiplier(HEADLINE, self.arms.seed)
        said = self._said(each.name)
        return Evaluated(
            name=each.name,
            kind=each.kind,
            headline=headline,
            documents=len(each.texts),
            dropped=each.dropped,
            bytes=int(self.arms.sizes[each.name].sum()),
            fingerprint=each.fingerprint,
            multiplier=_figure(by_budget[HEADLINE], "x", said, "D_raw / D_curated at equal loss, this measurement"),
            control=_figure(
                control, "x", (*said, "raw text against other samples of it: 1 is right"), "this measurement"
            ),
            by_budget=tuple(
                AtBudget(tokens=tokens, multiplier=_figure(found, "x", said, "this measurement"))
                for tokens, found in zip(self.arms.budgets, by_budget, strict=True)
            ),
            raw=_points(self.arms.raw_budgets, curves.losses(curves.raw)),
            curated=_points(self.arms.budgets, curves.losses(curves.curated)),
        )

    def _contribution(self, each: Contributed) -> Contribution:
        said = (*self._said(self.evaluations[0].name), "the kept text against what would be kept without it alone")
        source = "D_without / D_kept at equal loss, this measurement"
        on = [OnText(name=name, multiplier=_figure(m, "x", said, source)) for name, m in each.multipliers.items()]
        share = self.sampled.share["raw"]
        return Contribution(
            kind=each.left.kind,
            name=each.left.name,
            documents=each.left.documents,
            tokens=round(each.left.tokens / share),
            share=each.left.tokens / (each.left.tokens + self.arms.tokens["curated"]),
            multiplier=on[0].multiplier if on else None,
            verdict=_verdict(next(iter(each.multipliers.values()), None)),
            on=tuple(on),
        )

    def _said(self, evaluation: str) -> tuple[str, ...]:
        return (
            f"{self.proxy.about}; {self.question.seeds} seeds, {self.arms.budgets[HEADLINE]:,} curated tokens",
            f"scored on `{evaluation}`, by bits a byte",
            "both arms without duplicates; proxies rank data, they promise no factor for a large model",
        )

    def _follows(self, found: Interval, makes: Callable[[float], float], unit: str, source: str) -> Measured:
        """A figure that follows from the multiplier, ends and all."""
        low, high = sorted((makes(found.low), makes(found.high)))
        bound = found.bound
        if bound and makes(2.0) < makes(1.0):
            bound = "<" if bound == ">" else ">"
        return _figure(
            Interval(makes(found.value), low, high, bound),
            unit,
            self._said(self.evaluations[0].name),
            source,
        )

    def _slope(self, curves: Curves) -> Measured:
        found = [curves.multiplier(which, self.arms.seed) for which in range(len(self.arms.budgets))]
        said = (*self._said(self.evaluations[0].name), "below 0 the multiplier shrinks with scale")
        source = "least squares of log m on log budget, interval over seeds"
        if any(each.bound for each in found):
            return Measured(
                value=None, low=None, high=None, unit="log m / log tokens", tag=_TAG, assumptions=said, source=source
            )
        points = np.log(np.array(self.arms.budgets, np.float64))
        points = (points - points.mean()) / ((points - points.mean()) ** 2).sum()
        mean = float(points @ np.log([each.value for each in found]))
        seeds = points @ np.array([curves.by_seed(which, each.value) for which, each in enumerate(found)])
        wide = student(len(seeds) - 1) * float(np.std(seeds, ddof=1)) / math.sqrt(len(seeds))
        return _figure(Interval(mean, mean - wide, mean + wide), "log m / log tokens", said, source)

    def _combined(self, found: Interval, duplicates: Figure | None) -> Measured | None:
        if duplicates is None:
            return None
        low, high = found.low * duplicates.low, found.high * duplicates.high
        said = (*self._said(self.evaluations[0].name), "assumes that what filters and deduplication do is independent")
        value = Interval(found.value * duplicates.low, low, high, found.bound)
        return _figure(value, "x", said, "measured multiplier times the bracket of the duplicates")

    def _notes(self, evaluated: Sequence[Evaluated]) -> tuple[str, ...]:
        notes = []
        lost = [each.name for each in evaluated if (each.multiplier.high or math.inf) < 1]
        if lost:
            notes.append(
                f"on {', '.join(lost)} curated text is worse than raw text: it no longer covers what was removed"
            )
        if self.sampled.parts < len(self.manifest["parts"]):
            notes.append(f"{self.sampled.parts} of {len(self.manifest['parts'])} parts were looked at")
        kinds = {each.kind for each in evaluated}
        if kinds != {"independent", RAW, "curated"}:
            notes.append("an evaluation text had too few documents left and is not shown")
        return tuple(notes)


def _verdict(found: Interval | None) -> str:
    if found is None:
        return "too little to measure"
    if found.low > 1:
        return "earns its keep"
    return "costs more than it brings" if found.high < 1 else "no measurable difference"


_TAG: Tag = "MEASURED-ON-PROXY"


def _figure(found: Interval, unit: str, assumptions: tuple[str, ...], source: str) -> Measured:
    return Measured(
        value=_finite(found.value),
        low=_finite(found.low),
        high=_finite(found.high),
        unit=unit,
        tag=_TAG,
        assumptions=assumptions,
        source=source,
        bound=found.bound,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _points(budgets: Sequence[int], losses: Floats) -> tuple[Point, ...]:
    mean, spread = losses.mean(axis=0), losses.std(axis=0, ddof=1)
    return tuple(
        Point(tokens=tokens, loss=float(loss), spread=float(sd))
        for tokens, loss, sd in zip(budgets, mean, spread, strict=True)
    )
