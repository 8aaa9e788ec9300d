"""What runs on the nodes of a Ray cluster: tasks over items, and the two halves of an exchange.

Functions of this module are sent by name, so every node runs the code that is installed there; what it is, is compared
with the driver's before any work. A Ray worker is a process of its own. It keeps between tasks what is dear to make:
threads, stages, kernels.
"""

import functools
import gc
import itertools
import os
import pickle
import socket
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from curate.engine.child_worker import cpu_seconds
from curate.engine.exchange import by_number
from curate.engine.local import LocalEngine
from curate.engine.received import Sent, block_of, letters_of, rows_in, sent_to
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
        young_objects: new objects between two garbage collections.
        nodes: ids of those that were looked at before the run.
        look: of one that has joined since: what is wrong with it and what to type, or None; pickled.
    """

    folder: str
    memory: int
    versions: tuple[tuple[str, str], ...]
    endpoint: Endpoint = Endpoint()
    young_objects: int = 700
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
    messages: Sequence[Any]
    cpu: float
    node: str
    failed: Failed | None = None


class Spent(NamedTuple):
    """What half of an exchange took: where, CPU seconds, bytes that were sent, and whether as one for all groups."""

    node: str
    cpu: float
    sent: int = 0
    bundled: bool = False


class NotAlike(Exception):  # noqa: N818
    """A node that joined is not as the driver is: what is other, and what to type."""


class RayWorker:
    """See `curate.engine.base.Worker`."""

    def __init__(self, engine: LocalEngine, *, doubtful: bool = False) -> None:
        self._engine, self.doubtful = engine, doubtful
        self.messages: list[Any] = []

    def spread(
        self, task: Callable[[Item], Result], items: Iterable[Item], takes: Callable[[Item], int] | None = None
    ) -> Iterator[Result]:
        """See `curate.engine.base.Worker.spread`."""
        return self._engine.spread(task, items, takes)

    def tell(self, news: Any) -> None:
        """See `curate.engine.base.Worker.tell`."""
        self.messages.append(news)


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
    return Reply(results, worker.messages, cpu_seconds() - before, node_name())


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
        batches = [rows for sender in senders for rows in sending(sender) if len(rows)]
        blocks = _grouped(batches, bounds, schema)
    except Exception as error:  # noqa: BLE001
        return (*([None] * (groups + 1)), _failed(error))
    size = sum(block.nbytes for block in blocks if block)
    spent = Spent(node_name(), cpu_seconds() - before, size, bundled=size < groups * BUNDLED_BYTES)
    return (*([None] * groups), blocks, spent) if spent.bundled else (*blocks, None, spent)


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
    try:
        _compare(setting)
        forget_listings()
        receiving: Receive = _fetched(receive[0])
        letters = letters_of(group, blocks)
        made = [receiving(number, rows_in(letters, at, schema)) for at, number in enumerate(receivers)]
        return block_of(made), Spent(node_name(), cpu_seconds() - before)
    except Exception as error:  # noqa: BLE001
        return None, _failed(error)


def node_name() -> str:
    """The host and, where several nodes share it, the node's id."""
    import ray

    return f"{socket.gethostname()} ({ray.get_runtime_context().get_node_id()[:8]})"


def _grouped(batches: list[pa.RecordBatch], bounds: Sequence[int], schema: pa.Schema) -> list[Sent | None]:
    """What goes to each group of receivers; empties the list, or all of it would be there twice."""
    if not batches:
        return [None] * (len(bounds) - 1)
    rows = pa.Table.from_batches([batch.select(schema.names).cast(schema) for batch in batches]).combine_chunks()
    to = np.concatenate([batch.column(TO).to_numpy().astype(np.int64, copy=False) for batch in batches])
    batches.clear()
    if (np.diff(to) < 0).any():
        rows = rows.take(pa.array(by_number(to)))
    ends = np.concatenate(([0], np.cumsum(np.bincount(to, minlength=bounds[-1]))))
    return [sent_to(rows, ends[start : stop + 1]) for start, stop in itertools.pairwise(bounds)]


@functools.lru_cache(maxsize=1)
def _engine(setting: Setting) -> LocalEngine:
    """The threads of this process, which has one core; made when its first task comes."""
    setting.hold()
    gc.set_threshold(setting.young_objects)
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
