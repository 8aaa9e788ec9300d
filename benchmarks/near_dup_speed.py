"""Where the CPU time of near_dup goes: its kernels on all texts, then a run with and without the audit.

Usage: python -m benchmarks.near_dup_speed CORPUS [--mb 160]

CORPUS as for `benchmarks.near_dup_rivals`: 14 bands × 8 rows on shingles of 5 words. One thread, least of three.
"""

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import corpus
from benchmarks.near_dup_rivals import near_dup_seconds
from curate.cli.session import Session
from curate.stages.near_dup import audit
from curate.text.dedup.content_hash import content_hashes
from curate.text.dedup.minhash import band_keys, permutations, signatures
from curate.text.dedup.shingles import shingle_sets

HERE = Path(__file__).parent
BANDS, ROWS, SHINGLE_WORDS = 14, 8, 5
RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--mb", type=int, default=160)
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    folder = Path(os.environ.get("CURATE_BENCH_DATA", HERE / ".corpora")) / "near-dup"
    corpus.make(corpus.read(options.corpus), folder, [options.mb])
    print("| step | CPU s | MB/CPU-s |\n| --- | ---: | ---: |")
    with tempfile.TemporaryDirectory() as out:
        source = folder / f"s{options.mb}" / "jsonl"
        whole = min(resolved(source, Path(out) / "run", audit.SAMPLE) for _ in range(RUNS))
        unaudited = min(resolved(source, Path(out) / "run", 0) for _ in range(RUNS))
        groups = row_groups(Path(out) / "run" / "documents")
        texts = [file.read_row_group(group, columns=["text"]).column("text").chunk(0) for file, group in groups]
        drawn = permutations(BANDS * ROWS, seed=1)
        sketches = [signatures(some, SHINGLE_WORDS, drawn).signatures for some in texts]
        show("signatures", least(lambda: [signatures(some, SHINGLE_WORDS, drawn) for some in texts]), options.mb)
        show("band keys", least(lambda: [band_keys(some, BANDS, ROWS) for some in sketches]), options.mb)
        show("content hashes", least(lambda: [content_hashes(some) for some in texts]), options.mb)
        show("shingle sets", least(lambda: [shingle_sets(some, SHINGLE_WORDS) for some in texts]), options.mb)
        show("reading all texts again", least(lambda: [text_of(file, group) for file, group in groups]), options.mb)
    show("near_dup: observing and resolving", whole, options.mb)
    show("the same without the audit", unaudited, options.mb)


def resolved(source: Path, run: Path, sample: int) -> float:
    """CPU seconds of near_dup itself with an audit of so many documents."""
    settings = [f"near_dup.bands={BANDS}", f"near_dup.rows={ROWS}", f"near_dup.shingle_words={SHINGLE_WORDS}"]
    settings += ["near_dup.similarity=0.8", "run.workers=1", "gates.max_quarantined=1"]
    with mock.patch.object(audit, "SAMPLE", sample), contextlib.redirect_stdout(io.StringIO()):
        Session([str(source)], str(run), assignments=settings, only=["near_dup"]).work(
            quiet=2, fresh=True, profile=True
        )
    return near_dup_seconds(run)


def row_groups(documents: Path) -> list[tuple[pq.ParquetFile, int]]:
    files = [pq.ParquetFile(path) for path in sorted(documents.glob("*.parquet"))]
    return [(file, group) for file in files for group in range(file.num_row_groups)]


def text_of(file: pq.ParquetFile, group: int) -> pa.ChunkedArray:
    return file.read_row_group(group, columns=["text"], use_threads=False).column("text")


def least(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def show(step: str, seconds: float, megabytes: int) -> None:
    print(f"| {step} | {seconds:.3f} | {megabytes / seconds:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
