"""A byte for each token in a file beside the ids, 1 where it counts in the loss, for trainers that read masks so."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.shards.block import Block
from curate.shards.damage import DamagedShard
from curate.shards.files.flat_file import FlatReading, FlatWriting
from curate.shards.files.hashed_file import HashedFile, hashed_file
from curate.shards.format import Layout
from curate.text.chats.loss import has_loss, with_loss, without_loss


class MaskedWriting(FlatWriting):
    """Ids, and a mask where the layout has one: what the chat template says, else all but padding.

    Args:
        files: closes them.
        path: of the ids.
        layout: how ids are stored, and whether there is a mask.
        suffix: what the name of the mask has in place of that of the ids.
    """

    def __init__(self, files: ExitStack, path: Path, layout: Layout, suffix: str) -> None:
        super().__init__(files, path, layout.dtype)
        self._masked = layout.masked
        mask = path.with_suffix(suffix)
        self._mask = (mask.name, files.enter_context(hashed_file(mask))) if layout.loss_mask else None

    def add(self, block: Block) -> None:
        """Write some documents."""
        if self._mask:
            counts = has_loss(block.tokens) if self._masked else np.repeat(~block.is_padding, block.n_tokens)
            self._mask[1].write(counts.astype(np.uint8).data)
        super().add(block._replace(tokens=without_loss(block.tokens)) if self._masked else block)

    def finish(self) -> list[tuple[str, HashedFile]]:
        """The files, ids first."""
        return [*super().finish(), *([self._mask] if self._mask else [])]


class MaskedReading(FlatReading):
    """Reads ids, with the bit of `curate.text.chats.loss` where a chat template made the mask; see `MaskedWriting`."""

    def __init__(self, files: ExitStack, path: Path, layout: Layout, suffix: str) -> None:
        super().__init__(files, path, layout.dtype)
        mask = path.with_suffix(suffix)
        self._masked, self._mask = layout.masked, None
        if layout.loss_mask:
            if mask.stat().st_size != self._left:
                raise DamagedShard(f"`{mask.name}` has not one byte for each token of `{path.name}`")
            self._mask = files.enter_context(mask.open("rb"))

    def take(self, n_tokens: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """The ids of the next documents."""
        tokens = super().take(n_tokens)
        if self._mask is None or not self._masked:
            return tokens
        return with_loss(tokens.astype(np.uint32), np.fromfile(self._mask, np.uint8, len(tokens)) != 0)
