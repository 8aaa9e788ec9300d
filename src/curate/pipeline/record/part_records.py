"""What the files of a run hold, part by part, as the manifest tells it: counted where each part is, added up here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from curate.corpus.quarantine import PASSED_OVER
from curate.pipeline.planning.plan import Plan
from curate.store.books import Lost, lost_of
from curate.store.manifest_entries import Input, Loss, Part, PassedOver
from curate.store.row_file import Keys, keys_of, keys_together, read_columns
from curate.store.run_directory import DOCUMENTS, QUARANTINE, RunDirectory, Spread

LARGEST_LOSSES = 20
"""Pieces of input named in run.json that could not be read; all of them are in quarantine."""
MOST_DETAILS = 8
"""Kinds of a reason for passing over that are listed separately; the others are counted together."""


class _Lost(NamedTuple):
    """Of one file: documents in quarantine as far as they can be counted, and bytes of what cannot."""

    documents: int
    bytes: int


class _Counted(NamedTuple):
    """Of one part: what is in its files.

    Attributes:
        documents: rows.
        raw_bytes: of their text.
        lost: what is in quarantine.
        by_file: documents of each file of the input.
        lost_by_file: what of it is in quarantine.
        losses: the largest pieces of these.
        passed_over: records that are no documents by their nature, by reason and detail.
        keys: of its file in each folder.
    """

    documents: int
    raw_bytes: int
    lost: Lost
    by_file: Mapping[str, int]
    lost_by_file: Mapping[str, _Lost]
    losses: Sequence[Loss]
    passed_over: Mapping[tuple[str, str], int]
    keys: Sequence[Keys | None]


class PartRecords(NamedTuple):
    """Entries of ``run.json`` about the input."""

    parts: tuple[Part, ...]
    inputs: tuple[Input, ...]
    losses: tuple[Loss, ...]
    passed_over: tuple[PassedOver, ...]
    keys: dict[str, str]

    @classmethod
    def of(cls, plan: Plan, directory: RunDirectory, spread: Spread = map) -> "PartRecords":
        """Read all parts.

        Args:
            plan: of the run.
            directory: where its files are.
            spread: looks at several parts at once.
        """
        folders = (DOCUMENTS, QUARANTINE, *(stage.name for stage in plan.stages))
        documents, lost, lost_bytes = Counter[str](), Counter[str](), Counter[str]()
        parts, losses, skipped, keys = (
            list[Part](),
            list[Loss](),
            Counter[tuple[str, str]](),
            list[Sequence[Keys | None]](),
        )
        counted = spread(partial(_counted, directory, folders), [part.index for part in plan.parts])
        for part, one in zip(plan.parts, counted, strict=True):
            documents.update(one.by_file)
            lost.update({name: each.documents for name, each in one.lost_by_file.items()})
            lost_bytes.update({name: each.bytes for name, each in one.lost_by_file.items()})
            losses = _largest([*losses, *one.losses])
            skipped.update(one.passed_over)
            keys.append(one.keys)
            parts.append(
                Part(
                    name=part.name,
                    fingerprint=part.fingerprint,
                    documents=one.documents,
                    raw_bytes=one.raw_bytes,
                    quarantined=one.lost.documents,
                    lost_bytes=one.lost.bytes,
                    files=len(part.spans),
                )
            )
        inputs = tuple(
            Input(
                name=file.name,
                format=file.format + (f".{file.compression}" if file.compression else ""),
                bytes=file.size,
                fingerprint=file.fingerprint,
                documents=documents[file.name],
                quarantined=lost[file.name],
                lost_bytes=lost_bytes[file.name],
                text_field=file.text,
                conversation=file.conversation,
                guessed=tuple(sorted(file.guessed)),
                empty=file.empty,
            )
            for file in plan.files
        )
        together = {folder: keys_together(each[place] for each in keys) for place, folder in enumerate(folders)}
        return cls(tuple(parts), inputs, tuple(losses), _passed_over(skipped), together)


def _counted(directory: RunDirectory, folders: Sequence[str], part: int) -> _Counted:
    read = read_columns(directory.part(DOCUMENTS, part), ["origin", "raw_bytes"])
    files = pc.value_counts(pc.struct_field(read.column("origin"), "file").combine_chunks())
    quarantined = read_columns(directory.part(QUARANTINE, part), Loss.__struct_fields__)
    passed = pc.is_in(quarantined.column("reason"), value_set=pa.array([reason.code for reason in PASSED_OVER]))
    large = pc.fill_null(pc.not_equal(quarantined.column("lost_documents"), 1), True)
    losses = quarantined.filter(pc.and_(large, pc.invert(passed)))
    kinds = quarantined.filter(passed).group_by(["reason", "detail"]).aggregate([([], "count_all")])
    return _Counted(
        documents=len(read),
        raw_bytes=pc.sum(read.column("raw_bytes")).as_py() or 0,
        lost=lost_of(quarantined),
        by_file={each["values"]: each["counts"] for each in files.to_pylist()},
        lost_by_file=_lost_by_file(quarantined),
        losses=_largest(msgspec.convert(losses.to_pylist(), list[Loss])),
        passed_over={(each["reason"], each["detail"]): each["count_all"] for each in kinds.to_pylist()},
        keys=[keys_of(directory.part(folder, part)) for folder in folders],
    )


def _lost_by_file(quarantined: pa.Table) -> dict[str, _Lost]:
    rows = pa.table(
        {
            "file": quarantined.column("file"),
            "documents": pc.fill_null(quarantined.column("lost_documents"), 1),
            "bytes": pc.fill_null(quarantined.column("lost_bytes"), 0),
        }
    )
    summed = rows.group_by("file").aggregate([("documents", "sum"), ("bytes", "sum")])
    return {each["file"]: _Lost(each["documents_sum"], each["bytes_sum"]) for each in summed.to_pylist()}


def _largest(losses: list[Loss]) -> list[Loss]:
    """The largest pieces of input; of equal ones those that come first."""
    return sorted(losses, key=lambda one: (-(one.lost_documents or 0), -(one.lost_bytes or 0)))[:LARGEST_LOSSES]


def _passed_over(counted: Mapping[tuple[str, str], int]) -> tuple[PassedOver, ...]:
    """How many records were passed over for each reason, and what they were; the most frequent first."""
    found: dict[str, Counter[str]] = {}
    for (reason, detail), records in counted.items():
        found.setdefault(reason, Counter())[detail] += records
    entries = [
        PassedOver(reason=reason, records=details.total(), details=dict(_most(details)))
        for reason, details in sorted(found.items())
    ]
    return tuple(sorted(entries, key=lambda one: -one.records))


def _most(details: Counter[str]) -> list[tuple[str, int]]:
    return sorted(details.items(), key=lambda item: (-item[1], item[0]))[:MOST_DETAILS]
