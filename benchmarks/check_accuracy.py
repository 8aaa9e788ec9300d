"""Compare what `curate check` estimates with a run over the same corpus, in one table.

    python -m benchmarks.check_accuracy CORPUS… [--set input.text=html]

Each corpus is checked, and curated with the same settings. A cell has the estimate and its error (?: only one piece was
tried, so there is no error), and in bold the run's number. Kept means before near-duplicates are removed. Tokens of the
run are those of kept documents, divided by the share of documents kept. CPU seconds of the run are those of all its
processes, with their start; disk is the whole run directory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

import curate
from benchmarks.measuring import measure
from curate.runs.finished import read_manifest

CURATE = (sys.executable, "-m", "curate")


class Outcome(NamedTuple):
    """What a run came to."""

    documents: int
    kept: float
    copies: float
    tokens: int
    unique: float
    seconds: float
    disk: int


def foretold(corpus: Path, settings: list[str]) -> dict[str, Any]:
    done = subprocess.run([*CURATE, "check", str(corpus), "--json", *settings], capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{corpus}: {done.stderr.decode().strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def outcome(corpus: Path, settings: list[str], out: Path) -> Outcome:
    cost = measure([*CURATE, "run", str(corpus), "-o", str(out), *settings], log=out.with_suffix(".log"), cores=2)
    counts = read_manifest(out).counts
    before = counts.kept + counts.removed_by.get("near_dup", 0)
    texts = pl.scan_parquet(out / "documents" / "*.parquet").select(pl.col("text").hash())
    copies = 1 - texts.collect().n_unique() / max(1, counts.read)
    tokens = curate.open(out).tokens.kept or 0
    disk = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    share = counts.kept / max(1, before)
    return Outcome(
        counts.read - counts.quarantined, before / max(1, counts.read), copies, tokens, share, cost.cpu_seconds, disk
    )


def row(corpus: Path, told: dict[str, Any], run: Outcome) -> str:
    trial = told["trial"]

    def cell(estimate: dict[str, Any], actual: float, shown: str, scale: float = 1) -> str:
        error = "?" if estimate["error"] is None else f"{estimate['error'] * scale:{shown}}"
        return f"{estimate['value'] * scale:{shown}} ± {error} · **{actual * scale:{shown}}**"

    share = f"{trial['text_bytes'] / max(1, trial['all_text_bytes']['value']):.0%}"
    cells = [
        f"{corpus.name} ({share.replace('%', ' %')})",
        cell(trial["all_documents"], run.documents, ",.0f"),
        cell(trial["kept"], run.kept, ".1f", 100),
        cell(trial["exact_copies"], run.copies, ".1f", 100),
        cell(trial["all_tokens"], run.tokens / max(1e-9, run.unique), ",.2f", 1e-6),
        cell(told["cpu_seconds"], run.seconds, ".1f"),
        cell(told["disk_bytes"], run.disk, ",.1f", 1e-6),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path, nargs="+")
    parser.add_argument("--set", action="append", default=[])
    asked = parser.parse_args()
    settings = [word for one in asked.set for word in ("--set", one)]
    print("| corpus (share tried) | documents | kept, % | copies, % | million tokens | CPU s | MB of disk |")
    print("| --- " + "| ---: " * 6 + "|")
    for corpus in asked.corpora:
        with tempfile.TemporaryDirectory() as name:
            told = foretold(corpus, settings)
            print(row(corpus, told, outcome(corpus, settings, Path(name) / "out")), flush=True)


if __name__ == "__main__":
    main()
