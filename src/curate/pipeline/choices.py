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
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curate.pipeline.planning.plan import Plan, measure_key, thresholds_of
from curate.pipeline.step import Mask, Step, entering_mask
from curate.stages.contract import KEPT, PASSED_OVER, TRIED, CorpusStage, Deduplicating, Stage
from curate.store.digest import digest
from curate.store.row_file import keys_of, read_columns
from curate.store.run_directory import RunDirectory, Spread

Rows = npt.NDArray[np.int64]

ROUNDS = 100
"""After so many no document that has failed is thought to pass again: a stage may contradict itself."""


class Marked(Sequence[Rows]):
    """Some documents of each part, as a bit for each: the driver keeps them, and each is taken out where it is needed.

    Args:
        bits: of `bits_of`, for each part.

    Example:
        >>> marked = Marked([bits_of(np.array([False, True, True])), b""])
        >>> [rows.tolist() for rows in marked], any(marked.bits)
        ([[1, 2], []], True)
    """

    def __init__(self, bits: Iterable[bytes]) -> None:
        self.bits = tuple(bits)

    def __len__(self) -> int:
        return len(self.bits)

    @overload
    def __getitem__(self, part: int) -> Rows: ...
    @overload
    def __getitem__(self, part: slice) -> "Marked": ...
    def __getitem__(self, part: int | slice) -> "Rows | Marked":
        """Rows of one part; of several, the same of those alone."""
        if isinstance(part, slice):
            return Marked(self.bits[part])
        return np.flatnonzero(np.unpackbits(np.frombuffer(self.bits[part], np.uint8)))

    def digests(self) -> list[tuple[int, str]]:
        """Of each part that has any."""
        return [(at, xxhash.xxh3_128_hexdigest(self[at].tobytes())) for at, bits in enumerate(self.bits) if bits]


def bits_of(mask: Mask) -> bytes:
    """A bit for each document; nothing where none is set."""
    return np.packbits(mask).tobytes() if mask.any() else b""


class Choice(NamedTuple):
    """What a deduplicating stage knows when it chooses."""

    failed: Marked = Marked(())
    """For each part, rows of documents that later stages remove."""
    passed: Marked = Marked(())
    """For each part, rows of documents that they do not."""
    trying: bool = False
    """Whether it may let more than one of a cluster through."""
    rounds: int = 0
    """How often it chose before in this run."""

    @classmethod
    def knowing_nothing(cls, parts: int) -> "Choice":
        """As if every document passed."""
        return cls(Marked((b"",) * parts), Marked((b"",) * parts))

    @property
    def key(self) -> str:
        """Digest of what comes out depends on. Where documents are tried it is another, as that is never the end."""
        failed = self.failed.digests()
        return digest(failed, self.passed.digests(), "trying") if self.trying else digest(failed)


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


def first_choice(plan: Plan, stage: Deduplicating, directory: RunDirectory, spread: Spread = map) -> Choice:
    """To begin with: the documents that the stage's files pass over. ``spread`` looks at several at once."""
    look = partial(_passed_over, stage, directory)
    known = Choice.knowing_nothing(len(plan.parts))
    return known._replace(failed=Marked(spread(look, [part.index for part in plan.parts])))


def _passed_over(stage: Stage, directory: RunDirectory, part: int) -> bytes:
    file = directory.part(stage.name, part)
    if keys_of(file) is None:
        return b""
    try:
        return bits_of(_is(read_columns(file, ["standing"]).column("standing"), PASSED_OVER))
    except KeyError:  # written by another version
        return b""


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
    failed, passed = Marked(one.failed for one in learned), Marked(one.passed for one in learned)
    if any(one.survivor_failed for one in learned):
        return Choice(failed, passed, trying=True, rounds=before.rounds + 1)
    if before.trying or failed.bits != before.failed.bits:  # the end has one key, however it was found
        return Choice(failed, passed, trying=False, rounds=before.rounds + 1)
    return before


class _Learned(NamedTuple):
    """Of one part."""

    failed: bytes
    passed: bytes
    survivor_failed: bool = False


def _learned(
    stage: Stage, judges: tuple[Step, ...], directory: RunDirectory, may_pass_again: bool, part: int
) -> _Learned:
    standing = read_columns(directory.part(stage.name, part), ["standing"]).column("standing")
    kept, over, tried = (_is(standing, value) for value in (KEPT, PASSED_OVER, TRIED))
    asked = kept | over | tried
    if not asked.any():
        return _Learned(b"", b"")
    removed = asked & ~entering_mask(directory, judges, part)
    failed = removed if may_pass_again else removed | over
    return _Learned(bits_of(failed), bits_of(asked & ~failed), bool((kept & removed).any()))


def _is(standing: pa.ChunkedArray, value: str) -> Mask:
    found: Mask = pc.fill_null(pc.equal(standing, value), False).to_numpy(zero_copy_only=False)
    return found


def _read_by(stage: Stage) -> set[str]:
    return {*stage.needs, *stage.wants}
