"""What a finished run has to say for itself, and the manifest made of it."""

import math
import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from curate import __version__
from curate.corpus.input import LOST_KINDS
from curate.pipeline.planning.config import DEFAULT, GateSettings
from curate.pipeline.planning.plan import Plan
from curate.pipeline.planning.unused_settings import mentions_of
from curate.pipeline.record.part_records import PartRecords
from curate.pipeline.record.profile import Profile
from curate.pipeline.sharding.unknown_characters import UnknownCharacters
from curate.recipes import recipe
from curate.shards.index import ShardIndex
from curate.stages.contract import Deduplicating, Stage
from curate.store.books import Books, removed_by_source
from curate.store.cost_entries import StageTime, Timings
from curate.store.manifest import SCHEMA_VERSION, machine, versions
from curate.store.manifest_entries import (
    Against,
    Flow,
    Gate,
    Judged,
    Manifest,
    MixShare,
    Part,
    PartName,
    RawTokens,
    Recipe,
    Rule,
    Sentence,
    Shards,
    Skipped,
    StageEntry,
    Tokens,
)
from curate.store.run_directory import RunDirectory, Spread

NEAR_DUP = "near_dup"
FEW_DOCUMENTS = 30
"""Sources with fewer documents break no gate."""


@dataclass
class Outcome:
    """What a run leaves for the manifest and the report."""

    plan: Plan
    books: Books
    index: ShardIndex | None
    tokens: RawTokens | None
    unknown: UnknownCharacters | None
    """What the tokenizer did not know; None where nothing was tokenized."""
    audits: Mapping[str, Mapping[str, Any]]
    """What corpus stages say of their own judgments, by stage."""
    profile: Profile
    reused_parts: int
    started: datetime
    before: Manifest | None
    """The manifest that was there when the run began, where it was whole."""

    @property
    def before_if_unchanged(self) -> Manifest | None:
        """The same, where the run made nothing: then what it says of making the files holds."""
        return None if self.profile.made_something else self.before


def manifest_of(
    outcome: Outcome, directory: RunDirectory, command: str, warnings: Sequence[str], spread: Spread = map
) -> Manifest:
    """The content of ``run.json``.

    Args:
        outcome: of the run.
        directory: where its files are.
        command: what the user typed.
        warnings: what the user was warned of.
        spread: looks at several parts at once.
    """
    plan, books, unchanged = outcome.plan, outcome.books, outcome.before_if_unchanged
    records = PartRecords.of(plan, directory, spread)
    return Manifest(
        **msgspec.structs.asdict(judged(plan, books, outcome.audits)) | {"parts": records.parts},
        schema_version=SCHEMA_VERSION,
        curate=unchanged.curate if unchanged else __version__,
        command=command,
        recipe=_recipe(plan.config.pipeline.recipe),
        inputs=records.inputs,
        against=tuple(Against(path=run.path, run_id=run.run_id) for run in plan.against),
        skipped=tuple(Skipped(path=skipped.path, why=skipped.why, kind=skipped.kind) for skipped in plan.skipped),
        passed_over=records.passed_over,
        losses=records.losses,
        keys=records.keys,
        tokens=_tokens(outcome),
        shards=_shards(outcome, directory),
        timings=_timings(outcome, records.parts),
        work=outcome.profile.pieces(),
        machine=unchanged.machine if unchanged else machine(),
        versions=unchanged.versions if unchanged else versions(),
        warnings=tuple(warnings),
        gates=(
            *gates(plan.config.gates, books, plan.stored_bytes),
            _skipped_gate(plan),
            *_document_gate(plan.config.gates, books),
            *_source_gates(outcome, directory),
            *_unknown_gate(outcome),
        ),
        profile=unchanged.profile if unchanged and unchanged.profile else outcome.profile.breakdown(),
    )


