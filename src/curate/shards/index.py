"""``index.json``: what a folder of shards holds, how to decode it, and where its documents came from."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from curate.errors import InputError
from curate.shards.settings import ShardSettings
from curate.shards.whole_file import whole_file
from curate.text.tokenizers import AddedTokens, Tokenizer, load_tokenizer

INDEX_FILE = "index.json"
SCHEMA_VERSION = 1


class At(msgspec.Struct, frozen=True):
    """A document's place in the run: its part, and its row there."""

    part: int
    row: int


class ShardEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One shard.

    Attributes:
        file: file name in the folder.
        sha256: of that file, hexadecimal.
        documents: number of documents.
        tokens: number of tokens, end marks included.
        index_file: where the format keeps document boundaries in a file of their own, its name.
        index_sha256: of that file.
        first: place of the shard's first document in the run, if known.
        last: place of its last document.
    """

    file: str
    sha256: str
    documents: int
    tokens: int
    index_file: str | None = None
    index_sha256: str | None = None
    first: At | None = None
    last: At | None = None


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
    """

    name: str
    fingerprint: str
    vocabulary_size: int
    end_of_document: str
    end_of_document_id: int
    file: str | None
    pattern: str | None
    added_tokens: AddedTokens = "words"


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
    index = ShardIndex(
        format=settings.format,
        schema_version=SCHEMA_VERSION,
        tokenizer=TokenizerEntry(**tokenizer.description()),
        dtype=stored_dtype(settings.format, tokenizer.vocabulary_size),
        shard_tokens=settings.shard_tokens,
        documents=sum(shard.documents for shard in shards),
        tokens=sum(shard.tokens for shard in shards),
        shards=list(shards),
    )
    if tokenizer.vocabulary.file:
        name, content = tokenizer.vocabulary.file
        with whole_file(folder / name) as file:
            file.write(content)
    with whole_file(folder / INDEX_FILE) as file:
        file.write(msgspec.json.format(msgspec.json.encode(index), indent=2) + b"\n")
    return index


def read_index(folder: Path) -> ShardIndex:
    """The index of a folder of shards.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    path = folder / INDEX_FILE
    try:
        index = msgspec.json.decode(path.read_bytes(), type=ShardIndex)
    except FileNotFoundError as error:
        raise InputError(f"`{folder}` holds no shards: there is no `{INDEX_FILE}`.") from error
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"`{INDEX_FILE}` cannot be read: {error}.", where=str(path)) from error
    if index.schema_version > SCHEMA_VERSION:
        raise InputError(
            f"`{INDEX_FILE}` has version {index.schema_version}; this curate reads up to {SCHEMA_VERSION}.",
            where=str(path),
        )
    return index


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
