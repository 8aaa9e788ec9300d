"""Which texts hold a certain byte: the first look of what is rarely needed."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.text.core.arrow import Bytes, Offsets, utf8_view
from curate.text.core.kernel import kernel


def rows_holding(texts: pa.Array, char: str) -> npt.NDArray[np.int64]:
    """Numbers of the texts that hold a character, ascending.

    Args:
        texts: ``large_string`` without nulls; may be a slice.
        char: one of ASCII.

    Example:
        >>> rows_holding(pa.array(["a", "b & c", "&"], pa.large_string()), "&").tolist()
        [1, 2]
    """
    return np.flatnonzero(_holding(*utf8_view(texts), np.uint8(ord(char))))


@kernel
def _holding(data: Bytes, offsets: Offsets, byte: int) -> npt.NDArray[np.bool_]:
    holding = np.zeros(len(offsets) - 1, np.bool_)
    for row in range(len(offsets) - 1):
        found = False
        for each in data[offsets[row] : offsets[row + 1]]:  # all of them: a loop without a way out becomes wide
            found |= each == byte
        holding[row] = found
    return holding