def _timings(outcome: Outcome, parts: Sequence[Part]) -> Timings:
    """What it cost to make the files of a run, in however many runs of the command that was.

    Where nobody knows what some parts cost, because they were made before ``run.json`` was lost, the throughput is that
    of the others.
    """
    work, steps, stages = outcome.profile.pieces(), outcome.profile.steps(), {s.name for s in outcome.plan.stages}
    before, unchanged = outcome.before.timings if outcome.before else None, outcome.before_if_unchanged
    peak = peak_rss_bytes()
    if before and any(piece.started == before.started for piece in work):
        peak = max(peak, before.peak_rss_bytes)
    wall = sum((piece.wall_seconds for piece in work), 0.0)
    known = {piece.piece for piece in work if piece.step == "pass 1"}
    read = [part for part in parts if part.name in known]
    started = min((piece.started for piece in work), default=outcome.started.isoformat(timespec="seconds"))
    return Timings(
        started=unchanged.timings.started if unchanged else started,
        wall_seconds=round(wall, 3),
        cpu_seconds=round(sum((piece.cpu_seconds for piece in work), 0.0), 3),
        documents_per_second=round(sum(part.documents for part in read) / wall, 3) if wall else None,
        bytes_per_second=round(sum(part.raw_bytes for part in read) / wall, 3) if wall else None,
        peak_rss_bytes=unchanged.timings.peak_rss_bytes if unchanged else peak,
        resumed_parts=unchanged.timings.resumed_parts if unchanged else outcome.reused_parts,
        steps={name: round(step.wall, 3) for name, step in steps.items()},
        stages={
            name: StageTime(seconds=round(effort.seconds, 3), bytes=effort.bytes, documents=effort.documents)
            for name, effort in outcome.profile.efforts().items()
            if name in stages
        },
    )


def judged(plan: Plan, books: Books, audits: Mapping[str, Mapping[str, Any]]) -> Judged:
    """What of ``run.json`` is known as soon as every document is judged.

    Args:
        plan: of the run.
        books: what came in and what stayed.
        audits: what corpus stages say of their own judgments, by stage.
    """
    return Judged(
        run_id=plan.run_id,
        config=plan.config.resolved(),
        given=tuple(plan.config.given),
        mentions=mentions_of(plan.config, [stage.name for stage in plan.stages]),
        stages=tuple(map(_stage_entry, plan.stages)),
        passes=tuple(
            tuple(s.name for s in (*one.stages, *([one.closing] if one.closing else []))) for one in plan.passes
        ),
        plan={stage.name: dict(said) for stage in plan.stages if (said := stage.plan())},
        audit={stage: dict(said) for stage, said in audits.items()},
        parts=tuple(PartName(name=part.name) for part in plan.parts),
        counts=books.counts(),
        flow=tuple(
            Flow(
                stage=one.stage,
                came=one.came,
                kept=one.kept,
                removed=one.removed,
                text_bytes_in=one.bytes_came,
                text_bytes_kept=one.bytes_kept,
            )
            for one in books.stages
        ),
    )


def _stage_entry(stage: Stage) -> StageEntry:
    return StageEntry(
        name=stage.name,
        version=stage.version,
        about=stage.about,
        hides=stage.hides,
        deduplicates=isinstance(stage, Deduplicating),
        reasons=tuple(Sentence(code=reason.code, sentence=reason.sentence) for reason in stage.may_give),
        rules=tuple(
            Rule(
                reason=limit.reason,
                measure=limit.measure,
                side=limit.side,
                at=limit.at,
                limit=_number(limit.value),
                languages={code: _number(value) for code, value in limit.languages.items()},
                setting=f"{stage.name}.{limit.key}",
            )
            for limit in stage.settings.limits()
        ),
    )


def gates(settings: GateSettings, books: Books, stored_bytes: int) -> list[Gate]:
    """Each gate with its limit, the run's value, and whether it passed.

    Args:
        settings: the limits.
        books: of the run.
        stored_bytes: of all its input files.
    """
    read = max(1, books.read)
    values = {
        "max_quarantined": books.quarantined / read,
        "max_lost_bytes": books.lost_bytes / max(1, stored_bytes),
        "min_kept": books.kept / read,
    }
    return [
        Gate(
            name=name,
            limit=getattr(settings, name),
            value=value,
            passed=value <= getattr(settings, name) if name.startswith("max_") else value >= getattr(settings, name),
        )
        for name, value in values.items()
    ]


