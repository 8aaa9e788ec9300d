"""What an index says of one shard: its files with their hashes, its counts, and where its documents lie in the run."""

from pathlib import Path

import msgspec

from curate.shards.files.hashed_file import xxh3_of


class At(msgspec.Struct, frozen=True):
    """A document's place in the run: its part, and its row there."""

    part: int
    row: int


class FileHash(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file in the folder and its XXH3-128, hexadecimal."""

    file: str
    xxh3: str


class ShardEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One shard.

    Attributes:
        file: file name in the folder.
        xxh3: XXH3-128 of that file, hexadecimal.
        documents: number of documents.
        tokens: number of tokens, end marks and padding included.
        padding: of these, how many only fill sequences.
        paddings: stretches of padding.
        divided: documents that lie in more than one sequence.
        loss_tokens: tokens that are to be learnt, where a mask says which.
        index_file: where the format keeps document boundaries in a file of their own, its name.
        index_xxh3: of that file.
        others: further files that the trainer's reader wants beside it.
        first: place of the shard's first document in the run, if known.
        last: place of its last document.
        split: ``validation`` for what is not to be trained on; else empty.
    """

    file: str
    xxh3: str
    documents: int
    tokens: int
    padding: int = 0
    paddings: int = 0
    divided: int = 0
    loss_tokens: int = 0
    index_file: str | None = None
    index_xxh3: str | None = None
    others: list[FileHash] = []
    first: At | None = None
    last: At | None = None
    split: str = ""

    @property
    def rows(self) -> int:
        """Documents and stretches of padding."""
        return self.documents + self.paddings

    @property
    def files(self) -> dict[str, str]:
        """XXH3-128 of each file of the shard, by name."""
        index = {self.index_file: self.index_xxh3 or ""} if self.index_file else {}
        return {self.file: self.xxh3, **index, **{other.file: other.xxh3 for other in self.others}}

    def is_whole(self, folder: Path) -> bool:
        """Whether its files are there, and are those that were written."""
        return not self.damaged(folder)

    def damaged(self, folder: Path) -> list[str]:
        """Names of its files that are missing, or not what was written."""
        return [name for name, xxh3 in self.files.items() if not xxh3 or xxh3_of(folder / name) != xxh3]
