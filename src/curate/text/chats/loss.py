"""Loss masks beside token ids: the highest bit of an id says that the model is to learn it.

Vocabularies end far below 2^31, so ids with the bit travel wherever ids do: through caches, exchanges and shards that
are made of them. Formats whose rows have labels take it off; no other format is given ids that have it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

LOSS = np.uint32(1 << 31)
"""The bit."""
NO_LOSS = -100
"""Label of a token that is not learnt, as PyTorch's cross entropy has it."""


def with_loss(ids: npt.NDArray[np.uint32], loss: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """Ids with the bit where ``loss`` is true.

    Example:
        >>> marked = with_loss(np.array([5, 6], np.uint32), np.array([False, True]))
        >>> without_loss(marked).tolist(), has_loss(marked).tolist()
        ([5, 6], [False, True])
    """
    found: npt.NDArray[np.uint32] = ids | np.where(loss, LOSS, np.uint32(0))
    return found


def without_loss(ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The ids themselves."""
    return ids & ~LOSS if ids.dtype == np.uint32 else ids


def has_loss(ids: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which of them are to be learnt."""
    found: npt.NDArray[np.bool_] = (ids & LOSS) != 0
    return found
