"""Files of samples, which readers take one by one: each is a document, or of packed shards a sequence."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.shards.block import Block
from curate.shards.entry import ShardEntry
from curate.shards.files.flat_file import stored
from curate.shards.format import Layout
from curate.shards.packing.sequences import SequenceCutter

Int64 = npt.NDArray[np.int64]


def sample_count(entry: ShardEntry, layout: Layout) -> int:
    """Samples of a shard."""
    return entry.tokens // layout.sequence_length if layout.sequence_length else entry.documents


class SampleCutter:
    """Samples out of blocks; of a sequence that is not full the tokens wait for the next block."""

    def __init__(self, layout: Layout) -> None:
        self._length = layout.sequence_length
        self._cutter = SequenceCutter(self._length) if self._length else None

    def add(self, block: Block) -> tuple[npt.NDArray[Any], Int64]:
        """Tokens back to back, and where samples begin and end in them."""
        if self._cutter is None:
            return block.tokens, block.offsets
        tokens = self._cutter.add(block).tokens
        return tokens, np.arange(0, len(tokens) + 1, self._length)


class SampleReading(ABC):
    """Documents out of samples."""

    def __init__(self, layout: Layout) -> None:
        self._dtype, self._length = stored(layout.dtype), layout.sequence_length
        self._rest = np.empty(0, self._dtype)

    @abstractmethod
    def samples(self, n_tokens: Int64) -> npt.NDArray[Any]:
        """The ids of the next samples, which have so many tokens, back to back."""

    def take(self, n_tokens: Int64) -> npt.NDArray[Any]:
        """The ids of the next documents."""
        if not self._length:
            return self.samples(n_tokens)
        count = int(n_tokens.sum())
        sequences = max(0, -(-(count - len(self._rest)) // self._length))
        found = np.concatenate([self._rest, self.samples(np.full(sequences, self._length))])
        self._rest = found[count:]
        return found[:count]
