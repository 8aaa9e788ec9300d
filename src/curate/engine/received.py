"""Rows in Ray's object store, on their way and as receivers made them: bytes of Arrow that are read where they lie."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]


class Block:
    """Some tables as bytes; pickled with protocol 5 they are shared, not copied.

    Args:
        data: one Arrow stream after another.
        bounds: where each begins, and where the last one ends.
    """

    def __init__(self, data: Bytes, bounds: Sequence[int]) -> None:
        self.data, self.bounds = data, tuple(bounds)

    @property
    def nbytes(self) -> int:
        """Bytes of all tables."""
        return int(self.data.nbytes)

    def table(self, number: int) -> pa.Table:
        """One of the tables."""
        stream = pa.py_buffer(self.data[self.bounds[number] : self.bounds[number + 1]])
        return pa.ipc.open_stream(stream).read_all()


def block_of(tables: Sequence[pa.Table]) -> Block:
    """Tables, each of which may have a schema of its own.

    Example:
        >>> block = block_of([pa.table({"n": [1, 2]}), pa.table({"n": [3]})])
        >>> block.table(1).to_pydict()
        {'n': [3]}
    """
    tables = [table.combine_chunks() for table in tables]
    sizes = pa.MockOutputStream()
    bounds = [0, *(_written(table, sizes) for table in tables)]
    data = pa.allocate_buffer(bounds[-1])  # at once: one that grows is copied each time
    sink = pa.FixedSizeBufferWriter(data)
    for table in tables:
        _written(table, sink)
    return Block(np.frombuffer(data, np.uint8), bounds)


def _written(table: pa.Table, sink: pa.NativeFile) -> int:
    """Where a sink is when it has a table."""
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return int(sink.tell())


class Sent(NamedTuple):
    """What some senders send to a group of receivers.

    Attributes:
        block: one table, its rows by receiver.
        ends: where in it the rows of each receiver begin, and where the last ones end.
    """

    block: Block
    ends: npt.NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        """Bytes of all of it."""
        return self.block.nbytes + int(self.ends.nbytes)


def sent_to(rows: pa.Table, ends: npt.NDArray[np.int64]) -> Sent | None:
    """Rows for a group of receivers, which lie in a table by receiver; None if there are none.

    Example:
        >>> sent = sent_to(pa.table({"n": [7, 8, 9]}), np.array([1, 1, 3]))
        >>> sent.block.table(0).to_pydict(), sent.ends.tolist()
        ({'n': [8, 9]}, [0, 0, 2])
    """
    first, size = int(ends[0]), int(ends[-1] - ends[0])
    return Sent(block_of([rows.slice(first, size)]), ends - first) if size else None


Letter = tuple[pa.Table, Sequence[int]]


def letters_of(group: int, blocks: Sequence[Any]) -> list[Letter]:
    """What senders sent to a group: tables, and where in them the rows of each receiver begin.

    Args:
        group: its number.
        blocks: `Sent` to it, or None; or a list of what one sender sent to each group.
    """
    own = [block[group] if isinstance(block, list) else block for block in blocks]
    return [(sent.block.table(0), sent.ends.tolist()) for sent in own if sent]


def rows_in(letters: Sequence[Letter], at: int, schema: pa.Schema) -> pa.Table:
    """All rows for one receiver, counted within its group."""
    rows = [table.slice(ends[at], ends[at + 1] - ends[at]) for table, ends in letters]
    return pa.concat_tables([schema.empty_table(), *rows])


class UnreadOfGroups:
    """Rows that nobody has received (see `curate.stages.contract.Rows`): references to what was sent to each group.

    Args:
        sent: to each group: references to blocks, or to lists of what one sender sent to each.
        bounds: first receiver of each group, and how many there are.
        schema: of the rows.
    """

    def __init__(self, sent: Sequence[Sequence[Any]], bounds: Sequence[int], schema: pa.Schema) -> None:
        self._sent, self._bounds, self._schema = tuple(map(tuple, sent)), tuple(bounds), schema

    def __len__(self) -> int:
        return self._bounds[-1]

    def __getitem__(self, receiver: int) -> pa.Table:
        group = _group_of(receiver, self._bounds)
        return rows_in(_letters(group, self._sent[group]), receiver - self._bounds[group], self._schema)


class RowsOfGroups:
    """What the receivers of an exchange made (see `curate.stages.contract.Rows`): references to one block a group.

    It can travel: whoever reads a table gets the block of its group, once.

    Args:
        blocks: references.
        bounds: first receiver of each group, and how many there are.
    """

    def __init__(self, blocks: Sequence[Any], bounds: Sequence[int]) -> None:
        self._blocks, self._bounds = tuple(blocks), tuple(bounds)

    def __len__(self) -> int:
        return self._bounds[-1]

    def __getitem__(self, receiver: int) -> pa.Table:
        group = _group_of(receiver, self._bounds)
        return _block(self._blocks[group]).table(receiver - self._bounds[group])


def _group_of(receiver: int, bounds: Sequence[int]) -> int:
    if not 0 <= receiver < bounds[-1]:
        raise IndexError(receiver)
    return int(np.searchsorted(bounds, receiver, side="right")) - 1


@functools.lru_cache(maxsize=2)
def _letters(group: int, references: tuple[Any, ...]) -> list[Letter]:
    import ray

    return letters_of(group, ray.get(list(references)))


@functools.lru_cache(maxsize=2)
def _block(reference: Any) -> Block:
    import ray

    block: Block = ray.get(reference)
    return block
