"""The most contrary engine that keeps to the contract: random order, everything serialised, tasks run twice."""

import pickle
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate.engine.base import Hear
from curate.engine.local import LocalEngine
from curate.stages.contract import TO, Receive, Send


class ContraryWorker:
    """One thread, which keeps what it is told until the task has ended."""

    def __init__(self) -> None:
        self.told: list = []
        self.doubtful = False

    def spread(self, task: Callable, items: Iterable, takes: Callable | None = None) -> Iterator:
        for item in items:
            task(item)
            yield task(item)

    def tell(self, news: object) -> None:
        self.told.append(news)


class ContraryEngine(LocalEngine):
    """Does in one thread what an engine may do, in the way least expected."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(workers=1, lanes=1, ahead=1)
        self._random = random.Random(seed)

    def __reduce__(self) -> tuple:
        """Tasks start no tasks: what holds an engine travels without it."""
        return bool, ()

    def map(self, task: Callable, items: Iterable, hear: Hear | None = None) -> Iterator:
        for item in self._shuffled(items):
            for attempt in range(2):
                worker = ContraryWorker()
                result = travelled(task)(travelled(item), worker)
                if attempt == 0:  # the second one finds the files of the first, and says nothing new
                    first, told = result, worker.told
            for news in travelled(told) if hear else ():
                hear(news)
            yield travelled(first)

    def exchange(
        self,
        send: Send,
        senders: int,
        receive: Receive | None,
        receivers: int,
        schema: pa.Schema,
        folder: Path | None = None,
    ) -> list[pa.Table]:
        boxes: list[list[pa.Table]] = [[] for _ in range(receivers)]
        for sender in self._shuffled(range(senders)):
            for _ in range(2):
                sent = [self._mixed(pa.Table.from_batches([batch])) for batch in travelled(send)(sender)]
            for rows in self._shuffled(sent):
                for receiver in pc.unique(rows.column(TO)).to_pylist():
                    own = rows.filter(pc.equal(rows.column(TO), receiver))
                    boxes[receiver].append(own.select(schema.names))
        received: dict[int, pa.Table] = {}
        for receiver in self._shuffled(range(receivers)):
            for _ in range(2):
                rows = self._mixed(pa.concat_tables([schema.empty_table(), *boxes[receiver]]))
                if receive is None:
                    received[receiver] = rows
                    continue
                made = travelled(receive)(receiver, travelled(rows))
                assert receiver not in received or _same(received[receiver], made)
                received[receiver] = made
        return [travelled(received[receiver]) for receiver in range(receivers)]

    def _shuffled(self, items: Iterable) -> list:
        items = list(items)
        self._random.shuffle(items)
        return items

    def _mixed(self, rows: pa.Table) -> pa.Table:
        return rows.take(pa.array(self._shuffled(range(len(rows))), pa.int64()))


def travelled(thing: object) -> object:
    """What arrives when it is sent to another machine."""
    return pickle.loads(pickle.dumps(thing))


def _same(one: pa.Table, other: pa.Table) -> bool:
    return sorted(map(repr, one.to_pylist())) == sorted(map(repr, other.to_pylist()))
