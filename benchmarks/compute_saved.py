"""What `curate measure` says where the answer is known, and which rules of recipes earn their keep.

    python -m benchmarks.compute_saved controls RUN… [--proxy transformer] [--seeds 4] [--tokens 200000] [--reach 1]
    python -m benchmarks.compute_saved coverage RUN [--repeats 60] [--seeds 4] [--tokens 40000] [--reach 1]
    python -m benchmarks.compute_saved rules FILE… [--recipes gopher,c4,fineweb-code] [--sample 0.2]

``controls`` trains, of finished runs, the kept text against the raw; what was removed as if it were what was kept,
which must lose; the two arms swapped, which must give 1/m; and raw text against other samples of it, which must hold 1.
``coverage`` counts how often the interval of raw against raw holds 1, all trainings independent. ``rules`` runs each
recipe over each corpus and leaves out one rule after the other. All print Markdown.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

import curate
from curate.errors import InputError
from curate.evidence.arms import HEADLINE, RAW_STEPS, Arms
from curate.evidence.held_out import decontaminated, split
from curate.evidence.looked import Mask
from curate.evidence.measuring import (
    enough_text,
    identified_language,
    independent_texts,
    labelled_language,
    measure,
    refuse_small,
    workers_for,
)
from curate.evidence.multiplier import Curves, Floats, Interval
from curate.evidence.pool import read_pool
from curate.evidence.proxies.proxy import NgramProxy, Proxy, proxy_named
from curate.evidence.proxies.remembered import Remembered
from curate.evidence.question import Question
from curate.report.judgments.judgments import Judgments
from curate.report.saved.measured import Evidence
from curate.store.manifest import read_manifest
from curate.store.run_directory import CACHE, EVIDENCE_CACHE, RunDirectory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["controls", "coverage", "rules"])
    parser.add_argument("places", type=Path, nargs="+", metavar="RUN or FILE")
    parser.add_argument("--proxy", default="ngram")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=0, help="most kept tokens of a training")
    parser.add_argument("--texts", type=int, default=3, help="how many texts to score on, the headline's first")
    parser.add_argument("--documents", type=int, default=0, help="of a text at most")
    parser.add_argument("--reach", type=float, default=0, help="raw tokens of a training at most, by kept ones")
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--recipes", default="gopher,c4,fineweb-code")
    parser.add_argument("--sample", type=float, default=1.0, help="share of the documents of each file")
    options = parser.parse_args()
    if options.what == "controls":
        print("| run | text | kept, raw | removed, raw | swapped | raw, raw | CPU s |")
        print("| --- | --- | --- | --- | --- | --- | ---: |")
        for run in options.places:
            try:
                proxy = proxy_named(options.proxy)
                proxy.raw_most = options.reach or proxy.raw_most
                _controls(run, proxy, options.seeds, options.tokens or 200_000, options.texts, options.documents)
            except InputError as problem:
                print(f"| {run.name} | refused: {problem.message} |", flush=True)
    elif options.what == "coverage":
        ngram = NgramProxy()
        ngram.raw_most = options.reach or ngram.raw_most
        _coverage(options.places[0], ngram, options.seeds, options.tokens or 40_000, options.repeats)
    else:
        for file in options.places:
            _rules(file, options.recipes.split(","), options.sample, options.seeds, options.tokens or 200_000)


class Sampled(NamedTuple):
    """The arms of a run, and the proxy."""

    arms: Arms
    workers: ThreadPoolExecutor
    proxy: Proxy

    def trained(self, arm: Mask, budgets: Sequence[int], salts: Sequence[str]) -> dict[str, Floats]:
        """Bits by text: seeds × budgets × documents."""
        jobs = list(enumerate(salts))
        found = list(self.workers.map(lambda job: self.arms.one(self.proxy, arm, budgets, job[1], job[0]), jobs))
        return {name: np.array([each[name] for each in found]) for name in self.arms.evaluations}


def sampled(
    run: Path, proxy: Proxy, tokens: int, workers: ThreadPoolExecutor, texts: int, documents: int = 0
) -> Sampled:
    """The arms as `curate measure` makes them."""
    manifest = read_manifest(run)
    directory = RunDirectory.finished(run, manifest)
    pool = read_pool(directory, manifest, 42, None, workers.map)
    refuse_small(pool)
    judgments = Judgments(directory, manifest.stage_names, workers.map)
    independent = independent_texts(labelled_language(judgments) or identified_language(pool, 42), ())
    pool, held = split(pool, 42)
    evaluations = enough_text(decontaminated([*independent, *held], pool))[:texts]
    evaluations = [each._replace(texts=each.texts[: documents or None]) for each in evaluations]
    return Sampled(Arms(pool, evaluations, proxy, 42, most=tokens), workers, proxy)


def _controls(run: Path, proxy: Proxy, seeds: int, tokens: int, texts: int, documents: int) -> None:
    cpu = time.process_time()
    known = Remembered(proxy, run / CACHE / EVIDENCE_CACHE, read_manifest(run).run_id)  # goes on where it was stopped
    with workers_for() as workers:
        made = sampled(run, known, tokens, workers, texts, documents)
        arms, pool = made.arms, made.arms.pool
        ours, theirs = ([salt(n) for n in range(seeds)] for salt in (arms.salt, arms.control_salt))
        budgets = arms.budgets[: HEADLINE + 1]
        raw = made.trained(pool.raw, arms.raw_budgets, ours)
        again = made.trained(pool.raw, budgets, theirs)
        kept = made.trained(pool.curated, arms.raw_budgets, ours)
        removed = pool.raw & ~np.isin(pool.keys, pool.keys[pool.curated])
        junk = made.trained(removed, budgets, ours) if arms.tokens_in(removed) > budgets[-1] else {}
    for name in arms.evaluations:

        def against(curve: dict[str, Floats], other: dict[str, Floats], name: str = name) -> str:
            if not other:
                return "too little removed"
            return written(
                Curves(arms.raw_budgets, budgets, curve[name], other[name], arms.sizes[name]).multiplier(HEADLINE)
            )

        cells = (
            against(raw, {name: kept[name][:, _MIDDLE]}),
            against(raw, junk),
            against(kept, {name: raw[name][:, _MIDDLE]}),
            against(raw, again),
        )
        print(f"| {run.name} | {name} | {' | '.join(cells)} | {time.process_time() - cpu:.0f} |", flush=True)


def _coverage(run: Path, proxy: Proxy, seeds: int, tokens: int, repeats: int) -> None:
    cpu, held, logs = time.process_time(), 0, list[float]()
    with workers_for() as workers:
        made = sampled(run, proxy, tokens, workers, texts=1)
        arms, (name, sizes) = made.arms, next(iter(made.arms.sizes.items()))
        budgets = arms.budgets[: HEADLINE + 1]
        for repeat in range(repeats):
            ours, theirs = ([f"{side} {repeat} {n}" for n in range(seeds)] for side in ("one", "other"))
            raw = made.trained(arms.pool.raw, arms.raw_budgets, ours)[name]
            other = made.trained(arms.pool.raw, budgets, theirs)[name]
            found = Curves(arms.raw_budgets, budgets, raw, other, sizes).multiplier(HEADLINE, repeat)
            held += found.low <= 1 <= found.high
            logs.append(float(np.log(found.value)))
    print(
        f"{run.name}, {name}: the interval holds 1 in {held} of {repeats};"
        f" sd of log m {np.std(logs):.3f}, mean {np.mean(logs):+.3f};"
        f" {seeds} seeds, {arms.budgets[HEADLINE]:,} tokens, {time.process_time() - cpu:.0f} CPU s"
    )


def _rules(file: Path, recipes: Sequence[str], share: float, seeds: int, tokens: int) -> None:
    verdicts = "earn their keep | make no difference | cost more than they bring | too little to measure"
    print(f"| corpus | recipe | kept of raw tokens | m | {verdicts} | CPU s |")
    print("| --- | --- | ---: | --- | --- | --- | --- | --- | ---: |")
    for recipe in recipes:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / recipe
            sections = {"input": {"sample": share}, "gates": {"min_documents": 0}}
            if recipe == "c4":  # langdetect, which the recipe asks, takes minutes: every rule shows it other texts
                sections["language"] = {"backend": "lid176", "min_score": 0.65}
            curate.run(file, out, recipe=recipe, skip=["tokenize"], **sections)
            try:
                found = measure(out, NgramProxy(), Question(seeds, by=("rule",), tokens=tokens))
            except InputError as problem:
                print(f"| {file.stem} | {recipe} | {problem.message} |", flush=True)
                continue
            cells = (file.stem, recipe, f"{found.kept_share:.0%}", _of(found), *_by_verdict(found))
            print(f"| {' | '.join(cells)} | {found.cpu_seconds:.0f} |", flush=True)
    print(file=sys.stderr)


def _of(found: Evidence) -> str:
    m = found.multiplier
    if m.bound or m.value is None:
        return f"{m.bound} {m.value or 0:.2f}"
    return f"{m.value:.2f} [{m.low or 0:.2f}, {m.high or np.inf:.2f}]"


def _by_verdict(found: Evidence) -> list[str]:
    cells = []
    for verdict in ("earns its keep", "no measurable difference", "costs more than it brings", "too little to measure"):
        rules = [each for each in found.contributions if each.verdict == verdict]
        rules.sort(key=lambda each: -abs(np.log((each.multiplier.value if each.multiplier else 1) or 1)))
        named = [
            (each.name.partition(".")[2] or each.name)
            + (f" {each.multiplier.value:.2f}" if each.multiplier and each.multiplier.value else "")
            for each in rules
        ]
        cells.append(str(len(named)) if verdict.startswith("too little") else ", ".join(named) or "–")
    return cells


def written(found: Interval) -> str:
    """The multiplier with its interval, as a cell of a table."""
    if found.bound:
        return f"{found.bound} {found.value:.2f}"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


_MIDDLE = slice(RAW_STEPS.index(1 / 4), RAW_STEPS.index(1 / 2) + 1)
"""Budgets of the curated arm among those of the raw one, up to the headline's."""

if __name__ == "__main__":
    main()
