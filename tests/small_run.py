"""Runs over small corpora with stages that begin at once, and what is looked at afterwards."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from curate.cli.session import Session

SETTINGS = (
    'pipeline.stages=["normalize","near_dup","quality","tokenize"]',
    "input.part_bytes=9000",
    "shards.shard_tokens=9000",
    "tokenize.tokenizer=bytes",
    "gates.max_quarantined=1",
    "report.samples=0",
)
HOLD_TIMES = {"run.json", "report.json", "report.html", "history.jsonl"}


def run(corpus: Path, out: Path, *assignments: str, fresh: bool = False, skip: Sequence[str] = ()) -> int:
    session = Session([str(corpus)], str(out), assignments=[*SETTINGS, *assignments], skip=skip)
    return session.work(quiet=2, fresh=fresh)


def contents(out: Path) -> dict[str, str]:
    """Digest of every file but those that hold times."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file() and path.name not in HOLD_TIMES
    }


def manifest(out: Path) -> dict:
    return json.loads((out / "run.json").read_text())
