"""How a run spreads over cores: ``python -m benchmarks.scaling CORPUS... --layouts 1x1,1x2,2x1``.

A clock says little on a machine that others use, so none is read. Every 20 ms the threads of all processes of a run are
looked at: those that run or would run if a core were free are *runnable*. CPU seconds spent while only one is runnable
are the seconds in which only one core can be busy, whoever else is at work here; with *k* runnable, n cores take those
seconds in 1/min(k, n) of the time. Layouts (processes x threads) take turns.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

INTERVAL = 0.02
MEMORY_EVERY = 10
TICKS = os.sysconf("SC_CLK_TCK")
STEPS = ("start", "pass 1", "near_dup", "pass 2", "shards", "report")


class Run(NamedTuple):
    """CPU seconds by step and number of runnable threads, and the peak of memory."""

    seconds: dict[str, dict[int, float]]
    peak_mb: float

    def cpu(self, step: str = "") -> float:
        return sum(sum(found.values()) for name, found in self.seconds.items() if step in ("", name))

    def serial(self, step: str = "") -> float:
        """CPU seconds while no second thread could run."""
        return sum(found.get(1, 0.0) for name, found in self.seconds.items() if step in ("", name))

    def wall(self, cores: int, step: str = "") -> float:
        """Seconds that so many idle cores would take."""
        wanted = [found for name, found in self.seconds.items() if step in ("", name)]
        return sum(spent / min(k, cores) for found in wanted for k, spent in found.items())


def main() -> None:
    options = parser().parse_args()
    if options.child:
        child(options)
        return
    found: dict[str, list[Run]] = defaultdict(list)
    for _ in range(options.runs):
        for layout in options.layouts.split(","):
            one = measured(layout, options)
            found[layout].append(one)
            print(
                f"{layout}: {one.cpu():.1f} CPU s, {one.serial():.1f} of them alone, peak {one.peak_mb:.0f} MB",
                flush=True,
            )
    print(table({layout: min(runs, key=Run.cpu) for layout, runs in found.items()}))


def table(runs: dict[str, Run]) -> str:
    """What was found, as Markdown."""
    lines = ["| processes x threads | step | CPU s | of them with one thread runnable |", "| --- | --- | ---: | ---: |"]
    for layout, run in runs.items():
        lines += [f"| {layout} | {step} | {run.cpu(step):.2f} | {run.serial(step):.2f} |" for step in STEPS]
        lines.append(f"| {layout} | all | {run.cpu():.2f} | {run.serial():.2f} |")
    lines += [
        "",
        "| processes x threads | peak MB | seconds on as many idle cores | in pass 1 |",
        "| --- | ---: | ---: | ---: |",
    ]
    for layout, run in runs.items():
        cores = math.prod(map(int, layout.split("x")))
        lines.append(f"| {layout} | {run.peak_mb:.0f} | {run.wall(cores):.2f} | {run.wall(cores, 'pass 1'):.2f} |")
    return "\n".join(lines)


def measured(layout: str, options: argparse.Namespace) -> Run:
    """One run, looked at while it works."""
    out = Path(tempfile.mkdtemp(prefix="curate-scaling-"))
    words = [sys.executable, "-m", "benchmarks.scaling", *options.corpus, "--child", str(out), "--layouts", layout]
    for setting in options.set:
        words += ["--set", setting]
    if options.recipe:
        words += ["--recipe", options.recipe]
    process = subprocess.Popen(words)
    tree, seconds, peak, looks = (
        _Tree(process.pid),
        defaultdict[str, dict[int, float]](lambda: defaultdict(float)),
        0.0,
        0,
    )
    step = STEPS[0]
    while process.poll() is None:
        with suppress(OSError):
            step = (out / "step").read_text() or step
        runnable, spent = tree.look()
        seconds[step][max(1, runnable)] += spent
        if looks % MEMORY_EVERY == 0:
            peak = max(peak, tree.memory())
        looks += 1
        time.sleep(INTERVAL)
    shutil.rmtree(out)
    if process.returncode:
        raise SystemExit(process.returncode)
    return Run({name: dict(found) for name, found in seconds.items()}, peak / 1e6)


def child(options: argparse.Namespace) -> None:
    """The run itself; says in a file which step it is at."""
    import gc

    import curate
    from curate.__main__ import YOUNG_OBJECTS
    from curate.events import PassFinished, PassStarted, Working

    gc.set_threshold(YOUNG_OBJECTS)
    out = Path(options.child)

    def hear(event: object) -> None:
        step = ""
        if isinstance(event, PassStarted):
            step = f"pass {event.number}"
        elif isinstance(event, PassFinished):
            step = "near_dup" if event.number == 1 else "shards"
        elif isinstance(event, Working) and "report" in event.what:
            step = "report"
        if step:
            (out / "step").write_text(step)

    processes, threads = map(int, options.layouts.split("x"))
    sections: dict[str, Any] = {"run": {"workers": processes * threads, "processes": processes}}
    for setting in options.set:
        name, _, value = setting.partition("=")
        section, _, key = name.partition(".")
        with suppress(ValueError):
            value = json.loads(value)
        sections.setdefault(section, {})[key] = value
    curate.run(options.corpus, out / "run", recipe=options.recipe, on_event=hear, **sections)
    os._exit(0)  # as the command does: freeing every object would count as part of the report


class _Tree:
    """A process and those that it started."""

    def __init__(self, root: int) -> None:
        self._root, self._spent = root, dict[int, float]()

    def look(self) -> tuple[int, float]:
        """Threads that could run now, and CPU seconds that all processes spent since the last look."""
        runnable, spent = 0, 0.0
        for pid in self._pids():
            with suppress(OSError, ValueError, IndexError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    runnable += _fields(task / "stat")[0] == "R"
                fields = _fields(Path(f"/proc/{pid}/stat"))
                now = (int(fields[11]) + int(fields[12])) / TICKS
                spent += now - self._spent.get(pid, 0.0)
                self._spent[pid] = now
        return runnable, spent

    def memory(self) -> float:
        """Bytes, pages that several processes share counted once."""
        total = 0
        for pid in self._pids():
            with suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += 1024 * int(line.split()[1])
        return total

    def _pids(self) -> list[int]:
        found, left = [], [self._root]
        while left:
            pid = left.pop()
            found.append(pid)
            with suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    left += map(int, (task / "children").read_text().split())
        return found


def _fields(path: Path) -> list[str]:
    """Fields of a ``stat`` file from the state on."""
    return path.read_text().rpartition(")")[2].split()


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("corpus", nargs="+")
    made.add_argument("--layouts", default="1x1,1x2,2x1", help="processes x threads, several by commas")
    made.add_argument("--runs", type=int, default=1)
    made.add_argument("--recipe")
    made.add_argument("--set", action="append", default=[], metavar="section.key=value")
    made.add_argument("--child", help=argparse.SUPPRESS)
    return made


if __name__ == "__main__":
    main()
