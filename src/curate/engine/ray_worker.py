"""What runs on the nodes of a Ray cluster: tasks over items, and the two halves of an exchange.

Functions of this module are sent by name, so every node runs the code that is installed there; what it is, is compared
with the driver's before any work. A Ray worker is a process of its own. It keeps between tasks what is dear to make:
threads, stages, kernels.
"""

import functools
import itertools
import os
import pickle
import socket
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.engine.child_worker import cpu_seconds
from curate.engine.exchange import by_number
from curate.engine.local import LocalEngine
from curate.engine.received import Block, block_of, table_in
from curate.stages.contract import TO, Receive, Send
from curate.store.manifest import versions
from curate.store.objects.endpoint import Endpoint
from curate.store.objects.store_path import forget_listings, use_endpoint

Item = TypeVar("Item")
Result = TypeVar("Result")

BUNDLED_BYTES = 100_000
"""Ray keeps results up to this size in the driver's memory; smaller blocks of a sender are sent as one."""


class Setting(NamedTuple):
    """What all tasks of a run have in common.

    Attributes:
        folder: where relative paths begin.
        memory: bytes that tasks may take at the same time in one worker.
        versions: of the driver's packages.
        endpoint: of the driver's object stores.
        nodes: ids of those that were looked at before the run.
        look: of one that has joined since: what is wrong with it and what to type, or None; pickled.
    """

    folder: str
    memory: int
    versions: tuple[tuple[str, str], ...]
    endpoint: Endpoint = Endpoint()
    nodes: frozenset[str] = frozenset()
    look: bytes = b""

    def hold(self) -> None:
        """Have it hold in this process."""
        with suppress(OSError):  # then paths that are not absolute mean nothing here, and the first one says so
            os.chdir(self.folder)
        if self.endpoint.url:
            use_endpoint(self.endpoint)


class Failed(NamedTuple):
    """An error of a task, where it happened, and on which node."""

    error: Exception
    trace: str
    node: str


class Reply(NamedTuple):
    """What comes back of some items: results in their order, what was reported meanwhile, CPU seconds; or an error."""

    results: Sequence[Any]
    told: Sequence[Any]
    cpu: float
    node: str
    failed: Failed | None = None


class Spent(NamedTuple):
    """What half of an exchange took: where, CPU seconds, and bytes that were sent."""

    node: str
    cpu: float
    sent: int = 0


class NotAlike(Exception):  # noqa: N818
    """A node that joined is not as the driver is: what is other, and what to type."""


class RayWorker:
    """See `curate.engine.base.Worker`."""

    def __init__(self, engine: LocalEngine, *, doubtful: bool = False) -> None:
        self._engine, self.doubtful = engine, doubtful
        self.told: list[Any] = []

    def spread(
        self, task: Callable[[Item], Result], items: Iterable[Item], takes: Callable[[Item], int] | None = None
    ) -> Iterator[Result]:
        """See `curate.engine.base.Worker.spread`."""
        return self._engine.spread(task, items, takes)

    def tell(self, news: Any) -> None:
        """See `curate.engine.base.Worker.tell`."""
        self.told.append(news)


def do_items(setting: Setting, task: Sequence[Any], items: bytes, doubtful: bool) -> Reply:
    """Run a task over some items.

    Args:
        setting: of the run.
        task: a reference to the task.
        items: one after another, pickled: what they need is loaded when this process knows that it has one core.
        doubtful: workers died of these before.
    """
    before = cpu_seconds()
    worker = RayWorker(_engine(setting), doubtful=doubtful)
    try:
        _compare(setting)
        forget_listings()
        do = _fetched(task[0])
        results = [do(item, worker) for item in pickle.loads(items)]  # noqa: S301  (from our own driver)
    except Exception as error:  # noqa: BLE001  (whatever it is, the driver must know)
        return Reply((), (), cpu_seconds() - before, node_name(), _failed(error))
    return Reply(results, worker.told, cpu_seconds() - before, node_name())


