"""Thresholds and recipes searched by what they are worth: chosen on one half of a text, confirmed on the other.

Most of it is verdicts: the sample is measured once for each way of measuring, and every candidate judges those
measures. What differs between candidates is which documents a proxy is trained on. Source weights are left alone:
proxies as small as these cannot choose them.
"""

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from curate.errors import ConfigError, UserError
from curate.evidence.arms import CURATED_STEPS, HEADLINE, Arms
from curate.evidence.attribution import STEPS
from curate.evidence.candidates import Candidate, Judge, shown
from curate.evidence.held_out import HeldOut, decontaminated, losses_of_text, split
from curate.evidence.looked import Mask, place
from curate.evidence.measuring import (
    Listener,
    enough_text,
    identified_language,
    independent_texts,
    labelled_language,
    refuse_small,
    workers_for,
)
from curate.evidence.multiplier import Curves, Floats, Interval
from curate.evidence.pool import read_pool
from curate.evidence.proxies.proxy import NgramProxy
from curate.pipeline.planning.lint import run_settings
from curate.report.judgments.judgments import Judgments
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
CHOOSE, CONFIRM = "choose", "confirm"
_NAMED = 8
"""Candidates that a note names."""


class Point(NamedTuple):
    """What became of a candidate."""

    candidate: Candidate
    kept: Mask
    tokens: int
    documents: int
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
    raw_documents: int
    evaluation: str
    """The text that is halved."""
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
    seed = int(manifest.section("run").get("seed", 42))
    with workers_for() as workers:
        pool = read_pool(directory, manifest, seed, None, workers.map)
        refuse_small(pool)
        judgments = Judgments(directory, manifest.stage_names, workers.map)
        independent = independent_texts(labelled_language(judgments) or identified_language(pool, seed), search.own)
        pool, held = split(pool.without(~pool.raw), seed)
        texts = enough_text(decontaminated([*independent, *held], pool), least=20)
        judge = Judge(config, manifest, pool, listener)
        candidates = list(judge.candidates(search.tries))
        if not candidates:
            raise UserError(
                "no stage of the run has a threshold that can be tried", hint=f"curate stages, curate whatif {run}"
            )
        pool = pool._replace(curated=judge.kept(Candidate("the run", ())))
        refuse_small(pool)
        proxy = NgramProxy()
        proxy.largest = LARGEST
        arms = Arms(pool, [*_halves(texts[0], seed), *texts[1:]], proxy, seed, _PART)
        ends = {name: started + 60 * search.minutes * share for name, share in _SHARES.items()}
        tuning = _Tuning(arms, judge, proxy, search.seeds, texts[0].name, workers, listener)
        tuning.notes += losses_of_text(texts)
        return tuning.tuned(candidates, ends, started)


class _Tuning:
    """One search."""

    def __init__(
        self,
        arms: Arms,
        judge: Judge,
        proxy: NgramProxy,
        seeds: int,
        evaluation: str,
        workers: ThreadPoolExecutor,
        listener: Listener,
    ) -> None:
        self.arms, self.judge, self.proxy, self.seeds, self.evaluation = arms, judge, proxy, seeds, evaluation
        self.workers, self.listener = workers, listener
        self.notes = list[str]()

    def tuned(self, candidates: Sequence[Candidate], ends: Mapping[str, float], started: float) -> Tuned:
        """Try candidates, then combinations of those that help; choose; confirm."""
        own = Candidate("the run's settings", ())
        base = Point(
            own,
            self.arms.pool.curated,
            self.arms.tokens["curated"],
            int(self.arms.pool.curated.sum()),
            self._train(self.arms.pool.curated, STEPS),
        )
        points, tried, same = [base], list[Point](), list[str]()
        for number, candidate in enumerate(candidates):
            if number and time.monotonic() > ends["search"]:  # one is tried however long it took to get here
                self.notes.append(f"time was up after {number} of {len(candidates)} candidates")
                break
            point = self._point(candidate, [*points])
            if isinstance(point, Point):
                points.append(point)
                tried.append(point)
            elif point:
                same.append(point)
            self.listener.advance("candidates", number + 1, len(candidates))
        if same:
            shown = f"{', '.join(same[:_NAMED])}{f' and {len(same) - _NAMED} more' * (len(same) > _NAMED)}"
            self.notes.append(f"keeping the same documents as another: {shown}")
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
            raw_documents=len(self.arms.pool.texts),
            evaluation=self.evaluation,
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

    def _point(self, candidate: Candidate, known: Sequence[Point]) -> Point | str:
        """What became of a candidate; its name where another keeps the same, empty where it cannot be tried."""
        try:
            kept = self.judge.kept(candidate)
        except (ValueError, ConfigError) as error:
            self.notes.append(f"{candidate.name} cannot be tried: {error}")
            return ""
        tokens = self.arms.tokens_in(kept)
        if tokens < 2 * self.arms.largest:
            self.notes.append(f"{candidate.name} keeps too little to train on")
            return ""
        if any(np.array_equal(kept, point.kept) for point in known):
            return candidate.name
        return Point(candidate, kept, tokens, int(kept.sum()), self._train(kept, CURATED_STEPS))

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
            name = ", ".join(f"{key} = {shown(value)}" for key, value in both.items())
            made = self._point(Candidate(name, tuple(both.items())), [*known, *found])
            if isinstance(made, Point) and (gain := self._gain(base, made)[0]) > best:
                changes, best = both, gain
                found.append(made)
        return found

    def _winner(self, points: Sequence[Point]) -> int:
        """Of those that are not measurably worse than the best, the one that keeps most."""
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
