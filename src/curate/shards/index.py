"""``index.json``: what a folder of shards holds, how to decode it, and where its documents came from."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from curate.errors import DamagedFile, InputError
from curate.shards.hashed_file import xxh3_of
from curate.shards.settings import ShardSettings
from curate.store.checked_json import CHECKSUM, BrokenJson, parsed, read_json, write_json
from curate.store.files import write_whole
from curate.store.manifest import command_of, find_manifest
from curate.text.tokenizers import AddedTokens, Tokenizer, load_tokenizer

INDEX_FILE = "index.json"
SCHEMA_VERSION = 2
"""1 had no checksum."""


class At(msgspec.Struct, frozen=True):
    """A document's place in the run: its part, and its row there."""

    part: int
    row: int


class ShardEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One shard.

    Attributes:
        file: file name in the folder.
        sha256: of that file, hexadecimal.
        xxh3: XXH3-128 of it, hexadecimal: the same proof at ten times the speed; empty in folders of version 1.
        documents: number of documents.
        tokens: number of tokens, end marks included.
        index_file: where the format keeps document boundaries in a file of their own, its name.
        index_sha256: of that file.
        index_xxh3: of that file.
        first: place of the shard's first document in the run, if known.
        last: place of its last document.
    """

    file: str
    sha256: str
    xxh3: str = ""
    documents: int
    tokens: int
    index_file: str | None = None
    index_sha256: str | None = None
    index_xxh3: str | None = None
    first: At | None = None
    last: At | None = None

    @property
    def files(self) -> dict[str, str]:
        """XXH3-128 of each file of the shard, by name."""
        index = {self.index_file: self.index_xxh3 or ""} if self.index_file else {}
        return {self.file: self.xxh3, **index}

    def is_whole(self, folder: Path) -> bool:
        """Whether its files are there, and are those that were written."""
        return all(xxh3 and xxh3_of(folder / name) == xxh3 for name, xxh3 in self.files.items())


class TokenizerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to decode the shards.

    Attributes:
        name: of the tokenizer as configured.
        fingerprint: SHA-256 of vocabulary, split pattern and end mark.
        vocabulary_size: largest id + 1.
        end_of_document: text of the end mark.
        end_of_document_id: its id.
        file: name of the vocabulary's copy in the folder; None when an installed package carries it.
        pattern: split pattern of a ``.tiktoken`` file.
        added_tokens: which ordinary added tokens of a ``tokenizer.json`` text became.
        xxh3: of that copy.
    """

    name: str
    fingerprint: str
    vocabulary_size: int
    end_of_document: str
    end_of_document_id: int
    file: str | None
    pattern: str | None
    added_tokens: AddedTokens = "words"
    xxh3: str | None = None


class ShardIndex(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``index.json``.

    Attributes:
        format: ``parquet`` or ``bin``.
        dtype: NumPy name of the stored ids (little-endian): ``int32``, ``uint16`` or ``uint32``.
        documents: number of documents in all shards.
        tokens: number of tokens in all shards, end marks included.
    """

    format: str
    schema_version: int
    tokenizer: TokenizerEntry
    dtype: str
    shard_tokens: int
    documents: int
    tokens: int
    shards: list[ShardEntry]


def stored_dtype(shard_format: str, vocabulary_size: int) -> str:
    """NumPy name of the ids in a format.

    Parquet holds int32: torch and most tensor libraries compute no unsigned 32-bit, and no vocabulary is near
    2^31. Flat files take the smallest unsigned type, as trainers that map them expect.
    """
    if shard_format == "parquet":
        return "int32"
    return "uint16" if vocabulary_size <= 65_536 else "uint32"


def write_index(
    folder: Path, settings: ShardSettings, tokenizer: Tokenizer, shards: Sequence[ShardEntry]
) -> ShardIndex:
    """Write ``index.json`` when all shards are whole, beside a copy of the user's own tokenizer file.

    Args:
        folder: holds the shards.
        settings: they were written with.
        tokenizer: encoded them.
        shards: entries in order of their numbers.
    """
    xxh3 = None
    if tokenizer.vocabulary.file:
        name, content = tokenizer.vocabulary.file
        write_whole(folder / name, content)
        xxh3 = xxh3_of(folder / name)
    index = ShardIndex(
        format=settings.format,
        schema_version=SCHEMA_VERSION,
        tokenizer=TokenizerEntry(**tokenizer.description(), xxh3=xxh3),
        dtype=stored_dtype(settings.format, tokenizer.vocabulary_size),
        shard_tokens=settings.shard_tokens,
        documents=sum(shard.documents for shard in shards),
        tokens=sum(shard.tokens for shard in shards),
        shards=list(shards),
    )
    write_json(folder / INDEX_FILE, msgspec.to_builtins(index))
    return index


def read_index(folder: Path) -> ShardIndex:
    """The index of a folder of shards.

    Raises:
        InputError: there is none, or a newer version wrote it.
        DamagedFile: it is not what was written.
    """
    path = folder / INDEX_FILE
    try:
        content = parsed(path)
        version = content.get("schema_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise InputError(
                f"`{path}` has version {version}; this curate reads up to {SCHEMA_VERSION}",
                hint="pip install --upgrade curate",
            )
        if CHECKSUM in content or version != 1:
            content = read_json(path)
        return msgspec.convert(content, ShardIndex)
    except FileNotFoundError as error:
        raise InputError(f"`{folder}` holds no shards: there is no `{INDEX_FILE}`.") from error
    except (BrokenJson, msgspec.ValidationError) as error:
        why = str(error) if isinstance(error, BrokenJson) else f"is no index of shards: {error}"
        raise DamagedFile(f"`{path}` {why}", hint=remedy(folder)) from error


def remedy(folder: Path) -> str:
    """What to type when a file of a folder of shards is damaged."""
    run = folder.absolute().parent
    is_of_run = find_manifest(run).state in {"whole", "damaged"}
    return f"make it again: {command_of(run)}" if is_of_run else "copy the folder of shards again from where it came"


def tokenizer_of(folder: Path, index: ShardIndex) -> Tokenizer:
    """The tokenizer that encoded the shards.

    Raises:
        InputError: what loads under its name is another one.
        PlanError: it does not load.
    """
    entry = index.tokenizer
    tokenizer = load_tokenizer(
        str(folder / entry.file) if entry.file else entry.name,
        end_of_document=entry.end_of_document,
        pattern=entry.pattern or "auto",
        added_tokens=entry.added_tokens,
    )
    if tokenizer.fingerprint != entry.fingerprint:
        raise InputError(f"The tokenizer `{entry.name}` is not the one that wrote these shards.", where=str(folder))
    return tokenizer
