"""Documents of the whole corpus numbered through, part after part."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.signedinteger[Any]]


class Numbering:
    """Part and row ⇄ number in the corpus; numbers take four bytes as long as they fit."""

    def __init__(self, rows: Sequence[int]) -> None:
        """Number the documents of parts with so many ``rows``."""
        self.firsts: npt.NDArray[np.int64] = np.concatenate(([0], np.cumsum(np.asarray(rows, np.int64)))).astype(
            np.int64
        )
        self.documents = int(self.firsts[-1])
        self.dtype: np.dtype[Any] = np.dtype(np.int32 if self.documents < 2**31 - 1 else np.int64)

    @property
    def parts(self) -> range:
        """All parts."""
        return range(len(self.firsts) - 1)

    def span(self, part: int) -> slice:
        """Numbers of the documents of ``part``."""
        return slice(int(self.firsts[part]), int(self.firsts[part + 1]))

    def locate(self, documents: Index) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Part and row of each document.

        Example:
            >>> parts, rows = Numbering([2, 0, 3]).locate(np.array([1, 2, 4]))
            >>> parts.tolist(), rows.tolist()
            ([0, 2, 2], [1, 0, 2])
        """
        parts = np.searchsorted(self.firsts, documents, side="right") - 1
        return parts.astype(np.int32), documents - self.firsts[parts]
