"""What a finished run has to say for itself, and the manifest made of it."""

import math
import resource
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pyarrow.compute as pc

from curate import __version__
from curate.corpus.input import LOST_KINDS
from curate.pipeline.passed_over import is_passed_over, passed_over
from curate.pipeline.planning.config import DEFAULT, GateSettings
from curate.pipeline.planning.plan import Plan
from curate.pipeline.planning.unused_settings import mentions_of
from curate.pipeline.record.profile import Profile
from curate.pipeline.sharding.raw_tokens import RawTokens
from curate.pipeline.sharding.unknown_characters import UnknownCharacters
from curate.recipes import recipe
from curate.settings.base import Reason
from curate.shards.index import ShardIndex
from curate.stages.contract import Deduplicating, Stage
from curate.store.books import Books, lost_in, removed_by_source
from curate.store.manifest import SCHEMA_VERSION, machine, versions
from curate.store.row_file import keys_together, read_columns
from curate.store.run_directory import DOCUMENTS, QUARANTINE, RunDirectory

NEAR_DUP = "near_dup"
LARGEST_LOSSES = 20
"""Pieces of input named in run.json that could not be read; all of them are in quarantine."""
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
    before: Mapping[str, Any]
    """The manifest that was there when the run began; empty where none was whole."""


def manifest_of(outcome: Outcome, directory: RunDirectory, command: str, warnings: list[str]) -> dict[str, Any]:
    """The content of ``run.json``.

    Args:
        outcome: of the run.
        directory: where its files are.
        command: what the user typed.
        warnings: what the user was told.
    """
    plan, books = outcome.plan, outcome.books
    made_with = {"curate": __version__, "machine": machine(), "versions": versions()}
    if not outcome.profile.made_something:
        made_with |= {name: outcome.before[name] for name in made_with if name in outcome.before}
    parts = _parts(plan, directory)
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": plan.run_id,
        "curate": made_with["curate"],
        "command": command,
        "recipe": _recipe(plan.config.pipeline.recipe),
        "inputs": _inputs(plan, directory),
        "against": [{"path": run.path, "run_id": run.run_id} for run in plan.against],
        "skipped": [{"path": skipped.path, "why": skipped.why, "kind": skipped.kind} for skipped in plan.skipped],
        "passed_over": passed_over(directory, len(plan.parts)),
        **judged(plan, books, outcome.audits),
        "losses": _losses(plan, directory),
        "keys": {
            folder: keys_together(directory.part(folder, part.index) for part in plan.parts)
            for folder in (DOCUMENTS, QUARANTINE, *(stage.name for stage in plan.stages))
        },
        "parts": parts,
        "tokens": _tokens(outcome),
        "shards": _shards(outcome, directory),
        "timings": _timings(outcome, parts),
        "work": outcome.profile.pieces(),
        "machine": made_with["machine"],
        "versions": made_with["versions"],
        "warnings": warnings,
        "gates": [
            *gates(plan.config.gates, books, plan.stored_bytes),
            _skipped_gate(plan),
            *_document_gate(plan.config.gates, books),
            *_source_gates(outcome, directory),
            *_unknown_gate(outcome),
        ],
    }


def profile_of(outcome: Outcome) -> Mapping[str, Any]:
    """The ``profile`` of ``run.json``: of the work that made the files."""
    before: Mapping[str, Any] | None = outcome.before.get("profile")
    return before if before and not outcome.profile.made_something else outcome.profile.as_data()


