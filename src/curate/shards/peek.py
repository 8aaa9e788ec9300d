"""A look into shards: what a trainer will see, as text."""

from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.models.chats import ChatEncoder
from curate.shards.index import chats_of, read_index, tokenizer_of
from curate.shards.reader import read_shards
from curate.text.chats.loss import has_loss, without_loss


class Peek(NamedTuple):
    """One document of a shard, decoded.

    Attributes:
        id: the document's own id.
        shard: number of its shard.
        offset: position of its first token in the shard.
        n_tokens: number of tokens, end mark included.
        text: its tokens as text, without the end mark.
        runs: where shards have a loss mask, the text in pieces, each with whether it is learnt.
    """

    id: str
    shard: int
    offset: int
    n_tokens: int
    text: str
    runs: tuple[tuple[str, bool], ...] = ()


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
    index = read_index(folder)
    tokenizer = tokenizer_of(folder, index)
    chats = chats_of(folder, index, tokenizer)
    wanted = (one for one in read_shards(folder, shard=shard, loss=True) if id is None or one.id == id)
    shown = []
    for found in islice(wanted, n):
        runs = _runs(chats, found.tokens) if chats else ()
        text = "".join(piece for piece, _ in runs) if chats else tokenizer.decode(found.tokens)
        shown.append(Peek(found.id, found.shard, found.offset, len(found.tokens), text, runs))
    return shown


def _runs(chats: ChatEncoder, tokens: npt.NDArray[Any]) -> tuple[tuple[str, bool], ...]:
    """Stretches of tokens with and without loss, as text with control tokens in it."""
    learnt = has_loss(tokens)
    edges = [0, *(np.flatnonzero(np.diff(learnt)) + 1).tolist(), len(tokens)]
    return tuple(
        (chats.decode(without_loss(tokens[first:last])), bool(learnt[first])) for first, last in pairwise(edges)
    )
