"""Child processes: another Python that runs a function of curate and nothing of the current folder.

``python -c`` and ``python -m`` look for every module in the current folder first, and that is often a corpus: a
``json.py`` there would be run. So a child is Python in isolated mode (``-I``: neither current folder nor ``PYTHON*``
variables nor user site) that runs ``child_main.py`` by its path. It is told where to find modules: the absolute entries
of this process's own search path, without the current folder
(``docs/decisions/0022-no-code-from-the-current-folder.md``).
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from curate.search_path import search_path

_HOME = Path(__file__).resolve().parent


def start_child(target: str, *, stdout: int | IO[bytes] = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    """Start a process that calls ``target`` and ends with it; its stdin is a pipe, its stderr goes nowhere.

    It has a process group of its own, so that Ctrl-C in a terminal is for this process alone, and it works in the
    folder of this package. `end_children` ends it.

    Args:
        target: ``module:function`` of curate; the function takes no arguments.
        stdout: as for `subprocess.Popen`.

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
    )
    _children.append(process)
    return process


def end_children() -> None:
    """Kill all children; takes no lock and waits for nothing, so that a process that is stuck can call it."""
    for process in _children:
        with suppress(OSError):
            process.kill()


_children: list["subprocess.Popen[bytes]"] = []
