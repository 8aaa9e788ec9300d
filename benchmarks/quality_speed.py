"""CPU seconds of quality rules on one sample: ours, datatrove's filters, Dolma's taggers.

    python benchmarks/quality_speed.py CORPORA [--mb 20] [--runs 3]

The sample has documentation, news and novels in turn until ``--mb`` (10^6 bytes of text) are reached. Everything runs
on one core; ours is measuring and judging, in row groups as a run does, the least of ``--runs``; imports, compiling and
reading are outside the figures. The rivals come from ``python -m benchmarks rivals datatrove dolma`` and run once.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import msgspec
import pyarrow as pa

from benchmarks import environments
from benchmarks.quality_documents import english, hashed, onestop, write
from curate.pipeline.planning.config import load
from curate.pipeline.row_group import GROUP_BYTES
from curate.stages.quality.stage import Quality

OURS = {
    "curate `gopher`": ("gopher", False),
    "curate `fineweb-code`": ("fineweb-code", False),
    "curate `dolma`": ("dolma", False),
    "curate, all signals": ("fineweb-code", True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--mb", type=float, default=20)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    texts = list(taken(options.corpora, options.mb * 1e6))
    size = sum(len(text.encode()) for text in texts) / 1e6
    found = {name: min(seconds(*one, texts) for _ in range(options.runs)) for name, one in OURS.items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "documents.jsonl"
        write(iter(texts), file)
        for name in ("datatrove", "dolma"):
            found |= rival(name, file)
    print(f"{len(texts):,} documents, {size:.1f} MB\n")
    print("| | CPU s | MB/CPU-s | `gopher` is | `fineweb-code` is | all signals is |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    bases = [found[name] for name in ("curate `gopher`", "curate `fineweb-code`", "curate, all signals")]
    for name, cost in found.items():
        ratios = "" if name in OURS else " | ".join(f"1/{cost / base:.0f}" for base in bases)
        print(f"| {name} | {cost:.2f} | {size / cost:.2f} | {ratios or '| |'} |")


def taken(corpora: Path, most: float) -> Iterator[str]:
    """Documentation, news and chapters in turn until ``most`` bytes."""
    sets = [
        hashed(english(corpora / "neardup_truth" / "docs.parquet")),
        onestop(corpora),
        hashed(english(corpora / "prose" / "eltec_chapters.parquet"))[:400],
    ]
    for group in zip_longest(*sets):
        for text in filter(None, group):
            yield text
            most -= len(text.encode())
        if most <= 0:
            return


def seconds(recipe: str, everything: bool, texts: list[str]) -> float:
    """CPU seconds of measuring and judging."""
    settings = load(flags={"pipeline.recipe": recipe}).stage("quality")
    stage = Quality(msgspec.structs.replace(settings, signals="all") if everything else settings)
    parts = list(batches(texts))
    stage.judge(stage.measure(parts[0]))
    started = time.process_time()
    for part in parts:
        stage.judge(stage.measure(part))
    return time.process_time() - started


def batches(texts: list[str]) -> Iterator[pa.RecordBatch]:
    begin = size = 0
    for end, text in enumerate(texts, 1):
        size += len(text.encode())
        if size >= GROUP_BYTES or end == len(texts):
            part = texts[begin:end]
            yield pa.record_batch({"text": pa.array(part, pa.large_string()), "language.label": ["en"] * len(part)})
            begin, size = end, 0


def rival(name: str, file: Path) -> dict[str, float]:
    python = environments.python(name)
    if python is None:
        print(f"{name} is not installed")
        return {}
    job = environments.REQUIREMENTS / f"{name}_quality_job.py"
    said = subprocess.run([python, job, file], check=True, capture_output=True, text=True).stdout
    return {f"{name}, {key}": value for key, value in json.loads(said.splitlines()[-1]).items()}


if __name__ == "__main__":
    main()
