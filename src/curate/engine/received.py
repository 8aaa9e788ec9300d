"""Tables that groups of receivers made, kept in Ray's object store: as bytes of Arrow that are read where they lie."""

import functools
from collections.abc import Sequence
from typing import Any

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
    sink, bounds = pa.BufferOutputStream(), [0]
    for table in tables:
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table.combine_chunks())
        bounds.append(sink.tell())
    return Block(np.frombuffer(sink.getvalue(), np.uint8), bounds)


def table_in(block: Block) -> pa.Table:
    """The only table of a block."""
    return block.table(0)


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
        if not 0 <= receiver < len(self):
            raise IndexError(receiver)
        group = int(np.searchsorted(self._bounds, receiver, side="right")) - 1
        return _block(self._blocks[group]).table(receiver - self._bounds[group])


@functools.lru_cache(maxsize=2)
def _block(reference: Any) -> Block:
    import ray

    block: Block = ray.get(reference)
    return block
