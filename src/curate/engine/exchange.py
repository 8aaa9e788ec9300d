"""Rows sent by key on one machine: mailboxes in memory and, beyond a budget, in sorted runs on disk.

Whoever sends, puts rows with a column ``to``; whoever receives, takes all rows meant for it. What waits in memory is
bounded: when it passes the budget it is sorted by receiver and appended to one file as a *run*, a few messages for each
receiver, which are read when the rows are taken. So there is one file, and what is known of it in memory follows from
the bytes sent, not from senders times receivers.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.contract import TO
from curate.store.files import remove, unfinished

WAITING_BYTES = 32_000_000
"""Rows of one exchange that wait in memory."""
_LARGE = 65_536
"""Bytes of a batch that is written as it is; smaller ones are put together, at the price of a copy."""
KEPT_BYTES = 8_000_000
"""Rows of one exchange's results that stay in memory."""


class Mailboxes:
    """Rows on their way; `put` may be called from several threads, `take` when all has been put.

    Args:
        schema: columns delivered.
        folder: where runs go; made when the first is written.
        budget: bytes of rows that wait in memory; 0: `WAITING_BYTES`.
    """

    def __init__(self, schema: pa.Schema, folder: Path, budget: int = 0) -> None:
        self._schema, self._file, self._budget = schema, unfinished(folder / "sent"), budget or WAITING_BYTES
        self._waiting: list[_Sorted] = []
        self._size = 0
        self._runs: list[_Run] = []
        self._lock = threading.Lock()

    def put(self, rows: pa.RecordBatch) -> None:
        """Send rows on their way."""
        if not len(rows):
            return
        one = _Sorted.by_receiver(rows, self._schema)
        with self._lock:
            self._waiting.append(one)
            self._size += one.rows.nbytes
            if self._size > self._budget:
                self._write_run()

    def take(self, receiver: int) -> pa.Table:
        """All rows for one receiver, in any order."""
        batches = self._read(receiver) if self._runs else []
        batches += [part for one in self._waiting if len(part := one.of(receiver))]
        return pa.Table.from_batches(batches, self._schema)

    def sealed(self) -> "Mailboxes":
        """The same with all rows on disk: it can travel to any process of this machine, and be read there."""
        if self._waiting:
            self._write_run()
        return self

    def __getstate__(self) -> dict[str, Any]:
        assert not self._waiting, "rows that wait in memory do not travel"
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._lock = threading.Lock()

    def remove(self) -> None:
        """Forget everything."""
        self._waiting, self._runs = [], []
        remove(self._file)

    def _read(self, receiver: int) -> list[pa.RecordBatch]:
        batches = []
        with self._file.open("rb", buffering=0) as file:
            for run in self._runs:
                at = int(np.searchsorted(run.receivers, receiver))
                if at < len(run.receivers) and run.receivers[at] == receiver:
                    start, stop = int(run.bounds[at]), int(run.bounds[at + 1])
                    messages = pa.BufferReader(os.pread(file.fileno(), stop - start, start))
                    while messages.tell() < stop - start:
                        batches.append(pa.ipc.read_record_batch(pa.ipc.read_message(messages), self._schema))
        return batches

    def _write_run(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        receivers = np.unique(np.concatenate([one.receivers for one in self._waiting]))
        with pa.OSFile(str(self._file), "ab") as file, pa.ipc.new_stream(file, self._schema) as stream:
            stream.write_batch(self._waiting[0].rows.slice(0, 0))  # with the schema, which readers know
            bounds = [file.tell()]
            for receiver in receivers:
                parts = [part for one in self._waiting if len(part := one.of(int(receiver)))]
                many = sum(part.nbytes for part in parts) < len(parts) * _LARGE
                for rows in [pa.concat_batches(parts)] if many else parts:
                    stream.write_batch(rows)
                bounds.append(file.tell())
        self._runs.append(_Run(receivers, np.array(bounds)))
        self._waiting, self._size = [], 0


class Unread:
    """Rows that nobody has received: brought together when they are read, once each.

    Args:
        boxes: with rows for all receivers.
        receivers: how many there are.
        schema: of the rows.
    """

    def __init__(self, boxes: "Sequence[Mailboxes]", receivers: int, schema: pa.Schema) -> None:
        self._boxes, self._receivers, self._schema = tuple(boxes), receivers, schema

    def __len__(self) -> int:
        return self._receivers

    def __getitem__(self, receiver: int) -> pa.Table:
        return pa.concat_tables([self._schema.empty_table(), *(boxes.take(receiver) for boxes in self._boxes)])


class _Run(NamedTuple):
    """Where in the file the rows of each receiver are."""

    receivers: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.int64]


class _Sorted:
    """Rows in the order of their receivers."""

    def __init__(self, rows: pa.RecordBatch, receivers: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64]) -> None:
        self.rows, self.receivers, self._bounds = rows, receivers, bounds

    @classmethod
    def by_receiver(cls, rows: pa.RecordBatch, schema: pa.Schema) -> "_Sorted":
        to = rows.column(TO).to_numpy(zero_copy_only=False).astype(np.int64)
        rows = rows.select(schema.names)
        if (np.diff(to) < 0).any():
            order = by_number(to)
            rows, to = rows.take(pa.array(order)), to[order]
        starts = np.flatnonzero(np.diff(to, prepend=-1))
        return cls(rows, to[starts], np.append(starts, len(to)).astype(np.int64))

    def of(self, receiver: int) -> pa.RecordBatch:
        at = int(np.searchsorted(self.receivers, receiver))
        if at == len(self.receivers) or self.receivers[at] != receiver:
            return self.rows.slice(0, 0)
        return self.rows.slice(int(self._bounds[at]), int(self._bounds[at + 1] - self._bounds[at]))


def by_number(to: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The order of rows by the numbers of their receivers, of which there is one at least."""
    # numpy sorts 16-bit integers by counting, eight times as fast
    return np.argsort(to.astype(np.uint16) if to.max() < 1 << 16 else to, kind="stable")


class Received:
    """What each receiver made of its rows: a sequence of tables, on disk beyond a budget."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: list[pa.Table | Path] = []
        self._size = 0

    def append(self, table: pa.Table | Path) -> None:
        """Keep the result of the next receiver, or the file that another process wrote it to."""
        if isinstance(table, Path):
            self._tables.append(table)
            return
        self._size += table.nbytes
        if self._size <= KEPT_BYTES:
            self._tables.append(table)
        else:
            self._size -= table.nbytes
            self._tables.append(written(table, self._folder))

    def __len__(self) -> int:
        return len(self._tables)

    def __getitem__(self, receiver: int) -> pa.Table:
        table = self._tables[receiver]
        return pa.ipc.open_file(pa.OSFile(str(table))).read_all() if isinstance(table, Path) else table


def written(table: pa.Table, folder: Path) -> Path:
    """A file of its own with a table."""
    folder.mkdir(parents=True, exist_ok=True)
    path = unfinished(folder / "received")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return path