def _timings(outcome: Outcome, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What it cost to make the files of a run, in however many runs of the command that was.

    Where nobody knows what some parts cost, because they were made before ``run.json`` was lost, the throughput is that
    of the others.
    """
    work, steps, stages = outcome.profile.pieces(), outcome.profile.steps(), {s.name for s in outcome.plan.stages}
    before = outcome.before.get("timings", {})
    told = before if before and not outcome.profile.made_something else {}
    started = min((piece["started"] for piece in work), default=outcome.started.isoformat(timespec="seconds"))
    continued = any(piece["started"] == before.get("started") for piece in work)
    wall = sum(piece["wall_seconds"] for piece in work)
    known = {piece["piece"] for piece in work if piece["step"] == "pass 1"}
    read = [part for part in parts if part["name"] in known]
    return {
        "started": told.get("started", started),
        "wall_seconds": round(wall, 3),
        "cpu_seconds": round(sum(piece["cpu_seconds"] for piece in work), 3),
        "documents_per_second": round(sum(part["documents"] for part in read) / wall, 3) if wall else None,
        "bytes_per_second": round(sum(part["raw_bytes"] for part in read) / wall, 3) if wall else None,
        "peak_rss_bytes": told.get(
            "peak_rss_bytes", max(peak_rss_bytes(), before.get("peak_rss_bytes", 0) if continued else 0)
        ),
        "resumed_parts": told.get("resumed_parts", outcome.reused_parts),
        "steps": {name: round(step.wall, 3) for name, step in steps.items()},
        "stages": {
            name: {"seconds": round(effort.seconds, 3), "bytes": effort.bytes, "documents": effort.documents}
            for name, effort in outcome.profile.efforts().items()
            if name in stages
        },
    }


def judged(plan: Plan, books: Books, audits: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What of ``run.json`` is known as soon as every document is judged: settings, stages, counts and order of parts.

    Args:
        plan: of the run.
        books: what came in and what stayed.
        audits: what corpus stages say of their own judgments, by stage.
    """
    return {
        "run_id": plan.run_id,
        "config": plan.config.resolved(),
        "given": list(plan.config.given),
        "mentions": mentions_of(plan.config, [stage.name for stage in plan.stages]),
        "stages": [
            {
                "name": stage.name,
                "version": stage.version,
                "about": stage.about,
                "hides": stage.hides,
                "deduplicates": isinstance(stage, Deduplicating),
                "reasons": [{"code": reason.code, "sentence": reason.sentence} for reason in _possible(stage)],
                "rules": [
                    {
                        "reason": limit.reason,
                        "measure": limit.measure,
                        "side": limit.side,
                        "at": limit.at,
                        "limit": _number(limit.value),
                        "languages": {code: _number(value) for code, value in limit.languages.items()},
                        "setting": f"{stage.name}.{limit.key}",
                    }
                    for limit in stage.settings.limits()
                ],
            }
            for stage in plan.stages
        ],
        "passes": [[s.name for s in (*one.stages, *([one.closing] if one.closing else []))] for one in plan.passes],
        "plan": {stage.name: said for stage in plan.stages if (said := stage.plan())},
        "audit": audits,
        "parts": [{"name": part.name} for part in plan.parts],
        "counts": books.counts(),
        "flow": [
            {
                "stage": one.stage,
                "in": one.came,
                "kept": one.kept,
                "removed": one.removed,
                "text_bytes_in": one.bytes_came,
                "text_bytes_kept": one.bytes_kept,
            }
            for one in books.stages
        ],
    }


def gates(settings: GateSettings, books: Books, stored_bytes: int) -> list[dict[str, Any]]:
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
        {
            "name": name,
            "limit": getattr(settings, name),
            "value": value,
            "passed": value <= getattr(settings, name) if name.startswith("max_") else value >= getattr(settings, name),
        }
        for name, value in values.items()
    ]


def _skipped_gate(plan: Plan) -> dict[str, Any]:
    """The gate on files that were found and not read."""
    limit, skipped = plan.config.gates.max_skipped, sum(one.kind in LOST_KINDS for one in plan.skipped)
    value = skipped / max(1, skipped + len(plan.files))
    return {"name": "max_skipped", "limit": limit, "value": value, "passed": value <= limit}


def _document_gate(settings: GateSettings, books: Books) -> list[dict[str, Any]]:
    """The gate on how many documents are left; one document, as by default, is not asked of a corpus that has none."""
    limit, value = settings.min_documents, books.kept + books.held
    if not books.read and limit <= 1:
        return []
    return [{"name": "min_documents", "unit": "documents", "limit": limit, "value": value, "passed": value >= limit}]


def _source_gates(outcome: Outcome, directory: RunDirectory) -> list[dict[str, Any]]:
    """The gate on what near_dup removes of one source, about the source that lost most."""
    limit = outcome.plan.config.gates.max_source_near_dup
    if limit >= 1 or NEAR_DUP not in {stage.stage for stage in outcome.books.stages}:
        return []
    found = removed_by_source(directory, NEAR_DUP, len(outcome.plan.parts))
    shares = {source: removed / came for source, (came, removed) in found.items() if came >= FEW_DOCUMENTS}
    worst = min(shares, key=lambda source: (-shares[source], source), default="")
    value = shares.get(worst, 0.0)
    return [{"name": "max_source_near_dup", "limit": limit, "value": value, "passed": value <= limit, "source": worst}]


def _unknown_gate(outcome: Outcome) -> list[dict[str, Any]]:
    """The gate on what the tokenizer does not know, where there is one."""
    if outcome.unknown is None:
        return []
    limit, value = outcome.plan.config.gates.max_unknown, outcome.unknown.share
    return [{"name": "max_unknown", "limit": limit, "value": value, "passed": value <= limit}]


