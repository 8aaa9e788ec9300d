"""`curate.load` over shards of every format, beside numpy and the loaders of Grain and litdata, from page cache.

    python -m benchmarks.loading_speed FILE... [--megabytes 160] [--runs 3]

All give out shuffled batches of 8 windows of 2,048 tokens as one array. MB are bytes of ids as they are stored; CPU
seconds are those of all threads of the process. Grain and litdata are measured where they are installed: run with
``PYTHONPATH`` at an environment that has them, such as the one of ``make test-readers``.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import curate
from benchmarks.shards_speed import documents
from curate.shards.convert import convert
from curate.shards.index import read_index
from curate.shards.settings import ShardSettings

WINDOW, BATCH = 2048, 8
FORMATS = ("bin", "megatron", "olmo", "datatrove", "litdata", "mds", "arrayrecord", "parquet")


def ours(folder: Path, prefetch: int) -> Iterator[Any]:
    for batch in curate.load(folder, sequence_length=WINDOW, batch_size=BATCH, prefetch=prefetch):
        yield batch["input_ids"]


def numpy_windows(folder: Path) -> Iterator[Any]:
    """The least there is: windows of one map in a drawn order, stacked."""
    index = read_index(folder)
    stream = np.memmap(folder / index.shards[0].file, index.dtype, "r").view(np.ndarray)
    order = np.random.default_rng(0).permutation(len(stream) // WINDOW)
    for at in range(0, len(order) - BATCH + 1, BATCH):
        yield np.stack([stream[one * WINDOW : (one + 1) * WINDOW] for one in order[at : at + BATCH].tolist()])


def grain_records(folder: Path, *, mapped: bool) -> Iterator[Any]:
    """Grain's data set over records, or over windows of a memory map."""
    import grain

    index = read_index(folder)
    if mapped:
        stream = np.memmap(folder / index.shards[0].file, index.dtype, "r").view(np.ndarray)
        data = grain.MapDataset.range(len(stream) // WINDOW).shuffle(seed=0)
        data = data.map(lambda one: stream[one * WINDOW : (one + 1) * WINDOW])
    else:
        source = grain.sources.ArrayRecordDataSource([str(folder / one.file) for one in index.shards])
        data = grain.MapDataset.source(source).shuffle(seed=0).map(lambda record: np.frombuffer(record, index.dtype))
    yield from data.batch(BATCH, drop_remainder=True)


def litdata_windows(folder: Path) -> Iterator[Any]:
    from litdata import StreamingDataset, TokensLoader

    rows = []
    for row in StreamingDataset(str(folder), item_loader=TokensLoader(block_size=WINDOW), shuffle=True, seed=0):
        rows.append(np.asarray(row))
        if len(rows) == BATCH:
            yield np.stack(rows)
            rows = []


def arrow_tables(folder: Path) -> Iterator[Any]:
    """What reading Parquet costs, without any order."""
    for shard in read_index(folder).shards:
        table = pq.read_table(folder / shard.file, columns=["input_ids"], use_threads=False)
        yield table["input_ids"].combine_chunks().flatten().to_numpy()


def rate(batches: Callable[[], Iterable[Any]], item: int) -> float:
    """MB of ids for a CPU second."""
    began, tokens = time.process_time(), 0
    for batch in batches():
        tokens += batch.size
    return tokens * item / (time.process_time() - began) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--megabytes", type=int, default=160)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = documents(asked.files, folder, asked.megabytes * 1_000_000)
        shards = {"packing": "concatenate", "sequence_length": WINDOW, "format": "bin"}
        curate.run(str(corpus), str(folder / "run"), pipeline={"stages": ["tokenize"]}, shards=shards)
        made = {"bin": folder / "run" / "shards"}
        for one in FORMATS[1:]:
            made[one] = folder / one
            convert(made["bin"], made[one], ShardSettings(format=one))  # type: ignore[arg-type]
        item = np.dtype(read_index(made["bin"]).dtype).itemsize
        print(f"{read_index(made['bin']).tokens:,} tokens of {item} bytes\n\n| | MB/CPU-s |\n| --- | --: |")
        readers: dict[str, Callable[[], Iterable[Any]]] = {"numpy, `bin`": partial(numpy_windows, made["bin"])}
        readers |= {f"curate, `{one}`": partial(ours, made[one], 2) for one in FORMATS}
        readers["curate, `bin`, `prefetch=0`"] = partial(ours, made["bin"], 0)
        readers["pyarrow, `parquet`, a table"] = partial(arrow_tables, made["parquet"])
        readers["grain, `arrayrecord`"] = partial(grain_records, made["arrayrecord"], mapped=False)
        readers["grain, a map of `bin`"] = partial(grain_records, made["bin"], mapped=True)
        readers["litdata, `litdata`"] = partial(litdata_windows, made["litdata"])
        best = dict.fromkeys(readers, 0.0)
        for _ in range(asked.runs):
            for who, reader in readers.items():
                try:
                    best[who] = max(best[who], rate(reader, item))
                except ImportError as error:
                    print(f"{who}: {error}", file=sys.stderr)
        for who, found in best.items():
            print(f"| {who} | {found:,.0f} |" if found else f"| {who} | not installed |", flush=True)


if __name__ == "__main__":
    main()
