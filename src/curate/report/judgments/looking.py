"""Some documents of a run with their judgments, as they are asked about: decoded once, whoever asks."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

REASONS = "reasons"
KEPT, TOKENS = "is kept", "kept tokens"
"""Columns of every piece: whether a document came through every stage, and its tokens if so."""

Rows = npt.NDArray[np.int64]


class Given(NamedTuple):
    """Reasons that a stage gave to documents of a piece, one after another in order of document."""

    names: list[str]
    """Different reasons."""
    codes: npt.NDArray[np.int32]
    """Place in ``names`` of each reason given."""
    places: Rows
    """Place in the piece of the document it was given to."""
    only: npt.NDArray[np.int32]
    """For each document: the place in ``names`` of its reason where it has just one; else -1."""


class Documents:
    """Documents that follow each other in a run.

    Args:
        first: row in the run of the first.
        frame: the columns that are asked about, named as in `curate.report.judgments.judgments`, and `KEPT` and
            `TOKENS`.
    """

    def __init__(self, first: int, frame: pl.DataFrame) -> None:
        self.first, self.frame = first, frame
        self._given: dict[str, Given] = {}

    @cached_property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Whether each document came through every stage."""
        return self.frame[KEPT].to_numpy()

    @cached_property
    def tokens(self) -> Rows:
        """Tokens of each document, 0 of one that was not kept."""
        return self.frame[TOKENS].to_numpy()

    def values(self, column: str) -> npt.NDArray[np.float64]:
        """Numbers of a column, NaN where there is none."""
        return np.ascontiguousarray(self.frame[column].cast(pl.Float64).to_numpy())

    def flags(self, column: str) -> npt.NDArray[np.bool_]:
        """Truth of a column, false where it is not known."""
        return np.ascontiguousarray(self.frame[column].fill_null(value=False).to_numpy())

    def given(self, stage: str) -> Given:
        """The reasons that a stage gave."""
        if stage not in self._given:
            self._given[stage] = _given(self.frame[f"{stage}.{REASONS}"])
        return self._given[stage]


class Question(Protocol):
    """Something to find out about all documents, of columns of `curate.report.judgments.judgments.Judgments.frame`."""

    @property
    def columns(self) -> Sequence[str]:
        """What it looks at."""
        ...

    def of(self, piece: Documents) -> Any:
        """What it finds in a piece, in another process as it may be: little, however many documents there are."""
        ...

    def joined(self, found: Any, behind: Any) -> Any:
        """What was found and what was found behind it, together; ``found`` may be changed."""
        ...


def _given(reasons: pl.Series) -> Given:
    number = reasons.list.len().fill_null(0).to_numpy()
    only = np.full(len(reasons), -1, np.int32)
    some = np.flatnonzero(number)
    if not len(some):
        return Given([], np.empty(0, np.int32), some, only)
    listed = reasons.filter(pl.Series(number > 0)).explode().to_arrow().dictionary_encode()
    codes: npt.NDArray[np.int32] = listed.indices.to_numpy()
    alone = number[some] == 1
    begin = np.cumsum(number[some]) - number[some]
    only[some[alone]] = codes[begin[alone]]
    return Given(listed.dictionary.to_pylist(), codes, np.repeat(some, number[some]), only)
