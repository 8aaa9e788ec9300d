"""Which shard each document goes to.

Documents keep their order and are never split. A shard is closed when the next document would not fit, so the
cut depends on the token counts alone and not on who computed them.
"""

import numpy as np
import numpy.typing as npt

Shards = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]


class Cutter:
    """Cuts a corpus that arrives piece by piece; the pieces do not show in the result.

    Args:
        limit: most tokens in a shard. A document longer than that gets a shard of its own.
        shard: number of the shard that is being filled.
        filled: tokens in it.

    Example:
        >>> cutter = Cutter(10)
        >>> [tuple(a.tolist() for a in cutter.cut(np.array(n))) for n in ([4, 5], [1, 3], [20, 1])]
        [([0, 0], [0, 4]), ([0, 1], [9, 0]), ([2, 3], [0, 0])]
    """

    def __init__(self, limit: int, shard: int = 0, filled: int = 0) -> None:
        self._limit, self._shard, self._filled = limit, shard, filled

    @property
    def state(self) -> tuple[int, int]:
        """The shard being filled and the tokens in it: with them, another cutter goes on from here."""
        return self._shard, self._filled

    def cut(self, n_tokens: Counts) -> tuple[Shards, Counts]:
        """Shard of each document, and the position of its first token there.

        Args:
            n_tokens: int64, token counts of the next documents in corpus order, none negative.

        Returns:
            ``shard`` (int32) and ``offset`` (int64), one for each document.
        """
        ends = np.cumsum(n_tokens, dtype=np.int64)
        starts = ends - n_tokens
        shard = np.empty(len(ends), np.int32)
        offset = np.empty(len(ends), np.int64)
        row = 0
        while row < len(ends):
            begin = int(starts[row]) - self._filled
            stop = int(np.searchsorted(ends, begin + self._limit, side="right"))
            if stop <= row and self._filled:
                self._shard, self._filled = self._shard + 1, 0
                continue
            stop = max(stop, row + 1)
            shard[row:stop] = self._shard
            offset[row:stop] = starts[row:stop] - begin
            self._filled = int(ends[stop - 1]) - begin
            row = stop
        return shard, offset


def cut(n_tokens: Counts, shard_tokens: int) -> tuple[Shards, Counts]:
    """Shard and offset of every document of a corpus at once; see `Cutter`.

    Args:
        n_tokens: int64, token counts of the documents that stay, in corpus order.
        shard_tokens: most tokens in a shard.

    Example:
        >>> shard, offset = cut(np.array([4, 5, 1, 3, 20, 1]), 10)
        >>> shard.tolist(), offset.tolist()
        ([0, 0, 0, 1, 2, 3], [0, 4, 9, 0, 0, 0])
    """
    return Cutter(shard_tokens).cut(n_tokens)
