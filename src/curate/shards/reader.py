"""Read shards back, document by document or block by block."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt
import pyarrow as pa

from curate.errors import InputError
from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.entry import ShardEntry
from curate.shards.formats import FORMATS
from curate.shards.index import ShardIndex, read_index, remedy
from curate.text.chats.loss import without_loss

__all__ = ["DamagedShard", "Document", "read_blocks", "read_shards"]


class Document(NamedTuple):
    """One document of a shard.

    Attributes:
        id: the document's own id; ids may repeat in a corpus.
        shard: number of the shard.
        offset: position of its first token in the shard.
        tokens: its ids, end mark included.
    """

    id: str
    shard: int
    offset: int
    tokens: npt.NDArray[Any]


def read_shards(folder: Path, *, shard: int | None = None, loss: bool = False) -> Iterator[Document]:
    """All documents of a folder of shards, or of one shard, in order.

    Args:
        folder: holds the shards.
        shard: number of the only one to read.
        loss: as in `read_blocks`.

    Raises:
        InputError: the folder holds no shards, or not that one.
        DamagedShard: a file is missing or not what was written.
    """
    index = read_index(folder)
    if shard is not None and not 0 <= shard < len(index.shards):
        raise InputError(f"there is no shard {shard}: `{folder}` holds {len(index.shards)} shards, from 0")
    for number in range(len(index.shards)) if shard is None else [shard]:
        entry, offset = index.shards[number], 0
        if entry.xxh3 and not entry.is_whole(folder):
            raise DamagedShard(f"`{folder / entry.file}` is missing or damaged", hint=remedy(folder))
        try:
            for block in read_blocks(folder, index, entry, loss=loss):
                for row, name in enumerate(block.ids.to_pylist()):
                    if name is None:  # padding
                        continue
                    tokens = block.tokens[block.offsets[row] : block.offsets[row + 1]]
                    yield Document(name, number, offset + int(block.offsets[row]), tokens)
                offset += len(block.tokens)
        except (OSError, pa.ArrowException) as error:  # of an index that knows no quick hash
            raise DamagedShard(f"`{folder / entry.file}` cannot be read: {error}", hint=remedy(folder)) from error


def read_blocks(folder: Path, index: ShardIndex, entry: ShardEntry, *, loss: bool = False) -> Iterator[Block]:
    """The documents of one shard in blocks.

    Args:
        folder: holds the shards.
        index: of them.
        entry: the shard.
        loss: leave ids the bit that says which are to be learnt, where the format has one.

    Raises:
        DamagedShard: a file contradicts itself.
        OSError, pyarrow.ArrowException: a file is missing or cannot be decoded.
    """
    if index.format not in FORMATS:
        raise DamagedShard(f"`{index.format}` is not a known shard format", where=str(folder))
    blocks = FORMATS[index.format].read(folder, entry, index.layout)
    if loss or not index.layout.masked:
        return blocks
    return (block._replace(tokens=without_loss(block.tokens)) for block in blocks)
