"""The whole job of the benchmarks on a Ray cluster of two nodes of one core: curate's engine and datatrove's executor.

Usage: python -m benchmarks.cluster_rivals CORPUS TOKENIZER [--jobs curate-ray datatrove-ray curate-2]

CORPUS is a folder that `python -m benchmarks run` made: ``jsonl/`` and ``parquet/``. `curate-2` is the same job without
a cluster, with two workers. Each job has a cluster of its own, which starts and ends with it; CPU seconds are those of
driver and workers, their start included, and apart from them those of Ray's own processes.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.jobs import HERE, Job, job
from benchmarks.measuring import measure
from benchmarks.two_nodes import DAEMONS


def main() -> None:
    """Run the jobs one after another and print a row of the table for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--jobs", nargs="+", default=["curate-ray", "datatrove-ray", "curate-2"])
    parser.add_argument("--recipe", default="fineweb-code")
    parser.add_argument("--timeout", type=float, default=3600)
    asked = parser.parse_args()
    print("| job | CPU s | of Ray besides | wall s | peak MB | kept | tokens | |\n|" + " ---: |" * 8)
    folder = Path(tempfile.mkdtemp(prefix="curate-bench-"))
    for name in asked.jobs:
        out, log = folder / name, folder / f"{name}.log"
        todo = on_cluster(name, asked.corpus, asked.tokenizer, out, asked.recipe)
        cost = measure(todo.command, log=log, cores=2, timeout=asked.timeout, env=todo.env, apart=DAEMONS)
        cells = f"{cost.cpu_seconds:.1f} | {cost.apart_seconds:.1f} | {cost.wall_seconds:.1f} | {cost.peak_mb:,.0f}"
        counts = todo.counts(out) if cost.status == "done" else {"kept": 0, "tokens": 0}
        status = "" if cost.status == "done" else f"{cost.status}: {log}"
        print(f"| {name} | {cells} | {counts['kept']:,} | {counts['tokens']:,} | {status} |", flush=True)
        shutil.rmtree(out, ignore_errors=True)


def on_cluster(name: str, corpus: Path, tokenizer: Path, out: Path, recipe: str) -> Job:
    """A job, beside two nodes where its name ends with `-ray`."""
    own = job("curate-2" if name.startswith("curate") else "datatrove", corpus, tokenizer, out, recipe)
    if own is None:
        sys.exit("python -m benchmarks rivals datatrove")
    if not name.endswith("-ray"):
        return own
    told = ["--engine", "ray"] if name.startswith("curate") else ["ray"]
    return own._replace(command=[own.command[0], str(HERE / "two_nodes.py"), *own.command, *told])


if __name__ == "__main__":
    main()
