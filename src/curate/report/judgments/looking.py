"""Some documents of a run with their judgments, as they are asked about: decoded once, whoever asks."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

REASONS = "reasons"
N_TOKENS = "tokenize.n_tokens"

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
    number: npt.NDArray[np.int32]
    """For each document: how many reasons it was given; -1 where it did not come to the stage."""

    @classmethod
    def nothing(cls, rows: int) -> Self:
        """No reasons, given to none of so many documents."""
        none = np.empty(0, np.int32)
        return cls([], none, np.empty(0, np.int64), np.full(rows, -1, np.int32), np.zeros(rows, np.int32))


class Documents:
    """Documents that follow each other in a run.

    Args:
        first: row in the run of the first.
        rows: how many there are.
        columns: what is asked about, named as in `curate.report.judgments.judgments`.
        last: the stage that says which documents are kept; empty where none ran.
    """

    def __init__(self, first: int, rows: int, columns: Mapping[str, pa.ChunkedArray], last: str) -> None:
        self.first, self.rows, self._columns, self._last = first, rows, columns, last
        self._given: dict[str, Given] = {}

    @cached_property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Whether each document came through every stage."""
        return self.given(self._last).number == 0 if self._last else np.ones(self.rows, np.bool_)

    @cached_property
    def tokens(self) -> Rows:
        """Tokens of each document, 0 of one that was not kept."""
        return self.whole(N_TOKENS) * self.kept if self.has(N_TOKENS) else np.zeros(self.rows, np.int64)

    def has(self, column: str) -> bool:
        """Whether it was asked about."""
        return column in self._columns

    def column(self, name: str) -> pa.Array:
        """A column in one piece."""
        return self._columns[name].unify_dictionaries().combine_chunks()

    def values(self, column: str) -> npt.NDArray[np.float64]:
        """Numbers of a column, NaN if there is none."""
        found = pc.fill_null(self._columns[column].cast(pa.float64(), safe=False), np.nan)
        return np.ascontiguousarray(found.to_numpy())

    def whole(self, column: str, missing: int = 0) -> Rows:
        """Whole numbers of a column."""
        filled = pc.fill_null(self._columns[column].cast(pa.int64()), missing)
        return np.ascontiguousarray(filled.to_numpy(), np.int64)

    def flags(self, column: str) -> npt.NDArray[np.bool_]:
        """Truth of a column, false where it is not known."""
        return np.ascontiguousarray(pc.fill_null(self._columns[column], fill_value=False).to_numpy())

    def given(self, stage: str) -> Given:
        """The reasons that a stage gave."""
        if stage not in self._given:
            self._given[stage] = _given(self.column(f"{stage}.{REASONS}"))
        return self._given[stage]

    @cached_property
    def raw_bytes(self) -> Rows:
        """Of each document."""
        return self.whole("raw_bytes")


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


def _given(reasons: pa.Array) -> Given:
    number = pc.fill_null(pc.list_value_length(reasons), -1).to_numpy()
    only = np.full(len(reasons), -1, np.int32)
    some = np.flatnonzero(number > 0)
    if not len(some):
        return Given([], np.empty(0, np.int32), some, only, number)
    listed = coded(reasons.flatten())
    codes: npt.NDArray[np.int32] = listed.indices.to_numpy()
    many = number[some]
    begin = np.cumsum(many) - many
    only[some[many == 1]] = codes[begin[many == 1]]
    return Given(listed.dictionary.to_pylist(), codes, np.repeat(some, many), only, number)


def coded(texts: pa.Array) -> pa.DictionaryArray:
    """Texts as codes, whether they were read as such or not."""
    return texts if isinstance(texts, pa.DictionaryArray) else texts.dictionary_encode()
