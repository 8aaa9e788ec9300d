"""What later stages say of the documents that a deduplicating stage keeps, and whether it must choose again.

A survivor that a later stage removes would take its cluster with it, and which documents later stages remove is not
known before they have judged. So the stage chooses as if all would pass, and later stages judge what it keeps. Those
that they removed have *failed*: the stage chooses again without them, until nothing changes. In a new round only
documents that were never measured are measured.

The outcome depends on the documents alone: it is the choice among those that pass. So a run may begin with the failures
that an earlier run found, whatever has changed since; a wrong guess is noticed and dropped.

Not so where another corpus stage follows, as what it says of a document depends on which others come to it. Then a
document that has failed stays failed unless another one is kept for it, so that the rounds end, and a run begins with
what an earlier one found only if nothing has changed, so that every run takes the same steps.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.planning.plan import Plan, measure_key, thresholds_of
from curate.pipeline.step import Mask, Step, entering_mask
from curate.stages.contract import KEPT, PASSED_OVER, TRIED, CorpusStage, Deduplicating, Stage
from curate.store.digest import digest
from curate.store.row_file import keys_of, read_columns
from curate.store.run_directory import RunDirectory, Spread

Rows = npt.NDArray[np.int64]

ROUNDS = 100
"""After so many no document that has failed is thought to pass again: a stage may contradict itself."""


class Choice(NamedTuple):
    """What a deduplicating stage knows when it chooses."""

    failed: Sequence[Rows] = ()
    """For each part, rows of documents that later stages remove."""
    passed: Sequence[Rows] = ()
    """For each part, rows of documents that they do not."""
    trying: bool = False
    """Whether it may let more than one of a cluster through."""
    rounds: int = 0
    """How often it chose before in this run."""

    @classmethod
    def knowing_nothing(cls, parts: int) -> "Choice":
        """As if every document passed."""
        none = (np.empty(0, np.int64),) * parts
        return cls(none, none)

    @property
    def key(self) -> str:
        """Digest of what comes out depends on. Where documents are tried it is another, as that is never the end."""
        failed, passed = (
            [(at, rows.tobytes()) for at, rows in enumerate(each) if len(rows)] for each in (self.failed, self.passed)
        )
        return digest(failed, passed, "trying") if self.trying else digest(failed)


def steady(plan: Plan, stage: Stage) -> bool:
    """Whether later stages say the same of a document whichever others this one keeps."""
    columns = {f"{stage.name}.{name}" for name in stage.adds}
    return not any(isinstance(one, CorpusStage) or columns & _read_by(one) for one in later_stages(plan, stage))


def later_stages(plan: Plan, stage: Stage) -> Sequence[Stage]:
    """The stages after this one."""
    return plan.stages[plan.stages.index(stage) + 1 :]


def settings_that_count(plan: Plan, stage: Stage) -> str:
    """Digest of the later stages where the way to a choice depends on them; empty where only its end counts."""
    if steady(plan, stage):
        return ""
    return digest([(measure_key("", one), thresholds_of(one)) for one in later_stages(plan, stage)])


def first_choice(plan: Plan, stage: Deduplicating, directory: RunDirectory) -> Choice:
    """To begin with: the documents that the stage's files pass over."""
    choice = Choice.knowing_nothing(len(plan.parts))
    failed = [*choice.failed]
    for at, part in enumerate(plan.parts):
        file = directory.part(stage.name, part.index)
        if keys_of(file) is not None:
            try:
                standing = read_columns(file, ["standing"]).column("standing")
            except KeyError:  # written by another version
                continue
            failed[at] = np.flatnonzero(_is(standing, PASSED_OVER))
    return choice._replace(failed=tuple(failed))


def next_choice(
    plan: Plan,
    stage: Deduplicating,
    before: Choice,
    judges: tuple[Step, ...],
    directory: RunDirectory,
    spread: Spread = map,
) -> Choice:
    """What later stages said; the same as ``before`` when the stage need not choose again.

    Args:
        plan: of the run.
        stage: has chosen by ``before``.
        before: what it knew.
        judges: all stages with verdicts, in order.
        directory: the run.
        spread: looks at several parts at once.
    """
    may_pass_again = before.rounds < ROUNDS and steady(plan, stage)
    learn = partial(_learned, stage, judges, directory, may_pass_again)
    learned: list[_Learned] = list(spread(learn, [part.index for part in plan.parts]))
    failed, passed = tuple(one.failed for one in learned), tuple(one.passed for one in learned)
    if any(one.survivor_failed for one in learned):
        return Choice(failed, passed, trying=True, rounds=before.rounds + 1)
    if before.trying or not _same(failed, before.failed):  # the end has one key, however it was found
        return Choice(failed, passed, trying=False, rounds=before.rounds + 1)
    return before


class _Learned(NamedTuple):
    """Of one part."""

    failed: Rows
    passed: Rows
    survivor_failed: bool = False


def _learned(
    stage: Stage, judges: tuple[Step, ...], directory: RunDirectory, may_pass_again: bool, part: int
) -> _Learned:
    standing = read_columns(directory.part(stage.name, part), ["standing"]).column("standing")
    kept, over, tried = (_is(standing, value) for value in (KEPT, PASSED_OVER, TRIED))
    asked = kept | over | tried
    if not asked.any():
        return _Learned(np.flatnonzero(asked), np.flatnonzero(asked))
    removed = asked & ~entering_mask(directory, judges, part)
    failed = removed if may_pass_again else removed | over
    passed = np.flatnonzero(asked & ~failed)
    return _Learned(np.flatnonzero(failed), passed, bool((kept & removed).any()))


def _is(standing: pa.ChunkedArray, value: str) -> Mask:
    found: Mask = pc.fill_null(pc.equal(standing, value), False).to_numpy(zero_copy_only=False)
    return found


def _read_by(stage: Stage) -> set[str]:
    return {*stage.needs, *stage.wants}


def _same(ones: Iterable[Rows], others: Iterable[Rows]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(ones, others, strict=True))
