"""Shards: shuffled, packed, mixed and converted, beside numpy and pyarrow reading and writing the same files.

    python -m benchmarks.shards_speed FILE... [--megabytes 160] [--only 'NAME;NAME'] [--runs 3]

The floors decode the same input files and write what comes out of them (what is compressed is compressed), without a
checksum, a sync or any thought of order; *hashed* ones take the checksum of the same bytes, too. Where documents change
their places, such a floor does not do the job: the *moving* one reads the same ids, lays each document in another place
by NumPy, all in memory at once, and writes that. *tokenize* is all from texts to shards, and its floor the same engine
on the same texts with a plain write of its ids. CPU seconds of the whole process, floors and curate in turn, the least
of several runs.
"""

import argparse
import gzip
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

import curate
from curate.pipeline import execute
from curate.pipeline.step import Step
from curate.shards.convert import convert
from curate.shards.files.token_bytes import HIGH, LOW, as_lists, brought_together
from curate.shards.index import read_index
from curate.shards.settings import ShardSettings
from curate.stages.tokenize import Tokenize
from curate.store.row_file import Keys, row_file
from curate.store.run_directory import CACHE

SHARDS: dict[str, dict[str, Any]] = {
    "cut": {"shards": {"format": "bin"}},
    "cut to Parquet": {"shards": {}},
    "shuffle": {"shards": {"format": "bin", "order": "shuffle"}},
    "shuffle to Parquet": {"shards": {"order": "shuffle"}},
    "concatenate": {"shards": {"format": "bin", "packing": "concatenate"}},
    "best fit": {"shards": {"format": "bin", "packing": "best_fit"}},
    "mix, 1.5 epochs": {"shards": {"format": "bin"}, "mix": {"epochs": {"*": 1.5}}},
}
MOVING = ("shuffle", "best fit", "mix, 1.5 epochs")
"""Documents change their places, and the files have nothing but ids."""
TOKENIZED = {f"tokenize, {name}": {"shards": {"format": name}} for name in ("bin", "megatron", "parquet")}
CONVERSIONS = (
    ("bin", "megatron"),
    ("bin", "olmo"),
    ("bin", "mds"),
    ("bin", "parquet"),
    ("parquet", "bin"),
)


