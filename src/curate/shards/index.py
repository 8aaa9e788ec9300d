"""``index.json``: what a folder of shards holds, how to decode it, and where its documents came from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from curate.errors import DISTRIBUTION, DamagedFile, InputError, PlanError, require
from curate.models.chats import ChatEncoder, ChatTemplate
from curate.models.tokenizers import AddedTokens, Tokenizer, load_tokenizer
from curate.shards.entry import ShardEntry
from curate.shards.files.hashed_file import xxh3_of
from curate.shards.format import BESIDE_INDEX_FILE, INDEX_FILE, INDEX_FILES, Layout
from curate.shards.formats import FORMATS
from curate.shards.kept_tokenizer import Described
from curate.shards.mixture import Share
from curate.shards.mixture.repeats import REPEATS_FILE
from curate.shards.packing import Packing
from curate.shards.settings import ShardSettings
from curate.store.checked_json import BrokenJson, parsed, read_json, write_json
from curate.store.files import remove, write_whole
from curate.store.manifest import command_of, find_manifest

OLDEST_VERSION, SCHEMA_VERSION = 2, 3
"""Version 2 also had SHA-256. Version 1 had only SHA-256 and no checksum of itself; it was never released."""
TEMPLATE_FILE = "chat_template.json"
"""Copy of the template that wrote conversations: its source, and the control tokens that it knows by name."""
WINDOWS = (2048, 4096, 8192)
"""Sequence lengths for which lost tokens are counted."""
_ROOM = 64_000_000
"""Bytes of a file that may be no ids."""


class TokenizerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to decode the shards.

    Attributes:
        name: of the tokenizer as configured.
        fingerprint: SHA-256 of vocabulary, split pattern and end mark.
        vocabulary_size: largest id + 1.
        end_of_document: text of the end mark.
        end_of_document_id: its id.
        begin_of_document: text of the mark that begins each document; None: there is none.
        begin_of_document_id: its id.
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
    begin_of_document: str | None = None
    begin_of_document_id: int | None = None
    added_tokens: AddedTokens = "words"
    xxh3: str | None = None


class ShardIndex(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole of ``index.json``.

    Attributes:
        format: one of `curate.shards.formats.FORMATS`.
        dtype: NumPy name of the stored ids (little-endian).
        documents: number of documents in all shards.
        tokens: number of tokens in all shards, end marks and padding included.
        packing: how documents were laid into sequences: ``none``, ``concatenate`` or ``best_fit``.
        sequence_length: tokens of these; 0: there are none.
        padding: tokens that only fill sequences.
        divided: documents that lie in more than one sequence.
        loss_tokens: tokens that are to be learnt, where a mask says which.
        chat_template: folder or file of the template that wrote conversations; a copy of it is in the folder.
        lost: for some sequence lengths, the tokens that the trainer's own reader never gives out.
        header: what each ``bin`` file begins with.
        column: of ids in MDS.
        loss_mask: whether ``.ds.loss`` files are there.
        files: XXH3-128 of files that stand for the whole folder, by name.
        made_from: folder of shards that these were converted from.
        order: of the documents: ``input``, or ``shuffle``.
        mix: groups of the mixture with their tokens, where documents are not all taken once.
        split: what of these other shards was converted; empty: all that is not for validation.
    """

    format: str
    schema_version: int
    tokenizer: TokenizerEntry
    dtype: str
    shard_tokens: int
    documents: int
    tokens: int
    shards: list[ShardEntry]
    lost: dict[str, int] = {}
    header: Literal["none", "llm.c"] = "none"
    column: str = "tokens"
    loss_mask: bool = False
    files: dict[str, str] = {}
    made_from: str = ""
    order: str = "input"
    split: str = ""
    packing: Packing = "none"
    sequence_length: int = 0
    padding: int = 0
    divided: int = 0
    loss_tokens: int = 0
    chat_template: str = ""
    mix: list[Share] = []

    @property
    def kept_tokens(self) -> int:
        """Tokens of all kept documents, each once."""
        if not self.mix:
            return self.tokens - self.padding
        held_out = sum(shard.tokens - shard.padding for shard in self.shards if shard.split)
        return held_out + sum(share.tokens for share in self.mix)

    @property
    def trained(self) -> float | None:
        """Share of the places of packed shards that hold a token of a document which the reader gives out."""
        if not self.sequence_length:
            return None
        training = [shard for shard in self.shards if not shard.split] or self.shards
        paid = sum(shard.tokens for shard in training)
        lost = self.lost.get(str(self.sequence_length), 0)
        return (paid - sum(shard.padding for shard in training) - lost) / paid if paid else None

    @property
    def layout(self) -> Layout:
        """How ids are stored."""
        return Layout(
            dtype=self.dtype,
            header=self.header,
            column=self.column,
            loss_mask=self.loss_mask,
            masked=bool(self.chat_template),
            tokenizer=self.tokenizer.name,
            packing=self.packing,
            sequence_length=self.sequence_length,
        )


