"""MosaicML's MDS, as ``streaming.StreamingDataset``, LLM Foundry and ModernBERT read it.

A file is: number of samples, their byte offsets (uint32), the configuration as JSON, samples. A sample is one document,
or one sequence of packed shards: its size, a byte that says how its length is written, the length, ids. MDS wants an
``index.json`` of its own; curate's is ``curate.json`` here.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.entry import ShardEntry
from curate.shards.files.flat_file import bytes_of, stored
from curate.shards.files.hashed_file import HashedFile
from curate.shards.files.indexed_format import IndexedFormat, Reading, Writing, boundaries
from curate.shards.files.samples import Int64, SampleCutter, SampleReading, sample_count
from curate.shards.files.spool import Counts, HeadedFile
from curate.shards.files.uint32_offsets import MOST_BYTES, require_room
from curate.shards.format import BESIDE_INDEX_FILE, Layout, Target
from curate.store.files import write_whole

_SIZE_LIMIT = 1 << 26


class MdsFormat(IndexedFormat):
    """One MDS file for each shard, one sample for each document."""

    name: ClassVar[str] = "mds"
    about: ClassVar[str] = "MDS shards (mosaicml-streaming, LLM Foundry)"
    dtypes: ClassVar[Mapping[str, int]] = {"uint16": 65_536, "uint32": 2**32}
    index_file = BESIDE_INDEX_FILE
    shard_bytes = MOST_BYTES
    options: ClassVar[tuple[str, ...]] = ("column",)
    suffix: ClassVar[str] = ".mds"
    counts_first: ClassVar[bool] = True

    def writing(self, files: ExitStack, target: Target) -> Writing:
        """Samples behind their table."""
        return _Writing(files, target, target.path(".mds"))

    def reading(self, files: ExitStack, folder: Path, entry: ShardEntry, layout: Layout) -> Reading:
        """Samples, compared with the table."""
        return _Reading(files, folder / entry.file, entry, layout)

    def mapped(self, folder: Path, entry: ShardEntry, layout: Layout) -> None:  # noqa: ARG002
        """Samples have headers between them."""
        return

    def finish(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> Sequence[str]:
        """Write MDS's ``index.json``."""
        shards = [
            {
                **_config(layout),
                "samples": sample_count(entry, layout),
                "raw_data": {"basename": entry.file, "bytes": (folder / entry.file).stat().st_size, "hashes": {}},
                "zip_data": None,
            }
            for entry in entries
        ]
        write_whole(folder / "index.json", json.dumps({"shards": shards, "version": 2}, sort_keys=True).encode())
        return ("index.json",)

    def lost(self, folder: Path, entries: Sequence[ShardEntry], window: int, layout: Layout) -> int:
        """LLM Foundry takes one sample for one sequence and cuts what is longer."""
        length = layout.sequence_length
        if length:
            return sum(entry.tokens // length * max(0, length - window) for entry in entries)
        return sum(int(np.maximum(boundaries(folder, entry) - window, 0).sum()) for entry in entries)

    def usage(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> str:  # noqa: ARG002
        """Streaming's data set."""
        return f'StreamingDataset(local="{folder}", shuffle=True, batch_size=8)  # column `{layout.column}`'


def _config(layout: Layout) -> dict[str, Any]:
    return {
        "version": 2,
        "format": "mds",
        "compression": None,
        "hashes": [],
        "size_limit": _SIZE_LIMIT,
        "column_names": [layout.column],
        "column_encodings": [f"ndarray:{layout.dtype}"],
        "column_sizes": [None],
    }


def _start(documents: int, layout: Layout) -> tuple[int, bytes]:
    """Where samples begin, and the configuration before them."""
    config = json.dumps(_config(layout), sort_keys=True).encode()
    return 4 * (documents + 2) + len(config), config


def _width(count: int) -> int:
    """Bytes in which a length is written, as a power of two."""
    return 0 if count < 1 << 8 else 1 if count < 1 << 16 else 2


def _widths(counts: Counts) -> Counts:
    """As `_width`, of many."""
    return (counts >= 1 << 8).astype(np.int64) + (counts >= 1 << 16)


def _head(count: int, item: int) -> bytes:
    """What stands before the ids of a sample: its bytes, the shape's kind, the shape."""
    width = _width(count)
    size = 1 + (1 << width) + count * item
    return size.to_bytes(4, "little") + bytes([1 << 2 | width]) + count.to_bytes(1 << width, "little")


def _side_by_side(heads: list[bytes], data: memoryview, edges: Int64) -> memoryview:
    """Each head and its piece of the data, one after another."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(edges, np.int64)), pa.py_buffer(data)]
    bodies = pa.Array.from_buffers(pa.large_binary(), len(heads), buffers)
    joined = pc.binary_join_element_wise(pa.array(heads, pa.large_binary()), bodies, pa.scalar(b"", pa.large_binary()))
    return memoryview(joined.buffers()[2])[: sum(map(len, heads)) + len(data)]


class _Writing:
    def __init__(self, files: ExitStack, target: Target, path: Path) -> None:
        self._path, self._layout = path, target.layout
        self._cutter = SampleCutter(target.layout)
        self._file = HeadedFile(files, target, path, self._head)

    def add(self, block: Block) -> None:
        item, (tokens, edges) = np.dtype(self._layout.dtype).itemsize, self._cutter.add(block)
        data = bytes_of(tokens, self._layout.dtype)
        heads = [_head(count, item) for count in np.diff(edges).tolist()]
        self._file.write(_side_by_side(heads, data, edges * item) if heads else b"", block.n_tokens)

    def finish(self) -> list[tuple[str, HashedFile]]:
        return self._file.finish()

    def _head(self, n_tokens: Counts) -> bytes:
        length, item = self._layout.sequence_length, np.dtype(self._layout.dtype).itemsize
        counts = np.full(int(n_tokens.sum()) // length, length) if length else n_tokens
        start, config = _start(len(counts), self._layout)
        ends = start + np.cumsum(5 + (1 << _widths(counts)) + counts * item, dtype=np.int64)
        require_room(self._path, int(ends[-1]) if len(ends) else start)
        return np.concatenate([[len(counts), start], ends]).astype("<u4").tobytes() + config


class _Reading(SampleReading):
    def __init__(self, files: ExitStack, path: Path, entry: ShardEntry, layout: Layout) -> None:
        super().__init__(layout)
        self._name = path.name
        self._file = files.enter_context(path.open("rb"))
        samples = sample_count(entry, layout)
        start, config = _start(samples, layout)
        table = np.fromfile(self._file, stored("uint32"), samples + 2).astype(np.int64)
        whole = len(table) == samples + 2 and table[0] == samples and table[1] == start
        if not whole or table[-1] != path.stat().st_size or self._file.read(len(config)) != config:
            raise DamagedShard(f"`{path.name}` does not begin with the places of {samples:,} samples")
        self._sizes, self._row = np.diff(table[1:]).tolist(), 0

    def samples(self, n_tokens: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Each compared with the table."""
        item, tokens = self._dtype.itemsize, [np.empty(0, self._dtype)]
        for count in n_tokens.tolist():
            head = _head(count, item)
            size = len(head) + count * item
            sample = self._file.read(size)
            if self._row >= len(self._sizes) or self._sizes[self._row] != size or not sample.startswith(head):
                raise DamagedShard(f"`{self._name}` has another sample {self._row:,} than its index")
            tokens.append(np.frombuffer(sample, self._dtype, count, len(head)))
            self._row += 1
        return np.concatenate(tokens)

    def end(self) -> None:
        """See that nothing remains."""
        if self._row != len(self._sizes) or len(self._rest):
            raise DamagedShard(f"`{self._name}` has samples beyond the last document of its index")
