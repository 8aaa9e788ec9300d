"""Runs that are killed when they write, rename or remove a file, each in a process forked before there are threads.

usage: killed_run.py WORK EVERY     prints one JSON line for each run that ends otherwise than an undisturbed one
"""

import hashlib
import importlib
import itertools
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from corpus_maker import make_corpus, prose
from curate.cli.session import Session
from curate.pipeline.first_compile import compile_stages
from curate.report.html import page
from curate.stages.near_dup import NearDup
from curate.stages.normalize import Normalize, NormalizeSettings
from curate.stages.quality import Quality, QualitySettings

SETTINGS = [
    'pipeline.stages=["normalize","near_dup","quality","tokenize"]',
    "input.part_bytes=9000",
    "shards.shard_tokens=9000",
    "tokenize.tokenizer=bytes",
    "gates.max_quarantined=1",
    "report.samples=0",
]
MAY_DIFFER = {"run.json", "report.json", "report.html", "history.jsonl"}  # they hold times


def run(corpus: Path, out: Path, kill_at: int | None = None) -> int:
    """Exit code of a run, or minus the signal that ended it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    if kill_at is not None:
        _kill_at(kill_at)
    try:
        code = Session([str(corpus)], str(out), assignments=SETTINGS, flags={"run.workers": 1}).work(quiet=2)
    except BaseException:  # noqa: BLE001
        code = 99
    os._exit(code)


def _kill_at(number: int) -> None:
    """Die before event ``number`` of those that change what a folder holds."""
    events = itertools.count()

    def deadly(real):
        def method(self, *args, **named):
            if next(events) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(self, *args, **named)

        return method

    for name in ("replace", "unlink", "rmdir", "mkdir"):
        setattr(Path, name, deadly(getattr(Path, name)))


def contents(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file() and path.name not in MAY_DIFFER
    }


def main() -> None:
    work, every = Path(sys.argv[1]), int(sys.argv[2])
    load()
    corpus = make_corpus(work / "in", documents=40)
    assert run(corpus, work / "before") == 0
    (corpus / "A.jsonl").write_text(json.dumps({"text": prose(77)}) + "\n{broken\n")
    (corpus / "sub" / "030.txt").write_text(prose(78))
    (corpus / "b.jsonl.gz").unlink()
    assert run(corpus, work / "fresh") == 0
    want, counts = contents(work / "fresh"), _counts(work / "fresh")
    kills = 0
    for begun in ("before", "nothing"):
        for number in itertools.count(0 if begun == "before" else every // 2, every):
            out = work / "out"
            shutil.rmtree(out, ignore_errors=True)
            if begun == "before":
                shutil.copytree(work / "before", out)
            if run(corpus, out, number) != -signal.SIGKILL:
                break
            kills += 1
            code = run(corpus, out)
            have = contents(out)
            differ = sorted(name for name in want.keys() | have.keys() if want.get(name) != have.get(name))
            if code or differ or _counts(out) != counts:
                say(begun=begun, killed_at=number, code=code, differ=differ)
    say(kills=kills)


def load() -> None:
    """What each fork would load for itself; starts no thread."""
    compile_stages([Normalize(NormalizeSettings()), Quality(QualitySettings()), NearDup()])
    for module in ("pipeline.execute", "pipeline.sharding", "report.model", "runs.job"):
        importlib.import_module(f"curate.{module}")
    page._template()


def say(**found: object) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def _counts(out: Path) -> dict:
    return json.loads((out / "run.json").read_text())["counts"]


if __name__ == "__main__":
    main()
