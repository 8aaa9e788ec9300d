"""What a shard format must do. A new format is one file in `curate.shards.formats` and one entry in its registry."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from curate.errors import PlanError, listed
from curate.shards.block import Block, Documents
from curate.shards.entry import ShardEntry
from curate.shards.packing import Packing

INDEX_FILE = "index.json"
BESIDE_INDEX_FILE = "curate.json"
"""Name of curate's index where the trainer's reader wants an ``index.json`` of its own."""
INDEX_FILES = (INDEX_FILE, BESIDE_INDEX_FILE)


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How the ids of all shards of a folder are stored.

    Attributes:
        dtype: NumPy name of the ids (little-endian).
        level: compression level of zstd in Parquet files.
        header: of each ``bin`` file: ``none``, or ``llm.c`` for its 256 numbers.
        column: name of the column of ids in MDS.
        loss_mask: whether a byte for each token says that it counts in the loss.
        masked: whether a chat template says which do: ids then travel with the bit of `curate.text.chats.loss`.
        tokenizer: name of the tokenizer.
        packing: how documents were laid into sequences.
        sequence_length: tokens of these; 0: there are none.
    """

    dtype: str
    level: int = 3
    header: Literal["none", "llm.c"] = "none"
    column: str = "tokens"
    loss_mask: bool = False
    masked: bool = False
    tokenizer: str = ""
    packing: Packing = "none"
    sequence_length: int = 0

    @property
    def window(self) -> int:
        """Tokens of a sequence, in lines that a trainer reads."""
        return self.sequence_length or 2048


class Target(NamedTuple):
    """A shard that is to be written.

    Attributes:
        folder: exists.
        stem: file name without suffix.
        layout: how ids are stored.
        whole: hears of the shard when all of it is written, before it gets its name.
        n_tokens: of all its rows, padding among them, where that is known before: what counts them and stands at the
            beginning of a file is then written first.
    """

    folder: Path
    stem: str
    layout: Layout
    whole: Callable[[ShardEntry], None]
    n_tokens: npt.NDArray[np.int64] | None = None

    def path(self, suffix: str) -> Path:
        """Of a file of the shard."""
        return self.folder / f"{self.stem}{suffix}"


class ShardFormat(ABC):
    """Writes and reads one shard, and the files that describe a folder of them.

    Attributes:
        name: value of ``shards.format``.
        about: one sentence for people.
        dtypes: NumPy names of ids it can store, each with the largest vocabulary it is used for, narrowest first.
        index_file: name of curate's own index.
        shard_bytes: most bytes of ids in a file, None for any number.
        options: settings that only some formats know and this one does.
        has_loss: whether it is for conversations alone: its rows say which tokens are to be learnt.
        package: that writes and reads it, and the extra that installs that; None for none.
        counts_first: whether a file begins with what counts its documents.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    dtypes: ClassVar[Mapping[str, int]]
    index_file: ClassVar[str] = INDEX_FILE
    shard_bytes: ClassVar[int | None] = None
    options: ClassVar[tuple[str, ...]] = ()
    has_loss: ClassVar[bool] = False
    package: ClassVar[tuple[str, str] | None] = None
    counts_first: ClassVar[bool] = False

    def dtype(self, vocabulary_size: int, wanted: str = "auto") -> str:
        """NumPy name of the ids for a vocabulary: the narrowest that its reader takes, or the one asked for.

        Raises:
            PlanError: the format has no such type, or it cannot hold the vocabulary.
        """
        fitting = [name for name, size in self.dtypes.items() if vocabulary_size <= size]
        if wanted == "auto" and fitting:
            return fitting[0]
        if wanted in fitting:
            return wanted
        hint = f"--set shards.dtype={fitting[0]}" if fitting else "another shards.format"
        if wanted != "auto" and wanted not in self.dtypes:
            known = listed(list(self.dtypes))
            raise PlanError(f"shards of format `{self.name}` hold {known}, but `shards.dtype` is `{wanted}`", hint=hint)
        kind = f"`{wanted}` of format `{self.name}`" if wanted != "auto" else f"format `{self.name}`"
        most = self.dtypes[wanted] if wanted != "auto" else max(self.dtypes.values())
        raise PlanError(f"{kind} holds vocabularies up to {most:,}, but this one has {vocabulary_size:,}", hint=hint)

    def keeps_loss(self, *, loss_mask: bool) -> bool:
        """Whether shards say which tokens are to be learnt, with the setting ``shards.loss_mask``."""
        return self.has_loss or (loss_mask and "loss_mask" in self.options)

    @abstractmethod
    def write(self, target: Target, documents: Documents) -> ShardEntry:
        """Write a shard under its final name only when whole; the same documents give the same bytes.

        Args:
            target: what is to be written.
            documents: in order, however batched.
        """

    @abstractmethod
    def read(self, folder: Path, entry: ShardEntry, layout: Layout) -> Iterator[Block]:
        """The documents of a shard.

        Raises:
            DamagedShard: the file contradicts itself.
            OSError, pyarrow.ArrowException: the file is missing or cannot be decoded.
        """

    def finish(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> Sequence[str]:  # noqa: ARG002
        """Write the files that the trainer's reader wants once for all shards; their names."""
        return ()

    def mapped(self, folder: Path, entry: ShardEntry, layout: Layout) -> "npt.NDArray[Any] | None":  # noqa: ARG002
        """All ids of a shard as a memory map; None where the file does not hold them in a row."""
        return None

    def lost(self, folder: Path, entries: Sequence[ShardEntry], window: int, layout: Layout) -> int:  # noqa: ARG002
        """Tokens that the trainer's reader never gives out at this sequence length: here the tail of each file."""
        return sum(entry.tokens % window for entry in entries)

    @abstractmethod
    def usage(self, folder: Path, entries: Sequence[ShardEntry], layout: Layout) -> str:
        """The lines of the trainer's configuration that read these shards."""