class Clock:
    """CPU seconds of what the run's last step does, apart from what else is done then."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return function(*args, **named)
            finally:
                self.seconds += time.process_time() - began

        return call


def files_of(folder: Path) -> list[Path]:
    """All files of the shards, but for what is small."""
    index = read_index(folder)
    return [folder / name for name in (*(name for entry in index.shards for name in entry.files), *index.files)]


def floor(read: list[Path], written: list[Path], *, hashed: bool) -> float:
    """CPU seconds of decoding some files and writing others with the content of those that were written."""
    tables = {path: pq.read_table(path) for path in written if path.suffix == ".parquet"}
    others = {path: np.fromfile(path, np.uint8) for path in written if path not in tables}
    packed = {path: gzip.decompress(path.read_bytes()) for path in written if path.suffix == ".gz"}
    with tempfile.TemporaryDirectory(dir=written[0].parent.parent) as name:
        began = time.process_time()
        for path in read:
            _ = pq.read_table(path, use_threads=False) if path.suffix == ".parquet" else np.fromfile(path, np.uint8)
        for path, content in others.items():
            if path in packed:
                (Path(name) / path.name).write_bytes(gzip.compress(packed[path], 6))
            else:
                content.tofile(Path(name) / path.name)
        for path, table in tables.items():
            pq.write_table(table, Path(name) / path.name, compression="zstd", compression_level=3, use_dictionary=False)
        for path in written if hashed else ():
            xxhash.xxh3_128(others[path] if path in others else (Path(name) / path.name).read_bytes()).digest()
        return time.process_time() - began


def moving_floor(read: list[Path], written: list[Path]) -> float:
    """CPU seconds of reading the ids of a run, laying its documents in another order and writing them."""
    tokens = sum(path.stat().st_size for path in written if path.suffix == ".bin") // 4
    with tempfile.TemporaryDirectory(dir=written[0].parent.parent) as name:
        began = time.process_time()
        found: list[np.ndarray] = []
        for path in read:
            table = pq.read_table(path, columns=[LOW, HIGH], use_threads=False)
            for low, high in zip(table[LOW].chunks, table[HIGH].chunks, strict=True):
                lists = as_lists(brought_together(low, high))
                ids, edges = lists.values.to_numpy(), lists.offsets.to_numpy().tolist()
                found += [ids[start:stop] for start, stop in pairwise(edges)]
        dice, chosen, size = np.random.default_rng(0), list[np.ndarray](), 0
        while size < tokens:
            for at in dice.permutation(len(found)).tolist():
                chosen.append(found[at])
                size += len(found[at])
                if size >= tokens:
                    break
        np.concatenate(chosen).tofile(Path(name) / "moved.bin")
        return time.process_time() - began


def documents(files: list[str], folder: Path, size: int) -> Path:
    """The texts of some files, up to a size."""
    rows: list[dict[str, str]] = []
    found = 0
    for file in files:
        table = pq.read_table(file, columns=["text"])
        for text in table["text"].to_pylist():
            if found > size:
                break
            found += len(text)
            rows.append({"id": f"document-{len(rows)}", "text": text})
    pq.write_table(pa.Table.from_pylist(rows), folder / "corpus.parquet", row_group_size=1000)
    return folder / "corpus.parquet"


def compared(
    name: str,
    runs: int,
    ours: Callable[[], float],
    read: list[Path],
    written: list[Path],
    first: Callable[[], float] = lambda: 0.0,
) -> None:
    """One line: floors and curate in turn; ``first`` is what a floor does before it writes."""
    mine = least = hashed = moving = 9e9
    moves = name in MOVING
    for _ in range(runs):
        mine = min(mine, ours())
        least = min(least, first() + floor(read, written, hashed=False))
        hashed = min(hashed, first() + floor(read, written, hashed=True))
        moving = min(moving, moving_floor(read, written)) if moves else moving
    size = sum(path.stat().st_size for path in written) / 1e6
    shares = f"{least / mine:.0%} | {hashed / mine:.0%} | {f'{moving / mine:.0%}' if moves else ''}"
    print(f"| {name} | {size:,.0f} | {mine:.2f} | {least:.2f} | {shares} |", flush=True)


class Bench:
    """A finished run of some text, whose shards are made again and again.

    Args:
        folder: for everything.
        corpus: what is tokenized.
    """

    def __init__(self, folder: Path, corpus: Path) -> None:
        self._corpus, self.out = corpus, folder / "run"
        self._folder, self._clock = folder, Clock()
        execute.write_shards = self._clock.timed(execute.write_shards)
        execute.cut = self._clock.timed(execute.cut)
        execute._Run._side_by_side = lambda _run, *works: [work() for work in works]  # type: ignore[method-assign]  # noqa: SLF001
        self.tokens = self._run({}).tokens.kept

    def _run(self, settings: dict[str, Any]) -> curate.Run:
        return curate.run(
            str(self._corpus), str(self.out), pipeline={"stages": ["tokenize"]}, report={"samples": 0}, **settings
        )

    def shards(self, settings: dict[str, Any]) -> float:
        """CPU seconds of cutting and writing the shards again."""
        shutil.rmtree(self.out / "shards")
        self._clock.seconds = 0.0
        self._run(settings)
        return self._clock.seconds

    def tokenized(self, settings: dict[str, Any]) -> float:
        """CPU seconds from texts to shards: encoding, keeping the ids, cutting and writing."""
        step, path = Step(Tokenize(), "encode"), self._folder / "ids.parquet"
        batches = self._texts()
        began = time.process_time()
        with row_file(path, step.schema) as writer:
            for batch in batches:
                writer.write(step.measure(batch))
            writer.finish(Keys("", ""))
        return time.process_time() - began + self.shards(settings)

    def engine(self) -> float:
        """CPU seconds of the engine alone, on the same texts."""
        engine, batches = Tokenize().tokenizer.prepare(), self._texts()
        began = time.process_time()
        for batch in batches:
            engine.encode(batch["text"])
        return time.process_time() - began

    def _texts(self) -> list[pa.RecordBatch]:
        table = pq.read_table(self._corpus, columns=["text"])
        return table.cast(pa.schema({"text": pa.large_string()})).to_batches(1000)

    def converted(self, source: Path, to: str) -> float:
        """CPU seconds of a conversion."""
        target = self._folder / "converted"
        shutil.rmtree(target, ignore_errors=True)
        began = time.process_time()
        convert(source, target, ShardSettings(format=to))  # type: ignore[arg-type]
        return time.process_time() - began

    def run(self, runs: int, wanted: list[str]) -> None:
        """The table."""
        cached = sorted((self.out / CACHE / "tokenize").glob("*.parquet"))
        for name, settings in SHARDS.items():
            if not wanted or name in wanted:
                self.shards(settings)
                compared(name, runs, partial(self.shards, settings), cached, files_of(self.out / "shards"))
        for name, settings in TOKENIZED.items():
            if not wanted or name in wanted:
                self.shards(settings)
                written = files_of(self.out / "shards")
                compared(name, runs, partial(self.tokenized, settings), [], written, self.engine)
        self.shards({})
        sources = {"parquet": self.out / "shards", "bin": self._folder / "bin"}
        convert(sources["parquet"], sources["bin"], ShardSettings(format="bin"))
        for source, to in CONVERSIONS:
            if not wanted or f"{source} → {to}" in wanted:
                once = partial(self.converted, sources[source], to)
                once()
                compared(
                    f"{source} → {to}", runs, once, files_of(sources[source]), files_of(self._folder / "converted")
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--megabytes", type=int, default=160)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", help="names of the table, between semicolons")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), documents(asked.files, Path(name), asked.megabytes * 1_000_000))
        print(f"{bench.tokens:,} tokens\n")
        print("| | MB | CPU s | floor | share | of hashed floor | of moving floor |")
        print("| --- | --: | --: | --: | --: | --: | --: |")
        bench.run(asked.runs, [one for one in asked.only.split(";") if one])


if __name__ == "__main__":
    sys.exit(main())
