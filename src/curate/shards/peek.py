"""A look into shards: what a trainer will see, as text."""

from itertools import islice
from pathlib import Path
from typing import NamedTuple

from curate.shards.index import read_index, tokenizer_of
from curate.shards.reader import read_shards


class Peek(NamedTuple):
    """One document of a shard, decoded.

    Attributes:
        id: the document's own id.
        shard: number of its shard.
        offset: position of its first token in the shard.
        n_tokens: number of tokens, end mark included.
        text: its tokens as text, without the end mark.
    """

    id: str
    shard: int
    offset: int
    n_tokens: int
    text: str


def peek(folder: Path, n: int = 5, *, shard: int | None = None, id: str | None = None) -> list[Peek]:  # noqa: A002
    """The first ``n`` documents of a folder of shards as text.

    Args:
        folder: holds ``index.json``.
        n: most documents to show.
        shard: look into this shard only.
        id: show only documents of this id (there may be several).

    Raises:
        InputError: the folder holds no shards, or not that one.
        DamagedShard: a file contradicts itself.
    """
    tokenizer = tokenizer_of(folder, read_index(folder))
    wanted = (document for document in read_shards(folder, shard=shard) if id is None or document.id == id)
    return [
        Peek(found.id, found.shard, found.offset, len(found.tokens), tokenizer.decode(found.tokens))
        for found in islice(wanted, n)
    ]
