"""A finished run judged by other settings, document by document, from its judgments alone: which documents are kept,
which are removed, and for which the verdict is unknown.

Stages whose thresholds changed judge their stored measures again; verdicts of other stages are read. If a document
reaches a stage that never measured it, its verdict is unknown. If other documents reach a deduplicating stage, it
chooses survivors again among the partners that it stored.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curate.runs.verdicts import Verdicts, Was, between, moved_limits
from curate.settings.base import Limit
from curate.stages.reconsidering import Reconsidered, Reconsidering
from curate.store.objects.ranges import parquet_source
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.text.core.arrow import one_array

Mask = npt.NDArray[np.bool_]

STAYS, UNTOLD = -1, -2
"""Instead of the number of the stage that removes a document."""


@dataclass
class PartOutcome:
    """What becomes of the documents of one part."""

    before: npt.NDArray[np.int8]
    """Number of the stage that removed each in the run, or `STAYS`."""
    now: npt.NDArray[np.int8]
    """The same under the settings of now, or `UNTOLD`."""
    waits: npt.NDArray[np.int8]
    """For documents with an unknown verdict: the first stage that never measured them; else `STAYS`."""
    unsure: Mask
    """Documents that stay unless they are like others that nobody compared them with."""
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    """By stage: how often each reason is given."""
    loose: int = 0
    """Documents that are removed for certain, and nobody knows by which stage first."""
    rows: npt.NDArray[np.int64] | None = None
    """Which rows of the part they are, ascending; None: all."""


class Totals(NamedTuple):
    """Tokens of documents that stay, as far as they were counted, and bytes of others."""

    kept: float = 0.0
    unsure_bytes: float = 0.0
    uncounted_bytes: float = 0.0
    untold_bytes: float = 0.0


class Rest(NamedTuple):
    """Documents of which nothing changes, where outcomes leave them out."""

    stays: int = 0
    removed: Mapping[int, int] = {}
    """By number of the stage."""
    reasons: Mapping[str, int] = {}
    """As ``stage.reason``."""
    totals: Totals = Totals()


class Judged(Protocol):
    """A run under other settings."""

    @property
    def outcomes(self) -> Sequence[PartOutcome]:
        """Of every part."""

    @property
    def rest(self) -> Rest:
        """Documents that are in no outcome."""

    @property
    def expected(self) -> tuple[float, float]:
        """What the deduplicating stage says of pairs that it would find or miss; zeros where it is sure."""

    @property
    def preferences_lost(self) -> bool:
        """Whether ``.cache`` was deleted, so that survivors of now are preferred."""

    def reasons_at(self, part: int, row: int) -> tuple[list[str], list[str]]:
        """Why a document was removed, and why it would be, as ``stage.reason``; empty where it stays or is untold."""

    def tokens(self, encoder: str, part: int) -> npt.NDArray[np.float64]:
        """Tokens of each document in the outcome of a part; NaN where nothing counted them."""

    def sizes(self, part: int) -> npt.NDArray[np.float64]:
        """Raw bytes of the same documents."""


class Rejudged:
    """All parts of a run under other settings.

    Args:
        directory: the finished run.
        stages: of the run, in order.

    The attributes are those of `Judged`.
    """

    rest = Rest()

    def __init__(self, directory: RunDirectory, stages: Sequence[Was]) -> None:
        self._directory, self._stages = directory, stages
        self._rows = [
            pq.read_metadata(parquet_source(directory.checked(DOCUMENTS, part, ()))).num_rows
            for part in range(len(directory.names))
        ]
        self._firsts = np.cumsum([0, *self._rows], dtype=np.int64)
        self.preferences_lost = False
        self.expected = (0.0, 0.0)
        with ThreadPoolExecutor(4) as pool:
            parts = range(len(self._rows))
            self._then = list(pool.map(partial(self._verdicts, again=False), parts))
            self._now = list(pool.map(partial(self._verdicts, again=True), parts))
        self.outcomes = self._settled()

    def _verdicts(self, part: int, *, again: bool) -> list[Verdicts]:
        if not again:
            return [self._stored(part, one) for one in self._stages]
        return [
            self._judged(part, one, then)
            if one.changed and one.judges and not isinstance(one.now, Reconsidering)
            else then
            for one, then in zip(self._stages, self._then[part], strict=True)
        ]

    def _stored(self, part: int, one: Was) -> Verdicts:
        if not one.judges:  # such as an encoder: it removes nothing
            return Verdicts(np.ones(self._rows[part], np.bool_))
        return Verdicts.said(one_array(self._directory.columns(one.then.name, part, ["reasons"]).column("reasons")))

    def _judged(self, part: int, one: Was, stored: Verdicts) -> Verdicts:
        if (limits := moved_limits(one)) and (found := self._moved(part, one, stored, limits)):
            return found
        columns = list(one.now.judged_by) or list(one.now.adds)[:1]
        table = self._directory.columns(one.now.name, part, columns)
        measures = pa.RecordBatch.from_arrays([one_array(column) for column in table.columns], names=columns)
        rows = np.flatnonzero(stored.known)
        given = one.now.judge(measures.take(pa.array(rows)))
        places = np.full(len(stored.known), -1)
        places[rows] = np.arange(len(rows))
        return Verdicts.said(given.take(pa.array(places, mask=~stored.known)))

    def _moved(self, part: int, one: Was, stored: Verdicts, limits: Sequence[tuple[Limit, Limit]]) -> Verdicts | None:
        """Verdicts if only limits changed, from the measures that these limit; None: more has changed."""
        table = self._directory.columns(one.now.name, part, {then.measure for then, _ in limits})
        masks: dict[str, Mask] = {}
        for then, now in limits:
            values = np.asarray(table.column(then.measure).to_numpy(), np.float64)
            found = between(values, stored.given(then.reason), then, now)
            if found is None:
                return None
            masks[then.reason] = found & stored.known
        order = [reason.code for reason in one.now.reasons]
        return stored.turned(masks, order) if {*stored.names, *masks} <= {*order} else None

    def _settled(self) -> list[PartOutcome]:
        """The outcome of every document."""
        number = next((at for at, one in enumerate(self._stages) if isinstance(one.now, Reconsidering)), None)
        if number is None or not self._asked_again(number):
            return [self._outcome(part, None, None) for part in range(len(self._rows))]
        found = self._reconsidered(number)
        self.expected = (found.more, found.fewer)
        return [self._outcome(part, number, found) for part in range(len(self._rows))]

    def _asked_again(self, number: int) -> bool:
        """Whether the deduplicating stage has other settings, or other documents come to it."""
        if self._stages[number].changed:
            return True
        return any((self._comes(part, number, self._then) != self._comes(part, number, self._now)).any()
                   for part in range(len(self._rows)))  # fmt: skip

    def _comes(self, part: int, number: int, verdicts: Sequence[list[Verdicts]]) -> Mask:
        """Documents that a deduplicating stage knows, that come to it, and that no later stage removes."""
        own = verdicts[part]
        mask: Mask = own[number].known.copy()
        for at, one in enumerate(own):
            if at != number:
                mask &= ~one.fails & (one.known | (at > number))
        return mask

    def _reconsidered(self, number: int) -> Reconsidered:
        one, parts = self._stages[number], range(len(self._rows))
        stage = one.now
        assert isinstance(stage, Reconsidering)
        columns = stage.judged_columns
        judged = (self._directory.columns(stage.name, part, columns) for part in parts)
        written = stage.gathered(judged)
        came, comes = (
            np.concatenate([np.empty(0, np.bool_), *(self._comes(part, number, each) for part in parts)])
            for each in (self._then, self._now)
        )
        observed = Observed(self._directory, stage, self._firsts)
        found = stage.reconsider(written, observed, came, comes, one.then.settings)
        self.preferences_lost = observed.lost
        return found

    def _outcome(self, part: int, deduplicating: int | None, found: Reconsidered | None) -> PartOutcome:
        rows, now = self._rows[part], self._now[part]
        out, waits = np.full(rows, STAYS, np.int8), np.full(rows, STAYS, np.int8)
        unsure, reasons = np.zeros(rows, np.bool_), dict[str, Counter[str]]()
        if deduplicating is not None and found is not None:
            here = slice(*np.searchsorted(found.documents, self._firsts[part : part + 2]))
            inside = found.documents[here] - self._firsts[part]
            now[deduplicating] = now[deduplicating].replaced(inside, found.reasons[here])
            unsure[inside] = found.unsure[here]
        for number, (one, said) in enumerate(zip(self._stages, now, strict=True)):
            comes = out == STAYS
            reasons[one.now.name] = said.counted(comes & (waits == STAYS))
            untold = comes & ~said.known & (waits == STAYS)
            out[comes & said.fails] = number
            if one.judges:
                waits[untold] = number
        loose = int(((waits != STAYS) & (out != STAYS)).sum())
        waits[out != STAYS] = STAYS
        out[waits != STAYS] = UNTOLD
        return PartOutcome(self._before(part), out, waits, unsure & (out == STAYS), reasons, loose)

    def reasons_at(self, part: int, row: int) -> tuple[list[str], list[str]]:
        """See `Judged`."""
        outcome = self.outcomes[part]
        sides = (outcome.before[row], self._then), (outcome.now[row], self._now)
        return tuple(
            [f"{self._stages[at].now.name}.{code}" for code in verdicts[part][at].of(row)] if at >= 0 else []
            for at, verdicts in sides
        )  # type: ignore[return-value]

    def tokens(self, encoder: str, part: int) -> npt.NDArray[np.float64]:
        """See `Judged`."""
        return tokens_of(self._directory.checked(encoder, part, ["n_tokens"]))

    def sizes(self, part: int) -> npt.NDArray[np.float64]:
        """See `Judged`."""
        return sizes_of(self._directory.checked(DOCUMENTS, part, ["raw_bytes"]))

    def _before(self, part: int) -> npt.NDArray[np.int8]:
        out = np.full(self._rows[part], STAYS, np.int8)
        for number, said in enumerate(self._then[part]):
            out[(out == STAYS) & said.fails] = number
        return out


class Observed:
    """What a deduplicating stage observed of documents.

    Args:
        directory: the run.
        stage: the deduplicating one.
        firsts: number of the first document of each part, and of all documents.

    Attributes:
        lost: it was asked for, and ``.cache`` was deleted.
    """

    def __init__(self, directory: RunDirectory, stage: Reconsidering, firsts: npt.NDArray[np.int64]) -> None:
        self._directory, self._stage, self._firsts = directory, stage, firsts
        self.lost = False

    def __call__(self, documents: npt.NDArray[np.int64]) -> pa.Table | None:
        """Its ``observed_columns`` of documents by their numbers, which ascend; None where they are lost."""
        tables, columns = [], self._stage.observed_columns
        ends = np.searchsorted(documents, self._firsts)
        for part in np.flatnonzero(np.diff(ends)).tolist():
            try:
                table = read_columns(self._directory.cached(self._stage.name, part), columns)
            except (OSError, KeyError):
                self.lost = True
                return None
            tables.append(table.take(pa.array(documents[ends[part] : ends[part + 1]] - self._firsts[part])))
        return pa.concat_tables(tables)


def tokens_of(file: Path) -> npt.NDArray[np.float64]:
    """Tokens of each document of a part, by the encoder's file; NaN where nothing counted them."""
    column = one_array(read_columns(file, ["n_tokens"]).column("n_tokens"))
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def sizes_of(file: Path) -> npt.NDArray[np.float64]:
    """Raw bytes of each document of a part."""
    return np.asarray(read_columns(file, ["raw_bytes"]).column("raw_bytes").to_numpy(), np.float64)
