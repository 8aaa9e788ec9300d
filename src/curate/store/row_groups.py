"""Row groups of a row file: which rows each has, and which one a row is in."""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow.parquet as pq


class Group(NamedTuple):
    """A row group.

    Attributes:
        number: in its file.
        start: its first row, counted in the file.
        stop: the row behind its last.
    """

    number: int
    start: int
    stop: int


def groups_in(footer: pq.FileMetaData) -> Iterator[Group]:
    """The row groups of a file, in order.

    Example:
        >>> import pyarrow as pa
        >>> sink = pa.BufferOutputStream()
        >>> pq.write_table(pa.table({"id": ["a", "b", "c"]}), sink, row_group_size=2)
        >>> list(groups_in(pq.read_metadata(pa.BufferReader(sink.getvalue()))))
        [Group(number=0, start=0, stop=2), Group(number=1, start=2, stop=3)]
    """
    start = 0
    for number in range(footer.num_row_groups):
        stop = start + footer.row_group(number).num_rows
        yield Group(number, start, stop)
        start = stop


def group_of(footer: pq.FileMetaData, row: int) -> Group:
    """The row group that a row is in.

    Raises:
        IndexError: the file has fewer rows.
    """
    for group in groups_in(footer):
        if group.start <= row < group.stop:
            return group
    raise IndexError(row)
