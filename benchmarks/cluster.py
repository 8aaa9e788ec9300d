"""What a run on a Ray cluster takes as documents grow, beside the same run on this machine.

Usage: python -m benchmarks.cluster FILE [--documents 100000 1000000] [--sentences 5] [--options '--skip quality']

The cluster is two raylets of one core on this machine; the local engine has two workers; they run in turns, and must
write the same bytes. Documents are made of sentences of FILE, a Parquet file with the columns ``text`` and ``lang``:
about 100 characters each, a quarter of the words exchanged; a fifth are copies of one before with one word exchanged.
CPU time is that of driver and workers, their start included, and apart from it that of Ray's own processes. The last
line is what the driver takes for a task that does nothing.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.measuring import Measured, measure
from benchmarks.two_nodes import DAEMONS

NODES = Path(__file__).with_name("two_nodes.py")
TASKS = 1000
REMEMBERED = 20_000
ENGINES = ("ray", "local")
OF_THE_RUN = ("run.json", "report.json", "report.html", "history.jsonl")


def main() -> None:
    """Make documents, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "cluster")
    parser.add_argument("--sentences", type=int, default=5)
    parser.add_argument("--file-documents", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=1, help="of each; the one with the least CPU time counts")
    parser.add_argument("--options", default="", type=shlex.split, help="of curate run, in one word")
    asked = parser.parse_args()
    print("| documents | engine | driver, MB | CPU µs a document | of Ray besides | wall s | sent, bytes a document |")
    print("| ---: | --- |" + " ---: |" * 5)
    for number in asked.documents:
        corpus = asked.folder / f"in-{number}"
        if not corpus.exists():
            _write(asked.file, number, corpus, asked.sentences, asked.file_documents)
        found: dict[str, list[Measured]] = {engine: [] for engine in ENGINES}
        for _ in range(asked.runs):
            for engine in ENGINES:
                found[engine].append(_run(engine, corpus, asked.folder / f"out-{engine}", asked.options))
        for engine in ENGINES:
            cost = min(found[engine])
            run = json.loads((asked.folder / f"out-{engine}" / "run.json").read_text())
            sent = sum(node["sent_bytes"] for node in run["profile"].get("nodes", ()))
            each = 1e6 / number
            figures = run["timings"]["peak_rss_bytes"] / 1e6, cost.cpu_seconds * each, cost.apart_seconds * each
            cells = " | ".join(f"{figure:.1f}" for figure in (*figures, cost.wall_seconds, sent / number))
            print(f"| {number:,} | {engine} | {cells} |", flush=True)
        if len({_content(asked.folder / f"out-{engine}") for engine in ENGINES}) > 1:
            sys.exit("the engines wrote different bytes")
    print(f"{_task_seconds() * 1e3:.2f} ms of the driver for a task")


def _run(engine: str, corpus: Path, out: Path, options: list[str]) -> Measured:
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "curate", "run", str(corpus), "-o", str(out), "--engine", engine, "-q", *options]
    beside = [sys.executable, str(NODES)] if engine == "ray" else ["--workers", "2"]
    command = [*beside, *command] if engine == "ray" else [*command, *beside]
    cost = measure(command, log=out.with_suffix(".log"), cores=2, apart=DAEMONS)
    if cost.status != "done":
        sys.exit(f"{engine}: {cost.status}: {out.with_suffix('.log')}")
    return cost


def _content(out: Path) -> str:
    """Of all files that must not depend on the engine."""
    files = [file for file in sorted(out.rglob("*")) if file.is_file() and ".cache" not in file.parts]
    digest = hashlib.sha256()
    for file in files:
        if file.name not in OF_THE_RUN:
            digest.update(str(file.relative_to(out)).encode() + file.read_bytes())
    return digest.hexdigest()


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

    os.environ |= {"RAY_ADDRESS": "local", "RAY_USAGE_STATS_ENABLED": "0"}
    engine = RayEngine(memory=10**9)
    list(engine.map(_same, range(20)))
    start = time.process_time()
    list(engine.map(_same, range(TASKS)))
    return (time.process_time() - start) / TASKS


def _same(item: int, _worker: Any) -> int:
    return item


if __name__ == "__main__":
    main()
