"""What hostile texts cost every stage, beside prose.

Usage: python -m benchmarks.cliffs PROSE [--stages redact …] [--kinds IBAN …] [--kb 64] [--steps 2] [--limit 2]
       python -m benchmarks.cliffs PROSE --search MINUTES

PROSE is a Parquet or JSONL file with a column `text`. Every text of `benchmarks.hostile_texts` and
`benchmarks.hostile_values` is one document, given to each stage as it is: at `--kb` KB and at eight times that, as
often as `--steps` says. A figure is CPU seconds a byte over those of prose at the same size in the same run; *all*
compares the sum over the default stages. *Growth* is the worst of a stage's seconds at the last size over those at the
size before, 8 being linear, where they are a twentieth of a second at least. A size that might take longer than
`--limit` CPU seconds is skipped; one that takes eight times that is stopped, and its growth is `inf`.

`--search` has hypothesis draw fragments and repeat them, towards what costs most a byte.
"""

import argparse
import contextlib
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import hypothesis
import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from benchmarks import corpus
from benchmarks.hostile_texts import HOSTILE_TEXTS
from benchmarks.hostile_values import HOSTILE_VALUES
from curate.models.ngram_model import Facts, NgramModel
from curate.stages.classify import Classify, ClassifySettings
from curate.stages.decontaminate import Decontaminate, DecontaminateSettings
from curate.stages.language import Language
from curate.stages.line_dup import LineDup, LineDupSettings
from curate.stages.near_dup import NearDup
from curate.stages.normalize import Normalize
from curate.stages.quality import Quality, QualitySettings
from curate.stages.redact import Redact, RedactSettings
from curate.stages.tokenize import Tokenize
from curate.stages.toxicity import Toxicity, ToxicitySettings
from curate.text.repair.mojibake import _remembered

KINDS = {**HOSTILE_TEXTS, **HOSTILE_VALUES}
DEFAULT = ("normalize", "language", "near_dup", "quality", "tokenize")
GROWTH = 8
LONG_ENOUGH, MOST_TIMES = 0.04, 16
"""Seconds and runs until which a measurement is repeated: some clocks of CPU time tick 250 times a second."""
SURE = 0.05
"""Seconds from which growth is told."""

Step = Callable[[pa.Array], object]
Costs = Mapping[str, "Cost"]


class Cost(NamedTuple):
    """CPU seconds of a text in a stage."""

    size: int
    seconds: float
    growth: float

    @property
    def per_byte(self) -> float:
        return self.seconds / self.size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prose", type=Path)
    parser.add_argument("--stages", nargs="*", default=[])
    parser.add_argument("--kinds", nargs="*", default=[""], help="parts of names")
    parser.add_argument("--kb", type=int, default=64)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--limit", type=float, default=4)
    parser.add_argument("--worst", type=int, default=40)
    parser.add_argument("--search", type=float, default=0, metavar="MINUTES")
    options = parser.parse_args()
    signal.signal(signal.SIGPROF, stopped)
    prose = "\n".join(corpus.read(options.prose)["text"].head(3000))
    with tempfile.TemporaryDirectory() as folder:
        chosen = {
            name: step
            for name, step in steps(Path(folder), prose).items()
            if name in options.stages or not options.stages
        }
        for step in chosen.values():
            seconds(step, prose[:20_000] + "\n".join(make(50) for make in KINDS.values()))  # compiles
        if options.search:
            search(chosen, prose, options.kb * 1000, options.search * 60)
            return
        sizes = [options.kb * 1000 * GROWTH**step for step in range(options.steps)]
        ordinary = {name: [seconds(step, prose[:size]) / size for size in sizes] for name, step in chosen.items()}
        kinds = {kind: make for kind, make in KINDS.items() if any(part in kind for part in options.kinds)}
        costs = {kind: costs_of(chosen, make, sizes, options.limit) for kind, make in kinds.items()}
    print(
        *table(costs, {name: dict(zip(sizes, found, strict=True)) for name, found in ordinary.items()}, options.worst),
        sep="\n",
    )


def steps(folder: Path, prose: str) -> dict[str, Step]:
    """What each stage does with a text; lists, test sets and the model are such as hostile texts meet."""
    (folder / "words.txt").write_text("word\na\nthe old\n漢\n")
    items = [*(prose[at : at + 400] for at in range(0, 40_000, 400)), "word " * 20, "a " * 20, "漢字" * 20]
    (folder / "items.txt").write_text("\n".join(item.replace("\n", " ") for item in items))
    weights = np.random.default_rng(1).normal(size=1 << 18).astype(np.float32)
    (folder / "model.bin").write_bytes(
        NgramModel(weights, Facts(longest=2, slope=1, intercept=0, prior=0.5)).to_bytes()
    )
    measured = {
        "language": Language(Language.settings_type()),
        "quality": Quality(QualitySettings(signals="all")),
        "classify": Classify(ClassifySettings(model=str(folder / "model.bin"))),
        "toxicity": Toxicity(ToxicitySettings(words=(str(folder / "words.txt"),))),
        "decontaminate": Decontaminate(DecontaminateSettings(benchmarks=(str(folder / "items.txt"),))),
        "redact": Redact(RedactSettings()),
    }
    observed = {"near_dup": NearDup(), "line_dup": LineDup(LineDupSettings())}
    return {
        "normalize": lambda texts: Normalize(Normalize.settings_type()).rewrite(batch(texts)),
        **{name: (lambda texts, stage=stage: stage.observe(batch(texts))) for name, stage in observed.items()},
        **{name: (lambda texts, stage=stage: stage.measure(batch(texts))) for name, stage in measured.items()},
        "tokenize": Tokenize().encode,
    }


