"""Thresholds and recipes searched by what they are worth: chosen on one half of a text, confirmed on the other.

Most of it is verdicts: the sample is measured once for each way of measuring, and every candidate judges those
measures. What differs between candidates is which documents a proxy is trained on. Source weights are left alone:
proxies as small as these cannot choose them.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import ConfigError, UserError, nearest
from curate.evidence.arms import CURATED_STEPS, HEADLINE, Arms
from curate.evidence.attribution import STEPS
from curate.evidence.held_out import HeldOut, decontaminated, split
from curate.evidence.measuring import Listener, enough_text, independent_texts, refuse_small, workers_for
from curate.evidence.multiplier import Curves, Floats, Interval
from curate.evidence.pool import Mask, Pool, place, read_pool
from curate.evidence.proxy import NgramProxy
from curate.pipeline.config import Config
from curate.pipeline.lint import load_recipe, run_settings
from curate.recipes import recipe_names
from curate.report.judgments import Judgments
from curate.settings.base import Limit, Settings
from curate.stages import stage_class
from curate.stages.contract import CorpusStage, Encoder, Rewriter, Stage
from curate.store.digest import digest
from curate.store.manifest import read_manifest
from curate.store.run_directory import RunDirectory

LARGEST = 500_000
"""Tokens of a candidate's largest training."""
CONFIRM_SEEDS = 8
_PART = 8
"""The largest budget is this part of the kept text, so that candidates may keep half and less of it."""
_SHARES = {"search": 0.7, "combine": 0.85}
"""Of the time: when new candidates, and new combinations, are no longer begun."""
_SCORES = (0.0, 0.2, 0.4, 0.65, 0.8)
"""Tried of limits that are probabilities."""
_BATCH = 2000
CHOOSE, CONFIRM = "choose", "confirm"

Changes = tuple[tuple[str, Any], ...]
"""``section.key`` and its value."""


class Candidate(NamedTuple):
    """Settings to try."""

    name: str
    changes: Changes
    """Against the run."""
    recipe: str = ""


class Point(NamedTuple):
    """What became of a candidate."""

    candidate: Candidate
    kept: Mask
    tokens: int
    losses: dict[str, Floats]
    """Bits by evaluation: seeds × budgets × documents."""


class Tuned(NamedTuple):
    """What a search found. No figure in it is of the half of the text that it chose by."""

    points: list[Point]
    """All that was tried, the run's own settings first."""
    winner: int
    frontier: list[int]
    """Points that no other beats in both kept tokens and loss."""
    against: list[dict[str, Interval]]
    """For each point its multiplier against the run's settings, by evaluation."""
    confirmed: dict[str, Interval]
    """The winner's, trained again with other seeds; empty where the run's own settings won."""
    raw_tokens: int
    sizes: dict[str, float]
    """Bytes of each evaluation text."""
    anew: list[str]
    notes: list[str]
    seconds: float


class Search(NamedTuple):
    """What to search, and for how long."""

    minutes: float
    seeds: int = 4
    own: tuple[HeldOut, ...] = ()
    tries: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    """``section.key`` and the values to try; empty: every threshold and every recipe."""


def tune(run: Path, search: Search, listener: Listener) -> Tuned:
    """Search the thresholds of a finished run.

    Args:
        run: a finished run.
        search: what to search, and for how long.
        listener: hears how far it is.

    Raises:
        InputError: the run is not finished, has too little text, or there is no text to score on.
        UserError: a setting that is to be tried is none, or cannot be tried without a run.
    """
    started = time.monotonic()
    manifest, config = read_manifest(run), run_settings(run)
    directory = RunDirectory.finished(run, manifest)
    seed = int(manifest["config"].get("run", {}).get("seed", 42))
    with workers_for() as workers:
        pool = read_pool(directory, manifest, seed, None, workers.map)
        refuse_small(pool)
        judgments = Judgments(directory, [stage["name"] for stage in manifest["stages"]], workers.map)
        independent = independent_texts(judgments, manifest, search.own)[0]
        pool, held = split(pool.without(~pool.raw), seed)
        texts = enough_text(decontaminated([independent, *held], pool), least=20)
        judge = _Judge(config, manifest, pool, listener)
        candidates = list(judge.candidates(search.tries))
        pool = pool._replace(curated=judge.kept(Candidate("the run", ())))
        refuse_small(pool)
        proxy = NgramProxy()
        proxy.largest = LARGEST
        arms = Arms(pool, [*_halves(texts[0], seed), *texts[1:]], proxy, seed, _PART)
        ends = {name: started + 60 * search.minutes * share for name, share in _SHARES.items()}
        return _Tuning(arms, judge, proxy, search.seeds, workers, listener).tuned(candidates, ends, started)


