"""A Ray cluster: Ray schedules, transports and spills; what runs where never shows in a result.

`RayEngine.map` gives Ray one task a strand of parts, so many at a time as keep the cluster busy. `RayEngine.exchange`
is two rounds of tasks with Ray's object store between them: some senders at once return one block for each *group* of
receivers, and a task a group serves its receivers one after another. Which rows meet is decided by the receivers'
numbers, and receivers sort what they get; so neither nodes nor groups show.

The driver holds references and counts.
"""

import gc
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

import pyarrow as pa

from curate.engine.base import Alone, Hear, Interrupted, NodeWork, Worker
from curate.engine.ray_cluster import (
    Node,
    connected,
    first_line,
    full_disk,
    lost_work,
    needed,
    node_died,
    nodes,
    require_memory,
    share_of_memory,
    watched,
)
from curate.engine.ray_worker import Failed, NotAlike, Reply, Setting, Spent, do_items, receive_group, send_groups
from curate.engine.received import RowsOfGroups, UnreadOfGroups
from curate.errors import PlanError, Stopped
from curate.events import Advanced, Warned
from curate.process.stopping import end
from curate.stages.contract import Receive, Rows, Send
from curate.store.manifest import versions
from curate.store.objects.endpoint import endpoint
from curate.store.objects.store_path import forget_listings

Item = TypeVar("Item")
Result = TypeVar("Result")

PER_SLOT = 2
"""Tasks in flight for each core: one at work, one that waits for it."""
GROUPS_PER_SLOT = 4
ALONE_AT_ONCE = 16
"""Items of a plain function that one task does at most."""
SENDERS_AT_ONCE = 16
MOST_BLOCKS = 1_000_000
"""Of one exchange: the driver keeps a reference to each."""
MOST_UNREAD = 10_000
"""Blocks that whoever reads is given references to: each of them costs every reader some microseconds."""
LEAST_SHARE = 128
"""Sender tasks for each receiver of a group at most: a receiver's 16 MB then make blocks worth sending."""
DEATHS = 2
"""Workers that one item may kill before it is taken for dangerous."""
MOST_DEATHS = 4
MOST_LOSSES = 20
"""Times that an item may be lost with its node."""
_PATIENCE = 0.2
_SLOTS_SECONDS = 5.0


class _Batch(NamedTuple):
    """Items that one task does."""

    items: tuple[Any, ...]
    number: int
    doubtful: bool = False