def batch(texts: pa.Array) -> pa.RecordBatch:
    return pa.record_batch({"id": pa.array(["a"] * len(texts)), "source": pa.array(["s"] * len(texts)), "text": texts})


def costs_of(chosen: Mapping[str, Step], make: Callable[[int], str], sizes: Sequence[int], limit: float) -> Costs:
    """The largest size of each stage that is not skipped."""
    texts = {size: make(size) for size in sizes}
    found = {}
    for name, step in chosen.items():
        before, growth = 0.0, 0.0
        for size, text in texts.items():
            if before * GROWTH > limit:
                break
            try:
                spent = seconds(step, text, limit * GROWTH)
            except TimeoutError:
                found[name] = Cost(size, limit * GROWTH, float("inf"))
                break
            growth = spent / before if spent >= SURE and before else 0.0
            found[name] = Cost(len(text.encode()), spent, growth)
            before = spent
    return found


def seconds(step: Step, text: str, most: float = 0) -> float:
    """CPU seconds; TimeoutError after ``most``, as soon as Python is asked (kernels are not)."""
    texts = pa.array([text], pa.large_string())
    signal.setitimer(signal.ITIMER_PROF, most)
    spent, times = 0.0, 0
    while spent < LONG_ENOUGH and times < MOST_TIMES:
        _remembered.cache_clear()  # or the second time would say how fast lines are that were seen before
        start = time.process_time()
        step(texts)
        spent += time.process_time() - start
        times += 1
    signal.setitimer(signal.ITIMER_PROF, 0)
    return spent / times


def stopped(*_: object) -> None:
    raise TimeoutError


def table(costs: Mapping[str, Costs], ordinary: Mapping[str, Mapping[int, float]], worst: int) -> Iterator[str]:
    """Kinds in the order of their worst stage."""
    rows = []
    for kind, of_kind in costs.items():
        times = {name: cost.per_byte / nearest(ordinary[name], cost.size) for name, cost in of_kind.items()}
        whole = [name for name in DEFAULT if name in times]
        prose = sum(nearest(ordinary[name], of_kind[name].size) for name in whole)
        everything = sum(of_kind[name].per_byte for name in whole) / prose if whole else 0
        rows.append((max(times.values()), kind, times, everything, max(cost.growth for cost in of_kind.values())))
    yield f"{len(costs)} kinds of text."
    yield ""
    yield f"| text | {' | '.join(ordinary)} | all | growth |"
    yield "| --- |" + " ---: |" * (len(ordinary) + 2)
    speeds = [1 / list(found.values())[-1] / 1e6 for found in ordinary.values()]
    yield f"| prose, MB/CPU-s | {' | '.join(f'{speed:,.0f}' for speed in speeds)} | | |"
    for _, kind, times, everything, growth in sorted(rows, reverse=True)[:worst]:
        cells = [f"{times[name]:.1f}" for name in ordinary]
        yield f"| {kind.replace('|', chr(92) + '|')} | {' | '.join(cells)} | {everything:.1f} | {growth:.1f} |"


def nearest(by_size: Mapping[int, float], size: int) -> float:
    return by_size[min(by_size, key=lambda known: abs(known - size))]


def search(chosen: Mapping[str, Step], prose: str, size: int, budget: float) -> None:
    """Print what beats all before it, stage by stage."""
    started = time.monotonic()
    for number, (name, step) in enumerate(chosen.items(), 1):
        ordinary = seconds(step, prose[:size]) / size
        until = started + budget * number / len(chosen)
        with contextlib.suppress(KeyboardInterrupt):
            search_stage(name, lambda text, step=step, ordinary=ordinary: seconds(step, text) / ordinary, size, until)


def search_stage(name: str, cost: Callable[[str], float], size: int, until: float) -> None:
    """Ends by KeyboardInterrupt: all else hypothesis takes for what it is to find."""
    fragments = sorted({make(1)[:40] for make in KINDS.values()} | set("aZ0 .-@:/&;\n\té漢"))
    piece = st.one_of(st.sampled_from(fragments), st.text(max_size=3), st.text("0123456789", min_size=1, max_size=5))
    worst = 1.0

    @hypothesis.settings(
        max_examples=1_000_000, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(st.lists(piece, min_size=1, max_size=5).map("".join).filter(bool))
    def tried(fragment: str) -> None:
        nonlocal worst
        if time.monotonic() > until:
            raise KeyboardInterrupt
        text = fragment * max(1, size // len(fragment.encode()))
        times = cost(text) / len(text.encode())
        hypothesis.target(times)
        if times > worst * 1.1:
            worst = times
            print(f"{name}: {times:.1f} times prose: {fragment!r}", flush=True)

    tried()


if __name__ == "__main__":
    main()
