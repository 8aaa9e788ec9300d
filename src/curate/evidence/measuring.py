"""One measurement of one run, from its judgments to `curate.report.saved.measured.Evidence`."""

import math
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from curate.errors import InputError
from curate.evidence.arms import HEADLINE, Arms
from curate.evidence.attribution import MOST, ablations, contributions, enough
from curate.evidence.held_out import FEWEST, PUBLIC, HeldOut, bundled, bundled_languages, decontaminated, split
from curate.evidence.looked import place
from curate.evidence.pool import Pool, read_pool
from curate.evidence.proxies.proxy import Proxy
from curate.evidence.proxies.remembered import Remembered
from curate.evidence.question import Question
from curate.evidence.result import Result
from curate.evidence.scratch import Later
from curate.pipeline.planning.lint import run_settings
from curate.process.machine import cores, free_memory
from curate.report.duplicates import find_duplicates
from curate.report.judgments.judgments import Judgments
from curate.report.saved.measured import Evidence, read_evidence
from curate.stages.language import Language, LanguageSettings
from curate.store.manifest import read_manifest
from curate.store.run_directory import CACHE, EVIDENCE_CACHE, RunDirectory

LEAST_BYTES = 2_000_000
"""Of an arm: below, samples of different seeds would be the same text."""
_HALF_RATE_SEEDS = 2
_IDENTIFIED = 300
"""Documents whose language is looked at where the run did not."""
THREAD_BYTES = 700_000_000
"""Memory of one proxy in training."""


class Listener(Protocol):
    """Hears how far a measurement is."""

    def say(self, what: str) -> None:
        """A sentence, once."""

    def advance(self, what: str, done: int, of: int) -> None:
        """Some of what is being done is done."""


class Silent:
    """Hears and does nothing."""

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
        judgments = Judgments(directory, manifest.stage_names, workers.map)
        if language := labelled_language(judgments):
            independent_texts(language, question.own)  # raises before work begins
        later = None
        if question.by:
            later = Later(run_settings(run), manifest.stage_names, question.by)
        pool = read_pool(directory, manifest, seed, later, workers.map, listener.say)
        refuse_small(pool)
        independent = independent_texts(language or identified_language(pool, seed), question.own)
        sampled = pool
        pool, held = split(pool, seed)
        evaluations = enough_text(decontaminated([*independent, *held], pool))
        arms = Arms(pool, evaluations, proxy, seed, most=question.tokens)
        at = time.monotonic()
        remembered = Remembered(proxy, run / CACHE / EVIDENCE_CACHE, manifest.run_id)
        trained = arms.train(remembered, question.seeds, workers, lambda done, of: listener.advance("arms", done, of))
        speed = question.seeds * (arms.raw_budgets[-1] + 2 * arms.largest) / (time.monotonic() - at)
        again = half_rate(proxy, arms, workers)
        switched_off = ablations(question.by, arms, manifest) if question.by else []
        if switched_off:
            number = min(MOST, sum(enough(each, arms) for each in switched_off))
            seconds = number * question.seeds * 2 * arms.largest / speed
            listener.say(f"stages and rules to switch off one by one: {number}, in about {math.ceil(seconds)} s")
        contributed = contributions(
            switched_off,
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
        before=read_evidence(run, manifest.run_id),
        cpu_seconds=time.process_time() - cpu,
        wall_seconds=time.monotonic() - started,
    )


def workers_for() -> ThreadPoolExecutor:
    """As many threads as cores and memory allow; proxies train without the interpreter's lock."""
    return ThreadPoolExecutor(max(1, min(cores(), free_memory() // (2 * THREAD_BYTES))))


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


def labelled_language(judgments: Judgments) -> str | None:
    """The language of most kept text; None where the run identified none."""
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
    return None


def identified_language(pool: Pool, seed: int) -> str:
    """The language of most of some sampled kept text."""
    rows = np.flatnonzero(pool.curated)
    rows = rows[np.argsort(place(pool.keys[rows], f"language {seed}"), kind="stable")][:_IDENTIFIED]
    texts = pa.array([pool.texts[row] for row in rows.tolist()], pa.large_string())
    labels = Language(LanguageSettings()).measure(pa.RecordBatch.from_pydict({"text": texts}))["label"].to_pylist()
    sizes = Counter({"en": 0})
    for label, text in zip(labels, texts.to_pylist(), strict=True):
        sizes[label] += len(text)
    return sizes.most_common(1)[0][0]


def independent_texts(language: str, own: Sequence[HeldOut]) -> list[HeldOut]:
    """The user's texts, then the package's in the main language of the kept text.

    Raises:
        InputError: there is neither.
    """
    return [*own, bundled(language)] if not own or language in bundled_languages() else list(own)


def refuse_small(pool: Pool) -> None:
    """Raises InputError where an arm has less than `LEAST_BYTES`."""
    for name, arm, more in (
        ("raw", pool.raw, "run `curate run` over a larger corpus"),
        (
            "kept",
            pool.curated,
            "use a larger corpus, or settings that keep more (`curate whatif`)",
        ),
    ):
        size = sum(len(text.encode()) for text, here in zip(pool.texts, arm, strict=True) if here)
        if size < LEAST_BYTES:
            raise InputError(
                f"the {name} text without duplicates has {size / 1e6:.2f} MB, but {LEAST_BYTES / 1e6:g} MB are needed:"
                " with less, every sample is the same text",
                hint=f"{more}; report.html has what is known without training",
            )


def enough_text(evaluations: Sequence[HeldOut], least: int = FEWEST) -> list[HeldOut]:
    """Those with documents enough, the headline's first.

    Args:
        evaluations: without what is in the corpus, too.
        least: documents that the first must have; `FEWEST` are enough for others.

    Raises:
        InputError: the first has not, or one that the user named.
    """
    left = list[HeldOut]()
    for number, each in enumerate(evaluations):
        needed = FEWEST if number else least
        if len(each.texts) >= needed:
            left.append(each)
        elif not number or (each.kind == "independent" and each.source != PUBLIC):
            raise InputError(
                f"`{each.name}` has {len(each.texts)} documents left to measure on, but {needed} are needed"
                f" ({each.dropped} are in the corpus, too)",
                hint="name good text that is not in the corpus: --eval NAME=PATH",
            )
    return left
