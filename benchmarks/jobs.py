"""What is measured: curate, the floors and the rivals, each a command over one corpus that leaves counts behind."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from benchmarks import environments

HERE = Path(__file__).parent
KINDS = {
    "curate": "whole job",
    "curate-2": "whole job, 2 workers",
    "curate-near-dup": "near-duplicates alone",
    "floor": "decompress, parse, encode everything, write ids",
    "floor-read": "decompress, parse, write texts",
    "datatrove": "whole job",
    "dolma": "taggers, exact duplicates, tokens; no language, no near-duplicates",
    "data-juicer": "language, filters, near-duplicates; no tokens",
    "daft": "near-duplicates alone, from Parquet",
    "rensa": "near-duplicates alone",
    "datasketch": "near-duplicates alone",
    "text-dedup": "near-duplicates alone, from Parquet",
    "datatrove-near-dup": "near-duplicates alone",
}
RIVALS = ("datatrove", "dolma", "data-juicer", "daft", "rensa")
NEAR_DUP_RIVALS = ("datasketch", "rensa", "daft", "text-dedup", "datatrove-near-dup")
"""Compared by what they remove as well: see `benchmarks.near_dup_rivals`."""
OURS = ("curate", "curate-2", "curate-near-dup", "floor", "floor-read")
RIVAL_OF = dict.fromkeys(("datatrove", "dolma", "data-juicer"), "curate") | dict.fromkeys(
    ("daft", "rensa"), "curate-near-dup"
)
"""The job of ours that a rival is compared with."""


class Job(NamedTuple):
    """A command, the cores it may use, and how to read its counts (read, kept, tokens, …) from its output folder."""

    command: list[str]
    cores: int
    counts: Callable[[Path], dict[str, Any]]
    env: Mapping[str, str] = MappingProxyType({})


def job(name: str, corpus: Path, tokenizer: Path, out: Path, recipe: str) -> Job | None:
    """The job over one size of the corpus; None where its environment is not installed."""
    if name.startswith("curate"):
        return _curate(name, corpus, tokenizer, out, recipe)
    environment = {"floor-read": "floor", "datatrove-near-dup": "datatrove"}.get(name, name)
    python = environments.python(environment)
    if python is None:
        return None
    form = "parquet" if name in ("daft", "text-dedup") else "jsonl"
    rest = [str(corpus / form), str(out), str(tokenizer)]
    if environment == "floor":
        words = [str(HERE / "floor.py"), "read" if name == "floor-read" else "encode", *rest]
    else:
        words = [str(HERE / "rivals" / f"{name.replace('-', '_')}_job.py"), *rest]
    # A library that starts a thread for each core it sees would fight itself on the one it may use.
    threads = dict.fromkeys(("RAYON_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    return Job([str(python), *words], 1, _read_counts, threads)


def _curate(name: str, corpus: Path, tokenizer: Path, out: Path, recipe: str) -> Job:
    workers = 2 if name == "curate-2" else 1
    settings = {
        "language.keep": '["en"]',
        "pipeline.recipe": recipe,
        "pipeline.stages": '["normalize", "language", "quality", "near_dup", "tokenize"]',
        "tokenize.tokenizer": str(tokenizer),
        "near_dup.similarity": "0.8",
        "near_dup.shingle_words": "5",
        "near_dup.bands": "14",
        "near_dup.rows": "8",
        "gates.max_quarantined": "1",
    }
    words = ["-m", "curate", "run", str(corpus / "jsonl"), "-o", str(out), "-qq", "--workers", str(workers)]
    for key, value in settings.items():
        words += ["--set", f"{key}={value}"]
    if name == "curate-near-dup":
        words += ["--only", "near_dup"]
    # As pip leaves an installation: the warm-up keeps the modules' bytecode, wherever that may be switched off.
    return Job([sys.executable, *words], workers, _read_manifest, {"PYTHONDONTWRITEBYTECODE": ""})


def _read_counts(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "counts.json").read_text()))


def _read_manifest(out: Path) -> dict[str, Any]:
    manifest = json.loads((out / "run.json").read_text())
    removed = {stage: found["documents"] for stage, found in manifest["counts"]["removed"].items()}
    stages = {name: [found["seconds"], found["bytes"]] for name, found in manifest["timings"]["stages"].items()}
    counts = {"read": manifest["counts"]["read"], "kept": manifest["counts"]["kept"]}
    tokens = (manifest.get("tokens") or {}).get("kept")
    return {**counts, "tokens": tokens, "removed": removed, "stages": stages, "steps": manifest["timings"]["steps"]}