def layout_of(settings: ShardSettings, tokenizer: Described, *, masked: bool = False) -> Layout:
    """How ids are stored by these settings.

    Args:
        settings: of the shards.
        tokenizer: that made the ids.
        masked: whether a chat template says which of them are to be learnt.

    Raises:
        PlanError: the format cannot hold the vocabulary, or so many tokens in a file.
    """
    known = FORMATS[settings.format]
    if known.package:
        require(*known.package, f"`shards.format` is `{settings.format}`")
    dtype = known.dtype(tokenizer.vocabulary_size, settings.dtype)
    most = known.shard_bytes
    if settings.validation and known.index_file != INDEX_FILE:
        raise PlanError(
            f"the reader of format `{settings.format}` takes a whole folder, so validation needs one of its own",
            hint="run with shards.format=bin, then curate shards convert RUN --to "
            f"{settings.format} -o train, and again with --split validation",
        )
    if most is not None and settings.shard_tokens * np.dtype(dtype).itemsize > most - _ROOM:
        raise PlanError(
            f"format `{settings.format}` holds less than 4 GiB in a file, but `shards.shard_tokens` is"
            f" {settings.shard_tokens:,}",
            hint="--set shards.shard_tokens=100000000",
        )
    return Layout(
        dtype=dtype,
        level=settings.compression_level,
        header=settings.header,
        column=settings.column,
        loss_mask=settings.loss_mask,
        masked=masked,
        tokenizer=tokenizer.name,
        packing=settings.packing,
        sequence_length=settings.sequence_length if settings.packing != "none" else 0,
    )


def write_index(
    folder: Path,
    settings: ShardSettings,
    tokenizer: Described,
    shards: Sequence[ShardEntry],
    made_from: str = "",
    split: str = "",
    mix: Sequence[Share] = (),
    chats: ChatEncoder | None = None,
) -> ShardIndex:
    """Write the index when all shards are whole, beside a copy of the user's own tokenizer file.

    Args:
        folder: holds the shards.
        settings: they were written with.
        tokenizer: encoded them.
        shards: entries in order of their numbers.
        made_from: what other shards they were converted from.
        split: what of these.
        mix: groups of the mixture.
        chats: wrote conversations.
    """
    xxh3 = None
    if tokenizer.file:
        name, content = tokenizer.file
        write_whole(folder / name, content)
        xxh3 = xxh3_of(folder / name)
    known, layout = FORMATS[settings.format], layout_of(settings, tokenizer, masked=chats is not None)
    training = [shard for shard in shards if not shard.split]
    repeats = [REPEATS_FILE] if mix and not made_from and (folder / REPEATS_FILE).is_file() else []
    windows = sorted({*WINDOWS, layout.sequence_length} - {0})
    if chats:
        template = {"source": chats.template.source, "tokens": chats.template.tokens, "date": chats.template.date}
        write_whole(folder / TEMPLATE_FILE, msgspec.json.format(msgspec.json.encode(template), indent=2))
        repeats.append(TEMPLATE_FILE)
    index = ShardIndex(
        format=settings.format,
        schema_version=SCHEMA_VERSION,
        tokenizer=TokenizerEntry(**tokenizer.description(), xxh3=xxh3),
        dtype=layout.dtype,
        shard_tokens=settings.shard_tokens,
        documents=sum(shard.documents for shard in shards),
        tokens=sum(shard.tokens for shard in shards),
        shards=list(shards),
        header=layout.header,
        column=layout.column,
        loss_mask=layout.loss_mask,
        files={name: xxh3_of(folder / name) for name in [*known.finish(folder, training, layout), *repeats]},
        lost={str(window): known.lost(folder, training, window, layout) for window in windows},
        packing=layout.packing,
        sequence_length=layout.sequence_length,
        padding=sum(shard.padding for shard in shards),
        divided=sum(shard.divided for shard in shards),
        loss_tokens=sum(shard.loss_tokens for shard in shards),
        chat_template=chats.template.name if chats else "",
        mix=list(mix),
        made_from=made_from,
        order=settings.order,
        split=split,
    )
    write_json(folder / known.index_file, msgspec.to_builtins(index))
    for other in INDEX_FILES:
        if other != known.index_file and was_index(folder / other):
            remove(folder / other)
    return index


