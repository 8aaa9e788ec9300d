"""A corpus in memory: all that a corpus stage may ask for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from weakref import WeakValueDictionary

import numpy as np
import pyarrow as pa

from contrary_engine import ContraryEngine, travelled
from curate.stages.contract import CorpusStage, Receive, Send

TEXTS_AT_ONCE = 7

_CORPORA: "WeakValueDictionary[int, FakeCorpus]" = WeakValueDictionary()


class FakeCorpus:
    """Parts of texts, observed by a stage as an engine would: rows that are out are left away, then null."""

    def __init__(
        self,
        stage: CorpusStage,
        parts: Sequence[Sequence[str | None]],
        ids: Sequence[Sequence[str]] | None = None,
        batch_rows: int = 1000,
        against: "FakeCorpus | None" = None,
        **columns: Sequence[Sequence[object]],
    ) -> None:
        """`None` in ``parts`` is a document that an earlier stage removed, ``against`` the corpus of an earlier run."""
        if against and not against.verdicts:
            against.resolve(stage)
        rows = [len(part) for part in parts]
        ids = ids or [[f"doc-{part}-{row}" for row in range(count)] for part, count in enumerate(rows)]
        tables = [
            pa.table(
                {"id": pa.array(ids[part], pa.string()), "text": pa.array(texts, pa.large_string())}
                | {name: pa.array(values[part]) for name, values in columns.items()}
            )
            for part, texts in enumerate(parts)
        ]
        self.rows = [*(against.rows if against else ()), *rows]
        self._texts = [
            *(against._texts if against else ()),
            *(table.column("text").combine_chunks() for table in tables),
        ]
        self.partials = [
            *(against.partials_in_the_end() if against else ()),
            *(self._observe(stage, table, batch_rows) for table in tables),
        ]
        self.earlier = [("before", part) for part in range(len(against.rows))] if against else []
        self.verdicts = [*(against.verdicts if against else ())]
        self.failed = self.passed = [np.empty(0, np.int64)] * len(parts)
        self.trying = False
        self._engine = ContraryEngine(len(parts))
        _CORPORA[id(self)] = self

    def __reduce__(self) -> tuple:
        """What travels is the place where it is found, as with files."""
        return _found, (id(self),)

    def resolve(self, stage: CorpusStage) -> None:
        """Decide, and keep what was decided."""
        self.decided(stage.resolve(self))

    def decided(self, judge: Callable[[int], pa.RecordBatch]) -> None:
        """Keep what was decided."""
        earlier = len(self.earlier)
        decided = [travelled(judge)(part) for part in range(len(self.rows) - earlier)]
        self.verdicts = [*self.verdicts[:earlier], *decided]

    def partials_in_the_end(self) -> list[pa.Table]:
        """As a run against this one sees them: documents that have failed are out."""
        seen = []
        for part, partial in enumerate(self.partials):
            own = part - len(self.earlier)
            stays = np.arange(len(partial)) if own < 0 else np.setdiff1d(np.arange(len(partial)), self.failed[own])
            out = np.ones(len(partial), np.bool_)
            out[stays] = False
            removed = self.verdicts[part].column("survivor_at").is_valid().to_numpy(zero_copy_only=False)
            seen.append(partial.take(pa.array(np.arange(len(partial)), mask=out & ~removed)))
        return seen

    def _observe(self, stage: CorpusStage, whole: pa.Table, batch_rows: int) -> pa.Table:
        present = whole.column("text").is_valid()
        batches = whole.filter(present).combine_chunks().to_batches(max_chunksize=batch_rows)
        partials = pa.Table.from_batches([stage.observe(batch) for batch in batches], stage.partial_schema)
        places = np.cumsum(present.to_numpy(zero_copy_only=False)) - 1
        return partials.take(pa.array(places, mask=~present.to_numpy(zero_copy_only=False)))

    def partial(self, part: int, columns: Sequence[str]) -> pa.Table:
        return self.partials[part].select(list(columns))

    def texts(self, part: int, rows: np.ndarray) -> Iterator[pa.Array]:
        assert (np.diff(rows) > 0).all()
        for some in np.split(rows, np.flatnonzero(np.diff(rows // TEXTS_AT_ONCE)) + 1):
            if len(some):
                yield self._texts[part].take(pa.array(some))

    def judged(self, part: int, columns: Sequence[str]) -> pa.Table:
        return pa.Table.from_batches([self.verdicts[part]]).select(list(columns))

    def map(self, task: Callable, items: Iterable) -> Iterator:
        return map(travelled(task), items)

    def exchange(self, send: Send, senders: int, receive: Receive, receivers: int, schema: pa.Schema) -> list[pa.Table]:
        return self._engine.exchange(send, senders, receive, receivers, schema)

    def scratch(self, dtype: np.dtype, size: int) -> np.ndarray:
        with TemporaryFile() as file:  # the mapping outlives the open file
            return np.memmap(file, dtype, "w+", shape=(max(size, 1),))[:size]


def _found(number: int) -> FakeCorpus:
    return _CORPORA[number]
