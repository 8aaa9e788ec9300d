"""python -m benchmarks rivals|run|check: see README.md here."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import chart, corpus, environments, table
from benchmarks.jobs import OURS, RIVALS, job
from benchmarks.measuring import measure
from benchmarks.results import Results, worse

HERE = Path(__file__).parent
RESULTS = HERE / "results"
WARM_UP_MB = 10
"""The run outside the figures is no larger, however large the measured ones are."""
PAGES = (HERE / "README.md", HERE.parent / "README.md")


def main() -> int:
    options = parser().parse_args()
    if options.verb == "rivals":
        return 1 if environments.install(options.names) else 0
    if options.verb == "run":
        run(options)
        return 0
    return check(options)


def run(options: argparse.Namespace) -> Results:
    """Measure what is not measured yet, smallest first, then write the result file, the table and the chart."""
    sizes = options.mb + ([1000, 10_000] if options.big else [])
    folder = Path(os.environ.get("CURATE_BENCH_DATA", HERE / ".corpora")) / options.name
    documents = corpus.read(options.corpus)
    made_from = corpus.fingerprint(documents)
    # Refuses a result file about another corpus before gigabytes are written.
    results = Results(options.out or RESULTS / f"{options.name}.json", about(options, made_from))
    warm_up = min([*sizes, WARM_UP_MB])
    corpus.make(documents, folder, [warm_up, *sizes])
    results.forget(set(options.fresh), sizes)
    scratch = Path(tempfile.mkdtemp(prefix="curate-bench-", dir=folder))
    warmed = False
    for name, size, turn in planned(options, sizes):
        if results.has(name, size, turn):
            continue
        if name.startswith("curate") and not warmed:
            # Compiles kernels and fills the page cache, outside the figures.
            once("curate", folder, warm_up, scratch, options)
            warmed = True
        found = {"job": name, "size": size, "run": turn, **once(name, folder, size, scratch, options)}
        results.add(found)
        print(line(found), flush=True)
    shutil.rmtree(scratch)
    results.write()
    publish(results, options.name)
    return results


def planned(options: argparse.Namespace, sizes: list[int]) -> list[tuple[str, int, int]]:
    """Job, size and turn; jobs take turns, so that a disturbance does not hit all runs of one."""
    plan = []
    for size in sizes:
        for turn in range(max(options.runs, options.rival_runs)):
            plan += [(name, size, turn) for name in OURS if turn < (options.runs if size < 1000 else 1)]
            if size in options.rival_mb and turn < options.rival_runs:
                plan += [(name, size, turn) for name in RIVALS]
    wanted = set(options.only or (*OURS, *RIVALS))
    return [one for one in plan if one[0] in wanted]


def once(name: str, folder: Path, size: int, scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run one job into an empty folder.

    Returns:
        Its figures and counts; only a ``status`` where it did not finish.
    """
    out, log = scratch / "out", scratch / f"{name}-{size}.log"
    shutil.rmtree(out, ignore_errors=True)
    todo = job(name, folder / f"s{size}", folder / "tokenizer.json", out, options.recipe)
    if todo is None:
        return {"status": "not installed"}
    measured = measure(todo.command, log=log, cores=todo.cores, timeout=options.timeout, env=todo.env)
    text_mb = json.loads((folder / f"s{size}" / "done.json").read_text())["text_mb"]
    found = {**measured._asdict(), "text_mb": text_mb}
    if measured.status != "done":
        sys.stderr.write(f"{name} at {size} MB: {measured.status}\n{log.read_text(errors='replace')[-2000:]}\n")
        return found
    return {**found, **todo.counts(out)}


def line(found: dict[str, Any]) -> str:
    if "cpu_seconds" not in found:
        return f"{found['job']:16} {found['size']:6} MB  {found['status']}"
    return (
        f"{found['job']:16} {found['size']:6} MB  {found['status']:8} cpu {found['cpu_seconds']:8.2f} s  "
        f"wall {found['wall_seconds']:8.2f} s  peak {found['peak_mb']:7.0f} MB  "
        f"{found['text_mb'] / found['cpu_seconds']:7.2f} MB/CPU-s  kept {found.get('kept', '-')}"
    )


def about(options: argparse.Namespace, made_from: str) -> dict[str, Any]:
    from curate import __version__
    from curate.store.manifest import machine

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    return {
        "corpus": made_from,
        "date": datetime.now(UTC).date().isoformat(),
        "version": f"{__version__} ({commit.stdout.strip() or 'no commit'})",
        "recipe": options.recipe,
        "machine": machine(),
    }


def publish(results: Results, name: str) -> None:
    """The table and the chart beside the result file, and in the pages that have markers of that name."""
    text = table.markdown(results.content)
    results.path.with_suffix(".md").write_text(text)
    picture = results.path.with_suffix(".svg")
    chart.draw(results.content, picture)
    for page in PAGES:
        page.write_text(table.placed(page.read_text(), name, text))


def check(options: argparse.Namespace) -> int:
    """Measure anew at small sizes and compare the ratios with the committed ones."""
    last = RESULTS / f"{options.name}.json"
    with tempfile.TemporaryDirectory() as folder:
        options.out = last if options.update else Path(folder) / last.name
        if options.update:
            last.unlink(missing_ok=True)
        new = run(options).content["ratios"]
    if options.update:
        return 0
    old = json.loads(last.read_text())["ratios"]
    for name in new:
        print(f"{name:44} {old.get(name, float('nan')):8.3f} → {new[name]:8.3f}")
    found = worse(new, old, options.tolerance)
    print("\n".join(found) or f"no ratio is more than {options.tolerance:.0%} worse")
    return 1 if found else 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    rivals = verbs.add_parser("rivals", help="install the rivals, each in an environment of its own")
    rivals.add_argument("names", nargs="*")
    for verb, name, mb, rival_mb in (("run", "benchmark", "10,40,160", "10,40"), ("check", "check", "10,40", "")):
        one = verbs.add_parser(verb)
        one.add_argument("corpus", type=Path, nargs="?", default=HERE.parent / "sample_data")
        one.add_argument("--name", default=name, help="of the result file")
        one.add_argument("--mb", type=numbers, default=numbers(mb), help="sizes, in 10^6 bytes of text")
        one.add_argument("--rival-mb", type=numbers, default=numbers(rival_mb), help="sizes that rivals run at")
        one.add_argument("--runs", type=int, default=3)
        one.add_argument("--rival-runs", type=int, default=1)
        one.add_argument("--only", type=names, help="jobs to measure")
        one.add_argument("--fresh", type=names, default=[], help="jobs to measure again at these sizes; all for all")
        one.add_argument("--timeout", type=float, default=1800, help="seconds for one run of one job")
        one.add_argument("--recipe", default="gopher")
        one.add_argument("--big", action="store_true", help="also 1 and 10 GB, curate and floors only, once")
        one.add_argument("--tolerance", type=float, default=0.15)
        one.add_argument("--update", action="store_true", help="check: make this the result to compare with")
        one.set_defaults(out=None)
    return top


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",") if word]


def names(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


if __name__ == "__main__":
    sys.exit(main())
