"""All cores of this machine, in several processes of several threads each.

Threads of one process share the interpreter's lock, so beyond some four of them more add little. Further processes are
children of this one (`curate.engine.child_worker`), which works beside them as one of several. What is sent between
them is pickled; rows of an exchange go through files in the scratch folder, which stay in the page cache.
"""

import functools
import itertools
import pickle
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from curate.engine.base import Alone, Hear, Interrupted, NodeWork, Worker, in_order
from curate.engine.child_process import GRACE_SECONDS, ChildProcess
from curate.engine.child_worker import Setting
from curate.engine.exchange import WAITING_BYTES, Mailboxes, Received, Unread, written
from curate.engine.local import LocalEngine
from curate.engine.turns import Turns
from curate.engine.unused_memory import release_unused_memory
from curate.stages.contract import Receive, Rows, Send
from curate.store.objects.store_path import forget_listings

Item = TypeVar("Item")
Result = TypeVar("Result")

SENDINGS_PER_WORKER = 4
SENT_BYTES = 1_000_000
"""Rows that one sending task may keep in memory, however many there are."""
TRAVELLING_BYTES = 100_000
"""Of a receiver's result; larger ones are written where they were made."""
_AHEAD = 4
"""Items begun for each worker before the first of them is done: results are wanted in order."""
_PATIENCE = 0.2


class _Outcome(NamedTuple):
    """What became of an item; a number of -1 tells that there is more to look at."""

    number: int
    result: Any = None
    error: BaseException | None = None


