"""Build the wheel, install it as users do, and run every stage and every recipe with nothing compiled yet.

    python scripts/smoke_installed.py [--jobs N] [--keep FOLDER]

A clone hides what users meet: files that are missing from the wheel, packages that only developers have, and what goes
wrong only while kernels are compiled for the first time. Every stage runs by itself with an empty kernel cache; the
recipes share another one, empty when they begin. Each must end with exit code 0, account for every document it read,
and keep some.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ("peps", "react", "powershell/concepts.jsonl", "novels/misread.jsonl", "damaged/lines.jsonl")
"""Of ``sample_data``: plain text, Markdown, JSON lines, mojibake and records that cannot be read."""
WORDS, TEST_SET, LINES, MODEL, CHAT = "words.txt", "test_set.jsonl", "domains.txt", "good.model", "chat.jinja"
CHAT_TEMPLATE = """{% for turn in messages %}<|im_start|>{{ turn.role }}
{{ turn.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
NEEDED = {
    "chat": {"tokenize.chat_template": CHAT},
    "url_filter": {"url_filter.domains": [LINES]},
    "toxicity": {"toxicity.words": [WORDS]},
    "decontaminate": {"decontaminate.benchmarks": [TEST_SET]},
    "classify": {"classify.model": MODEL, "classify.min_score": 0.01},
}
"""Settings without which a stage has nothing to work with."""


class Job(NamedTuple):
    """One run: its name, what it is asked beside the corpus, and its kernel cache."""

    name: str
    asked: tuple[str, ...]
    kernels: str


class Installed:
    """curate in a virtual environment of its own, started in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._python = folder / "venv" / "bin" / "python"
        self._curate = folder / "venv" / "bin" / "curate"
        wheels = folder / "wheels"
        called(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ROOT)
        venv.create(folder / "venv", with_pip=True)
        (self._wheel,) = wheels.glob("*.whl")
        called(self._python, "-m", "pip", "install", "--quiet", self._wheel)

    def add(self, extras: str) -> None:
        """Install what some stages and verbs need besides."""
        called(self._python, "-m", "pip", "install", "--quiet", f"{self._wheel}[{extras}]")

    def __call__(self, *words: object, kernels: str = "shared") -> str:
        """What a command prints on stdout."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "CURATE", "NUMBA"))}
        environment = {**own, "NUMBA_CACHE_DIR": str(self.folder / "kernels" / kernels)}
        return called(self._curate, *words, cwd=self.folder, env=environment)

    def refused(self, *words: object) -> str:
        """The hint of a command that needs an extra; ends everything where it does not end with exit code 2."""
        done = subprocess.run(
            [self._curate, *map(str, words)], cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 2 or "curate-corpus[redact]" not in done.stderr:
            sys.exit(f"exit code {done.returncode}, not 2 with the extra: {words}\n{done.stderr[-4000:]}")
        return done.stderr.strip().replace("\n", " ")

    def run(self, job: Job) -> str:
        """One run over the corpus; a line about it."""
        started, out = time.monotonic(), Path("out") / job.name
        self("run", "corpus", "-o", out, "-q", "--set", "gates.max_quarantined=1", *job.asked, kernels=job.kernels)
        counts = json.loads((self.folder / out / "run.json").read_text("utf-8"))["counts"]
        removed = sum(stage["documents"] for stage in counts["removed"].values())
        if counts["read"] != counts["kept"] + removed + counts["quarantined"] or not counts["kept"]:
            sys.exit(f"{job.name}: {counts}")
        return (
            f"{job.name:<24} {time.monotonic() - started:5.1f} s  {counts['read']} read, {counts['kept']} kept,"
            f" {removed} removed, {counts['quarantined']} quarantined"
        )


def called(*words: object, **how: object) -> str:
    """Run a program; what it printed on stdout. Any other exit code than 0 ends everything."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, **how)  # type: ignore[call-overload]
    if done.returncode:
        sys.exit(f"exit code {done.returncode}: {' '.join(map(str, words))}\n{done.stderr[-4000:]}")
    return str(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at the same time")
    parser.add_argument("--keep", type=Path, help="work in this folder, which must not exist, and leave it")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="curate-smoke-"))
    folder.mkdir(parents=True, exist_ok=not given.keep)
    try:
        smoke(folder.resolve(), given.jobs)
    finally:
        if not given.keep:
            shutil.rmtree(folder)


def smoke(folder: Path, jobs: int) -> None:
    started = time.monotonic()
    write_inputs(folder)
    curate = Installed(folder)
    said(f"installed: {time.monotonic() - started:.0f} s")
    said(curate.run(Job("fineweb-code", ("--recipe", "fineweb-code"), "shared")) + ", without extras")
    said(curate.refused("run", "corpus", "-o", "out/refused", *asked("redact")))
    curate.add("redact,train")
    curate("quality", "train", "--good", "corpus/peps", "--bad", "corpus/powershell", "-o", MODEL)
    stages = [stage["name"] for stage in json.loads(curate("stages", "--json"))]
    recipes = [recipe["name"] for recipe in json.loads(curate("recipes", "list", "--json"))]
    runs = [Job(stage, asked(stage), stage) for stage in stages]
    runs += [Job(name, with_recipe(name), "shared") for name in recipes if name != "fineweb-code"]
    with ThreadPoolExecutor(jobs) as pool:
        for line in pool.map(curate.run, runs):
            said(line)
    for words in (("doctor",), ("shards", "verify", f"out/{recipes[0]}"), ("report", f"out/{recipes[0]}")):
        curate(*words)
        said(f"curate {' '.join(words)}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = f"{time.monotonic() - started:.0f} s, {used.ru_utime + used.ru_stime:.0f} CPU seconds"
    said(f"{len(stages)} stages, {len(recipes)} recipes: {seconds}")


def asked(stage: str) -> tuple[str, ...]:
    """Flags that run one stage."""
    settings = {"pipeline.stages": [stage], **NEEDED.get(stage, {})}
    return tuple(word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}"))


def with_recipe(name: str) -> tuple[str, ...]:
    """Flags that run a recipe."""
    return "--recipe", name, *(("--set", f"tokenize.chat_template={CHAT}") if name == "sft" else ())


def write_inputs(folder: Path) -> None:
    for name in CORPUS:
        source, target = ROOT / "sample_data" / name, folder / "corpus" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy: Callable[[Path, Path], object] = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, target)
    pages = [{"text": f"A page about the river {n}.", "metadata": {"url": f"https://a{n}.example/"}} for n in range(20)]
    (folder / "corpus" / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages), "utf-8")
    (folder / WORDS).write_text("darn\nheck\n", "utf-8")
    (folder / LINES).write_text("a3.example\n", "utf-8")
    (folder / CHAT).write_text(CHAT_TEMPLATE, "utf-8")
    shutil.copyfile(ROOT / "tests" / "cases" / "benchmarks" / "sums.jsonl", folder / TEST_SET)


def said(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