def send_groups(
    setting: Setting, send: Sequence[Any], senders: Sequence[int], bounds: Sequence[int], schema: pa.Schema
) -> tuple[Any, ...]:
    """What some senders send: a block for each group of receivers, or all of them in one; `Spent` or an error.

    Args:
        setting: of the run.
        send: a reference to what sends.
        senders: their numbers.
        bounds: first receiver of each group, and how many there are.
        schema: columns delivered.
    """
    before, groups = cpu_seconds(), len(bounds) - 1
    _engine(setting)
    try:
        _compare(setting)
        forget_listings()
        sending: Send = _fetched(send[0])
        sent = pa.schema([pa.field(TO, pa.int64()), *schema])
        batches = [rows.cast(sent) for sender in senders for rows in sending(sender) if len(rows)]
    except Exception as error:  # noqa: BLE001
        return (*([None] * (groups + 1)), _failed(error))
    blocks = _grouped(pa.Table.from_batches(batches, sent), bounds)
    size = sum(0 if block is None else block.nbytes for block in blocks)
    spent = Spent(node_name(), cpu_seconds() - before, size)
    return (*blocks, None, spent) if size >= groups * BUNDLED_BYTES else (*([None] * groups), blocks, spent)


def receive_group(
    setting: Setting,
    receive: Sequence[Any],
    group: int,
    receivers: Sequence[int],
    schema: pa.Schema,
    *blocks: Any,
) -> tuple[Any, ...]:
    """What the receivers of a group make of their rows, as one block; `Spent` or an error.

    Args:
        setting: of the run.
        receive: a reference to what receives.
        group: its number.
        receivers: their numbers, ascending.
        schema: columns delivered.
        blocks: of `send_groups`: those for this group, then those for all.
    """
    before = cpu_seconds()
    _engine(setting)
    own = [block[group] if isinstance(block, list) else block for block in blocks]
    try:
        _compare(setting)
        forget_listings()
        receiving: Receive = _fetched(receive[0])
        tables = [table_in(block) for block in own if block is not None]
        made = []
        for receiver in receivers:
            rows = pa.concat_tables([schema.empty_table(), *(_of(table, receiver) for table in tables)])
            made.append(receiving(receiver, rows))
        return block_of(made), Spent(node_name(), cpu_seconds() - before)
    except Exception as error:  # noqa: BLE001
        return None, _failed(error)


def node_name() -> str:
    """The host and, where several nodes share it, the node's id."""
    import ray

    return f"{socket.gethostname()} ({ray.get_runtime_context().get_node_id()[:8]})"


def _grouped(rows: pa.Table, bounds: Sequence[int]) -> list[Block | None]:
    """A block for each group, its rows by receiver; None where there are none."""
    to = rows.column(TO).to_numpy()
    order = by_number(to) if (np.diff(to) < 0).any() else None
    ends = np.searchsorted(to if order is None else to[order], bounds)

    def group(start: int, stop: int) -> pa.Table:
        return rows.slice(start, stop - start) if order is None else rows.take(pa.array(order[start:stop]))

    return [block_of([group(*pair)]) if pair[1] > pair[0] else None for pair in itertools.pairwise(ends.tolist())]


def _of(table: pa.Table, receiver: int) -> pa.Table:
    to: npt.NDArray[np.int64] = table.column(TO).to_numpy()
    start, stop = np.searchsorted(to, (receiver, receiver + 1))
    return table.slice(start, stop - start).drop_columns(TO)


@functools.lru_cache(maxsize=1)
def _engine(setting: Setting) -> LocalEngine:
    """The threads of this process, which has one core; made when its first task comes."""
    setting.hold()
    pa.set_cpu_count(1)
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    return LocalEngine(workers=1, lanes=1, ahead=2, memory=setting.memory)


@functools.lru_cache(maxsize=1)
def _compare(setting: Setting) -> None:
    """Before the first task of a process: a node may have joined since all were looked at."""
    import ray

    if ray.get_runtime_context().get_node_id() in setting.nodes:
        return
    own, theirs = versions(), dict(setting.versions)
    other = [name for name, wanted in theirs.items() if own.get(name) != wanted]
    if other:
        has = ", ".join(f"{name} {own.get(name, 'not installed')} and not {theirs[name]}" for name in other)
        wanted = " ".join(f"'{name}=={theirs[name]}'" for name in other)
        raise NotAlike(f"node {node_name()} has {has}", f"on that node: pip install {wanted}")
    if setting.look and (found := pickle.loads(setting.look)()):  # noqa: S301  (from our own driver)
        raise NotAlike(f"node {node_name()} {found[0]}", found[1])


@functools.lru_cache(maxsize=3)
def _fetched(reference: Any) -> Any:
    """A task, of which this process may have had some items already."""
    import ray

    return ray.get(reference)


def _failed(error: Exception) -> Failed:
    from ray import cloudpickle

    trace = traceback.format_exc()
    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:  # noqa: BLE001  (some carry what cannot travel)
        error = RuntimeError(f"{type(error).__name__}: {error}")
    return Failed(error, trace, node_name())
