"""What the rest of the program knows of where its work runs.

A *task* is a value: it can be pickled, travels to a *worker* (a process with threads of its own), may be run twice, and
is a function of its arguments and of the files that they name. What it returns is small. On the way it may tell what it
costs and how far it is; the engine hands that to the driver with the result, so that nothing of a task is lost with it
or counted twice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import pyarrow as pa

from curate.stages.contract import Receive, Rows, Send

Item = TypeVar("Item")
Result = TypeVar("Result")
Hear = Callable[[Any], None]
"""Takes what tasks tell; may be called from several threads."""


class NodeWork(NamedTuple):
    """What the tasks on one node have done so far."""

    tasks: int = 0
    cpu_seconds: float = 0.0
    input_bytes: int = 0
    sent_bytes: int = 0
    """Rows that exchanges sent from there."""

    def and_also(self, more: "NodeWork") -> "NodeWork":
        """Both together."""
        return NodeWork(
            self.tasks + more.tasks,
            self.cpu_seconds + more.cpu_seconds,
            self.input_bytes + more.input_bytes,
            self.sent_bytes + more.sent_bytes,
        )


class Worker(Protocol):
    """What a task finds where it runs."""

    @property
    def doubtful(self) -> bool:
        """Whether workers have died of this item before."""

    def spread(
        self, task: Callable[[Item], Result], items: Iterable[Item], takes: Callable[[Item], int] | None = None
    ) -> Iterator[Result]:
        """``task(item)`` for every item on the threads of this worker; results in the order of ``items``.

        Takes from ``items`` only a few ahead of what has been asked for, so memory is bounded. ``takes`` tells how many
        bytes a task takes that may take many: fewer of such run at the same time, and are taken ahead.
        """

    def tell(self, news: Any) -> None:
        """Send something to the driver: progress, or what a piece of work cost."""


class Engine(Protocol):
    """Runs tasks."""

    @property
    def workers(self) -> int:
        """Cores that work at the same time."""

    @property
    def cpu_elsewhere(self) -> float:
        """CPU seconds that tasks have taken so far in other processes than this one and its ended children."""

    @property
    def by_node(self) -> Mapping[str, NodeWork]:
        """What each node of a cluster has done so far; nothing where there are none."""

    @property
    def losses(self) -> int:
        """How often work was lost with whoever did it; what that was writing has stayed unfinished."""

    @property
    def is_shared(self) -> bool:
        """Whether other processes than this one write files of the run."""

    @property
    def stopped(self) -> str:
        """Why it was asked to stop; empty while it was not."""

    def compiling(self) -> None:
        """Called when this process compiles a kernel that others would otherwise compile at the same time."""

    def map(
        self, task: Callable[[Item, Worker], Result], items: Iterable[Item], hear: Hear | None = None
    ) -> Iterator[Result]:
        """``task(item, worker)`` for every item, several at a time; results in any order.

        The first error ends the rest and is raised. Tasks start no other tasks. May be called from several threads.
        """

    def exchange(
        self, send: Send, senders: int, receive: Receive | None, receivers: int, schema: pa.Schema, folder: Path
    ) -> Rows:
        """Rows sent by key: see `curate.stages.contract.Corpus.exchange`. What memory cannot hold goes to ``folder``.

        Where nobody receives them, the rows themselves come back, in any order, and may be brought together only when
        they are read: for rows that are read once.

        The rows that come back can travel: a task that holds them can read them wherever it runs.
        """

    def stop(self, why: str = "stopped") -> None:
        """Ask running tasks to end at their next item; `map` then raises `Interrupted`."""

    def close(self) -> None:
        """Give back what it holds."""


class Alone(Generic[Item, Result]):
    """A task that is a plain function of its item and keeps one core busy.

    Args:
        function: of an item.
    """

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self.function = function

    def __call__(self, numbered: tuple[int, Item], worker: Worker) -> tuple[int, Result]:  # noqa: ARG002
        """The number of the item and the result."""
        number, item = numbered
        return number, self.function(item)


def in_order(engine: Engine, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``function(item)`` for every item, several at a time; results in the order of ``items``.

    Args:
        engine: where.
        function: of an item.
        items: any number.
    """
    early: dict[int, Result] = {}
    following = 0
    for number, result in engine.map(Alone(function), enumerate(items)):
        early[number] = result
        while following in early:
            yield early.pop(following)
            following += 1


def spreading(engine: Engine) -> Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]:
    """``map`` on an engine, results in order."""
    return partial(in_order, engine)


class Interrupted(Exception):  # noqa: N818
    """The run was asked to stop; what is finished is safe."""
