"""The reader alone, file to documents, by format, beside the format's own library; CPU seconds of one core.

python -m benchmarks.reading_speed FOLDER_OF_TEXT [--megabytes 40]
"""

import argparse
import csv
import gzip
import io
import json
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from curate.corpus.discover import discover
from curate.corpus.input import InputSettings
from curate.corpus.inspect import inspect
from curate.corpus.parts import cut
from curate.corpus.reader import chunks

Record = dict[str, str]


def _parsed(path: Path) -> Iterator[pa.RecordBatch]:
    settings = InputSettings()
    files = inspect(discover([str(path)], settings).files, settings, 1).files
    for strand in cut(files, settings.part_bytes):
        for chunk in chunks(strand, frozenset(part.index for part in strand.parts), 8 << 20):
            yield chunk.parse().documents


def records(folder: Path, size: int) -> list[Record]:
    """Text of a corpus in documents of 4,000 characters."""
    found: list[Record] = []
    for batch in _parsed(folder):
        for text, name in zip(batch["text"].to_pylist(), batch["id"].to_pylist(), strict=True):
            found += [{"text": text[at : at + 4000], "url": f"{name}@{at}"} for at in range(0, len(text), 4000)]
            if len(found) * 4000 > size:
                return found
    return found


def ours(path: Path) -> tuple[int, float]:
    began = time.process_time()
    return sum(map(len, _parsed(path))), time.process_time() - began


def _table(rows: list[Record]) -> pa.Table:
    return pa.Table.from_pylist(rows)


def _csv_rows(path: Path) -> int:
    with path.open(newline="") as file:
        return len(list(csv.reader(file))) - 1


def _arrow(path: Path) -> int:
    with pa.OSFile(str(path)) as file:
        batches = list(pa.ipc.open_stream(file))
    for batch in batches:
        batch.validate(full=True)
    return sum(map(len, batches))


def _lines(data: bytes) -> int:
    return len([msgspec.json.decode(line) for line in data.splitlines()])


def _zip(path: Path) -> int:
    with zipfile.ZipFile(path) as made:
        return sum(_lines(made.read(name)) for name in made.namelist())


def _tar(path: Path) -> int:
    with tarfile.open(path) as made:
        return sum(_lines(made.extractfile(one).read()) for one in made)  # type: ignore[union-attr]


LIBRARIES: dict[str, Callable[[Path], int]] = {
    "a.jsonl": lambda path: _lines(path.read_bytes()),
    "a.jsonl.gz": lambda path: _lines(gzip.decompress(path.read_bytes())),
    "a-array.json": lambda path: len(msgspec.json.decode(path.read_bytes())),
    "a.csv": _csv_rows,
    "a.parquet": lambda path: pq.read_table(path).num_rows,
    "a.arrow": _arrow,
    "a.zip": _zip,
    "a.tar.gz": _tar,
}


def write(folder: Path, rows: list[Record]) -> None:
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    (folder / "a.jsonl").write_bytes(lines)
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(lines, 6))
    (folder / "a-array.json").write_text(json.dumps(rows))
    with (folder / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["text", "url"])
        writer.writeheader()
        writer.writerows(rows)
    pq.write_table(_table(rows), folder / "a.parquet", row_group_size=1000)
    with pa.ipc.new_stream(folder / "a.arrow", _table(rows[:1]).schema) as stream:
        stream.write_table(_table(rows), max_chunksize=1000)
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.jsonl", lines)
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("a.jsonl")
        info.size = len(lines)
        tar.addfile(info, io.BytesIO(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=40)
    asked = parser.parse_args()
    csv.field_size_limit(1 << 30)
    rows = records(asked.folder, asked.megabytes * 1_000_000)
    size = sum(len(row["text"].encode()) for row in rows) / 1e6
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, rows)
        print(f"{len(rows):,} documents, {size:.0f} MB of text\n")
        print("| | MB/CPU-s | the library's | share |\n| --- | --: | --: | --: |")
        ours(folder / "a.jsonl")  # kernels are compiled
        ours(folder / "a-array.json")
        for file, library in LIBRARIES.items():
            times: dict[str, Any] = {}
            for _ in range(2):
                documents, mine = ours(folder / file)
                assert documents == len(rows), file
                began = time.process_time()
                assert library(folder / file) == len(rows), file
                theirs = time.process_time() - began
                times = {"ours": min(mine, times.get("ours", 9e9)), "theirs": min(theirs, times.get("theirs", 9e9))}
            rate = {who: size / seconds for who, seconds in times.items()}
            print(f"| {file} | {rate['ours']:,.0f} | {rate['theirs']:,.0f} | {rate['ours'] / rate['theirs']:.0%} |")


if __name__ == "__main__":
    sys.exit(main())
