"""What is counted of a shard while it is written."""

from typing import TypedDict

import numpy as np

from curate.shards.block import Block
from curate.text.chats.loss import has_loss


class Counts(TypedDict):
    """Fields of a `ShardEntry`."""

    documents: int
    tokens: int
    padding: int
    paddings: int
    divided: int
    loss_tokens: int


class Tally:
    """Counts documents and padding as they pass.

    Args:
        sequence_length: of packed shards; 0: they are not.
        has_loss: whether ids say which of them are to be learnt.
    """

    def __init__(self, sequence_length: int, *, has_loss: bool = False) -> None:
        self._length, self._has_loss = sequence_length, has_loss
        self.counts = Counts(documents=0, tokens=0, padding=0, paddings=0, divided=0, loss_tokens=0)

    @property
    def tokens(self) -> int:
        """Of all that passed."""
        return self.counts["tokens"]

    def add(self, block: Block) -> None:
        """Count some more documents."""
        counts, is_padding = self.counts, block.is_padding
        if self._length:
            offsets = block.offsets + counts["tokens"]
            divided = offsets[:-1] // self._length != (offsets[1:] - 1) // self._length
            counts["divided"] += int(np.count_nonzero(divided))
            counts["paddings"] += int(np.count_nonzero(is_padding))
            counts["padding"] += int(block.n_tokens[is_padding].sum())
        if self._has_loss:
            counts["loss_tokens"] += int(np.count_nonzero(has_loss(block.tokens)))
        counts["documents"] += len(block.ids) - block.ids.null_count
        counts["tokens"] += len(block.tokens)