def was_index(file: Path) -> bool:
    """Whether it is an index of curate's, damaged perhaps."""
    try:
        return {"tokenizer", "shard_tokens"} <= parsed(file).keys()
    except (BrokenJson, FileNotFoundError):
        return False


def index_path(folder: Path) -> Path:
    """Where the index of a folder of shards is, or would be."""
    beside = folder / BESIDE_INDEX_FILE
    return beside if beside.exists() and not was_index(folder / INDEX_FILE) else folder / INDEX_FILE


def read_index(folder: Path) -> ShardIndex:
    """The index of a folder of shards.

    Raises:
        InputError: there is none, or its version cannot be read.
        DamagedFile: it is not what was written.
    """
    path = index_path(folder)
    try:
        version = parsed(path).get("schema_version")
        if isinstance(version, int) and not OLDEST_VERSION <= version <= SCHEMA_VERSION:
            newer = f"pip install --upgrade {DISTRIBUTION}"
            raise InputError(
                f"`{path}` has version {version}; this curate reads {OLDEST_VERSION} to {SCHEMA_VERSION}",
                hint=newer if version > SCHEMA_VERSION else remedy(folder),
            )
        return msgspec.convert(read_json(path), ShardIndex)
    except FileNotFoundError as error:
        raise InputError(
            f"`{folder}` holds no shards: there is no `{INDEX_FILE}`",
            hint="name the folder of a run, or one that `curate shards convert … -o` wrote",
        ) from error
    except (BrokenJson, msgspec.ValidationError) as error:
        why = str(error) if isinstance(error, BrokenJson) else f"is not an index of shards: {error}"
        raise DamagedFile(f"`{path}` {why}", hint=remedy(folder)) from error


def remedy(folder: Path) -> str:
    """What to type when a file of a folder of shards is damaged."""
    run = folder.absolute().parent
    is_of_run = find_manifest(run).state in {"whole", "damaged"}
    return f"make it again: {command_of(run)}" if is_of_run else "copy the folder of shards again from where it came"


def chats_of(folder: Path, index: ShardIndex, tokenizer: Tokenizer) -> ChatEncoder | None:
    """What wrote the conversations of the shards; None if there are none.

    Raises:
        DamagedFile: the copy of the template is damaged.
    """
    if not index.chat_template:
        return None
    try:
        copy = msgspec.json.decode((folder / TEMPLATE_FILE).read_bytes())
        template = ChatTemplate(copy["source"], index.chat_template, copy["tokens"], date=copy["date"])
        return ChatEncoder(template, tokenizer)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"`{folder / TEMPLATE_FILE}` cannot be read: {error}", hint=remedy(folder)) from error


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
        begin_of_document=entry.begin_of_document or "none",
        pattern=entry.pattern or "auto",
        added_tokens=entry.added_tokens,
    )
    if tokenizer.fingerprint != entry.fingerprint:
        raise InputError(f"the tokenizer `{entry.name}` is not the one that wrote these shards", where=str(folder))
    return tokenizer
