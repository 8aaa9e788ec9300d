"""Documents of the whole corpus numbered through, part after part."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int64]


class Numbering:
    """Part and row ⇄ number in the corpus. The parts of earlier runs come first.

    Args:
        rows: documents in each part.
        earlier: how many parts belong to earlier runs.
    """

    def __init__(self, rows: Sequence[int], earlier: int = 0) -> None:
        self.firsts: Numbers = np.concatenate(([0], np.cumsum(np.asarray(rows, np.int64)))).astype(np.int64)
        self.documents = int(self.firsts[-1])
        self.parts = len(rows)
        self.first_new = int(self.firsts[earlier])
        """Number of the first document that belongs to no earlier run."""
        self.kind = pa.int32() if self.documents <= np.iinfo(np.int32).max else pa.int64()
        """Of numbers that travel by the dozen for each document."""

    def span(self, part: int) -> Numbers:
        """Numbers of the documents of ``part``."""
        return np.arange(self.firsts[part], self.firsts[part + 1])

    def part_of(self, documents: npt.NDArray[Any]) -> Numbers:
        """Part of each document.

        Example:
            >>> Numbering([2, 0, 3]).part_of(np.array([1, 2, 4])).tolist()
            [0, 2, 2]
        """
        return np.searchsorted(self.firsts, documents, side="right").astype(np.int64) - 1

    def rows_in(self, part: int, documents: npt.NDArray[Any]) -> Numbers:
        """Row in ``part`` of each of its documents."""
        rows: Numbers = documents.astype(np.int64) - self.firsts[part]
        return rows

    def range_of(self, documents: npt.NDArray[Any], ranges: int) -> Numbers:
        """Which of so many equal ranges of numbers each document lies in."""
        found: Numbers = documents.astype(np.int64) * ranges // max(self.documents, 1)
        return found