class _Judge:
    """Verdicts of candidates on the documents of a pool."""

    def __init__(self, config: Config, manifest: Mapping[str, Any], pool: Pool, listener: Listener) -> None:
        self.config, self.pool, self.listener = config, pool, listener
        self.names = [stage["name"] for stage in manifest["stages"]]
        self.tunable = [name for name in self.names if self._is_tunable(name)]
        others = [number for number, name in enumerate(self.names) if name not in self.tunable]
        self.fixed_out = np.isin(pool.removed_by, others)
        self.anew = list[str]()
        self._measured = dict[str, pa.RecordBatch]()

    def candidates(self, tries: Sequence[tuple[str, tuple[Any, ...]]]) -> Iterator[Candidate]:
        """What to try: what was asked for, else recipes, and each threshold off, looser and tighter."""
        if tries:
            for key, values in tries:
                self._check(key)
                for value in values:
                    yield Candidate(f"{key} = {_shown(value)}", ((key, value),))
            return
        if "quality" in self.tunable:
            for name in recipe_names():
                settings = load_recipe(name).stage("quality")
                if settings.limits():
                    yield Candidate(f"recipe {name}", (), name)
        for stage in self.tunable:
            for limit in self.config.stage(stage).limits():
                for value in self._values(stage, limit):
                    yield Candidate(f"{stage}.{limit.key} = {_shown(value)}", ((f"{stage}.{limit.key}", value),))

    def kept(self, candidate: Candidate) -> Mask:
        """Documents that the candidate keeps.

        Raises:
            ValueError: its settings contradict each other.
        """
        kept = ~self.fixed_out
        for name in self.tunable:
            stage = stage_class(name)(self.settings(name, candidate))  # type: ignore[call-arg]
            reasons = stage.judge(self._measures(stage))
            kept &= pc.equal(pc.list_value_length(reasons), 0).to_numpy(zero_copy_only=False)
        return kept

    def settings(self, stage: str, candidate: Candidate) -> Settings:
        """The section of a stage, with the candidate's changes."""
        own = load_recipe(candidate.recipe) if candidate.recipe and stage == "quality" else self.config
        section = own.stage(stage)
        changes = {key.partition(".")[2]: value for key, value in candidate.changes if key.startswith(f"{stage}.")}
        return msgspec.convert({**msgspec.to_builtins(section), **changes}, type(section)) if changes else section

    def _measures(self, stage: Stage) -> pa.RecordBatch:
        """Measures of all documents of the pool, made once for each way of measuring."""
        settings = stage.settings
        if stage.name == "quality":
            settings = msgspec.structs.replace(settings, signals="all", cut_lines=False)
        way = {
            key: value
            for key, value in msgspec.to_builtins(settings).items()
            if key not in settings.thresholds and key != "lines"
        }
        lists = str(settings.stop_words()) if hasattr(settings, "stop_words") else ""
        key = digest(stage.name, way, lists)
        if key not in self._measured:
            said = ", ".join(f"{name} {value}" for name, value in way.items() if isinstance(value, str))
            self.anew.append(f"{stage.name} ({said})" if said else stage.name)
            self.listener.say(f"measuring {len(self.pool.texts):,} documents anew: {self.anew[-1]}")
            kind = stage_class(stage.name)
            self._measured[key] = self._measure(kind(settings))  # type: ignore[call-arg]
        return self._measured[key]

    def _measure(self, stage: Stage) -> pa.RecordBatch:
        found = []
        for start in range(0, len(self.pool.texts), _BATCH):
            columns = {"text": pa.array(self.pool.texts[start : start + _BATCH], pa.large_string())}
            if "language" in self.tunable and stage.name != "language":
                labels = self._measures(stage_class("language")(self.config.stage("language")))["label"]  # type: ignore[call-arg]
                columns["language.label"] = labels.slice(start, _BATCH)
            found.append(stage.measure(pa.RecordBatch.from_pydict(columns)))
        return pa.Table.from_batches(found).combine_chunks().to_batches()[0]

    def _is_tunable(self, name: str) -> bool:
        """Whether its thresholds can be tried on texts alone."""
        settings = self.config.stage(name)
        stage = stage_class(name)(settings)  # type: ignore[call-arg]
        if not settings.limits() or isinstance(stage, CorpusStage | Encoder | Rewriter):
            return False
        return set(stage.needs) <= {"text", "language.label"}

    def _values(self, stage: str, limit: Limit) -> list[Any]:
        """Values to try of a limit: none, one that removes half as many documents, one that removes more."""
        kind = stage_class(stage)
        if limit.measure == "score" and stage == "language":
            return [value for value in _SCORES if value != limit.value]
        if math.isnan(limit.value):
            return []
        values = self._measures(kind(self.config.stage(stage)))[limit.measure].cast(pa.float64())  # type: ignore[call-arg]
        known = np.sort(values.drop_null().to_numpy())
        if not len(known):
            return []
        beyond = float(np.mean(known < limit.value if limit.side == "min" else known > limit.value))
        found: list[Any] = [False] if stage == "quality" and beyond else []
        for share in (beyond / 2, min(0.5, 2 * beyond + 0.01)):
            at = known[min(len(known) - 1, int(len(known) * (share if limit.side == "min" else 1 - share)))]
            value = float(f"{at:.3g}")
            if value != limit.value and value not in found:
                found.append(value)
        return found

    def _check(self, key: str) -> None:
        """Whether a setting can be tried."""
        stage, _, name = key.partition(".")
        if stage not in self.tunable:
            raise UserError(
                f"`{key}` cannot be tried on what a run holds",
                hint=nearest(
                    key, [f"{one}.{each}" for one in self.tunable for each in self.config.stage(one).thresholds]
                ),
            )
        settings = self.config.stage(stage)
        if name not in settings.thresholds:
            raise UserError(f"`{key}` is no threshold", hint=nearest(name, settings.thresholds))


