"""Shards of another format from finished ones, without tokenising again.

The documents keep their order. What an earlier attempt finished is kept, and the bytes are those that a run with that
format would have written.
"""

import functools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from curate.errors import InputError
from curate.process.machine import cores
from curate.shards.block import Block
from curate.shards.entry import ShardEntry
from curate.shards.files.indexed_format import Counts, IndexedFormat, boundaries
from curate.shards.formats import FORMATS
from curate.shards.index import ShardIndex, chats_of, layout_of, read_index, tokenizer_of, write_index
from curate.shards.kept_tokenizer import KeptTokenizer
from curate.shards.notes import Notes
from curate.shards.packing.recutting import cut_again
from curate.shards.reader import read_blocks
from curate.shards.settings import ShardSettings
from curate.shards.writer import write_shard
from curate.store.digest import digest
from curate.store.files import way
from curate.store.ownership.outputs import require_output_folder

NOTES = ".curate"
"""Folder of what is known of shards whose index is not written; may be deleted."""


def convert(source: Path, out: Path, settings: ShardSettings, split: str = "") -> ShardIndex:
    """Write the documents of a folder of shards to another folder in another format.

    Args:
        source: holds finished shards.
        out: is made when missing; must not be ``source``.
        settings: format and size of the new shards.
        split: ``validation`` for the shards that are for it; else those for training.

    Raises:
        InputError: there are no shards, or ``out`` is where they are.
        PlanError: the format cannot hold the vocabulary.
        DamagedShard: a shard contradicts itself.
        UserError: a file in ``out`` is in the way, or a run keeps its files there.
    """
    index = of_split(read_index(source), split)
    tokenizer = KeptTokenizer(source, index.tokenizer)
    settings = msgspec.structs.replace(_packed(settings, index, source), order=index.order)
    _check_loss(settings, index)
    layout = layout_of(settings, tokenizer, masked=bool(index.chat_template))
    if out.absolute().resolve() == source.absolute().resolve():
        raise InputError(f"`{out}` holds the shards that are to be converted", hint=f"-o {out}-{settings.format}")
    require_output_folder(out)
    notes = Notes(out, out / NOTES)
    notes.require_room(FORMATS[settings.format].index_file)
    made_from = digest([entry.files for entry in index.shards], msgspec.to_builtins(layout), settings.format)
    as_cut = (settings.shard_tokens, layout.packing, layout.sequence_length) == (
        index.shard_tokens,
        index.packing,
        index.sequence_length,
    )

    def written(number: int, blocks: Iterable[Block]) -> ShardEntry:
        key = digest(made_from, settings.shard_tokens, number)
        entry = notes.existing(number, key)
        if entry is None:
            note = functools.partial(notes.take, number, key=key)
            entry = write_shard(out, number, blocks, settings, layout, whole=note, n_tokens=counted(number))
        if not as_cut:
            return entry
        return msgspec.structs.replace(entry, first=index.shards[number].first, last=index.shards[number].last)

    def blocks(entry: ShardEntry) -> Iterator[Block]:
        return read_blocks(source, index, entry, loss=True)

    def counted(number: int) -> Counts | None:
        is_known = as_cut and isinstance(FORMATS[index.format], IndexedFormat) and FORMATS[settings.format].counts_first
        return boundaries(source, index.shards[number]) if is_known else None

    out.mkdir(parents=True, exist_ok=True)
    notes.foreign()  # what a killed attempt left unfinished goes
    if as_cut:
        with ThreadPoolExecutor(cores()) as threads:
            numbers = range(len(index.shards))
            entries = list(threads.map(lambda at: written(at, blocks(index.shards[at])), numbers))
    else:
        together = (block for entry in index.shards for block in blocks(entry))
        pad = layout.packing, layout.sequence_length, index.tokenizer.end_of_document_id
        entries = [written(*shard) for shard in cut_again(together, settings.shard_tokens, *pad)]
    notes.clear(entries)
    mix = () if split else index.mix
    chats = chats_of(source, index, tokenizer_of(source, index)) if index.chat_template else None
    made = way(source, out)
    return write_index(out, settings, tokenizer, entries, made_from=made, split=split, mix=mix, chats=chats)


def _packed(settings: ShardSettings, index: ShardIndex, source: Path) -> ShardSettings:
    """The packing of the new shards: that of the old ones, or documents back to back.

    Raises:
        InputError: it needs the documents in another order.
    """
    if index.sequence_length and settings.packing == "none":
        return msgspec.structs.replace(settings, packing=index.packing, sequence_length=index.sequence_length)
    lengths = settings.sequence_length, index.sequence_length
    if "best_fit" in {settings.packing, index.packing} and (
        settings.packing != index.packing or lengths[0] != lengths[1]
    ):
        was = f"packed by `{index.packing}`, {lengths[1]:,} tokens a sequence" if lengths[1] else "not packed"
        raise InputError(
            f"`{source}` is {was}, and only a run can put documents in another order, as packing by"
            f" `{settings.packing}` for {lengths[0]:,} tokens would",
            hint=f"curate run … --set shards.packing={settings.packing} --set shards.sequence_length={lengths[0]},"
            " then convert",
        )
    return settings


def _check_loss(settings: ShardSettings, index: ShardIndex) -> None:
    """See that what is to be learnt is kept.

    Raises:
        InputError: only one of both folders would say what that is.
    """
    known = FORMATS[settings.format]
    if index.chat_template and not known.keeps_loss(loss_mask=settings.loss_mask):
        raise InputError(
            f"shards of format `{index.format}` have a loss mask, and those of format `{settings.format}` have none",
            hint="--set shards.loss_mask=true" if "loss_mask" in known.options else "--to sft",
        )
    if known.has_loss and not index.chat_template:
        raise InputError(
            f"shards of format `{settings.format}` have a loss mask, and those of format `{index.format}` have none",
            hint=f"curate run … --set shards.format={settings.format} --set tokenize.chat_template=MODEL_FOLDER",
        )


def of_split(index: ShardIndex, split: str) -> ShardIndex:
    """An index of the shards of one split alone."""
    shards = [entry for entry in index.shards if entry.split == split]
    tokens, documents = sum(entry.tokens for entry in shards), sum(entry.documents for entry in shards)
    padding, divided = sum(entry.padding for entry in shards), sum(entry.divided for entry in shards)
    return msgspec.structs.replace(
        index, shards=shards, tokens=tokens, documents=documents, padding=padding, divided=divided
    )