class ProcessEngine:
    """This process and some more.

    Args:
        here: the threads of this process, which take ``turns``.
        others: what each further process receives first; they are started when there is work for them.
        hint: what to type when one of them is killed.
        turns: of this process; the others get theirs from its file.
    """

    is_shared = True

    def __init__(
        self, here: LocalEngine, others: Sequence[Setting], hint: str = "", turns: Turns | None = None
    ) -> None:
        self._here, self._settings, self._hint, self._turns = here, tuple(others), hint, turns
        self._others: list[ChildProcess] = []
        self._starting, self._tasks = threading.Lock(), itertools.count()
        self._started = self._compiles = self._loaded = False
        self.losses, self.by_node = 0, dict[str, NodeWork]()

    def __reduce__(self) -> tuple[Any, ...]:
        """Tasks start no tasks: what holds an engine travels without it."""
        return _nothing, ()

    @property
    def workers(self) -> int:
        """See `curate.engine.base.Engine.workers`."""
        return self._here.workers + sum(setting.threads for setting in self._settings)

    @property
    def processes(self) -> int:
        """How many there are, this one included."""
        return 1 + len(self._settings)

    @property
    def stopped(self) -> str:
        """See `curate.engine.base.Engine.stopped`."""
        return self._here.stopped

    @property
    def cpu_elsewhere(self) -> float:
        """See `curate.engine.base.Engine.cpu_elsewhere`."""
        return sum(other.cpu for other in self._others)

    def compiling(self) -> None:
        """A kernel is compiled here: from now on the others begin with a task when this process has got on with it."""
        self._compiles = True

    def map(
        self, task: Callable[[Item, Worker], Result], items: Iterable[Item], hear: Hear | None = None
    ) -> Iterator[Result]:
        """See `curate.engine.base.Engine.map`."""
        one = _Mapped(self, task, hear)
        try:
            yield from one.results(items)
            one.forget()
            forget_listings()
        except GeneratorExit:
            raise
        except BaseException:
            if self.stopped or not isinstance(task, Alone):
                self.stop()
                one.end()
            raise

    def exchange(
        self, send: Send, senders: int, receive: Receive | None, receivers: int, schema: pa.Schema, folder: Path
    ) -> Rows:
        """See `curate.engine.base.Engine.exchange`."""
        several = max(1, min(senders, SENDINGS_PER_WORKER * self.workers))
        bounds = [senders * number // several for number in range(several + 1)]
        budget = max(SENT_BYTES, WAITING_BYTES // self.workers)
        sending = functools.partial(_sent, send, schema, folder, budget)
        sent = list(in_order(self, sending, list(itertools.pairwise(bounds))))
        if receive is None:
            return Unread(sent, receivers, schema)
        received = Received(folder)
        receiving = functools.partial(_received, receive, tuple(sent), schema, folder)
        for table in in_order(self, receiving, range(receivers)):
            received.append(table)
        for boxes in sent:
            boxes.remove()
        release_unused_memory()
        return received

    def stop(self, why: str = "stopped") -> None:
        """See `curate.engine.base.Engine.stop`. Takes no lock: a signal may call it in the middle of anything."""
        self._here.stop(why)

    def close(self) -> None:
        """See `curate.engine.base.Engine.close`."""
        for other in self._others:
            other.close()
        self._here.close()
        if self._turns:
            self._turns.close()

    # ---- for one map ----------------------------------------------------------------------------------------

    def places(self, *, begun: bool, alone: bool) -> "list[LocalEngine | ChildProcess]":
        """Where an item may begin now, this process first.

        Args:
            begun: whether this process has got on with an item of the same task.
            alone: whether that is a plain function, which tells nothing of kernels.
        """
        if not (self._loaded or (begun and not alone)) or (self._compiles and not begun):
            return [self._here]
        if not self._compiles:
            self._loaded = True  # what it needed was in the cache of kernels, and so will be the rest
        self.start()
        return [self._here, *self._others]

    def start(self) -> None:
        """Start the other processes, so that they are there when there is work for them."""
        with self._starting:
            if not self._started and not self.stopped:
                self._started = True
                with suppress(OSError):  # no room for more of them: those that are there do all
                    for setting in self._settings:
                        self._others.append(ChildProcess(setting, self._hint, self._turns))

    def new_task(self) -> int:
        """A number for a task."""
        return next(self._tasks)


class _Mapped:
    """One task over its items."""

    def __init__(self, engine: ProcessEngine, task: Callable[[Any, Worker], Any], hear: Hear | None) -> None:
        self._engine, self._task, self._hear = engine, task, hear
        self._alone = isinstance(task, Alone)
        self._number = engine.new_task()
        self._outcomes = queue.SimpleQueue[_Outcome]()
        self._flying: dict[int, LocalEngine | ChildProcess] = {}
        self._begun = False
        self._asked = set[ChildProcess]()

    @functools.cached_property
    def _pickled(self) -> bytes:
        return pickle.dumps(self._task, 5)

    def results(self, items: Iterable[Any]) -> Iterator[Any]:
        """Results of all items, in any order."""
        if not self._alone:
            self._engine.start()
        source, ended = enumerate(items), False
        while True:
            while not ended and (place := self._free_place()) is not None:
                number, item = next(source, (-1, None))
                ended = number < 0
                if not ended:
                    self._begin(place, number, item)
            if not self._flying:
                return
            outcome = self._next()
            if outcome.number < 0:
                continue
            self._flying.pop(outcome.number)
            if outcome.error is not None:
                raise outcome.error
            self._begun = True
            yield outcome.result

    def forget(self) -> None:
        """Have the other processes drop the task."""
        for other in self._asked:
            other.forget(self._number)

    def end(self) -> None:
        """Wait for what has begun, but not for ever."""
        for place in {*self._flying.values()}:
            if isinstance(place, ChildProcess):
                place.ask_to_stop()
        until = time.monotonic() + GRACE_SECONDS
        while self._flying and time.monotonic() < until:
            with suppress(queue.Empty):
                self._flying.pop(self._outcomes.get(timeout=_PATIENCE).number, None)
        for place in {*self._flying.values()}:
            if isinstance(place, ChildProcess):
                place.kill()

    def _next(self) -> _Outcome:
        while True:
            if self._engine.stopped:
                raise Interrupted
            with suppress(queue.Empty):
                return self._outcomes.get(timeout=_PATIENCE)

    def _free_place(self) -> "LocalEngine | ChildProcess | None":
        """Where there is room for one more item: where most of it is."""
        most = _AHEAD * self._engine.workers
        if self._flying and max(self._flying) - min(self._flying) >= most:
            return None
        held = list(self._flying.values())
        room = [
            (place, (place.workers + 1 if self._alone else place.lanes) - held.count(place))
            for place in self._engine.places(begun=self._begun, alone=self._alone)
        ]
        place, free = max(room, key=lambda one: one[1])
        return place if free > 0 else None

    def _begin(self, place: "LocalEngine | ChildProcess", number: int, item: Any) -> None:
        self._flying[number] = place
        done = functools.partial(self._done, number)
        if isinstance(place, ChildProcess):
            self._asked.add(place)
            place.begin(self._number, lambda: self._pickled, item, self._hear, done, alone=self._alone)
            return
        work = functools.partial(_worked, self._task, item)
        place.begin(work, self._heard_here, alone=self._alone).add_done_callback(
            lambda future: done(None, future.exception()) if future.exception() else done(future.result(), None)
        )

    def _done(self, number: int, result: Any, error: BaseException | None) -> None:
        self._outcomes.put(_Outcome(number, result, error))

    def _heard_here(self, news: Any) -> None:
        if not self._begun:
            self._begun = True
            self._outcomes.put(_Outcome(-1))
        if self._hear:
            self._hear(news)


def _worked(task: Callable[[Any, Worker], Any], item: Any, worker: Worker) -> Any:
    return task(item, worker)


def _sent(send: Send, schema: pa.Schema, folder: Path, budget: int, bounds: tuple[int, int]) -> Mailboxes:
    """All that some senders send, on disk."""
    boxes = Mailboxes(schema, folder, budget)
    for sender in range(*bounds):
        for rows in send(sender):
            boxes.put(rows)
    return boxes.sealed()


def _received(
    receive: Receive, sent: Sequence[Mailboxes], schema: pa.Schema, folder: Path, receiver: int
) -> pa.Table | Path:
    """What a receiver makes of its rows; a file with it, where it is large."""
    rows = pa.concat_tables([schema.empty_table(), *(boxes.take(receiver) for boxes in sent)])
    made = receive(receiver, rows)
    return written(made, folder) if made.nbytes > TRAVELLING_BYTES else made


def _nothing() -> None:
    return None
