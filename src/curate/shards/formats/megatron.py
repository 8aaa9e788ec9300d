"""Megatron's indexed dataset: ``.bin`` and ``.idx``, as Megatron-LM, NeMo, GPT-NeoX and MaxText read it.

One sequence for each document, its end mark inside; of packed shards, one for each packed sequence. The ``.idx`` holds:
magic, version, type of the ids, number of sequences and of document boundaries, tokens of each sequence, its byte
offset, and the boundaries.
"""

import struct
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from curate.errors import UserError
from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.entry import ShardEntry
from curate.shards.files.flat_file import FlatReading, FlatWriting, bytes_of, stored
from curate.shards.files.hashed_file import HashedFile, hashed_file
from curate.shards.files.indexed_format import IndexedFormat, Reading, Writing
from curate.shards.format import Layout, Target

_MAGIC = b"MMIDIDX\x00\x00"
_CODES = {"uint16": 8, "int32": 4}
_HEAD = struct.Struct("<9sQBQQ")
_MOST = 2**31


class MegatronFormat(IndexedFormat):
    """Ids back to back, and Megatron's index of them."""

    name: ClassVar[str] = "megatron"
    about: ClassVar[str] = ".bin and .idx (Megatron-LM, NeMo, GPT-NeoX, MaxText)"
    dtypes: ClassVar[Mapping[str, int]] = {"uint16": 65_499, "int32": 2**31}
    suffix: ClassVar[str] = ".bin"
    takes_pieces: ClassVar[bool] = True

    def writing(self, files: ExitStack, target: Target) -> Writing:
        """Both files."""
        return _Writing(files, target.path(".bin"), target.layout)

    def reading(self, files: ExitStack, folder: Path, entry: ShardEntry, layout: Layout) -> Reading:
        """Ids, each sequence compared with the ``.idx``."""
        return _Reading(files, folder / entry.file, entry, layout)

    def lost(self, folder: Path, entries: Sequence[ShardEntry], window: int, layout: Layout) -> int:  # noqa: ARG002
        """A dataset gives out windows of its stream, the last token of each being a target only."""
        return sum(entry.tokens - (entry.tokens - 1) // window * window for entry in entries if entry.tokens)

    def usage(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> str:  # noqa: ARG002
        """Prefixes with equal weight for each token."""
        shown = [f"{entry.tokens} {folder / Path(entry.file).stem}" for entry in entries]
        return "--data-path " + " ".join(shown)


class _Writing(FlatWriting):
    def __init__(self, files: ExitStack, path: Path, layout: Layout) -> None:
        super().__init__(files, path, layout.dtype)
        self._files, self._path, self._layout = files, path, layout
        self._sizes: list[npt.NDArray[np.int32]] = []

    def add(self, block: Block) -> None:
        if len(block.ids) and int(block.n_tokens.max()) >= _MOST:
            raise UserError("Megatron holds documents of fewer than 2^31 tokens", hint="--set shards.format=bin")
        super().add(block)
        self._sizes.append(block.n_tokens.astype("<i4"))

    def finish(self) -> list[tuple[str, HashedFile]]:
        path = self._path.with_suffix(".idx")
        index = self._files.enter_context(hashed_file(path))
        sizes = _sequences(np.concatenate([np.empty(0, "<i4"), *self._sizes]), self._layout)
        for piece in _index(sizes, self._layout.dtype):
            index.write(piece)
        return [(self.name, self.file), (path.name, index)]


def _sequences(sizes: npt.NDArray[np.int32], layout: Layout) -> npt.NDArray[np.int32]:
    """Of packed shards each sequence is one document to Megatron, which draws the order of documents."""
    if not layout.sequence_length:
        return sizes
    return np.full(int(sizes.sum(dtype=np.int64)) // layout.sequence_length, layout.sequence_length, "<i4")


def _index(sizes: npt.NDArray[np.int32], dtype: str) -> list["bytes | memoryview"]:
    count = len(sizes)
    places = (np.cumsum(sizes, dtype=np.int64) - sizes) * np.dtype(dtype).itemsize
    head = _HEAD.pack(_MAGIC, 1, _CODES[dtype], count, count + 1)
    return [head, bytes_of(sizes, "int32"), bytes_of(places, "int64"), bytes_of(np.arange(count + 1), "int64")]


class _Reading(FlatReading):
    def __init__(self, files: ExitStack, path: Path, entry: ShardEntry, layout: Layout) -> None:
        dtype, length = layout.dtype, layout.sequence_length
        super().__init__(files, path, dtype)
        self._index = path.with_suffix(".idx")
        content = self._index.read_bytes()
        start, count = _HEAD.size, entry.tokens // length if length else entry.rows
        sizes = np.frombuffer(content[start : start + 4 * count], stored("int32"))
        if content != b"".join(_index(sizes, dtype)) or len(sizes) != count:
            raise DamagedShard(
                f"`{self._index.name}` is not an index of {count:,} {'sequences' if length else 'documents'}"
            )
        if length and (sizes != length).any():
            raise DamagedShard(f"`{self._index.name}` has sequences that are not of {length:,} tokens")
        self._sizes, self._row, self._packed = sizes, 0, bool(length)

    def take(self, n_tokens: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        if self._packed:
            return super().take(n_tokens)
        here = self._sizes[self._row : self._row + len(n_tokens)]
        if not np.array_equal(here, n_tokens):
            raise DamagedShard(f"`{self._index.name}` has documents of other lengths than `{self._name}`")
        self._row += len(n_tokens)
        return super().take(n_tokens)
