"""ArrayRecord, as Grain and MaxText read it: records that are found by their number. Its package is an extra.

A record is one document, or one sequence of packed shards: its ids, little-endian, as ``np.frombuffer`` takes them.
Each is a group of its own and not compressed, so that a shuffled reader decodes no neighbours.
"""

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.entry import ShardEntry
from curate.shards.files.flat_file import bytes_of
from curate.shards.files.hashed_file import HashedFile, hashed_file
from curate.shards.files.indexed_format import IndexedFormat, Reading, Writing
from curate.shards.files.samples import SampleCutter, SampleReading, sample_count
from curate.shards.format import Layout, Target
from curate.store.files import remove, unfinished

OPTIONS = "group_size:1,uncompressed"


class ArrayRecordFormat(IndexedFormat):
    """One record for each document or packed sequence."""

    name: ClassVar[str] = "arrayrecord"
    about: ClassVar[str] = "ArrayRecord files (Grain, MaxText)"
    dtypes: ClassVar[Mapping[str, int]] = {"uint16": 65_536, "uint32": 2**32}
    package: ClassVar[tuple[str, str] | None] = ("array_record", "arrayrecord")
    suffix: ClassVar[str] = ".arrayrecord"

    def writing(self, files: ExitStack, target: Target) -> Writing:
        """By the package's own writer, then hashed."""
        return _Writing(files, target.path(".arrayrecord"), target.layout)

    def reading(self, files: ExitStack, folder: Path, entry: ShardEntry, layout: Layout) -> Reading:
        """Records, whose number must be the index's."""
        return _Reading(files, folder / entry.file, entry, layout)

    def mapped(self, folder: Path, entry: ShardEntry, layout: Layout) -> None:  # noqa: ARG002
        """Records have headers between them."""
        return

    def lost(self, folder: Path, entries: Sequence[ShardEntry], window: int, layout: Layout) -> int:  # noqa: ARG002
        """Records are whole documents, or sequences; who joins and cuts them loses one tail."""
        return sum(entry.tokens for entry in entries) % window

    def usage(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> str:  # noqa: ARG002
        """Grain's source."""
        return (
            f'grain.MapDataset.source(grain.sources.ArrayRecordDataSource(sorted(glob("{folder}/shard-*.arrayrecord"))))'
            f'\n    .map(lambda record: np.frombuffer(record, "{layout.dtype}"))'
        )


class _Writing:
    def __init__(self, files: ExitStack, path: Path, layout: Layout) -> None:
        from array_record.python.array_record_module import ArrayRecordWriter

        self._files, self._path, self._layout = files, path, layout
        self._spooled = unfinished(path)
        files.callback(remove, self._spooled)
        self._writer = ArrayRecordWriter(str(self._spooled), OPTIONS)
        files.callback(self._close)
        self._cutter = SampleCutter(layout)

    def add(self, block: Block) -> None:
        item, (tokens, edges) = np.dtype(self._layout.dtype).itemsize, self._cutter.add(block)
        data = bytes_of(tokens, self._layout.dtype)
        for start, end in pairwise((edges * item).tolist()):
            self._writer.write(bytes(data[start:end]))

    def finish(self) -> list[tuple[str, HashedFile]]:
        self._close()
        file = self._files.enter_context(hashed_file(self._path))
        with self._spooled.open("rb") as spooled:
            shutil.copyfileobj(spooled, file, _PIECE)
        return [(self._path.name, file)]

    def _close(self) -> None:
        if self._writer.is_open():
            self._writer.close()


class _Reading(SampleReading):
    def __init__(self, files: ExitStack, path: Path, entry: ShardEntry, layout: Layout) -> None:
        from array_record.python.array_record_module import ArrayRecordReader

        if not path.is_file():
            raise FileNotFoundError(2, "there is no such file", str(path))
        super().__init__(layout)
        self._name, wanted = path.name, sample_count(entry, layout)
        try:
            self._reader = ArrayRecordReader(str(path))
            files.callback(_close, self._reader)
            found = self._reader.num_records()
        except (RuntimeError, ValueError) as error:
            raise DamagedShard(f"`{path.name}` cannot be read: {error}") from error
        if found != wanted:
            raise DamagedShard(f"`{path.name}` has {found:,} records, and its index {wanted:,}")
        self._row = 0

    def samples(self, n_tokens: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Records, whose lengths must be the index's."""
        if not len(n_tokens):
            return np.empty(0, self._dtype)
        try:
            records = self._reader.read(self._row, self._row + len(n_tokens))
        except (RuntimeError, ValueError, IndexError) as error:
            raise DamagedShard(f"`{self._name}` cannot be read: {error}") from error
        sizes = np.array([len(record) for record in records], np.int64)
        if not np.array_equal(sizes, n_tokens * self._dtype.itemsize):
            raise DamagedShard(f"`{self._name}` has records of other lengths than its index")
        self._row += len(n_tokens)
        return np.frombuffer(b"".join(records), self._dtype)

    def end(self) -> None:
        """See that nothing remains."""
        if len(self._rest):
            raise DamagedShard(f"`{self._name}` has tokens beyond the last document of its index")


def _close(reader: Any) -> None:
    """Close a reader, which says here again what was wrong with the file."""
    with contextlib.suppress(RuntimeError):
        reader.close()


_PIECE = 4_194_304
