"""Vega: specifications to SVG by vl-convert, in a process that is started in time and is not trusted to answer.

Its JavaScript engine takes 0.4 s to start and holds the interpreter's lock meanwhile, so no thread hides it
(``docs/decisions/0018-start-up.md``). A run therefore starts a process for it before anything else. Whatever becomes of
that process, be it killed, stuck or out of memory, costs the page a drawing and the run nothing.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

from curate.process.child import Watch, start_child

Spec = dict[str, Any]
Function = Literal["vega_to_svg", "vegalite_to_svg", "vegalite_to_vega"]
"""Functions of vl-convert."""

_MOST_SECONDS = 30.0
"""Processor time that one drawing may take. It takes some 0.02 s, the first one 0.4 s."""
_LOOK_SECONDS = 1.0
_ATTEMPTS = 2
_LONGEST_ANSWER = 64_000_000
_SMALLEST: Spec = {"data": {"values": [{}]}, "mark": "bar"}


class NotDrawn(Exception):  # noqa: N818  (named for what happened)
    """There is no drawing, and why: one clause."""


def converted(function: Function, spec: Spec) -> Any:
    """What ``function`` of vl-convert makes of a specification: an SVG, or a specification of Vega.

    Raises:
        NotDrawn: vl-convert refused the specification, or the process that draws failed, and so did another one.

    Example:
        >>> converted("vega_to_svg", {"width": 4, "height": 2})[:4]
        '<svg'
    """
    with _asking:
        while len(_failures) < _ATTEMPTS:
            try:
                if not _running:
                    _running.append(_Process())
                answer = _running[0].answer(function, spec)
            except (OSError, ValueError) as error:
                _failures.append(f"the process that draws charts {error}")
                stop()
            else:
                _failures.clear()
                return answer
        raise NotDrawn(_failures[-1])


def start() -> None:
    """Start the process that draws now, so that it is ready when the first chart is wanted."""
    _failures.clear()
    if _running:
        return
    with suppress(OSError):  # no room for another process; there may be some when a chart is wanted
        _running.append(_Process())


def stop() -> None:
    """End that process."""
    processes = [*_running]
    _running.clear()
    for process in processes:
        process.close()


def serve() -> None:
    """Draw what stdin asks for, a line of JSON each, until it ends; answer on stdout, where nothing else may print."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    import vl_convert

    for line in sys.stdin.buffer:
        function, spec = json.loads(line)
        try:
            said = {"made": getattr(vl_convert, function)(spec)}
        except BaseException as error:  # noqa: BLE001  (a panic of its engine is none of Python's own exceptions)
            said = {"refused": " ".join(str(error).split("\n")[:2])}
        answers.write(json.dumps(said).encode() + b"\n")
        answers.flush()


class _Process:
    """Requests and answers are lines of JSON. The first is for a chart that nobody needs: it starts the engine."""

    def __init__(self) -> None:
        try:
            self._process = start_child("curate.report.drawing.vega:serve", stdout=subprocess.PIPE)
        except OSError as error:
            raise OSError(f"cannot be started ({error.strerror})") from error
        assert self._process.stdin
        assert self._process.stdout
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._unread = 0
        with suppress(OSError):  # it is dead already, which whoever asks it next will hear
            self._ask("vegalite_to_svg", _SMALLEST)

    def answer(self, function: Function, spec: Spec) -> Any:
        """What the function makes of the specification.

        Raises:
            NotDrawn: vl-convert refused it.
            OSError: the process died or was stuck.
            ValueError: it answered something else.
        """
        with self._limited():
            self._ask(function, spec)
            lines = [self._answers.readline(_LONGEST_ANSWER) for _ in range(self._unread)]
            self._unread = 0
            if not lines[-1]:
                raise BrokenPipeError
        return _read(function, lines[-1])

    def close(self) -> None:
        self._process.kill()
        with suppress(OSError):  # what it was asked and never read
            self._requests.close()
        self._answers.close()
        self._process.wait()

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Kill the process when it is stuck: whoever reads from it or writes to it then goes on."""
        done, problems = threading.Event(), list[str]()
        watch = Watch(self._process, _MOST_SECONDS)

        def look() -> None:
            while not done.wait(_LOOK_SECONDS):
                if problem := watch.stuck():
                    problems.append(problem)
                    self._process.kill()
                    return

        threading.Thread(target=look, daemon=True).start()
        try:
            yield
        except OSError:
            raise OSError(problems[0] if problems else "died") from None
        finally:
            done.set()

    def _ask(self, function: Function, spec: Spec) -> None:
        self._requests.write(json.dumps([function, spec]).encode() + b"\n")
        self._requests.flush()
        self._unread += 1


def _read(function: Function, line: bytes) -> Any:
    try:
        said = json.loads(line)
    except ValueError:
        raise ValueError("answered something that is no JSON") from None
    if isinstance(said, dict) and "refused" in said:
        raise NotDrawn(f"vl-convert refused it: {said['refused']}")
    kind = dict if function == "vegalite_to_vega" else str
    if not isinstance(said, dict) or not isinstance(said.get("made"), kind):
        raise ValueError("answered something that is no drawing")  # noqa: TRY004  (not a mistake of the caller)
    return said["made"]


_running: list[_Process] = []
"""The process that draws, if there is one."""
_failures: list[str] = []
"""What became of it and of those before, since one last answered."""
_asking = threading.Lock()

atexit.register(stop)
