"""What runs in each further process of the local engine: tasks that its parent sends, on threads of its own.

The parent writes pickles to stdin and reads pickles from what was stdout. When the parent is gone, however it went,
stdin ends, and so does this process.
"""

import gc
import os
import pickle
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, BinaryIO, NamedTuple


class Setting(NamedTuple):
    """What the process receives first.

    Attributes:
        folder: where relative paths begin.
        threads: that compute.
        lanes: strands read and written at the same time.
        ahead: batches in flight for each lane.
        memory: bytes that all tasks at work may take together.
        young_objects: new objects between two garbage collections.
        load: called before the first task: loads what all of them need.
        turns: number of the open file by which the processes share memory (`curate.engine.turns`); -1: none.
    """

    folder: str
    threads: int
    lanes: int
    ahead: int
    memory: int
    young_objects: int
    load: Callable[[], None] | None = None
    turns: int = -1


class Do(NamedTuple):
    """Asks for one item of a task.

    Attributes:
        call: number of the answer.
        task: its number; ``pickled`` is it, the first time that this process hears of it.
        item: pickled.
        alone: whether it is a plain function, which keeps one thread busy.
    """

    call: int
    task: int
    pickled: bytes | None
    item: bytes
    alone: bool


class Forget(NamedTuple):
    """No more items of a task follow."""

    task: int


class Message(NamedTuple):
    """What a task tells on its way."""

    call: int
    news: Any


class Answer(NamedTuple):
    """What became of an item: a result, or an error and where it was raised; CPU seconds of the process so far."""

    call: int
    result: Any
    cpu: float
    error: Exception | None = None
    trace: str = ""


STOP = "stop"
"""Asks running tasks to end at their next item."""


def serve() -> None:
    """Work for the parent until it is gone."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    setting: Setting = pickle.load(sys.stdin.buffer)  # noqa: S301  (from our own parent)
    os.chdir(setting.folder)
    os.environ["POLARS_MAX_THREADS"] = str(setting.threads)  # read when polars is imported
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(setting.young_objects)
    from curate.process.unneeded import hide_unneeded

    hide_unneeded()
    import pyarrow as pa

    pa.set_cpu_count(setting.threads)
    if setting.load:
        setting.load()
    _Serving(setting, replies).listen(sys.stdin.buffer)
    os._exit(0)  # at once, whatever still runs: nobody waits for it


class _Serving:
    def __init__(self, setting: Setting, replies: BinaryIO) -> None:
        from curate.engine.local import LocalEngine
        from curate.engine.turns import Turns

        turns = None if setting.turns < 0 else Turns(setting.turns)
        self._engine = LocalEngine(setting.threads, setting.lanes, setting.ahead, setting.memory, turns)
        self._replies, self._lock = replies, threading.Lock()
        self._tasks: dict[int, Any] = {}
        self._loading = threading.Lock()

    def listen(self, requests: BinaryIO) -> None:
        """Begin what the parent asks for; returns when it is gone."""
        while True:
            try:
                asked = pickle.load(requests)  # noqa: S301  (from our own parent)
            except (EOFError, pickle.UnpicklingError):
                return
            if asked == STOP:
                self._engine.stop()
                continue
            if isinstance(asked, Forget):
                self._tasks.pop(asked.task, None)
                continue
            if asked.pickled is not None:
                self._tasks[asked.task] = asked.pickled
            begun = self._engine.begin(partial(self._do, asked), partial(self._tell, asked.call), alone=asked.alone)
            begun.add_done_callback(partial(self._answer, asked.call))

    def _do(self, asked: Do, worker: Any) -> Any:
        from curate.store.objects.store_path import forget_listings

        forget_listings()  # other processes of the run write, too
        return self._task(asked.task)(pickle.loads(asked.item), worker)  # noqa: S301

    def _task(self, number: int) -> Any:
        """Unpickled by the first thread that has an item of it, for all of them."""
        with self._loading:
            task = self._tasks[number]
            if isinstance(task, bytes):
                task = self._tasks[number] = pickle.loads(task)  # noqa: S301
        return task

    def _tell(self, call: int, news: Any) -> None:
        self._say(Message(call, news))

    def _answer(self, call: int, done: "Future[Any]") -> None:
        cpu = cpu_seconds()
        error = done.exception()
        if error is None:
            try:
                self._say(Answer(call, done.result(), cpu))
            except Exception as failed:  # noqa: BLE001  (what cannot be pickled)
                error = failed
            else:
                return
        trace = "".join(traceback.format_exception(error))
        self._say(Answer(call, None, cpu, _able_to_travel(error), trace))

    def _say(self, what: Message | Answer) -> None:
        message = pickle.dumps(what, 5)
        try:
            with self._lock:
                self._replies.write(message)
                self._replies.flush()
        except OSError:  # the parent is gone
            os._exit(1)


def _able_to_travel(error: BaseException) -> Exception:
    try:
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:  # noqa: BLE001  (some carry what cannot travel)
        again = None
    return again if isinstance(again, Exception) else RuntimeError(f"{type(error).__name__}: {error}")


def cpu_seconds() -> float:
    """CPU seconds of this process and its children so far."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
