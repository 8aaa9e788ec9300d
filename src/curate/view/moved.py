"""What moved thresholds would do to a run, from its index: only documents of which something changes are looked at.

The answer is that of `curate.runs.whatif`, which looks at every document. A rule that compares one measure with a limit
turns over for the documents whose measure lies between the limits of then and of now. Whether it is such a rule is
seen from the run: at the limit of then it must say of every document what the run said. Other rules are asked again
of all documents. Then the deduplicating stage is asked about the clusters of the documents that turned over.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.runs.outlook import WhatIf
from curate.runs.rejudged import (
    STAYS,
    UNTOLD,
    Judged,
    Observed,
    PartOutcome,
    Rejudged,
    Rest,
    Totals,
)
from curate.runs.verdicts import Was, between, moved_limits
from curate.runs.whatif import whatif
from curate.settings.base import Limit
from curate.stages.contract import CorpusStage, Encoder
from curate.stages.reconsidering import Reconsidering
from curate.store.row_file import read_columns
from curate.store.run_directory import RunDirectory
from curate.view.groups import bits_of
from curate.view.index import MOST_REASONS, Index

Mask = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]


def moved(index: Index, assignments: Sequence[str], examples: int) -> WhatIf:
    """What `curate.runs.whatif.whatif` says of a run, sooner."""

    def judge(directory: RunDirectory, stages: Sequence[Was]) -> Judged:
        return Moved(index, stages) if _can_tell(index, stages) else Rejudged(directory, stages)

    return whatif(index.run, assignments, examples=examples, judge=judge)


def _can_tell(index: Index, stages: Sequence[Was]) -> bool:
    """Whether the index knows enough: all reasons, and no stage that depends on other documents but the last."""
    judging = [one.now for one in stages if one.judges]
    alone = not any(isinstance(stage, CorpusStage) for stage in judging[:-1])
    last = isinstance(judging[-1], Reconsidering) or not isinstance(judging[-1], CorpusStage) if judging else True
    return alone and last and index.knows_all_reasons and len(_reasons(index, stages)) <= MOST_REASONS


def _reasons(index: Index, stages: Sequence[Was]) -> list[str]:
    """Those that the run gave, and those that it may give now."""
    new = (f"{one.now.name}.{reason.code}" for one in stages if one.changed for reason in one.now.may_give)
    return list(dict.fromkeys([*index.reasons, *new]))


class Turned(NamedTuple):
    """Documents of which a stage says something else, ascending, and what it says now."""

    rows: Rows
    reasons: Bits


class Moved:
    """A run under other settings: `curate.runs.rejudged.Judged`, with the documents alone of which something changes.

    Args:
        index: of the run.
        stages: of the run, in order; of those whose settings changed, what they say changes.
    """

    def __init__(self, index: Index, stages: Sequence[Was]) -> None:
        self._index, self._stages, self._groups = index, stages, index.groups
        self.expected, self.preferences_lost = (0.0, 0.0), False
        codes = [f"{one.now.name}.{reason.code}" for one in stages for reason in one.now.reasons]
        self._order = {code: at for at, code in enumerate(codes)}
        self._bits = {code: 1 << at for at, code in enumerate(_reasons(index, stages))}
        self._look()

    def reasons_at(self, part: int, row: int) -> tuple[list[str], list[str]]:
        """See `curate.runs.rejudged.Judged`."""
        at = int(np.searchsorted(self._rows, int(self._index.judgments.offsets[part]) + row))
        sides = (self._before[at], self._said[0][at]), (self._now[at], self._said[1][at])
        return tuple(self._named(int(stage), int(bits)) for stage, bits in sides)  # type: ignore[return-value]

    def tokens(self, encoder: str, part: int) -> npt.NDArray[np.float64]:
        """See `curate.runs.rejudged.Judged`."""
        return np.asarray(self._tokens(encoder)[self._rows[self._inside(part)]])

    def sizes(self, part: int) -> npt.NDArray[np.float64]:
        """See `curate.runs.rejudged.Judged`."""
        return np.asarray(self._sizes[self._rows[self._inside(part)]])

    @cached_property
    def outcomes(self) -> list[PartOutcome]:
        """See `curate.runs.rejudged.Judged`."""
        found = []
        for part, first in enumerate(self._index.judgments.offsets[:-1].tolist()):
            here = self._inside(part)
            before, now, waits = self._before[here], self._now[here], self._waits[here]
            found.append(PartOutcome(before, now, waits, self._unsure[here], rows=self._rows[here] - first))
        return found

    def _inside(self, part: int) -> slice:
        return slice(*np.searchsorted(self._rows, self._index.judgments.offsets[part : part + 2]))

    def _named(self, stage: int, bits: int) -> list[str]:
        if stage < 0:
            return []
        name = self._stages[stage].now.name
        given = [code for code, bit in self._bits.items() if bits & bit and code.startswith(f"{name}.")]
        return sorted(given, key=self._order.__getitem__)

    def _of(self, stage: int) -> np.uint64:
        """The bits of all reasons of a stage."""
        name = self._stages[stage].now.name
        return np.uint64(sum(bit for code, bit in self._bits.items() if code.startswith(f"{name}.")))

    def _look(self) -> None:
        groups, last = self._groups, len(self._stages)
        number = next((at for at, one in enumerate(self._stages) if isinstance(one.now, Reconsidering)), last)
        turned = {
            at: self._turned(at)
            for at, one in enumerate(self._stages)
            if one.changed and one.judges and at != number
        }  # fmt: skip
        rows = self._together(each.rows for each in turned.values())
        said = self._given(rows)
        for at, each in turned.items():
            places = np.searchsorted(rows, each.rows)
            said[places] = (said[places] & ~self._of(at)) | each.reasons
        unsure = np.zeros(len(rows), np.bool_)
        if number < last:
            rows, said, unsure = self._reconsidered(number, rows, said)
        self._rows, self._said = rows, (self._given(rows), said)
        before = groups.removed_by[groups.of[rows]]
        now, waits = np.full(len(rows), STAYS, np.int8), np.full(len(rows), STAYS, np.int8)
        reasons = Counter[str]()
        for at, one in enumerate(self._stages):
            comes, known = now == STAYS, (before < 0) | (at <= before)
            told = said[comes & known & (waits == STAYS)]
            reasons.update({code: int((told & np.uint64(bit) != 0).sum()) for code, bit in self._mine(at)})
            untold = comes & ~known & (waits == STAYS)
            now[comes & known & (said & self._of(at) != 0)] = at
            if one.judges:
                waits[untold] = at
        waits[now != STAYS] = STAYS
        now[waits != STAYS] = UNTOLD
        self._before, self._now, self._waits, self._unsure = before, now, waits, unsure & (now == STAYS)
        self.rest = self._others(reasons)

    def _together(self, several: Iterable[Rows]) -> Rows:
        """All rows that are among some of several, ascending."""
        marked = np.zeros(self._index.judgments.rows, np.bool_)
        for rows in several:
            marked[rows] = True
        return np.flatnonzero(marked)

    def _mine(self, stage: int) -> list[tuple[str, int]]:
        name = self._stages[stage].now.name
        return [(code, bit) for code, bit in self._bits.items() if code.startswith(f"{name}.")]

    def _given(self, rows: Rows) -> Bits:
        return np.asarray(self._groups.given[self._groups.of[rows]], np.uint64)

    def _turned(self, stage: int) -> Turned:
        """What a stage whose settings changed says anew."""
        limits = moved_limits(self._stages[stage])
        found = None if limits is None else self._between(stage, limits)
        return self._judged(stage) if found is None else found

    def _between(self, stage: int, limits: Sequence[tuple[Limit, Limit]]) -> Turned | None:
        """Documents with a measure between the limits of then and of now; None: the rule is more than the limit."""
        name, found, turned = self._stages[stage].now.name, [], []
        for then, now in limits:
            values, bit = self._index.exactly(f"{name}.{then.measure}"), np.uint64(self._bits[f"{name}.{then.reason}"])
            was = (self._groups.given & bit != 0)[self._groups.of]
            if (goes := between(values, was, then, now)) is None:
                return None
            turned.append(np.flatnonzero(was != goes))
            found.append(bit)
        rows = self._together(turned)
        said = self._given(rows) & self._of(stage)
        for each, bit in zip(turned, found, strict=True):
            said[np.searchsorted(rows, each)] ^= bit
        return Turned(rows, said)

    def _judged(self, stage: int) -> Turned:
        """Ask a stage about every document that came to it."""
        found = [Turned(np.zeros(0, np.int64), np.zeros(0, np.uint64))]
        parts = range(len(self._index.judgments.files))
        found += self._index.judgments.spread(partial(self._judged_part, stage), parts)
        return Turned(*(np.concatenate(each) for each in zip(*found, strict=True)))

    def _judged_part(self, stage: int, part: int) -> Turned:
        now, first = self._stages[stage].now, int(self._index.judgments.offsets[part])
        columns = list(now.judged_by) or list(now.adds)[:1]
        table = read_columns(self._index.directory.part(now.name, part), columns)
        by = self._groups.removed_by[self._groups.of[first : first + len(table)]]
        rows = np.flatnonzero((by < 0) | (by >= stage))
        arrays = [column.combine_chunks().take(pa.array(rows)) for column in table.columns]
        said = bits_of(now.judge(pa.RecordBatch.from_arrays(arrays, names=columns)), now.name, self._bits)
        other = said != self._given(first + rows) & self._of(stage)
        return Turned(first + rows[other], said[other])

    def _reconsidered(self, number: int, rows: Rows, said: Bits) -> tuple[Rows, Bits, Mask]:
        """The same documents with those that the deduplicating stage says something else of; who of them is unsure."""
        one, groups = self._stages[number], self._groups
        stage, unsure = one.now, np.zeros(len(rows), np.bool_)
        assert isinstance(stage, Reconsidering)
        came = ((groups.removed_by < 0) | (groups.removed_by == number))[groups.of]
        comes = came.copy()
        earlier = np.uint64(sum(int(self._of(at)) for at in range(number)))
        comes[rows[said & earlier != 0]] = False
        if not one.changed and (came == comes).all():
            return rows, said, unsure
        observed = Observed(self._index.directory, stage, self._index.judgments.offsets)
        found = stage.reconsider(self._index.gathered(stage), observed, came, comes, one.then.settings)
        self.preferences_lost, self.expected = observed.lost, (found.more, found.fewer)
        wider = self._together((rows, found.documents))
        everything, own = self._given(wider), np.searchsorted(wider, found.documents)
        everything[np.searchsorted(wider, rows)] = said
        known = came[found.documents]
        bits = bits_of(pc.fill_null(found.reasons, []), stage.name, self._bits)
        everything[own[known]] = (everything[own] & ~self._of(number) | bits)[known]
        unsure = np.zeros(len(wider), np.bool_)
        unsure[own] = found.unsure
        return wider, everything, unsure

    def _others(self, reasons: Mapping[str, int]) -> Rest:
        """All documents but these, and how often each reason is given to all of them."""
        groups = self._groups
        left = groups.documents - np.bincount(groups.of[self._rows], minlength=len(groups.documents))
        removed = {at: int(left[groups.removed_by == at].sum()) for at in range(len(self._stages))}
        given = {
            code: int(left[groups.given & np.uint64(bit) != 0].sum()) + reasons.get(code, 0)
            for code, bit in self._bits.items()
        }
        return Rest(int(left[groups.removed_by < 0].sum()), removed, given, self._totals())

    def _totals(self) -> Totals:
        encoder = next((one.now.name for one in self._stages if isinstance(one.now, Encoder)), "")
        if not encoder:
            return Totals()
        kept, uncounted = self._index.kept_tokens(encoder)
        mine = self._rows[self._before == STAYS]
        tokens = self._tokens(encoder)[mine]
        lacks = np.isnan(tokens)
        return Totals(
            kept=kept - float(tokens[~lacks].sum()),
            uncounted_bytes=uncounted - (float(self._sizes[mine[lacks]].sum()) if lacks.any() else 0.0),
        )

    @cached_property
    def _tokens(self) -> Callable[[str], npt.NDArray[np.float64]]:
        return lru_cache(maxsize=1)(self._index.tokens)  # of a small run it is read each time

    @cached_property
    def _sizes(self) -> npt.NDArray[np.float64]:
        return self._index.sizes
