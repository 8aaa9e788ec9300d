"""Formats whose files hold ids alone: document ids and boundaries lie beside them in ``<stem>.index.parquet``.

That file has the columns ``id``, ``offset`` (in tokens) and ``n_tokens``, whatever the format, so that every format
leads back to its documents in the same way. A null id is padding.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curate.shards.block import Block, Documents, blocks_of, pieces_of
from curate.shards.damage import DamagedShard
from curate.shards.entry import FileHash, ShardEntry
from curate.shards.files.hashed_file import HashedFile, hashed_file
from curate.shards.files.tally import Tally
from curate.shards.format import Layout, ShardFormat, Target
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import read_columns

SCHEMA = pa.schema({"id": pa.string(), "offset": pa.int64(), "n_tokens": pa.int64()})
Counts = npt.NDArray[np.int64]


class Writing(Protocol):
    """The files of one shard while they are written."""

    def add(self, block: Block) -> None:
        """Write some documents."""

    def finish(self) -> list[tuple[str, HashedFile]]:
        """Write what remains; all files by name, the one with the ids first."""


class Reading(Protocol):
    """The files of one shard while they are read."""

    def take(self, n_tokens: Counts) -> npt.NDArray[Any]:
        """The ids of the next documents, which have so many tokens, back to back."""

    def end(self) -> None:
        """See that nothing remains.

        Raises:
            DamagedShard: something does.
        """


class IndexedFormat(ShardFormat):
    """Writes and reads the index; a format says how the ids lie in its own files."""

    suffix: ClassVar[str]
    takes_pieces: ClassVar[bool] = False
    """Whether its files are the same however documents arrive: then the ids of a block are not put together first."""

    @abstractmethod
    def writing(self, files: ExitStack, target: Target) -> Writing:
        """Open the format's own files of a shard; they are given their names when ``files`` closes well."""

    @abstractmethod
    def reading(self, files: ExitStack, folder: Path, entry: ShardEntry, layout: Layout) -> Reading:
        """Open the format's own files of a shard."""

    def mapped(self, folder: Path, entry: ShardEntry, layout: Layout) -> npt.NDArray[Any] | None:
        """All ids of a shard as a memory map."""
        start, dtype = self.start(entry, layout), np.dtype(layout.dtype).newbyteorder("<")
        return np.memmap(folder / entry.file, dtype, "r", start, (entry.tokens,))

    def start(self, entry: ShardEntry, layout: Layout) -> int:  # noqa: ARG002
        """Byte of the first id in its file."""
        return 0

    def write(self, target: Target, documents: Documents) -> ShardEntry:
        """See `ShardFormat.write`."""
        layout = target.layout
        blocks = pieces_of(documents) if self.takes_pieces else ([block] for block in blocks_of(documents))
        tally = Tally(layout.sequence_length, has_loss=layout.masked)
        with ExitStack() as files:
            index = files.enter_context(hashed_file(target.path(".index.parquet")))
            writing = self.writing(files, target)
            with pq.ParquetWriter(index, SCHEMA, compression="zstd", compression_level=layout.level) as writer:
                for block in blocks:
                    rows = []
                    for piece in block:
                        writing.add(piece)
                        places = [pa.array(piece.offsets[:-1] + tally.tokens), pa.array(piece.n_tokens)]
                        rows.append(pa.table([piece.ids, *places], schema=SCHEMA))
                        tally.add(piece)
                    table = pa.concat_tables(rows).combine_chunks()
                    writer.write_table(table, row_group_size=len(table))
            (file, body), *others = writing.finish()
            entry = ShardEntry(
                file=file,
                xxh3=body.xxh3(),
                **tally.counts,
                index_file=f"{target.stem}.index.parquet",
                index_xxh3=index.xxh3(),
                others=[FileHash(file=name, xxh3=other.xxh3()) for name, other in others],
            )
            target.whole(entry)
        return entry

    def read(self, folder: Path, entry: ShardEntry, layout: Layout) -> Iterator[Block]:
        """One block for each row group of the index."""
        if entry.index_file is None:
            raise DamagedShard(f"`{entry.file}` has no index file")
        done = 0
        with ExitStack() as files:
            reading = self.reading(files, folder, entry, layout)
            index = files.enter_context(pq.ParquetFile(parquet_source(folder / entry.index_file)))
            for group in range(index.num_row_groups):
                rows = index.read_row_group(group, columns=SCHEMA.names).combine_chunks()
                n_tokens = rows["n_tokens"].to_numpy()
                offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(n_tokens)])
                if not np.array_equal(rows["offset"].to_numpy(), offsets[:-1] + done):
                    raise DamagedShard(f"`{entry.index_file}` has offsets that do not follow from one another")
                tokens = reading.take(n_tokens)
                done += len(tokens)
                yield Block(pa.concat_arrays(rows["id"].chunks), tokens, offsets)
            reading.end()


def boundaries(folder: Path, entry: ShardEntry) -> Counts:
    """Tokens of each document of a shard, from its index."""
    assert entry.index_file is not None
    table = read_columns(folder / entry.index_file, ["n_tokens"])
    counts: Counts = table["n_tokens"].combine_chunks().to_numpy().astype(np.int64)
    return counts
