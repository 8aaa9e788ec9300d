"""All cores of this machine, in threads: kernels, Arrow and the tokenizer release the interpreter's lock.

Two pools. *Lanes* each take one strand of parts, read it and write its files; *workers* compute batches for all lanes,
and before anything else. A lane that waits for a worker blocks no worker, so one huge file keeps every core as busy as
a thousand small ones.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from curate.engine.base import Alone, Hear, Interrupted, NodeWork, Worker
from curate.engine.computing import Computing
from curate.engine.exchange import Mailboxes, Received, Unread
from curate.engine.memory_budget import MemoryBudget
from curate.engine.turns import Turns
from curate.engine.unused_memory import release_unused_memory
from curate.stages.contract import Receive, Rows, Send

FLIGHT_BYTES = 50_000_000
"""Memory of one row group in flight: its text, a rewritten copy, token ids, signals, kernel scratch."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class LocalEngine:
    """Threads on this machine.

    Args:
        workers: batches computed at the same time.
        lanes: strands read and written at the same time.
        ahead: batches that each lane may have in flight; with ``lanes`` it bounds memory.
        memory: bytes that all tasks at work may take together; 0: those of ``workers`` usual ones.
        turns: of this process, where the run has several.
    """

    def __init__(self, workers: int, lanes: int, ahead: int, memory: int = 0, turns: Turns | None = None) -> None:
        self.workers, self.lanes, self.ahead = workers, lanes, ahead
        self.stopped, self.cpu_elsewhere, self.losses = "", 0.0, 0
        self.by_node: dict[str, NodeWork] = {}
        self.is_shared = False
        self._memory = MemoryBudget(max(memory, workers * FLIGHT_BYTES), lambda: bool(self.stopped), turns)
        self._computing = Computing(workers)
        self._begun = ThreadPoolExecutor(lanes, thread_name_prefix="lane")

    def compiling(self) -> None:
        """See `curate.engine.base.Engine.compiling`: there are no others."""

    def map(
        self, task: Callable[[Item, Worker], Result], items: Iterable[Item], hear: Hear | None = None
    ) -> Iterator[Result]:
        """See `curate.engine.base.Engine.map`."""
        worker = _Here(self, hear)
        if isinstance(task, Alone):  # computes and keeps nothing open: as many at a time as there are workers
            return self.spread(partial(_called, task, worker), items)  # type: ignore[arg-type]
        return self._in_lanes(partial(_called, task, worker), items)

    def _in_lanes(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        waiting, source = set[Future[Result]](), iter(items)
        with ThreadPoolExecutor(self.lanes, thread_name_prefix="lane") as pool:
            try:
                while True:
                    for item in source:
                        waiting.add(pool.submit(self._in_lane, task, item))
                        if len(waiting) >= self.lanes:
                            break
                    if not waiting:
                        return
                    done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            except BaseException:  # Ctrl-C too, and a caller that reads on no more
                self.stop()  # before the pool waits for its threads
                raise

    def begin(self, work: Callable[[Worker], Result], hear: Hear | None, *, alone: bool) -> "Future[Result]":
        """One piece of work that somebody else counts, among several engines: on a lane, or alone on a worker."""
        worker = _Here(self, hear)
        if alone:
            return self._computing.submit(self._checked, work, worker, FLIGHT_BYTES, for_file=False)
        return self._begun.submit(self._in_lane, work, worker)

    def spread(
        self,
        task: Callable[[Item], Result],
        items: Iterable[Item],
        takes: Callable[[Item], int] | None = None,
        *,
        for_file: bool = False,
    ) -> Iterator[Result]:
        """See `curate.engine.base.Worker.spread`; ``for_file`` as of `Computing.submit`."""
        flying, source = deque[tuple[Future[Result], int]](), iter(items)
        try:
            while True:
                while len(flying) < self.ahead and sum(size for _, size in flying) <= self.ahead * FLIGHT_BYTES:
                    item = next(source, _END)
                    if item is _END:
                        break
                    size = max(FLIGHT_BYTES, takes(item)) if takes else FLIGHT_BYTES  # type: ignore[arg-type]
                    future = self._computing.submit(self._checked, task, item, size, for_file=for_file)
                    flying.append((future, size))
                if not flying:
                    return
                with self._computing.lane(-1) if for_file else nullcontext():
                    result = flying.popleft()[0].result()
                yield result
        finally:
            for future, _ in flying:
                future.cancel()

    def exchange(
        self, send: Send, senders: int, receive: Receive | None, receivers: int, schema: pa.Schema, folder: Path
    ) -> Rows:
        """See `curate.engine.base.Engine.exchange`."""
        boxes, received = Mailboxes(schema, folder), Received(folder)

        def post(sender: int) -> None:
            for rows in send(sender):
                boxes.put(rows)

        for _ in self.spread(post, range(senders)):
            pass
        if receive is None:
            return Unread([boxes], receivers, schema)
        for table in self.spread(lambda receiver: receive(receiver, boxes.take(receiver)), range(receivers)):
            received.append(table)
        boxes.remove()
        release_unused_memory()
        return received

    def stop(self, why: str = "stopped") -> None:
        """See `curate.engine.base.Engine.stop`."""
        self.stopped = self.stopped or why

    def close(self) -> None:
        """See `curate.engine.base.Engine.close`: wait for what still runs and let the threads go."""
        self._begun.shutdown(wait=True, cancel_futures=True)
        self._computing.close()

    def _in_lane(self, task: Callable[[Item], Result], item: Item) -> Result:
        with self._computing.lane():
            return task(item)

    def _checked(self, task: Callable[[Item], Result], item: Item, size: int) -> Result:
        if self.stopped:
            raise Interrupted
        with self._memory.taken(size):
            return task(item)


class _Here(NamedTuple):
    """The worker of a task: the threads of this process."""

    engine: LocalEngine
    hear: Hear | None
    doubtful: bool = False

    def spread(
        self, task: Callable[[Item], Result], items: Iterable[Item], takes: Callable[[Item], int] | None = None
    ) -> Iterator[Result]:
        return self.engine.spread(task, items, takes, for_file=True)

    def tell(self, news: Any) -> None:
        if self.hear:
            self.hear(news)


def _called(task: Callable[[Item, Worker], Result], worker: Worker, item: Item) -> Result:
    return task(item, worker)


_END = object()
