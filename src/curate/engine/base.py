"""The small interface between what is to be done and where it runs."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa

from curate.stages.contract import Receive, Rows, Send

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """Runs tasks over parts, and lets a task spread its own batches over the cores of where it runs."""

    workers: int

    def map(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """``task(item)`` for every item, several at a time; results in any order.

        The first error stops the rest and is raised.
        """

    def spread(
        self, task: Callable[[Item], Result], items: Iterable[Item], takes: Callable[[Item], int] | None = None
    ) -> Iterator[Result]:
        """``task(item)`` for every item on this machine's cores; results in the order of ``items``.

        Takes from ``items`` only a few ahead of what has been asked for, so memory is bounded. ``takes`` tells how many
        bytes a task takes that may take many: fewer of such run at the same time, and are taken ahead.
        """

    def exchange(
        self, send: Send, senders: int, receive: Receive, receivers: int, schema: pa.Schema, folder: Path
    ) -> Rows:
        """Rows sent by key: see `curate.stages.contract.Corpus.exchange`. What memory cannot hold goes to ``folder``.

        Tasks are functions of their arguments alone; an engine may run them anywhere, in any order, and twice.
        """

    stopped: str
    """Why it was asked to stop; empty while it was not."""

    def stop(self, why: str = "failed") -> None:
        """Ask running tasks to end at their next item; `map` and `spread` then raise `Interrupted`."""


class Interrupted(Exception):  # noqa: N818
    """The run was asked to stop; what is finished is safe."""
