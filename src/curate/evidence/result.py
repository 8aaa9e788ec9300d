"""The figures of a measurement, each with its interval, its tag and what it rests on."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from curate import __version__
from curate.evidence.arms import HEADLINE, Arms, Trained
from curate.evidence.attribution import MOST, enough
from curate.evidence.attribution import Contribution as Contributed
from curate.evidence.held_out import RAW, HeldOut, losses_of_text
from curate.evidence.looked import DUPLICATES, Mask
from curate.evidence.multiplier import (
    Curves,
    Floats,
    Interval,
    saving_at_equal_quality,
    saving_of,
    student,
    value_of_removed,
)
from curate.evidence.pool import Pool
from curate.evidence.proxies.proxy import Proxy
from curate.evidence.question import Question
from curate.report.saved.compute import Figure, Tag
from curate.report.saved.measured import (
    SCHEMA_VERSION,
    Arm,
    AtBudget,
    Contribution,
    Evaluated,
    Evidence,
    Measured,
    OnText,
    Point,
    second_opinion,
)
from curate.store.manifest_entries import Manifest


class Result:
    """The figures of a measurement."""

    def __init__(
        self,
        manifest: Manifest,
        sampled: Pool,
        arms: Arms,
        evaluations: Sequence[HeldOut],
        trained: Trained,
        question: Question,
        proxy: Proxy,
    ) -> None:
        self.manifest, self.sampled, self.arms, self.proxy = manifest, sampled, arms, proxy
        self.question, self.seeds = question, question.seeds
        self.evaluations, self.trained = evaluations, trained
        self.arm = {
            "raw": self._arm("raw", sampled.raw),
            "curated": self._arm("curated", sampled.curated),
        }
        self.kept_share = self.arm["curated"].tokens / self.arm["raw"].tokens

    def evidence(
        self,
        contributed: Sequence[Contributed],
        again: float | None,
        duplicates: Figure | None,
        *,
        before: Evidence | None,
        cpu_seconds: float,
        wall_seconds: float,
    ) -> Evidence:
        """The figures.

        Args:
            contributed: what was switched off one by one.
            again: see `curate.evidence.measuring.half_rate`.
            duplicates: bracket of what their removal is worth.
            before: an earlier measurement of the run.
            cpu_seconds: that all of it took.
            wall_seconds: the same by the clock.
        """
        nothing = self.question.by and not contributed
        evaluated = tuple(self._evaluated(each, headline=not number) for number, each in enumerate(self.evaluations))
        headline = self._curves(self.evaluations[0].name, self.trained.curated)
        found = headline.multiplier(HEADLINE, self.arms.seed)
        return Evidence(
            schema_version=SCHEMA_VERSION,
            curate=__version__,
            run_id=self.manifest.run_id,
            command=self.question.command,
            question=self.question.asked(self.proxy),
            proxy=self.proxy.name,
            about=self.proxy.about,
            seeds=self.seeds,
            seed=self.arms.seed,
            budget=self.arms.budgets[HEADLINE],
            evaluation=self.evaluations[0].name,
            multiplier=evaluated[0].multiplier,
            second=second_opinion(before, self.proxy.name, evaluated[0]),
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
            contributions=tuple(
                sorted(
                    (*map(self._contribution, contributed), *self._of_duplicates(contributed, duplicates)),
                    key=lambda each: each.kind != "stage",
                )
            ),
            notes=(*self._notes(evaluated, again), *(_NOTHING if nothing else ())),
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
            kind=each.ablation.kind,
            name=each.ablation.name,
            documents=each.ablation.documents,
            edited=each.ablation.edited,
            tokens=round(each.ablation.tokens / share),
            share=each.ablation.tokens / (each.ablation.tokens + self.arms.tokens["curated"]),
            multiplier=on[0].multiplier if on else None,
            verdict=_verdict(next(iter(each.multipliers.values()), None), others=enough(each.ablation, self.arms)),
            on=tuple(on),
        )

    def _of_duplicates(self, contributed: Sequence[Contributed], duplicates: Figure | None) -> Iterator[Contribution]:
        """The stage that removes duplicates, by its bracket: nothing was trained for it."""
        removed = self.manifest.counts.removed_by.get(DUPLICATES, 0)
        if not duplicates or not any(each.ablation.kind == "stage" for each in contributed):
            return
        bracket = Measured(
            value=duplicates.value,
            low=duplicates.low,
            high=duplicates.high,
            unit="x",
            tag=duplicates.tag,
            assumptions=duplicates.assumptions,
            source=duplicates.source,
        )
        yield Contribution(
            kind="stage",
            name=DUPLICATES,
            documents=removed,
            tokens=0.0,
            share=1 - 1 / duplicates.high,
            multiplier=bracket,
            verdict="a bracket, not measured",
            on=(),
        )

    def _said(self, evaluation: str) -> tuple[str, ...]:
        return (
            f"{self.proxy.about}; {self.seeds} seeds, {self.arms.budgets[HEADLINE]:,} curated tokens",
            f"scored on `{evaluation}`, by bits a byte",
            "both arms without duplicates; proxies rank data, they promise no factor for a large model",
        )

    def _follows(self, found: Interval, makes: Callable[[float], float], unit: str, source: str) -> Measured:
        """A figure that follows from the multiplier, ends and all."""
        low, high = (makes(end) if 0 < end < math.inf else math.nan for end in found[1:3])
        bound = found.bound
        if makes(2.0) < makes(1.0):
            low, high = high, low
            bound = "<" if bound == ">" else ">" if bound == "<" else ""
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
        said = (
            *self._said(self.evaluations[0].name),
            "assumes that the effects of filters and of deduplication are independent",
        )
        value = Interval(found.value * duplicates.low, low, high, found.bound)
        return _figure(value, "x", said, "measured multiplier times the bracket of the duplicates")

    def _notes(self, evaluated: Sequence[Evaluated], again: float | None) -> tuple[str, ...]:
        notes = losses_of_text(self.evaluations)
        if again is not None and (value := evaluated[0].multiplier.value) is not None:
            same = (again > 0) == (value > 1)
            said = "says the same" if same else "says the opposite: do not rely on this figure"
            notes.append(f"a model that learns at half the rate {said}")
        if self.proxy.name == "ngram" and (evaluated[0].multiplier.low or 0.0) > 1 / self.kept_share:
            notes.append(
                "the removed text looks worse than worthless; n-gram models exaggerate, see --proxy transformer"
            )
        lost = [each.name for each in evaluated if (each.multiplier.high or math.inf) < 1]
        if lost:
            notes.append(
                f"on {', '.join(lost)} curated text is worse than raw text: it no longer covers what was removed"
            )
        if self.sampled.parts < len(self.manifest.parts):
            notes.append(f"{self.sampled.parts} of {len(self.manifest.parts)} parts were looked at")
        kinds = {each.kind for each in evaluated}
        if kinds != {"independent", RAW, "curated"}:
            notes.append("an evaluation text had too few documents left and is not shown")
        return tuple(notes)


def _verdict(found: Interval | None, *, others: bool) -> str:
    """What to say of a stage or rule; ``others``: it is not measured because `MOST` others removed more."""
    if found is None:
        return f"not measured: {MOST} others remove more" if others else "too little to measure"
    if found.low > 1:
        return "earns its keep"
    return "costs more than it brings" if found.high < 1 else "no measurable difference"


_NOTHING = ("no stage or rule changes by itself what is kept of the sample",)
_TAG: Tag = "MEASURED-ON-PROXY"


def _figure(found: Interval, unit: str, assumptions: tuple[str, ...], source: str) -> Measured:
    return Measured(
        value=_finite(found.value),
        low=_finite(found.low) if unit != "x" or found.low > 0 else None,  # 0 is where the curve ends
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
