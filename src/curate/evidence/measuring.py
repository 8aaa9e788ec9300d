"""One measurement of one run, from its judgments to `curate.report.saved.measured.Evidence`."""

import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import psutil

from curate.errors import InputError
from curate.evidence.arms import HEADLINE, Arms
from curate.evidence.attribution import MOST, contributions, enough, left_out
from curate.evidence.held_out import FEWEST, HeldOut, bundled, bundled_languages, decontaminated, split
from curate.evidence.pool import Pool, read_pool
from curate.evidence.proxy import Proxy
from curate.evidence.question import Question
from curate.evidence.remembered import Remembered
from curate.evidence.result import Result
from curate.evidence.scratch import Later
from curate.pipeline.planning.lint import run_settings
from curate.report.duplicates import find_duplicates
from curate.report.judgments import Judgments
from curate.report.saved.measured import Evidence
from curate.store.manifest import read_manifest
from curate.store.manifest_entries import Manifest
from curate.store.run_directory import CACHE, EVIDENCE_CACHE, RunDirectory

LEAST_BYTES = 2_000_000
"""Of an arm: below, samples of different seeds would be the same text."""
_HALF_RATE_SEEDS = 2
THREAD_BYTES = 700_000_000
"""Memory of one proxy in training."""


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
    seed = int(manifest.section("run").get("seed", 42))
    with workers_for() as workers:
        later = None
        if question.by:
            later = Later(run_settings(run), manifest.stage_names, question.by)
        pool = read_pool(directory, manifest, seed, later, workers.map, listener.say)
        refuse_small(pool)
        judgments = Judgments(directory, manifest.stage_names, workers.map)
        independent = independent_texts(judgments, manifest, question.own)
        sampled = pool
        pool, held = split(pool, seed)
        evaluations = enough_text(decontaminated([*independent, *held], pool))
        arms = Arms(pool, evaluations, proxy, seed, most=question.tokens)
        at = time.monotonic()
        remembered = Remembered(proxy, run / CACHE / EVIDENCE_CACHE, manifest.run_id)
        trained = arms.train(remembered, question.seeds, workers, lambda done, of: listener.advance("arms", done, of))
        speed = question.seeds * (arms.raw_budgets[-1] + 2 * arms.largest) / (time.monotonic() - at)
        again = half_rate(proxy, arms, workers)
        left = left_out(question.by, arms, manifest) if question.by else []
        if left:
            number = min(MOST, sum(enough(each, arms) for each in left))
            seconds = number * question.seeds * 2 * arms.largest / speed
            listener.say(f"{number} stages and rules are switched off one by one: about {math.ceil(seconds)} s")
        contributed = contributions(
            left,
            arms,
            trained,
            remembered,
            question.seeds,
            workers,
            lambda d, of: listener.advance("switched off", d, of),
        )
        found = find_duplicates(manifest, judgments, 1.0)
    return Result(manifest, sampled, arms, evaluations, trained, question, proxy).evidence(
        contributed,
        again,
        found.redundancy.multiplier if found and found.redundancy and found.removed else None,
        cpu_seconds=time.process_time() - cpu,
        wall_seconds=time.monotonic() - started,
    )


def workers_for() -> ThreadPoolExecutor:
    """As many threads as cores and memory allow; proxies train without the interpreter's lock."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(max(1, min(cores, psutil.virtual_memory().available // (2 * THREAD_BYTES))))


def half_rate(proxy: Proxy, arms: Arms, workers: ThreadPoolExecutor) -> float | None:
    """By how many bits a byte the kept text is better at the headline's budget, for a proxy that learns half as fast.

    None for proxies without a learning rate.
    """
    slower = getattr(proxy, "slower", None)
    if slower is None:
        return None
    other, budget, (name, sizes) = slower(), [arms.budgets[HEADLINE]], next(iter(arms.sizes.items()))
    jobs = [(arm, number) for number in range(_HALF_RATE_SEEDS) for arm in (arms.pool.raw, arms.pool.curated)]
    found = list(workers.map(lambda job: arms.one(other, job[0], budget, arms.salt(job[1]), job[1])[name].sum(), jobs))
    return float((sum(found[::2]) - sum(found[1::2])) / (_HALF_RATE_SEEDS * sizes.sum()))


def main_language(judgments: Judgments, manifest: Manifest) -> str:
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
    keep = manifest.section("language").get("keep") or ["en"]
    return str(keep[0])


def independent_texts(judgments: Judgments, manifest: Manifest, own: Sequence[HeldOut]) -> list[HeldOut]:
    """The user's texts, then the package's in the run's main language.

    Raises:
        InputError: there is neither.
    """
    language = main_language(judgments, manifest)
    return [*own, bundled(language)] if not own or language in bundled_languages() else list(own)


def refuse_small(pool: Pool) -> None:
    """Raises InputError where an arm has less than `LEAST_BYTES`."""
    for name, arm in (("raw", pool.raw), ("curated", pool.curated)):
        size = sum(len(text.encode()) for text, here in zip(pool.texts, arm, strict=True) if here)
        if size < LEAST_BYTES:
            raise InputError(
                f"the {name} text without duplicates has {size / 1e6:.2f} MB, but {LEAST_BYTES / 1e6:g} MB are needed:"
                " with less, every sample is the same text",
                hint="run `curate run` over a larger corpus; report.html has what is known without training",
            )


def enough_text(evaluations: Sequence[HeldOut], least: int = FEWEST) -> list[HeldOut]:
    """Those with documents enough, the headline's first.

    Args:
        evaluations: without what is in the corpus, too.
        least: documents that one must have.

    Raises:
        InputError: no independent one has.
    """
    left = [each for each in evaluations if len(each.texts) >= least]
    independent = [each for each in evaluations if each.kind == "independent"]
    if not any(each.kind == "independent" for each in left):
        short = independent[0]
        raise InputError(
            f"`{short.name}` has {len(short.texts)} documents left to measure on, but {least} are needed"
            f" ({short.dropped} are in the corpus, too)",
            hint="name good text that is not in the corpus: --eval NAME=PATH",
        )
    return left
