"""Memory and time of `near_dup` as documents grow tenfold.

Usage: python -m benchmarks.near_dup_scale FILE… [--documents 100000 1000000 10000000] [--folder DIR]
       [--boilerplate | --long COPIES]

Documents are derived from the Parquet FILEs: runs of 40 words, shuffled so that they share no shingles; one in ten is
an edited copy of one before it, one in twenty an exact copy. With ``--boilerplate`` all documents are the same text but
for one word at the end: one bucket holds them all. With ``--long`` a text of 50 MB stands behind them so many times,
one word in 200 changed in each. ``curate run --only near_dup`` runs in a process of its own; resolving by itself is
watched by `benchmarks.resolving_memory`: its memory when it begins, at its peak, and in files beside that, in MB.
"""

import argparse
import itertools
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measuring import measure

WORDS = 40
BATCH = 100_000
LONG = 50_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "near_dup_scale")
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--boilerplate", action="store_true")
    parser.add_argument("--long", type=int, default=0)
    parser.add_argument("--workers", default="2")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    titles = ["documents", "text MB", "removed", "CPU s", "wall s", "of that resolving", "index bytes a document"]
    titles += ["peak MB", "resolving begins with", "its own peak", "files beside it"]
    print(f"| {' | '.join(titles)} |\n|{' ---: |' * len(titles)}")
    for count in options.documents:
        kind = "-boilerplate" * options.boilerplate + f"-long-{options.long}" * bool(options.long)
        corpus = options.folder / f"{count}{kind}.parquet"
        if not corpus.exists():
            texts = boilerplate(count) if options.boilerplate else derived(options.files, count)
            write(corpus, itertools.chain(texts, long_copies(options.files, options.long)))
        print(
            row(corpus, options.folder / "run", ["--memory", options.memory, "--workers", options.workers]), flush=True
        )


def row(corpus: Path, run: Path, flags: list[str]) -> str:
    shutil.rmtree(run, ignore_errors=True)
    watched = corpus.with_suffix(".json")
    command = [sys.executable, "-m", "benchmarks.resolving_memory", str(watched), "run", str(corpus), "-o", str(run)]
    command += ["--only", "near_dup", "-qq", "--set", "report.samples=0", *flags]
    cost = measure(command, log=corpus.with_suffix(".log"), cores=2)
    if cost.status != "done":
        return f"| {corpus.stem} | {cost.status} after {cost.wall_seconds:.0f} s, see {corpus.with_suffix('.log')} |"
    manifest = json.loads((run / "run.json").read_text())
    documents, counts = manifest["counts"]["read"], manifest["counts"]["removed"]["near_dup"]
    begin, peak = (json.loads(watched.read_text())[when] for when in ("begin", "peak"))
    index = sum(file.stat().st_size for file in (run / ".cache" / "near_dup").glob("*.parquet"))
    text = sum(part["raw_bytes"] for part in manifest["parts"]) / 1e6
    return (
        f"| {documents:,} | {text:,.0f} | {counts['documents']:,} "
        f"| {cost.cpu_seconds:.1f} | {cost.wall_seconds:.1f} | {manifest['timings']['steps']['near_dup']:.1f} "
        f"| {index / documents:.0f} | {cost.peak_mb:,.0f} "
        f"| {begin['own']:,.0f} | {peak['own']:,.0f} | {peak['file'] - begin['file']:,.0f} |"
    )


def derived(files: list[Path], count: int) -> Iterator[str]:
    """Shuffled runs of real words; each pass over the words shuffles them anew."""
    words = [
        word for file in files for text in pl.read_parquet(file, columns=["text"])["text"] for word in text.split()
    ]
    draw, made = random.Random(1), 0
    before = ""
    while made < count:
        for start in range(0, len(words) - WORDS, WORDS):
            kind = draw.random()
            if kind < 0.05 and before:
                yield before
            elif kind < 0.15 and before:
                yield before + " " + draw.choice(words)
            else:
                run = words[start : start + WORDS]
                draw.shuffle(run)
                before = " ".join(run)
                yield before
            made += 1
            if made == count:
                return


def boilerplate(count: int) -> Iterator[str]:
    page = " ".join(f"word{number}" for number in range(WORDS))
    for number in range(count):
        yield f"{page} {number}"


def long_copies(files: list[Path], copies: int) -> Iterator[str]:
    """The first 50 MB of the texts as one, so many times, other words changed in each."""
    text = ""
    while copies and len(text) < LONG:
        for file in files:
            text += "\n".join(pl.read_parquet(file, columns=["text"])["text"])
    for copy in range(copies):
        words, draw = text[:LONG].split(" "), random.Random(copy)
        for place in draw.sample(range(len(words)), len(words) // 200):
            words[place] = f"changed{place}"
        yield " ".join(words)


def write(corpus: Path, texts: Iterator[str]) -> None:
    schema = pa.schema([("id", pa.string()), ("text", pa.large_string())])
    with pq.ParquetWriter(corpus, schema, compression="zstd") as writer:
        batch: list[str] = []
        for number, text in enumerate(texts, 1):
            batch.append(text)
            if len(batch) == BATCH:
                write_batch(writer, schema, batch, number)
                batch = []
        if batch:
            write_batch(writer, schema, batch, number)


def write_batch(writer: pq.ParquetWriter, schema: pa.Schema, texts: list[str], last: int) -> None:
    ids = [f"doc-{number:09}" for number in range(last - len(texts), last)]
    writer.write_table(pa.table([ids, texts], schema=schema))


if __name__ == "__main__":
    main()
