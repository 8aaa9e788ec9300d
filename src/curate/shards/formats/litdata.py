"""Chunks for litdata's ``StreamingDataset`` with its ``TokensLoader``.

A chunk is: number of documents, the byte offset of each and of the end (all uint32), ids. The loader cuts windows in
each chunk and drops the tail. litdata wants an ``index.json`` of its own; curate's is ``curate.json`` here.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import xxhash

from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.entry import ShardEntry
from curate.shards.files.flat_file import FlatReading, bytes_of, stored
from curate.shards.files.hashed_file import HashedFile
from curate.shards.files.indexed_format import IndexedFormat, Reading, Writing
from curate.shards.files.spool import Counts, HeadedFile
from curate.shards.files.uint32_offsets import MOST_BYTES, require_room
from curate.shards.format import BESIDE_INDEX_FILE, Layout, Target
from curate.store.files import write_whole

_CODES = {"uint16": 20, "int32": 15}
_SPEC = '[1, {"type": null, "context": null, "children_spec": []}]'


class LitdataFormat(IndexedFormat):
    """One chunk for each shard."""

    name: ClassVar[str] = "litdata"
    about: ClassVar[str] = "chunks for TokensLoader (litdata, LitGPT)"
    dtypes: ClassVar[Mapping[str, int]] = {"uint16": 65_536, "int32": 2**31}
    index_file = BESIDE_INDEX_FILE
    shard_bytes = MOST_BYTES
    suffix: ClassVar[str] = ".bin"
    counts_first: ClassVar[bool] = True

    def writing(self, files: ExitStack, target: Target) -> Writing:
        """Ids behind their table."""
        return _Writing(files, target, target.path(".bin"))

    def reading(self, files: ExitStack, folder: Path, entry: ShardEntry, layout: Layout) -> Reading:
        """Ids, compared with the table."""
        return _Reading(files, folder / entry.file, entry, layout.dtype)

    def start(self, entry: ShardEntry, layout: Layout) -> int:  # noqa: ARG002
        """Behind the table."""
        return 4 * (entry.rows + 2)

    def finish(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> Sequence[str]:
        """Write litdata's ``index.json``."""
        chunks: list[dict[str, Any]] = [
            {
                "chunk_bytes": (folder / entry.file).stat().st_size,
                "chunk_size": entry.rows,
                "dim": entry.tokens,
                "filename": entry.file,
            }
            for entry in entries
        ]
        code = f"no_header_tensor:{_CODES[layout.dtype]}"
        config = {
            "compression": None,
            "compression_level": None,
            "compression_batch_size": None,
            "ipc_compression": None,
            "chunk_size": None,
            "chunk_bytes": max((int(chunk["chunk_bytes"]) for chunk in chunks), default=0),
            "data_format": [code],
            "data_spec": _SPEC,
            "types": None,
            "encryption": None,
            "item_loader": "TokensLoader",
        }
        content = "".join(entry.xxh3 for entry in entries)
        index = {
            "chunks": chunks,
            "config": config,
            "updated_at": str(xxhash.xxh3_64_intdigest(content.encode()) % 10**10),  # readers' caches are keyed by it
        }
        write_whole(folder / "index.json", json.dumps(index, sort_keys=True).encode())
        return ("index.json",)

    def usage(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> str:  # noqa: ARG002
        """Litdata's data set."""
        return f'StreamingDataset("{folder}", item_loader=TokensLoader(block_size={layout.window}))'


class _Writing:
    def __init__(self, files: ExitStack, target: Target, path: Path) -> None:
        self._path, self._dtype = path, target.layout.dtype
        self._file = HeadedFile(files, target, path, self._head)

    def add(self, block: Block) -> None:
        self._file.write(bytes_of(block.tokens, self._dtype), block.n_tokens)

    def finish(self) -> list[tuple[str, HashedFile]]:
        return self._file.finish()

    def _head(self, n_tokens: Counts) -> bytes:
        require_room(self._path, 4 * (len(n_tokens) + 2) + int(n_tokens.sum()) * np.dtype(self._dtype).itemsize)
        return _table(n_tokens, self._dtype)


def _table(counts: Counts, dtype: str) -> bytes:
    start = 4 * (len(counts) + 2)
    ends = start + np.cumsum(counts) * np.dtype(dtype).itemsize
    return np.concatenate([[len(counts), start], ends]).astype("<u4").tobytes()


class _Reading(FlatReading):
    def __init__(self, files: ExitStack, path: Path, entry: ShardEntry, dtype: str) -> None:
        start = 4 * (entry.rows + 2)
        super().__init__(files, path, dtype, start)
        with path.open("rb") as file:
            table = np.fromfile(file, stored("uint32"), entry.rows + 2).astype(np.int64)
        self._counts = np.diff(table[1:]) // np.dtype(dtype).itemsize
        if table.tobytes() != np.frombuffer(_table(self._counts, dtype), "<u4").astype(np.int64).tobytes():
            raise DamagedShard(f"`{path.name}` does not begin with the places of {entry.rows:,} documents")
        self._row = 0

    def take(self, n_tokens: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        if not np.array_equal(self._counts[self._row : self._row + len(n_tokens)], n_tokens):
            raise DamagedShard(f"`{self._name}` has documents of other lengths than its index")
        self._row += len(n_tokens)
        return super().take(n_tokens)
