"""A deduplicating stage that can be asked again: what it would remove if other documents came to it."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.settings.base import Settings
from curate.stages.contract import Deduplicating


class Reconsidered(NamedTuple):
    """What would be removed that was not, and the other way round; documents that are not in it stay as they were."""

    documents: npt.NDArray[np.int64]
    """By their numbers in the run, which ascend."""
    reasons: pa.Array
    """Verdicts of these, ``list<string>``; of documents that would not come they mean nothing."""
    unsure: npt.NDArray[np.bool_]
    """Which of these would be kept, and may be like others that nobody has compared them with."""
    more: float = 0.0
    """Documents more that would be kept, as comparing again would be expected to find fewer of the pairs."""
    fewer: float = 0.0
    """Documents fewer that would be kept, as it would be expected to find pairs that were missed."""


class Reconsidering(Deduplicating):
    """A deduplicating stage that can tell from what it wrote what it would remove if something else came to it."""

    judged_columns: ClassVar[tuple[str, ...]]
    """Columns of its judgments that it reads for that."""
    observed_columns: ClassVar[tuple[str, ...]]
    """Columns of what it observed."""

    @abstractmethod
    def undecidable(self, then: Settings) -> str:
        """Why these settings cannot be answered from what was written under others: a clause; empty: they can."""

    @abstractmethod
    def gathered(self, judged: Iterable[pa.Table]) -> dict[str, npt.NDArray[Any]]:
        """What it needs to know of a run, as arrays that may be kept: ``judged_columns`` of every part, in order."""

    @abstractmethod
    def reconsider(
        self,
        written: Mapping[str, npt.NDArray[Any]],
        observed: Callable[[npt.NDArray[np.int64]], pa.Table | None],
        came: npt.NDArray[np.bool_],
        comes: npt.NDArray[np.bool_],
        then: Settings,
    ) -> Reconsidered:
        """What it would remove, from verified partners.

        Args:
            written: what it `gathered`.
            observed: gives ``observed_columns`` of documents by their numbers in the run, which ascend; None where
                they are lost.
            came: of all documents, those that came to it and that no other stage removed, in the run.
            comes: the same, as they would come.
            then: its settings in the run.
        """