def _skipped_gate(plan: Plan) -> Gate:
    """The gate on files that were found and not read."""
    limit, skipped = plan.config.gates.max_skipped, sum(one.kind in LOST_KINDS for one in plan.skipped)
    value = skipped / max(1, skipped + len(plan.files))
    return Gate(name="max_skipped", limit=limit, value=value, passed=value <= limit)


def _document_gate(settings: GateSettings, books: Books) -> list[Gate]:
    """The gate on how many documents are left; one document, as by default, is not asked of a corpus that has none."""
    limit, value = settings.min_documents, books.kept + books.held
    if not books.read and limit <= 1:
        return []
    return [Gate(name="min_documents", unit="documents", limit=limit, value=value, passed=value >= limit)]


def _source_gates(outcome: Outcome, directory: RunDirectory) -> list[Gate]:
    """The gate on what near_dup removes of one source, about the source that lost most."""
    limit = outcome.plan.config.gates.max_source_near_dup
    if limit >= 1 or NEAR_DUP not in {stage.stage for stage in outcome.books.stages}:
        return []
    found = removed_by_source(directory, NEAR_DUP, len(outcome.plan.parts))
    shares = {source: removed / came for source, (came, removed) in found.items() if came >= FEW_DOCUMENTS}
    worst = min(shares, key=lambda source: (-shares[source], source), default="")
    value = shares.get(worst, 0.0)
    return [Gate(name="max_source_near_dup", limit=limit, value=value, passed=value <= limit, source=worst)]


def _unknown_gate(outcome: Outcome) -> list[Gate]:
    """The gate on what the tokenizer does not know, where there is one."""
    if outcome.unknown is None:
        return []
    limit, value = outcome.plan.config.gates.max_unknown, outcome.unknown.share
    return [Gate(name="max_unknown", limit=limit, value=value, passed=value <= limit)]


def peak_rss_bytes() -> int:
    """Highest resident memory of this process so far.

    Linux hands ``ru_maxrss`` on to children: a run that a large program started would be as large.
    """
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text("utf-8").split("\n")
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _tokens(outcome: Outcome) -> Tokens | None:
    if outcome.index is None or outcome.tokens is None or outcome.unknown is None:
        return None
    return Tokens(
        kept=outcome.index.kept_tokens,
        raw=outcome.tokens,
        characters=outcome.unknown.characters,
        unknown=outcome.unknown.entry,
        tokenizer=outcome.index.tokenizer.name,
        fingerprint=outcome.index.tokenizer.fingerprint,
    )


def _shards(outcome: Outcome, directory: RunDirectory) -> Shards | None:
    index = outcome.index
    if index is None:
        return None
    packed = index.sequence_length
    return Shards(
        format=index.format,
        files=len(index.shards),
        tokens=index.tokens,
        packing=index.packing if packed else None,
        sequence_length=packed or None,
        padding=index.padding if packed else None,
        divided=index.divided if packed else None,
        trained=index.trained if packed else None,
        loss_tokens=index.loss_tokens if index.chat_template else None,
        mix=msgspec.convert(index.mix, tuple[MixShare, ...], from_attributes=True) if index.mix else None,
        documents=index.documents,
        bytes=sum((directory.shards / shard.file).stat().st_size for shard in index.shards),
    )


def _recipe(name: str) -> Recipe | None:
    """The recipe of the run; None where there was none."""
    if name == DEFAULT:
        return None
    found = recipe(name)
    return Recipe(name=found.name, version=found.version, title=found.title, source=found.source)


def _number(value: float) -> float | None:
    """A limit as JSON has it: none is null."""
    return None if math.isnan(value) else value
