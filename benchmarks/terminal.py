"""When `curate run` says its first line on a terminal: wall seconds since the process began, and its CPU seconds then.

Usage: python -m benchmarks.terminal CORPUS [--times 9]

Beside it the same for a Python that prints and nothing else, one after the other in turns; the least and the median
of each. Linux and macOS.
"""

import argparse
import os
import pty
import signal
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

PYTHON = [sys.executable, "-c", "print('x', flush=True); import time; time.sleep(9)"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--times", type=int, default=9)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = [sys.executable, "-m", "curate", "run", str(asked.corpus), "-o", f"{folder}/out"]
        found: dict[str, list[tuple[float, float, str]]] = {"curate run": [], "python": []}
        for _ in range(asked.times):
            found["curate run"].append(first_line(run))
            found["python"].append(first_line(PYTHON))
    print("| | wall s, least | median | CPU s, least | median | says |\n| --- | ---: | ---: | ---: | ---: | --- |")
    for name, times in found.items():
        wall, cpu = ([one[at] for one in times] for at in (0, 1))
        figures = " | ".join(f"{number:.2f}" for number in (min(wall), median(wall), min(cpu), median(cpu)))
        print(f"| {name} | {figures} | {times[0][2]} |")


def first_line(command: list[str]) -> tuple[float, float, str]:
    """Wall and CPU seconds until the first bytes, and these."""
    began = time.monotonic()
    child, terminal = pty.fork()
    if not child:
        os.environ["TERM"] = "xterm"
        os.execv(command[0], command)
    said = os.read(terminal, 4096)
    wall, spent = time.monotonic() - began, psutil.Process(child).cpu_times()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(terminal)
    return wall, spent.user + spent.system, said.decode(errors="replace").strip()


if __name__ == "__main__":
    main()
