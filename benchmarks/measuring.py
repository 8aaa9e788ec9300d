"""Run a command and measure it with every process it starts: CPU seconds, wall seconds, peak memory."""

import os
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

INTERVAL = 0.02  # seconds between two looks at the memory
MARK = "CURATE_BENCH_MARK"


class Measured(NamedTuple):
    """What a command cost; memory is resident memory summed over its processes (pages shared by two count twice)."""

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    status: str  # "done", "failed" or "timeout"
    apart_seconds: float = 0.0  # CPU seconds of processes that are counted apart


def measure(
    command: Sequence[str],
    *,
    log: Path,
    cores: int = 1,
    timeout: float = 3600,
    env: Mapping[str, str] | None = None,
    apart: re.Pattern[str] | None = None,
) -> Measured:
    """Run ``command`` on the first ``cores`` cores, its output in ``log``.

    With ``apart``, what its processes take is added up one by one, and of those whose command line it finds, apart.
    """
    mark = uuid.uuid4().hex
    tree = _Tree(mark)
    started, status = time.monotonic(), ""
    with log.open("ab") as output:
        allowed = sorted(os.sched_getaffinity(0))[:cores]
        process = subprocess.Popen(
            command,
            env={**os.environ, **(env or {}), MARK: mark},
            stdout=output,
            stderr=output,
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        )
        while True:
            # wait4 gives this child's own tree, as far as parents waited for their children; what they did not
            # wait for (daemons) is in the samples.
            done, code, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            tree.look(process.pid)
            if time.monotonic() - started > timeout and not status:
                status = "timeout"
                tree.kill()
            time.sleep(INTERVAL)
    wall = time.monotonic() - started
    tree.kill()
    process.returncode = os.waitstatus_to_exitcode(code)
    if apart:
        own, others = tree.cpu_by(apart)
        return Measured(own, wall, tree.peak / 1e6, status or ("failed" if code else "done"), others)
    cpu = max(usage.ru_utime + usage.ru_stime, tree.cpu_seconds)
    # Not ru_maxrss: it starts at what this process held when it forked.
    return Measured(cpu, wall, tree.peak / 1e6, status or ("failed" if code else "done"))


class _Tree:
    """The processes that carry a mark in their environment, whoever their parent is by now."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._known: dict[int, psutil.Process | None] = {}
        self._cpu: dict[int, float] = {}
        self._commands: dict[int, str] = {}
        self.peak = 0

    @property
    def cpu_seconds(self) -> float:
        return sum(self._cpu.values())

    def cpu_by(self, apart: re.Pattern[str]) -> tuple[float, float]:
        """CPU seconds of processes whose command line has none of it, and of the others."""
        others = sum(cpu for pid, cpu in self._cpu.items() if apart.search(self._commands.get(pid, "")))
        return self.cpu_seconds - others, others

    def look(self, root: int) -> None:
        resident = 0
        pids = psutil.pids()
        self._known = {pid: self._known[pid] if pid in self._known else self._own(pid, root) for pid in pids}
        for pid, process in self._known.items():
            if process is None:
                continue
            try:
                times = process.cpu_times()
                self._cpu[pid] = times.user + times.system
                resident += process.memory_info().rss
                if pid not in self._commands:
                    self._commands[pid] = " ".join(process.cmdline())
            except psutil.Error:
                continue
        self.peak = max(self.peak, resident)

    def _own(self, pid: int, root: int) -> psutil.Process | None:
        try:
            process = psutil.Process(pid)
            # Between fork and exec the root still has the environment of this process.
            return process if pid == root or process.environ().get(MARK) == self._mark else None
        except (psutil.Error, OSError):
            return None

    def kill(self) -> None:
        for process in self._known.values():
            if process is not None:
                try:
                    process.send_signal(signal.SIGKILL)
                except psutil.Error:
                    continue
