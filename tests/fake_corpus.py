"""A corpus in memory: all that a corpus stage may ask for, by the most contrary engine that keeps to the contract."""

import pickle
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from tempfile import TemporaryFile

import numpy as np
import pyarrow as pa

from curate.stages.contract import TO, CorpusStage, Receive, Send


class FakeCorpus:
    """Parts of texts, observed by a stage as an engine would: rows that are out are left away, then null."""

    def __init__(
        self,
        stage: CorpusStage,
        parts: Sequence[Sequence[str | None]],
        ids: Sequence[Sequence[str]] | None = None,
        batch_rows: int = 1000,
    ) -> None:
        """`None` in ``parts`` is a document that an earlier stage left out."""
        self.rows = [len(part) for part in parts]
        self._texts = [pa.array(part, pa.large_string()) for part in parts]
        self.ids = ids or [[f"doc-{part}-{row}" for row in range(rows)] for part, rows in enumerate(self.rows)]
        self.partials = [self._observe(stage, part, batch_rows) for part in range(len(parts))]
        self.earlier: list[tuple[str, int]] = []
        self._random = random.Random(len(parts))

    def _observe(self, stage: CorpusStage, part: int, batch_rows: int) -> pa.Table:
        whole = pa.table({"id": pa.array(self.ids[part], pa.string()), "text": self._texts[part]})
        present = self._texts[part].is_valid()
        batches = whole.filter(present).combine_chunks().to_batches(max_chunksize=batch_rows)
        partials = pa.Table.from_batches([stage.observe(batch) for batch in batches], stage.partial_schema)
        places = np.cumsum(present.to_numpy(zero_copy_only=False)) - 1
        return partials.take(pa.array(places, mask=~present.to_numpy(zero_copy_only=False)))

    def partial(self, part: int, columns: Sequence[str]) -> pa.Table:
        return self.partials[part].select(list(columns))

    def texts(self, part: int, rows: np.ndarray) -> pa.Array:
        assert (np.diff(rows) > 0).all()
        return self._texts[part].take(pa.array(rows))

    def verdicts(self, part: int) -> pa.Table:
        raise IndexError(part)

    def map(self, task: Callable, items: Iterable) -> Iterator:
        return map(travelled(task), items)

    def exchange(self, send: Send, senders: int, receive: Receive, receivers: int, schema: pa.Schema) -> list[pa.Table]:
        """In random order, every task and message serialised, every task run twice."""
        boxes: list[list[pa.Table]] = [[] for _ in range(receivers)]
        for sender in self._shuffled(range(senders)):
            for _ in range(2):
                sent = [row for batch in travelled(send)(sender) for row in self._shuffled(_rows(batch))]
            for row in self._shuffled(sent):
                boxes[row.column(TO)[0].as_py()].append(row.select(schema.names))
        received: dict[int, pa.Table] = {}
        for receiver in self._shuffled(range(receivers)):
            for _ in range(2):
                rows = pa.concat_tables([schema.empty_table(), *self._shuffled(boxes[receiver])])
                made = travelled(receive)(receiver, travelled(rows))
                assert receiver not in received or self._same(received[receiver], made)
                received[receiver] = made
        return [travelled(received[receiver]) for receiver in range(receivers)]

    def _shuffled(self, items: Iterable) -> list:
        items = list(items)
        self._random.shuffle(items)
        return items

    @staticmethod
    def _same(one: pa.Table, other: pa.Table) -> bool:
        return sorted(map(repr, one.to_pylist())) == sorted(map(repr, other.to_pylist()))

    def scratch(self, dtype: np.dtype, size: int) -> np.ndarray:
        with TemporaryFile() as file:  # the mapping outlives the open file
            return np.memmap(file, dtype, "w+", shape=(max(size, 1),))[:size]


def travelled(thing: object) -> object:
    """What arrives when it is sent to another machine."""
    return pickle.loads(pickle.dumps(thing))


def _rows(batch: pa.RecordBatch) -> list[pa.Table]:
    table = pa.Table.from_batches([batch])
    return [table.slice(at, 1) for at in range(len(table))]
