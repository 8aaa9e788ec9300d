"""The books of a run, read back from its files: documents read = kept + removed (with reasons) + quarantined.

Nothing here trusts a counter kept while running. Every run ends by adding up what lies on disk, at every stage.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import BooksDoNotBalance
from curate.store.manifest_entries import Counts, Removed
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS, QUARANTINE, RunDirectory, Spread


class StageBooks(NamedTuple):
    """What one stage did: documents and bytes (of the raw text) that came and stayed; each reason's count."""

    stage: str
    came: int
    kept: int
    reasons: dict[str, int]
    bytes_came: int
    bytes_kept: int

    @property
    def removed(self) -> int:
        """Documents that came and did not stay."""
        return self.came - self.kept


class Books(NamedTuple):
    """What happened to every document. Quarantined are documents, as far as it can be known how many."""

    documents: int
    quarantined: int
    kept: int
    raw_bytes: int
    stages: tuple[StageBooks, ...]
    lost_bytes: int = 0
    """Stored bytes of the input that could not be read, where nobody knows how many documents they hold."""
    held: int = 0
    """Documents removed for one that an earlier run holds."""

    @property
    def read(self) -> int:
        """Everything the input held."""
        return self.documents + self.quarantined

    def counts(self) -> Counts:
        """The ``counts`` of run.json."""
        return Counts(
            read=self.read,
            quarantined=self.quarantined,
            lost_bytes=self.lost_bytes,
            kept=self.kept,
            removed={
                stage.stage: Removed(documents=stage.removed, reasons=dict(sorted(stage.reasons.items())))
                for stage in self.stages
            },
        )


def balance(
    directory: RunDirectory,
    stages: Sequence[str],
    parts: int,
    deduplicating: Sequence[str] = (),
    spread: Spread = map,
) -> Books:
    """Add up all parts.

    Args:
        directory: a run whose row files are complete.
        stages: names of the stages with verdicts, in pipeline order.
        parts: how many parts there are.
        deduplicating: those of the stages that remove documents because others are kept.
        spread: looks at several parts at once.

    Raises:
        BooksDoNotBalance: a row is missing, judged twice, judged after it was out, out without a reason, or out for
            a document that is not kept.
    """
    came, kept = Counter[str](), Counter[str]()
    bytes_came, bytes_kept = Counter[str](), Counter[str]()
    reasons = {stage: Counter[str]() for stage in stages}
    documents = quarantined = in_the_end = raw_bytes = lost_bytes = 0
    stays: list[np.ndarray] = []
    for one in spread(partial(_books_of, directory, tuple(stages)), range(parts)):
        for stage in one.stages:
            came[stage.stage] += stage.came
            kept[stage.stage] += stage.kept
            bytes_came[stage.stage] += stage.bytes_came
            bytes_kept[stage.stage] += stage.bytes_kept
            reasons[stage.stage].update(stage.reasons)
        documents, raw_bytes, in_the_end = documents + one.documents, raw_bytes + one.raw_bytes, in_the_end + one.kept
        quarantined, lost_bytes = quarantined + one.lost.documents, lost_bytes + one.lost.bytes
        stays.append(one.stays)
    pairs = [(stage, part) for stage in deduplicating for part in range(parts)]
    held = sum(spread(partial(_check_survivors, directory, stays), pairs))
    each = tuple(StageBooks(s, came[s], kept[s], dict(reasons[s]), bytes_came[s], bytes_kept[s]) for s in stages)
    if documents != in_the_end + sum(stage.removed for stage in each):
        raise BooksDoNotBalance(f"{documents:,} documents came in, but {in_the_end:,} kept and removed ones are found")
    return Books(documents, quarantined, in_the_end, raw_bytes, each, lost_bytes, held)


class Lost(NamedTuple):
    """What could not be read: documents as far as they can be counted, and the bytes of what cannot."""

    documents: int
    bytes: int


def lost_of(entries: pa.Table) -> Lost:
    """What entries of the quarantine stand for."""
    documents = pc.sum(pc.fill_null(entries.column("lost_documents"), 1)).as_py()
    return Lost(documents or 0, pc.sum(entries.column("lost_bytes")).as_py() or 0)