class RayEngine:
    """Work on the cluster that ``RAY_ADDRESS`` names, or on the one of this machine.

    Args:
        workers: cores at the same time; 0: all that the cluster has.
        memory: bytes for each worker; 0: an equal share of its node.
        base: bytes of them that a worker takes whatever it does.

    Raises:
        MissingExtra: Ray is not installed.
        PlanError: there is no cluster, or it has no node with that memory.
    """

    is_shared = True

    def __init__(self, workers: int = 0, memory: int = 0, base: int = 0) -> None:
        self._ray, self._most = connected(), workers
        self._looked, self._slots, self._lock = 0.0, 1, threading.Lock()
        self._closed = threading.Event()
        pulse = needed(), self._closed, self._gone
        threading.Thread(target=watched, args=pulse, name="pulse", daemon=True).start()
        self.stopped, self.cpu_elsewhere, self.losses = "", 0.0, 0
        self.by_node: dict[str, NodeWork] = {}
        self.memory = memory or share_of_memory()
        require_memory(self.memory)
        packages = tuple(versions().items())
        young = gc.get_threshold()[0]
        self._setting = Setting(str(Path.cwd()), max(1, self.memory - base), packages, endpoint(), young)
        self._options = {"num_cpus": 1, "memory": self.memory, "scheduling_strategy": "SPREAD"}
        self._items, self._send, self._receive = map(self._ray.remote, (do_items, send_groups, receive_group))

    def __reduce__(self) -> tuple[Any, ...]:
        """Tasks start no tasks: what holds an engine travels without it."""
        return _nothing, ()

    @property
    def workers(self) -> int:
        """Cores that work at the same time; more when nodes join."""
        now = time.monotonic()
        if now - self._looked > _SLOTS_SECONDS:
            cores = sum(min(int(node.cpus), int(node.memory // self.memory)) for node in nodes())
            self._looked, self._slots = now, max(1, min(cores, self._most or cores))
        return self._slots

    def compiling(self) -> None:
        """See `curate.engine.base.Engine.compiling`: nodes compile for themselves, once each."""

    def map(
        self, task: Callable[[Item, Worker], Result], items: Iterable[Item], hear: Hear | None = None
    ) -> Iterator[Result]:
        """See `curate.engine.base.Engine.map`."""
        ray, flying = self._ray, dict[Any, _Batch]()
        waiting, deaths, losses = self._batches(task, items), Counter[int](), Counter[int]()
        try:
            shared = [ray.put(task)]
            while True:
                while len(flying) < self._in_flight() and (batch := next(waiting, None)):
                    flying[self._do(shared, batch)] = batch
                if not flying:
                    forget_listings()
                    return
                done, _ = ray.wait(list(flying), timeout=_PATIENCE)
                self._check()
                for one in done:
                    batch = flying.pop(one)
                    try:
                        reply = ray.get(one)
                        if isinstance(lost := reply.failed and reply.failed.error, ray.exceptions.RayError):
                            raise lost
                    except ray.exceptions.RayError as error:
                        again = self._after_death(batch, error, deaths, losses)
                        if hear:
                            hear(Warned(f"{first_line(error)}: its work is done again"))
                        waiting = itertools.chain(again, waiting)
                        continue
                    yield from self._taken(reply, hear)
        except BaseException:  # Ctrl-C too, and a caller that reads on no more: the cluster would work for nobody
            self._cancel(flying)
            raise

    def exchange(
        self, send: Send, senders: int, receive: Receive | None, receivers: int, schema: pa.Schema, folder: Path
    ) -> Rows:
        """See `curate.engine.base.Engine.exchange`."""
        del folder  # Ray keeps what waits
        ray, slots = self._ray, self.workers
        groups = max(1, min(receivers, GROUPS_PER_SLOT * slots))
        most = max(1, min(LEAST_SHARE * receivers, MOST_BLOCKS) // groups)
        sending = max(1, min(senders, most, max(GROUPS_PER_SLOT * slots, -(-senders // SENDERS_AT_ONCE))))
        bounds = _even(receivers, groups)
        function = [ray.put(send)]
        one = self._send.options(num_returns=groups + 2, **self._options)
        sent = [
            one.remote(self._setting, function, list(range(start, stop)), bounds, schema)
            for start, stop in itertools.pairwise(_even(senders, sending))
        ]
        took = self._wait([blocks[-1] for blocks in sent])
        bundles = [blocks[groups] for blocks in sent]
        if receive is None and len(sent) * groups <= MOST_UNREAD:
            forget_listings()
            whole = [took[blocks[-1]].bundled for blocks in sent]
            each = [
                [blocks[groups if one else group] for blocks, one in zip(sent, whole, strict=True)]
                for group in range(groups)
            ]
            return UnreadOfGroups(each, bounds, schema)
        function = [ray.put(receive or _as_they_are)]
        other = self._receive.options(num_returns=2, **self._options)
        received = [
            other.remote(
                self._setting,
                function,
                group,
                list(range(bounds[group], bounds[group + 1])),
                schema,
                *(blocks[group] for blocks in sent),
                *bundles,
            )
            for group in range(groups)
        ]
        del sent, bundles  # what has been received is not kept
        self._wait([ends for _, ends in received])
        forget_listings()
        return RowsOfGroups([block for block, _ in received], bounds)

    def looked_at(self, ids: frozenset[str], look: Callable[[], tuple[str, str] | None]) -> None:
        """These nodes are as they must be; any other does its first task if ``look`` finds nothing there."""
        self._setting = self._setting._replace(nodes=ids, look=self._ray.cloudpickle.dumps(look))

    def everywhere(self, function: Callable[[], Result]) -> dict[Node, Result | Exception]:
        """What a function says on each node, or why it says nothing; it takes no core."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ray = self._ray
        asked = {
            node: ray.remote(_asked)
            .options(num_cpus=0, max_retries=2, scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False))
            .remote(self._setting, function)
            for node in nodes()
        }
        found: dict[Node, Result | Exception] = {}
        for node, reference in asked.items():
            try:
                found[node] = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                found[node] = error.cause if isinstance(error.cause, Exception) else error
            except ray.exceptions.RayError as error:
                found[node] = error
        return found

    def stop(self, why: str = "stopped") -> None:
        """See `curate.engine.base.Engine.stop`."""
        self.stopped = self.stopped or why

    def close(self) -> None:
        """See `curate.engine.base.Engine.close`; the cluster goes on."""
        self._closed.set()

    # ---- one task -------------------------------------------------------------------------------------------

    def _do(self, shared: Sequence[Any], batch: _Batch) -> Any:
        # deaths are counted here, so Ray repeats nothing by itself
        task = self._items.options(max_retries=0, **self._options)
        items = self._ray.cloudpickle.dumps(batch.items)
        return task.remote(self._setting, shared, items, batch.doubtful)

    def _batches(self, task: Callable[[Item, Worker], Result], items: Iterable[Item]) -> Iterator[_Batch]:
        if isinstance(task, Alone):
            every = list(items)
            size = max(1, min(ALONE_AT_ONCE, len(every) // (GROUPS_PER_SLOT * self.workers)))
        else:
            every, size = items, 1  # type: ignore[assignment]
        for number, batch in enumerate(_batched(every, size)):
            yield _Batch(batch, number)

    def _in_flight(self) -> int:
        return self._most or PER_SLOT * self.workers

    def _taken(self, reply: Reply, hear: Hear | None) -> Iterator[Any]:
        read = sum(news.input_bytes for news in reply.messages if isinstance(news, Advanced))
        self._spent(reply.node, NodeWork(1, reply.cpu, read))
        if reply.failed:
            _raise(reply.failed)
        for news in reply.messages if hear else ():
            hear(news)  # type: ignore[misc]
        yield from reply.results

    def _after_death(self, batch: _Batch, error: Exception, deaths: Counter[int], losses: Counter[int]) -> list[_Batch]:
        """The same items once more: after `DEATHS` deaths of workers as dangerous ones, each alone."""
        if full := full_disk(error):
            raise full from error
        exceptions = self._ray.exceptions
        died = isinstance(error, (exceptions.WorkerCrashedError, exceptions.OutOfMemoryError))
        counted = deaths if died and not node_died(error) else losses
        counted[batch.number] += 1
        self.losses += 1
        if counted[batch.number] >= (MOST_DEATHS if counted is deaths else MOST_LOSSES):
            raise Stopped(
                f"workers of the cluster died {counted[batch.number]} times on the same task: {first_line(error)}",
                hint="curate doctor --engine ray",
            )
        if deaths[batch.number] < DEATHS:
            return [batch]
        return [batch._replace(items=(item,), doubtful=True) for item in batch.items]

    def _wait(self, ends: Sequence[Any]) -> dict[Any, Spent]:
        """Until all tasks have ended: what each took. The first that says why it failed ends the rest."""
        ray, left, took = self._ray, list(ends), dict[Any, Spent]()
        try:
            while left:
                done, left = ray.wait(left, num_returns=len(left), timeout=_PATIENCE)
                self._check()
                for one in done:
                    said = ray.get(one)
                    if isinstance(said, Failed):
                        _raise(said)
                    self._spent(said.node, NodeWork(1, said.cpu, sent_bytes=said.sent))
                    took[one] = said
        except ray.exceptions.RayError as error:
            self._cancel(left)
            raise full_disk(error) or lost_work(error) from error
        except BaseException:  # as in `map`
            self._cancel(left)
            raise
        return took

    def _spent(self, node: str, work: NodeWork) -> None:
        with self._lock:
            self.cpu_elsewhere += work.cpu_seconds
            self.by_node[node] = self.by_node.get(node, NodeWork()).and_also(work)

    def _check(self) -> None:
        if self.stopped:
            raise Interrupted

    def _gone(self, why: str) -> None:
        self.stop(why)
        end()  # whoever waits for Ray hears nothing else

    def _cancel(self, tasks: Iterable[Any]) -> None:
        """End tasks, whatever they do: files appear only when they are whole."""
        for one in tasks:
            with suppress(Exception):
                self._ray.cancel(one, force=True)


def _as_they_are(_receiver: int, rows: pa.Table) -> pa.Table:
    return rows


def _asked(setting: Setting, function: Callable[[], Result]) -> Result:
    setting.hold()
    return function()


def _nothing() -> None:
    return None


def _raise(failed: Failed) -> NoReturn:
    """An error of a task as if it had happened here, with a note where it did."""
    if isinstance(failed.error, NotAlike):
        message, hint = failed.error.args
        raise PlanError(message, hint=hint) from None
    if full := full_disk(failed.error, failed.node):
        raise full from failed.error
    if type(failed.error).__module__ == "ray.exceptions":  # what an exchange sent is lost
        raise lost_work(failed.error) from failed.error
    failed.error.add_note(f"on node {failed.node}:\n{failed.trace}")
    raise failed.error


def _even(number: int, groups: int) -> list[int]:
    """Bounds of so many groups of about the same size.

    Example:
        >>> _even(5, 2)
        [0, 2, 5]
    """
    return [number * group // groups for group in range(groups + 1)]


def _batched(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    source = iter(items)
    while batch := tuple(itertools.islice(source, size)):
        yield batch
