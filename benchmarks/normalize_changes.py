"""What `normalize` changes in real text: documents by kind of change, and how fast.

Usage: python -m benchmarks.normalize_changes FILE... [--set mojibake=ftfy ...] [--samples 3]

FILE is Parquet or JSONL(.gz) with a column `text`. With `--samples`, some places of each kind are printed, before and
after. One thread, CPU seconds, least of three.
"""

import argparse
import random
import time
from collections import Counter, defaultdict
from pathlib import Path

import msgspec
import pyarrow as pa

from benchmarks import corpus
from curate.stages.normalize import CHANGES, Normalize, NormalizeSettings

BATCH = 500
AROUND = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE")
    parser.add_argument("--samples", type=int, default=0)
    options = parser.parse_args()
    settings = msgspec.convert(dict(one.split("=", 1) for one in options.set), NormalizeSettings, strict=False)
    stage = Normalize(settings)
    places: defaultdict[str, list[str]] = defaultdict(list)
    print("| corpus | documents | MB/CPU-s | changed |\n| --- | ---: | ---: | --- |")
    for file in options.files:
        texts = corpus.read(file)["text"].to_list()
        batches = [
            pa.record_batch({"text": pa.array(texts[i : i + BATCH], pa.large_string())})
            for i in range(0, len(texts), BATCH)
        ]
        done = [stage.rewrite(batch) for batch in batches]
        spent = min(seconds(stage, batches) for _ in range(3))
        changes: Counter[str] = Counter()
        for batch, (cleaned, measures) in zip(batches, done, strict=True):
            for before, after, kinds in zip(
                batch["text"].to_pylist(), cleaned.to_pylist(), measures["changes"].to_pylist(), strict=True
            ):
                changes.update(kinds)
                for kind in kinds if len(kinds) == 1 else ():
                    places[kind].append(f"{file.name}: {place(before, after)}")
        size = sum(batch["text"].nbytes for batch in batches) / 1e6
        told = ", ".join(f"{change.code} {changes[change.code]:,}" for change in CHANGES if changes[change.code])
        print(f"| {file.name} | {len(texts):,} | {size / spent:.0f} | {told or '–'} |", flush=True)
    for kind, found in places.items():
        for one in random.Random(1).sample(found, min(options.samples, len(found))):
            print(f"{kind}: {one}")


def place(before: str, after: str) -> str:
    """Both texts around the first difference."""
    at = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    around = slice(max(0, at - AROUND), at + AROUND)
    return f"{before[around]!r} -> {after[around]!r}"


def seconds(stage: Normalize, batches: list[pa.RecordBatch]) -> float:
    start = time.process_time()
    for batch in batches:
        stage.rewrite(batch)
    return time.process_time() - start


if __name__ == "__main__":
    main()
