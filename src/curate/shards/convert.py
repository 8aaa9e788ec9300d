"""Shards of another format from finished ones, without tokenising again.

The documents keep their order. What an earlier attempt finished is kept, and the bytes are those that a run with that
format would have written.
"""

import functools
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from curate.errors import InputError
from curate.shards.block import Block
from curate.shards.cutting import Cutter
from curate.shards.entry import ShardEntry
from curate.shards.formats import FORMATS
from curate.shards.index import ShardIndex, chats_of, layout_of, read_index, tokenizer_of, write_index
from curate.shards.kept_tokenizer import KeptTokenizer
from curate.shards.notes import Notes
from curate.shards.reader import read_blocks
from curate.shards.settings import ShardSettings
from curate.shards.writer import write_shard
from curate.store.digest import digest
from curate.store.files import way

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
        UserError: a file in ``out`` is in the way.
    """
    index = of_split(read_index(source), split)
    tokenizer = KeptTokenizer(source, index.tokenizer)
    if index.sequence_length:
        settings = _as_packed(settings, index)
    elif settings.packing != "none":
        raise InputError(
            f"`{source}` is not packed, and packing draws documents from all shards",
            hint=f"curate run … --set shards.packing={settings.packing}, then convert",
        )
    if FORMATS[index.format].has_loss != FORMATS[settings.format].has_loss:
        has, to = (index.format, settings.format) if FORMATS[index.format].has_loss else (settings.format, index.format)
        raise InputError(
            f"shards of format `{has}` have a loss mask, and those of format `{to}` have none",
            hint=f"curate run … --set shards.format={settings.format}",
        )
    layout = layout_of(settings, tokenizer)
    if out.absolute().resolve() == source.absolute().resolve():
        raise InputError(f"`{out}` holds the shards that are to be converted", hint=f"-o {out}-{settings.format}")
    notes = Notes(out, out / NOTES)
    notes.require_room(FORMATS[settings.format].index_file)
    made_from = digest([entry.files for entry in index.shards], msgspec.to_builtins(layout), settings.format)
    as_cut = settings.shard_tokens == index.shard_tokens

    def written(number: int, blocks: Iterable[Block]) -> ShardEntry:
        key = digest(made_from, settings.shard_tokens, number)
        entry = notes.existing(number, key)
        if entry is None:
            note = functools.partial(notes.take, number, key=key)
            entry = write_shard(out, number, blocks, settings, layout, whole=note)
        if not as_cut:
            return entry
        return msgspec.structs.replace(entry, first=index.shards[number].first, last=index.shards[number].last)

    def blocks(entry: ShardEntry) -> Iterator[Block]:
        return read_blocks(source, index, entry, loss=FORMATS[settings.format].has_loss)

    out.mkdir(parents=True, exist_ok=True)
    if as_cut:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            numbers = range(len(index.shards))
            entries = list(threads.map(lambda at: written(at, blocks(index.shards[at])), numbers))
    else:
        entries = [written(*shard) for shard in _cut_again(map(blocks, index.shards), settings.shard_tokens)]
    notes.clear(entries)
    mix = () if split else index.mix
    chats = chats_of(source, index, tokenizer_of(source, index)) if index.chat_template else None
    made = way(source, out)
    return write_index(out, settings, tokenizer, entries, made_from=made, split=split, mix=mix, chats=chats)


def _as_packed(settings: ShardSettings, index: ShardIndex) -> ShardSettings:
    """The same sequences in the same shards.

    Raises:
        InputError: other ones are asked for.
    """
    if settings.shard_tokens != index.shard_tokens:
        raise InputError(
            f"packed shards keep their size, but `shards.shard_tokens` is {settings.shard_tokens:,}",
            hint=f"--set shards.shard_tokens={index.shard_tokens}",
        )
    if settings.packing not in {"none", index.packing}:
        raise InputError(
            f"these shards are packed by `{index.packing}`, but `shards.packing` is `{settings.packing}`",
            hint=f"--set shards.packing={index.packing}",
        )
    return msgspec.structs.replace(settings, packing=index.packing, sequence_length=index.sequence_length)


def of_split(index: ShardIndex, split: str) -> ShardIndex:
    """An index of the shards of one split alone."""
    shards = [entry for entry in index.shards if entry.split == split]
    tokens, documents = sum(entry.tokens for entry in shards), sum(entry.documents for entry in shards)
    padding, divided = sum(entry.padding for entry in shards), sum(entry.divided for entry in shards)
    return msgspec.structs.replace(
        index, shards=shards, tokens=tokens, documents=documents, padding=padding, divided=divided
    )


def _cut_again(shards: Iterable[Iterator[Block]], limit: int) -> Iterator[tuple[int, Iterator[Block]]]:
    """The same documents, cut into shards of another size; each shard's blocks must be taken before the next."""
    cutter = Cutter(limit)
    pieces = (piece for shard in shards for block in shard for piece in _cut(block, cutter))
    waiting: list[tuple[int, Block]] = list(_first(pieces))

    def of(number: int) -> Iterator[Block]:
        while waiting and waiting[0][0] == number:
            yield waiting.pop()[1]
            waiting.extend(_first(pieces))

    while waiting:
        number = waiting[0][0]
        blocks = of(number)
        yield number, blocks
        for _ in blocks:  # of a shard that was there already
            pass


def _first(pieces: Iterator[tuple[int, Block]]) -> Iterator[tuple[int, Block]]:
    piece = next(pieces, None)
    return iter([piece] if piece else [])


def _cut(block: Block, cutter: Cutter) -> Iterator[tuple[int, Block]]:
    numbers, _ = cutter.cut(block.n_tokens)
    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    for start, stop in pairwise(edges):
        if start < stop:
            yield int(numbers[start]), block.rows(start, stop)
