"""What finding near-duplicates costs, and what is removed wrongly or left, beside the tools people use for it.

Usage: python -m benchmarks.near_dup_rivals CORPUS [--mb 40] [--runs 1] [--tools rensa daft]

All get the same documents and 14 bands × 8 rows on shingles of 5 words. A removal is *wrong* when no document that was
kept has an exact Jaccard similarity of 0.8 or more with it; a document is *missed* when it was kept beside a kept one
at 0.8 or more. Rivals are those that `make bench-rivals` installed.

CPU seconds are those of whole processes. Ours also writes every document, a judgment for each and a report; what
near_dup itself took of that (observing, resolving, verifying, auditing) is told by ``--profile``, and compared as well.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

import polars as pl

from benchmarks import corpus
from benchmarks.jobs import NEAR_DUP_RIVALS, job
from benchmarks.measuring import Measured, measure
from benchmarks.near_dup_recall import true_pairs

HERE = Path(__file__).parent
SIMILARITY = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--mb", type=int, default=40)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--tools", nargs="+", default=list(NEAR_DUP_RIVALS))
    options = parser.parse_args()
    folder = Path(os.environ.get("CURATE_BENCH_DATA", HERE / ".corpora")) / "near-dup"
    corpus.make(corpus.read(options.corpus), folder, [options.mb])
    documents = pl.concat([pl.read_parquet(file) for file in sorted((folder / f"s{options.mb}" / "parquet").iterdir())])
    documents = documents.select("id", "text").with_row_index("row")
    pairs = true_pairs(folder / "none", documents, SIMILARITY)
    print(f"{len(documents):,} documents, {len(pairs):,} pairs at {SIMILARITY} or more\n")
    print("| tool | removed | wrong | missed | CPU s | beside ours | beside near_dup itself | peak MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    ours = itself = 0.0
    for name in ("curate-near-dup", *options.tools):
        found = [once(name, folder, options.mb) for _ in range(options.runs)]
        if not all(found):
            print(f"| {name} | not measured |")
            continue
        costs, kept = [one.cost for one in found], found[0].kept
        cpu = statistics.median(cost.cpu_seconds for cost in costs)
        ours, itself = ours or cpu, itself or statistics.median(one.itself for one in found)
        removed, wrong, missed = judged(documents, pairs, kept)
        peak = max(cost.peak_mb for cost in costs)
        print(
            f"| {name} | {removed:,} | {wrong:,} | {missed:,} | {cpu:.1f} | {cpu / ours:.1f}× | {cpu / itself:.1f}× "
            f"| {peak:,.0f} |",
            flush=True,
        )
    print(f"\nnear_dup itself: {itself:.2f} CPU s, {options.mb / itself:,.0f} MB/CPU-s")


class Once(NamedTuple):
    """One run of a tool."""

    cost: Measured
    itself: float
    """CPU seconds of near_dup itself, where it is ours."""
    kept: set[str]


def once(name: str, folder: Path, megabytes: int) -> Once | None:
    out = folder / f"out-{name}"
    shutil.rmtree(out, ignore_errors=True)
    one = job(name, folder / f"s{megabytes}", folder / "tokenizer.json", out, "gopher")
    if one is None:
        return None
    ours = name.startswith("curate")
    command = [*one.command, "--profile"] if ours else one.command
    cost = measure(command, log=folder / f"{name}.log", cores=one.cores, env=one.env)
    if cost.status != "done":
        print(f"{name} {cost.status}: see {folder / name}.log", file=sys.stderr)
        return None
    return Once(cost, near_dup_seconds(out) if ours else 0.0, kept_by(out))


def near_dup_seconds(out: Path) -> float:
    """CPU seconds that a profiled run spent on observing and on resolving."""
    steps = json.loads((out / "run.json").read_text())["profile"]["steps"]
    observing = [phase["cpu_seconds"] for step in steps for phase in step["phases"] if phase["name"] == "near_dup"]
    resolving = [step["cpu_seconds"] for step in steps if step["name"] == "near_dup"]
    return float(sum(observing) + sum(resolving))


def kept_by(out: Path) -> set[str]:
    if (out / "kept.txt").exists():
        return set((out / "kept.txt").read_text().split("\n"))
    ids = pl.read_parquet(out / "documents" / "*.parquet", columns=["id"])["id"]
    survivors = pl.read_parquet(out / "near_dup" / "*.parquet", columns=["survivor"])["survivor"]
    return set(ids.filter(survivors.is_null()))


def judged(documents: pl.DataFrame, pairs: pl.DataFrame, kept: set[str]) -> tuple[int, int, int]:
    """Documents removed, removed without a kept twin, and kept beside a kept twin."""
    stays = documents.select("row", kept=pl.col("id").is_in(kept))
    both = pl.concat([pairs.select(row="a", twin="b"), pairs.select(row="b", twin="a")])
    kept_rows = stays.filter("kept")["row"].implode()
    with_kept_twin = both.filter(pl.col("twin").is_in(kept_rows))["row"].unique()
    kept_texts = documents.filter(stays["kept"])["text"].implode()
    removed = stays.filter(~pl.col("kept"))["row"]
    copied = documents.filter(~stays["kept"])["text"].is_in(kept_texts)  # also where a text has no shingles
    wrong = len(removed) - (removed.is_in(with_kept_twin.implode()) | copied).sum()
    later = pairs.select(row=pl.max_horizontal("a", "b"), twin=pl.min_horizontal("a", "b"))
    missed = later.filter(pl.col("row").is_in(kept_rows) & pl.col("twin").is_in(kept_rows))["row"].n_unique()
    return len(removed), wrong, missed


if __name__ == "__main__":
    main()