def peak_rss_bytes() -> int:
    """Highest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _inputs(plan: Plan, directory: RunDirectory) -> list[dict[str, Any]]:
    documents, quarantined, lost_bytes = Counter[str](), Counter[str](), Counter[str]()
    for part in plan.parts:
        read = read_columns(directory.part(DOCUMENTS, part.index), ["origin"]).column("origin")
        documents.update(_counted(pc.struct_field(read, "file")))
        columns = ["file", "lost_documents", "lost_bytes"]
        for entry in read_columns(directory.part(QUARANTINE, part.index), columns).to_pylist():
            quarantined[entry["file"]] += 1 if entry["lost_documents"] is None else entry["lost_documents"]
            lost_bytes[entry["file"]] += entry["lost_bytes"] or 0
    return [
        {
            "name": file.name,
            "format": file.format + (f".{file.compression}" if file.compression else ""),
            "bytes": file.size,
            "fingerprint": file.fingerprint,
            "documents": documents[file.name],
            "quarantined": quarantined[file.name],
            "lost_bytes": lost_bytes[file.name],
            "text_field": file.text,
            "conversation": file.conversation,
            "guessed": sorted(file.guessed),
            "empty": file.empty,
        }
        for file in plan.files
    ]


def _losses(plan: Plan, directory: RunDirectory) -> list[dict[str, Any]]:
    """The largest pieces of input in quarantine that are more than one document, with why they could not be read."""
    columns = ["file", "position", "reason", "detail", "lost_documents", "lost_bytes"]
    found: list[dict[str, Any]] = []
    for part in plan.parts:
        entries = read_columns(directory.part(QUARANTINE, part.index), columns)
        large = pc.fill_null(pc.not_equal(entries.column("lost_documents"), 1), True)
        lost = pc.invert(is_passed_over(entries.column("reason")))
        found += entries.filter(pc.and_(large, lost)).to_pylist()
        found.sort(key=lambda one: (-(one["lost_documents"] or 0), -(one["lost_bytes"] or 0)))
        del found[LARGEST_LOSSES:]
    return found


def _parts(plan: Plan, directory: RunDirectory) -> list[dict[str, Any]]:
    parts = []
    for part in plan.parts:
        sizes = read_columns(directory.part(DOCUMENTS, part.index), ["raw_bytes"]).column("raw_bytes")
        lost = lost_in(directory, part.index)
        parts.append(
            {
                "name": part.name,
                "fingerprint": part.fingerprint,
                "documents": len(sizes),
                "raw_bytes": pc.sum(sizes).as_py() or 0,
                "quarantined": lost.documents,
                "lost_bytes": lost.bytes,
                "files": len(part.spans),
            }
        )
    return parts


def _tokens(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.index is None or outcome.tokens is None or outcome.unknown is None:
        return None
    return {
        "kept": outcome.index.kept_tokens,
        "raw": outcome.tokens._asdict(),
        "characters": outcome.unknown.characters,
        "unknown": outcome.unknown.as_data(),
        "tokenizer": outcome.index.tokenizer.name,
        "fingerprint": outcome.index.tokenizer.fingerprint,
    }


def _shards(outcome: Outcome, directory: RunDirectory) -> dict[str, Any] | None:
    index = outcome.index
    if index is None:
        return None
    size = sum((directory.shards / shard.file).stat().st_size for shard in index.shards)
    return {
        "format": index.format,
        "files": len(index.shards),
        "tokens": index.tokens,
        **_packing(index),
        **({"loss_tokens": index.loss_tokens} if index.chat_template else {}),
        **({"mix": [msgspec.to_builtins(share) for share in index.mix]} if index.mix else {}),
        "documents": index.documents,
        "bytes": size,
    }


def _packing(index: ShardIndex) -> dict[str, Any]:
    """What packing cost, where documents were packed."""
    if not index.sequence_length:
        return {}
    return {
        "packing": index.packing,
        "sequence_length": index.sequence_length,
        "padding": index.padding,
        "divided": index.divided,
        "trained": index.trained,
    }


def _recipe(name: str) -> dict[str, Any] | None:
    """The recipe of the run; None where there was none."""
    if name == DEFAULT:
        return None
    found = recipe(name)
    return {"name": found.name, "version": found.version, "title": found.title, "source": found.source}


def _possible(stage: Stage) -> Iterable[Reason]:
    """The reasons that a stage can give with its settings: where those are rules, the ones of the rules that hold."""
    rules = getattr(stage.settings, "rules", None)
    held = {rule.reason for rule in rules()} if rules else set()
    return [reason for reason in stage.reasons if rules is None or reason.code in held]


def _number(value: float) -> float | None:
    """A limit as JSON has it: none is null."""
    return None if math.isnan(value) else value


def _counted(column: Any) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column.combine_chunks()).to_pylist()}