class _Tuning:
    """One search."""

    def __init__(
        self,
        arms: Arms,
        judge: _Judge,
        proxy: NgramProxy,
        seeds: int,
        workers: ThreadPoolExecutor,
        listener: Listener,
    ) -> None:
        self.arms, self.judge, self.proxy, self.seeds = arms, judge, proxy, seeds
        self.workers, self.listener = workers, listener
        self.notes = list[str]()

    def tuned(self, candidates: Sequence[Candidate], ends: Mapping[str, float], started: float) -> Tuned:
        """Try candidates, then combinations of those that help; choose; confirm."""
        own = Candidate("the run's settings", ())
        base = Point(
            own, self.arms.pool.curated, self.arms.tokens["curated"], self._train(self.arms.pool.curated, STEPS)
        )
        points, tried = [base], list[Point]()
        for number, candidate in enumerate(candidates):
            if time.monotonic() > ends["search"]:
                self.notes.append(f"time was up after {number} of {len(candidates)} candidates")
                break
            if point := self._point(candidate, [*points]):
                points.append(point)
                tried.append(point)
            self.listener.advance("candidates", number + 1, len(candidates))
        points += self._combined(base, tried, points, ends["combine"])
        winner = self._winner(points)
        against = [self._against(base, point) for point in points]
        confirmed = self._confirmed(base, points[winner]) if winner else {}
        return Tuned(
            points=points,
            winner=winner,
            frontier=self._frontier(points),
            against=against,
            confirmed=confirmed,
            raw_tokens=self.arms.tokens["raw"],
            sizes={name: float(sizes.sum()) for name, sizes in self.arms.sizes.items()},
            anew=self.judge.anew,
            notes=self.notes,
            seconds=time.monotonic() - started,
        )

    def _train(self, kept: Mask, steps: Sequence[float], seeds: int = 0, salt: str = "") -> dict[str, Floats]:
        budgets = [round(self.arms.largest * step) for step in steps]
        numbers = range(seeds or self.seeds)
        found = list(
            self.workers.map(
                lambda n: self.arms.one(self.proxy, kept, budgets, f"{salt}{self.arms.salt(n)}", n), numbers
            )
        )
        return {name: np.array([each[name] for each in found]) for name in self.arms.evaluations}

    def _point(self, candidate: Candidate, known: Sequence[Point]) -> Point | None:
        """What became of a candidate; None where it cannot be, keeps too little, or keeps what another keeps."""
        try:
            kept = self.judge.kept(candidate)
        except (ValueError, ConfigError):
            return None
        tokens = self.arms.tokens_in(kept)
        if tokens < 2 * self.arms.largest:
            self.notes.append(f"{candidate.name} keeps too little to be trained on")
            return None
        if any(np.array_equal(kept, point.kept) for point in known):
            return None
        return Point(candidate, kept, tokens, self._train(kept, CURATED_STEPS))

    def _gain(self, base: Point, point: Point) -> tuple[float, float]:
        """Bits a byte by which a point is better than the run's settings on the half chosen by, and its error."""
        own = base.losses[CHOOSE][:, STEPS.index(CURATED_STEPS[HEADLINE])].sum(axis=1)
        other = point.losses[CHOOSE][:, HEADLINE if point is not base else STEPS.index(CURATED_STEPS[HEADLINE])]
        apart = (own - other.sum(axis=1)) / self.arms.sizes[CHOOSE].sum()
        return float(apart.mean()), float(apart.std(ddof=1) / math.sqrt(len(apart)))

    def _combined(self, base: Point, tried: Sequence[Point], known: Sequence[Point], end: float) -> list[Point]:
        """Single changes that help, taken together one after the other, the best first."""
        gains = sorted(
            ((self._gain(base, point), point) for point in tried if point.candidate.changes),
            key=lambda each: -each[0][0],
        )
        helping = [point for (gain, error), point in gains if gain > 2 * error]
        found, best, changes = list[Point](), 0.0, dict[str, Any]()
        for point in helping:
            key, value = point.candidate.changes[0]
            if key in changes or time.monotonic() > end:
                continue
            both = {**changes, key: value}
            if len(both) == 1:
                changes, best = both, self._gain(base, point)[0]
                continue
            name = ", ".join(f"{key} = {_shown(value)}" for key, value in both.items())
            made = self._point(Candidate(name, tuple(both.items())), [*known, *found])
            if made and (gain := self._gain(base, made)[0]) > best:
                changes, best = both, gain
                found.append(made)
        return found

    def _winner(self, points: Sequence[Point]) -> int:
        """Of those that cannot be told from the best, the one that keeps most."""
        gains = [self._gain(points[0], point) for point in points]
        best = max(range(len(points)), key=lambda number: gains[number][0])
        least = gains[best][0] - gains[best][1]
        return max((n for n in range(len(points)) if gains[n][0] >= least), key=lambda n: (points[n].tokens, -n))

    def _frontier(self, points: Sequence[Point]) -> list[int]:
        gains = [self._gain(points[0], point)[0] for point in points]
        order = sorted(range(len(points)), key=lambda n: (-points[n].tokens, -gains[n]))
        found, best = list[int](), -math.inf
        for number in order:
            if gains[number] > best:
                found.append(number)
                best = gains[number]
        return found

    def _against(self, base: Point, point: Point) -> dict[str, Interval]:
        if point is base:
            return {name: Interval(1.0, 1.0, 1.0) for name in self._shown_names()}
        return self._multipliers(base.losses, point.losses)

    def _confirmed(self, base: Point, winner: Point) -> dict[str, Interval]:
        """Both trained again, on samples that nothing was chosen by."""
        salt = "confirm "
        self.listener.say(f"confirming: {winner.candidate.name}")
        own = self._train(base.kept, STEPS, CONFIRM_SEEDS, salt)
        return self._multipliers(own, self._train(winner.kept, CURATED_STEPS, CONFIRM_SEEDS, salt))

    def _multipliers(self, own: Mapping[str, Floats], other: Mapping[str, Floats]) -> dict[str, Interval]:
        budgets = [round(self.arms.largest * step) for step in STEPS]
        return {
            name: Curves(budgets, self.arms.budgets, own[name], other[name], self.arms.sizes[name]).multiplier(
                HEADLINE, self.arms.seed
            )
            for name in self._shown_names()
        }

    def _shown_names(self) -> list[str]:
        return [name for name in self.arms.evaluations if name != CHOOSE]


def _halves(text: HeldOut, seed: int) -> list[HeldOut]:
    """Documents of a text, at random to one half or the other."""
    hashes = np.array([int(digest(one)[:16], 16) for one in text.texts], np.uint64)
    order = np.argsort(place(hashes, f"halves {seed}"), kind="stable").tolist()
    half = len(order) // 2
    return [
        HeldOut(name, text.kind, tuple(text.texts[row] for row in sorted(rows)))
        for name, rows in ((CONFIRM, order[half:]), (CHOOSE, order[:half]))
    ]


def _shown(value: Any) -> str:
    return "off" if value is False else f"{value:g}" if isinstance(value, int | float) else str(value)
