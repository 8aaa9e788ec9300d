"""What a run on a Ray cluster takes as documents grow: memory of the driver, CPU and shuffled bytes for each document.

Usage: python -m benchmarks.cluster FILE [--documents 100000 1000000] [--sentences 5] [--options '--skip quality']

The cluster is two raylets of one core on this machine. Documents are made of sentences of FILE, a Parquet file with
the columns ``text`` and ``lang``: about 100 characters each, a quarter of the words exchanged; a fifth are copies of
one before with one word exchanged. The last line is what the driver takes for a task that does nothing.
"""

import argparse
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

TASKS = 1000
REMEMBERED = 20_000


def main() -> None:
    """Make documents, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "cluster")
    parser.add_argument("--sentences", type=int, default=5)
    parser.add_argument("--file-documents", type=int, default=100_000)
    parser.add_argument("--options", default="", type=shlex.split, help="of curate run, in one word")
    asked = parser.parse_args()
    import ray
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    node = {"num_cpus": 1, "object_store_memory": 600 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    os.environ["RAY_ADDRESS"] = cluster.address
    print("| documents | driver, MB | CPU µs a document | sent, bytes a document |\n| ---: | ---: | ---: | ---: |")
    for number in asked.documents:
        corpus, out = asked.folder / f"in-{number}", asked.folder / f"out-{number}"
        if not corpus.exists():
            _write(asked.file, number, corpus, asked.sentences, asked.file_documents)
        shutil.rmtree(out, ignore_errors=True)
        command = [sys.executable, "-m", "curate", "run", corpus, "-o", out, "--engine", "ray", "-q", *asked.options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        run = json.loads((out / "run.json").read_text())
        sent = sum(node["sent_bytes"] for node in run["profile"]["nodes"])
        times = run["timings"]
        figures = times["peak_rss_bytes"] / 1e6, 1e6 * times["cpu_seconds"] / number, sent / number
        print(f"| {number:,} | {' | '.join(f'{figure:.0f}' for figure in figures)} |", flush=True)
    print(f"{_task_seconds() * 1e3:.2f} ms of the driver for a task")
    ray.shutdown()
    cluster.shutdown()


def _write(file: Path, number: int, corpus: Path, length: int, file_documents: int) -> None:
    text = " ".join(pl.read_parquet(file).filter(pl.col("lang") == "en")["text"])
    sentences = [one for one in re.split(r"(?<=[.!?])\s+", re.sub(r"\s+", " ", text)) if 40 < len(one) < 160]
    texts = _texts(sentences, length, random.Random(1))
    corpus.mkdir(parents=True)
    for start in range(0, number, file_documents):
        with (corpus / f"{start:09}.jsonl").open("w") as lines:
            for at in range(start, min(start + file_documents, number)):
                lines.write(json.dumps({"id": f"d{at}", "text": next(texts), "source": f"s{at % 5}"}) + "\n")


def _texts(sentences: list[str], length: int, draw: random.Random) -> Iterator[str]:
    words = [word for sentence in sentences[:5000] for word in sentence.split()]
    before: list[str] = []
    while True:
        copied = before and draw.random() < 0.2
        found = (draw.choice(before) if copied else " ".join(draw.choices(sentences, k=length))).split()
        for _ in range(1 if copied else len(found) // 4):
            found[draw.randrange(len(found))] = draw.choice(words)
        text = " ".join(found)
        if not copied and len(before) < REMEMBERED:
            before.append(text)
        elif not copied:
            before[draw.randrange(REMEMBERED)] = text
        yield text


def _task_seconds() -> float:
    from curate.engine.ray import RayEngine

    engine = RayEngine(memory=10**9)
    list(engine.map(_same, range(20)))
    start = time.process_time()
    list(engine.map(_same, range(TASKS)))
    return (time.process_time() - start) / TASKS


def _same(item: int, _worker: Any) -> int:
    return item


if __name__ == "__main__":
    main()
