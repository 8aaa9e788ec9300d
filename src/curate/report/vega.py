"""Vega: specifications to SVG by vl-convert, here or in a process that was started in time.

Its JavaScript engine takes 0.4 s to start and holds the interpreter's lock meanwhile, so no thread hides it
(``docs/decisions/0018-start-up.md``). A run therefore starts a process for it before anything else.
"""

import atexit
import json
import os
import subprocess
import sys
from typing import Any, Literal

Spec = dict[str, Any]
Function = Literal["vega_to_svg", "vegalite_to_svg", "vegalite_to_vega"]
"""Functions of vl-convert."""

_SERVER = """
import json, sys
import vl_convert
for line in sys.stdin.buffer:
    function, spec = json.loads(line)
    sys.stdout.buffer.write(json.dumps(getattr(vl_convert, function)(spec)).encode() + b"\\n")
    sys.stdout.buffer.flush()
"""
_SMALLEST: Spec = {"data": {"values": [{}]}, "mark": "bar"}


def converted(function: Function, spec: Spec) -> Any:
    """What ``function`` of vl-convert makes of a specification: an SVG, or a specification of Vega.

    Example:
        >>> converted("vega_to_svg", {"width": 4, "height": 2})[:4]
        '<svg'
    """
    if _running:
        try:
            return _running[0].answer(function, spec)
        except (OSError, ValueError):  # it was killed: there is another way
            stop()
    import vl_convert

    return getattr(vl_convert, function)(spec)


def start() -> None:
    """Have charts drawn by a process of its own from now on; it starts now and ends with this one."""
    if _running:
        return
    try:
        _running.append(_Process())
    except OSError:  # no room for another process: charts are drawn here
        return
    atexit.register(stop)


def stop() -> None:
    """End that process; charts are drawn here again."""
    for process in _running:
        process.close()
    _running.clear()


class _Process:
    """Requests and answers are lines of JSON. The first is for a chart that nobody needs: it starts the engine."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (our own code)
            [sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            process_group=0,  # Ctrl-C is for the run alone
        )
        assert self._process.stdin
        assert self._process.stdout
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._unread = 0
        self._ask("vegalite_to_svg", _SMALLEST)

    def answer(self, function: Function, spec: Spec) -> Any:
        self._ask(function, spec)
        lines = [self._answers.readline() for _ in range(self._unread)]
        self._unread = 0
        return json.loads(lines[-1])

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _ask(self, function: Function, spec: Spec) -> None:
        self._requests.write(json.dumps([function, spec]).encode() + b"\n")
        self._requests.flush()
        self._unread += 1


_running: list[_Process] = []
"""The process that draws, if there is one."""
