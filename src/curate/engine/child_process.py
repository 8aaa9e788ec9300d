"""A further process of the local engine as its parent sees it: items go there, results and news come back.

What it does is in `curate.engine.child_worker`.
"""

import itertools
import pickle
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from curate.engine.base import Hear
from curate.engine.child_worker import STOP, Answer, Do, Forget, Setting
from curate.engine.turns import Turns
from curate.errors import Stopped
from curate.process.child import start_child

GRACE_SECONDS = 5.0
"""For a process to end by itself."""

Done = Callable[[Any, BaseException | None], None]


class ChildProcess:
    """One further process, and what it is doing.

    Args:
        setting: what it receives first.
        hint: what to type when it is killed.
        turns: of the run, if its processes share memory by turns.
    """

    def __init__(self, setting: Setting, hint: str, turns: Turns | None) -> None:
        self.workers, self.lanes, self.cpu = setting.threads, setting.lanes, 0.0
        self._hint = hint
        files = (turns.file,) if turns else ()
        self._process = start_child("curate.engine.child_worker:serve", stdout=subprocess.PIPE, files=files)
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._open: dict[int, tuple[Hear | None, Done]] = {}
        self._known, self._calls = set[int](), itertools.count()
        self._ended: Exception | None = None
        self._say(setting._replace(turns=turns.file) if turns else setting)
        threading.Thread(target=self._listen, name="listener", daemon=True).start()

    def begin(
        self, task: int, pickled: Callable[[], bytes], item: Any, hear: Hear | None, done: Done, *, alone: bool
    ) -> None:
        """Have it do one item of a task; ``done`` is called from another thread."""
        call = next(self._calls)
        with self._lock:
            ended = self._ended
            if not ended:
                self._open[call] = hear, done
        if ended:
            done(None, ended)
            return
        first = task not in self._known
        self._known.add(task)
        self._say(Do(call, task, pickled() if first else None, pickle.dumps(item, 5), alone))

    def forget(self, task: int) -> None:
        """No more items of a task follow."""
        self._say(Forget(task))

    def ask_to_stop(self) -> None:
        """Have its tasks end at their next item."""
        self._say(STOP)

    def kill(self) -> None:
        """End it, whatever it does."""
        with suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """Let it go, and wait until it has."""
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        self.kill()
        self._process.wait()

    def _say(self, what: Any) -> None:
        message = pickle.dumps(what, 5)
        with self._writing, suppress(OSError, ValueError):  # it has ended, which whoever listens to it hears
            self._process.stdin.write(message)  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]

    def _listen(self) -> None:
        answers = self._process.stdout
        assert answers
        while True:
            try:
                said = pickle.load(answers)  # noqa: S301  (from our own child)
            except (EOFError, pickle.UnpicklingError, OSError):
                break
            if isinstance(said, Answer):
                with self._lock:
                    _, done = self._open.pop(said.call)
                    self.cpu = max(self.cpu, said.cpu)
                if said.error is not None:
                    said.error.add_note(f"in process {self._process.pid}:\n{said.trace}")
                done(said.result, said.error)
            else:
                hear = self._open[said.call][0]
                if hear:
                    hear(said.news)
        answers.close()
        error = Stopped(
            f"a process of the run was ended {_by(self._process.wait())}",
            hint=self._hint or "run the same command again",
        )
        with self._lock:
            self._ended, left = error, list(self._open.values())
            self._open.clear()
        for _, done in left:
            done(None, error)


def _by(code: int) -> str:
    """What ended a process, as far as its exit status tells."""
    if code == -9:
        return "by the system (SIGKILL), which does that when memory runs out"
    return f"by signal {-code}" if code < 0 else f"with exit status {code}"
