"""A corpus in memory: what a corpus stage may ask of an engine, in its smallest form."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from tempfile import TemporaryFile

import numpy as np
import pyarrow as pa

from curate.stages.contract import CorpusStage


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
        self._scratch: set[str] = set()
        self.scratch_bytes = 0

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

    def map(self, task: Callable, items: Iterable) -> Iterator:
        return map(task, items)

    def scratch(self, name: str, dtype: np.dtype, size: int) -> np.ndarray:
        assert name not in self._scratch, f"scratch name {name} taken twice"
        self._scratch.add(name)
        self.scratch_bytes += size * np.dtype(dtype).itemsize
        with TemporaryFile() as file:  # the mapping outlives the open file
            return np.memmap(file, dtype, "w+", shape=(max(size, 1),))[:size]
