"""Child processes: another Python that runs a function of curate and nothing of the current folder.

``python -c`` and ``python -m`` look for every module in the current folder first, and that is often a corpus: a
``json.py`` there would be run. So a child is Python in isolated mode (``-I``: neither current folder nor ``PYTHON*``
variables nor user site) that runs ``process/child_main.py`` by its path. It receives the search path for modules: the
absolute entries of this process's own search path, without the current folder
(``docs/decisions/0022-no-code-from-the-current-folder.md``).
"""

import subprocess
import sys
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import IO

from curate.process.search_path import search_path

_HOME = Path(__file__).resolve().parent


def start_child(
    target: str, *, stdout: int | IO[bytes] = subprocess.DEVNULL, files: Collection[int] = ()
) -> "subprocess.Popen[bytes]":
    """Start a process that calls ``target`` and ends with it; its stdin is a pipe, its stderr goes nowhere.

    It has a process group of its own, so that Ctrl-C in a terminal is for this process alone, and it works in the
    folder of this package. `end_children` ends it.

    Args:
        target: ``module:function`` of curate; the function takes no arguments.
        stdout: as for `subprocess.Popen`.
        files: numbers of open files that it has, too.

    Raises:
        OSError: no process can be started.
    """
    _children[:] = [process for process in _children if process.poll() is None]
    process = subprocess.Popen(  # noqa: S603  (our own file, by its absolute path)
        [sys.executable, "-I", str(_HOME / "child_main.py"), target, *search_path()],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        cwd=_HOME,
        process_group=0,
        pass_fds=files,
    )
    _children.append(process)
    return process


def end_children() -> None:
    """Kill all children; takes no lock and waits for nothing, so that a process that is stuck can call it."""
    for process in _children:
        with suppress(OSError):
            process.kill()


class Spent(threading.local):
    """CPU seconds that children have worked for the thread that looks."""

    seconds = 0.0

    def add(self, seconds: float) -> None:
        """A child has worked so long for this thread."""
        self.seconds += seconds


spent = Spent()


class Watch:
    """Whether a child makes progress, judged by the processor time it uses.

    A clock tells nothing on a busy machine, where a child gets little of that time; one that is stuck uses none.

    Args:
        process: of `start_child`.
        most: seconds of processor time after which it is taken for an endless loop.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", most: float) -> None:
        self._process, self._most = process, most
        self._begun = self._used = self._seconds()
        self._since = time.monotonic()

    def stuck(self) -> str:
        """What is wrong with it: a clause such as ``did nothing for 30 s``; empty where nothing is."""
        used, now = self._seconds(), time.monotonic()
        if used - self._used > _LEAST_SECONDS:
            self._used, self._since = used, now
        if used - self._begun > self._most:
            return f"did not finish within {self._most:g} s of processor time"
        return f"did nothing for {IDLE_SECONDS:g} s" if now - self._since > IDLE_SECONDS else ""

    def _seconds(self) -> float:
        import psutil

        try:
            spent = psutil.Process(self._process.pid).cpu_times()
        except psutil.Error:  # it has ended
            return 0.0
        return float(spent.user + spent.system)


IDLE_SECONDS = 30.0
"""How long a child may do nothing while something is expected of it."""
_LEAST_SECONDS = 0.1
"""Processor time that is more than a process uses that waits."""
_children: list["subprocess.Popen[bytes]"] = []