class _PartBooks(NamedTuple):
    """Of one part; ``stays`` has a bit for each document that is kept in the end."""

    documents: int
    kept: int
    raw_bytes: int
    stages: tuple[StageBooks, ...]
    lost: Lost
    stays: np.ndarray


def _books_of(directory: RunDirectory, stages: tuple[str, ...], part: int) -> _PartBooks:
    sizes = _column(directory, DOCUMENTS, part, "raw_bytes").to_numpy(zero_copy_only=False)
    mask, each = np.ones(len(sizes), np.bool_), []
    for stage in stages:
        verdicts = _column(directory, stage, part, "reasons")
        _check_rows(directory, stage, part, verdicts, mask)
        after = mask & (pc.fill_null(pc.list_value_length(verdicts), 1).to_numpy(zero_copy_only=False) == 0)
        given = {entry["values"]: entry["counts"] for entry in pc.value_counts(pc.list_flatten(verdicts)).to_pylist()}
        sums = int(mask.sum()), int(after.sum()), given, int(sizes[mask].sum()), int(sizes[after].sum())
        each.append(StageBooks(stage, *sums))
        mask = after
    lost = lost_of(read_columns(directory.part(QUARANTINE, part), ["lost_documents", "lost_bytes"]))
    return _PartBooks(len(sizes), int(mask.sum()), int(sizes.sum()), tuple(each), lost, np.packbits(mask))


def removed_by_source(directory: RunDirectory, stage: str, parts: int) -> dict[str, tuple[int, int]]:
    """For every source, how many of its documents came to a stage, and how many of those it removed."""
    came, removed = Counter[str](), Counter[str]()
    for part in range(parts):
        sources, verdicts = _column(directory, DOCUMENTS, part, "source"), _column(directory, stage, part, "reasons")
        for counter, mask in ((came, verdicts.is_valid()), (removed, pc.greater(pc.list_value_length(verdicts), 0))):
            for entry in pc.value_counts(sources.filter(mask)).to_pylist():
                counter[entry["values"]] += entry["counts"]
    return {source: (documents, removed[source]) for source, documents in came.items()}


def _check_rows(directory: RunDirectory, stage: str, part: int, verdicts: pa.Array, entering: np.ndarray) -> None:
    if len(verdicts) != len(entering):
        raise BooksDoNotBalance(
            f"`{directory.part(stage, part)}` has {len(verdicts):,} rows for {len(entering):,} documents"
        )
    judged = verdicts.is_valid().to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(judged != entering)
    if len(wrong):
        how = "judged although a" if judged[wrong[0]] else "not judged although no"
        raise BooksDoNotBalance(
            f"document {wrong[0]} of `{directory.part(stage, part)}` was {how} stage had removed it"
        )


def _check_survivors(directory: RunDirectory, stays: Sequence[np.ndarray], pair: tuple[str, int]) -> int:
    """Whoever was removed for a document of this run was removed for one that is kept; ``stays`` has a bit for each.

    Returns how many were removed for a document of an earlier run.
    """
    stage, part = pair
    table = read_columns(directory.part(stage, part), ["survivor_at", "survivor_run"])
    own = pc.and_(table.column("survivor_at").is_valid(), table.column("survivor_run").is_null())
    removed = np.flatnonzero(own.to_numpy())
    where = table.column("survivor_at").combine_chunks().take(pa.array(removed))
    parts, rows = (where.field(name).to_numpy(zero_copy_only=False) for name in ("part", "row"))
    for one in np.unique(parts):
        here = rows[parts == one]
        gone = np.flatnonzero(~np.unpackbits(stays[one])[here].astype(np.bool_))
        if len(gone):
            row = removed[parts == one][gone[0]]
            raise BooksDoNotBalance(
                f"document {row} of `{directory.part(stage, part)}` was removed for document {here[gone[0]]} of "
                f"`{directory.part(stage, int(one))}`, which is not kept"
            )
    return int(pc.count(table.column("survivor_run")).as_py())


def _column(directory: RunDirectory, folder: str, part: int, name: str) -> pa.Array:
    column = read_columns(directory.part(folder, part), [name]).column(name)
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
