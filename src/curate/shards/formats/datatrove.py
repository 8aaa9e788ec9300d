"""datatrove's and nanotron's ``.ds``: ids back to back, with the end of each document in ``.ds.index``.

``.ds.metadata`` names the tokenizer and counts the tokens; with ``shards.loss_mask`` a ``.ds.loss`` has a byte for each
token. The reader cuts windows of one token more than the sequence length in each file and drops the tail.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.entry import ShardEntry
from curate.shards.files.flat_file import bytes_of, stored
from curate.shards.files.hashed_file import HashedFile, hashed_file
from curate.shards.files.indexed_format import IndexedFormat, Reading, Writing
from curate.shards.files.mask_file import MaskedReading, MaskedWriting
from curate.shards.format import Layout, Target

_LOSS = ".ds.loss"


class DatatroveFormat(IndexedFormat):
    """Ids, the ends of documents, and a note about them."""

    name: ClassVar[str] = "datatrove"
    about: ClassVar[str] = ".ds with index and metadata (datatrove, nanotron)"
    dtypes: ClassVar[Mapping[str, int]] = {"uint16": 65_536, "uint32": 2**32}
    options: ClassVar[tuple[str, ...]] = ("loss_mask",)
    suffix: ClassVar[str] = ".ds"

    def writing(self, files: ExitStack, target: Target) -> Writing:
        """All files of the shard."""
        return _Writing(files, target.path(".ds"), target.layout)

    def reading(self, files: ExitStack, folder: Path, entry: ShardEntry, layout: Layout) -> Reading:
        """Ids, each end compared with the ``.ds.index``."""
        return _Reading(files, folder / entry.file, entry, layout)

    def lost(self, folder: Path, entries: Sequence[ShardEntry], window: int, layout: Layout) -> int:  # noqa: ARG002
        """Windows have one token more than the sequence; packed sequences are whole windows."""
        return sum(entry.tokens % (window + (window != layout.sequence_length)) for entry in entries)

    def usage(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> str:  # noqa: ARG002
        """Datatrove's data set; nanotron's configuration names the folder alone."""
        size, window = np.dtype(layout.dtype).itemsize, layout.sequence_length - 1 if layout.sequence_length else 2048
        return f'DatatroveFolderDataset("{folder}", seq_len={window}, token_size={size}, filename_pattern="shard-*.ds")'


class _Writing(MaskedWriting):
    def __init__(self, files: ExitStack, path: Path, layout: Layout) -> None:
        super().__init__(files, path, layout, _LOSS)
        self._layout, self._tokens = layout, 0
        suffixes = [".index", ".metadata"]
        self._others = {each: files.enter_context(hashed_file(path.with_name(path.name + each))) for each in suffixes}

    def add(self, block: Block) -> None:
        super().add(block)
        self._others[".index"].write(bytes_of(block.offsets[1:] + self._tokens, "uint64"))
        self._tokens += len(block.tokens)

    def finish(self) -> list[tuple[str, HashedFile]]:
        self._others[".metadata"].write(_metadata(self._layout, self._tokens))
        body, *mask = super().finish()
        return [body, *((self.name + each, file) for each, file in self._others.items()), *mask]


def _metadata(layout: Layout, tokens: int) -> bytes:
    size = np.dtype(layout.dtype).itemsize
    return f"{layout.tokenizer}|{size}\n{tokens}\n{_in_words(tokens)}".encode()


def _in_words(tokens: int) -> str:
    """A count as the library ``humanize`` writes it, with the unit T.

    Example:
        >>> _in_words(5), _in_words(12_345_678)
        ('5.00 T', '12.3 MT')
    """
    power = min((len(str(tokens)) - 1) // 3, 6)
    value = tokens / 1000**power
    shown = f"{value:.{max(0, 2 - (len(str(int(value))) - 1))}f}"
    return f"{shown} {' kMGTPE'[power].strip()}T"


class _Reading(MaskedReading):
    def __init__(self, files: ExitStack, path: Path, entry: ShardEntry, layout: Layout) -> None:
        super().__init__(files, path, layout, _LOSS)
        self._ends = path.with_name(path.name + ".index")
        self._index = files.enter_context(self._ends.open("rb"))
        self._at = 0
        if path.with_name(path.name + ".metadata").read_bytes() != _metadata(layout, entry.tokens):
            raise DamagedShard(f"`{path.name}.metadata` is about other tokens than `{path.name}`")

    def take(self, n_tokens: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        ends = np.cumsum(n_tokens) + self._at
        if not np.array_equal(np.fromfile(self._index, stored("uint64"), len(ends)), ends.astype(np.uint64)):
            raise DamagedShard(f"`{self._ends.name}` has other ends than `{self._name}` near token {self._at:,}")
        self._at = int(ends[-1]) if len(ends) else self._at
        return super().take(n_tokens)

    def end(self) -> None:
        super().end()
        if self._index.read(1):
            raise DamagedShard(f"`{self._ends.name}` has ends beyond the last document")
