"""What a folder of shards says of its tokenizer, for those who write no ids: loading the tokenizer takes a while."""

from pathlib import Path
from typing import Any, Protocol

import msgspec

from curate.shards.damage import DamagedShard
from curate.shards.files.hashed_file import xxh3_of


class Described(Protocol):
    """A tokenizer as the index of shards describes it."""

    @property
    def name(self) -> str:
        """As configured."""

    @property
    def vocabulary_size(self) -> int:
        """Largest id + 1."""

    @property
    def file(self) -> tuple[str, bytes] | None:
        """Name and content of the vocabulary's copy in the folder, where there is one."""

    def description(self) -> dict[str, Any]:
        """Fields of a `TokenizerEntry`, without the hash of the copy."""


class KeptTokenizer:
    """The tokenizer of a folder, described by its index alone.

    Args:
        folder: holds the copy of the vocabulary, if there is one.
        entry: `TokenizerEntry` of its index.

    Raises:
        DamagedShard: the copy is not what was written.
    """

    def __init__(self, folder: Path, entry: msgspec.Struct) -> None:
        self._entry = msgspec.structs.asdict(entry)
        xxh3, name = self._entry.pop("xxh3"), self._entry["file"]
        self.name: str = self._entry["name"]
        self.vocabulary_size: int = self._entry["vocabulary_size"]
        self.file: tuple[str, bytes] | None = None
        if name is not None:
            if xxh3 is not None and xxh3_of(folder / name) != xxh3:
                raise DamagedShard(f"`{folder / name}` is missing or damaged", hint="copy the folder of shards again")
            self.file = name, (folder / name).read_bytes()

    def description(self) -> dict[str, Any]:
        """What the index says."""
        return self._entry
