"""Flat files of ids, for trainers that map a file into memory and read any window of it: nanoGPT, torchtitan, llm.c.

A trainer needs no library of ours::

    tokens = np.memmap("shard-00000.bin", dtype="<u4", mode="r")   # dtype as index.json says
    window = tokens[start : start + context_length]

``document_offsets.npy`` (int64, one more than there are documents) says where each document begins in all shards back
to back, as torchtitan's example wants it. With ``shards.header = "llm.c"`` each file begins with its 256 numbers.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import numpy as np

from curate.errors import UserError
from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.entry import ShardEntry
from curate.shards.files.flat_file import FlatReading, FlatWriting, bytes_of
from curate.shards.files.hashed_file import HashedFile
from curate.shards.files.indexed_format import IndexedFormat, Reading, Writing, boundaries
from curate.shards.files.spool import Counts, HeadedFile
from curate.shards.format import Layout, Target
from curate.store.files import whole_file

OFFSETS_FILE = "document_offsets.npy"
LLM_C = {"uint16": (20240520, 1), "uint32": (20240801, 7)}
"""Magic number and version in the header of llm.c, for GPT-2 and for Llama 3."""
LLM_C_BYTES = 1024
_LLM_C_TOKENS = 2**31


class BinFormat(IndexedFormat):
    """Little-endian ids back to back."""

    name: ClassVar[str] = "bin"
    about: ClassVar[str] = "flat ids to map into memory (nanoGPT, torchtitan, llm.c)"
    dtypes: ClassVar[Mapping[str, int]] = {"uint16": 65_536, "uint32": 2**32}
    options: ClassVar[tuple[str, ...]] = ("header",)
    suffix: ClassVar[str] = ".bin"
    takes_pieces: ClassVar[bool] = True
    counts_first: ClassVar[bool] = True

    def writing(self, files: ExitStack, target: Target) -> Writing:
        """Ids as they come, behind a header that counts them where one is asked for."""
        path, layout = target.path(".bin"), target.layout
        return _LlmC(files, target, path) if layout.header == "llm.c" else FlatWriting(files, path, layout.dtype)

    def reading(self, files: ExitStack, folder: Path, entry: ShardEntry, layout: Layout) -> Reading:
        """From after the header, which must say what the index says."""
        path = folder / entry.file
        if layout.header == "llm.c" and _start_of(path) != _header(layout.dtype, entry.tokens):
            raise DamagedShard(f"`{entry.file}` does not begin with the header of llm.c for {entry.tokens:,} tokens")
        return FlatReading(files, path, layout.dtype, self.start(entry, layout))

    def start(self, entry: ShardEntry, layout: Layout) -> int:  # noqa: ARG002
        """Behind the header."""
        return LLM_C_BYTES if layout.header == "llm.c" else 0

    def finish(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> Sequence[str]:  # noqa: ARG002
        """Write ``document_offsets.npy``."""
        counts = [np.zeros(1, np.int64), *(boundaries(folder, entry) for entry in entries)]
        with whole_file(folder / OFFSETS_FILE) as temporary, temporary.open("wb") as file:
            np.save(file, np.cumsum(np.concatenate(counts)))
        return (OFFSETS_FILE,)

    def usage(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> str:
        """A memory map, and the offsets."""
        first = folder / entries[0].file if entries else folder / "shard-00000.bin"
        skip = f", offset={LLM_C_BYTES}" if layout.header == "llm.c" else ""
        return (
            f'tokens = np.memmap("{first}", dtype="{layout.dtype}", mode="r"{skip})\n'
            f'offsets = np.load("{folder / OFFSETS_FILE}")  # where documents begin in all shards back to back'
        )


class _LlmC:
    """Ids behind a header that counts them."""

    def __init__(self, files: ExitStack, target: Target, path: Path) -> None:
        self._name, self._dtype = path.name, target.layout.dtype
        self._file = HeadedFile(files, target, path, self._head)

    def add(self, block: Block) -> None:
        self._file.write(bytes_of(block.tokens, self._dtype), block.n_tokens)

    def finish(self) -> list[tuple[str, HashedFile]]:
        return self._file.finish()

    def _head(self, n_tokens: Counts) -> bytes:
        tokens = int(n_tokens.sum())
        if tokens >= _LLM_C_TOKENS:
            raise UserError(
                f"`{self._name}` has {tokens:,} tokens, and the header of llm.c counts fewer than 2^31",
                hint="--set shards.shard_tokens=1000000000",
            )
        return _header(self._dtype, tokens)


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LLM_C_BYTES)


def _header(dtype: str, tokens: int) -> bytes:
    header = np.zeros(256, "<i4")
    header[:3] = (*LLM_C[dtype], tokens)
    return header.tobytes()
