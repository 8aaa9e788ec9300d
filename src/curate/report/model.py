"""From a finished run directory to everything the report says, as plain numbers.

Pure: reads the manifest and the judgments, writes nothing, and gives the same report for the same run.
"""

from pathlib import Path

import msgspec

from curate.errors import UserError
from curate.report import quantities
from curate.report.alerts.alert import Alert
from curate.report.alerts.alerts import find_alerts
from curate.report.conversations import COLUMNS as CONVERSATION_COLUMNS
from curate.report.conversations import Conversations, find_conversations, with_tokens
from curate.report.crossed import Crossed, cross
from curate.report.duplicates import Copies, Duplicates, find_duplicates, has_copies
from curate.report.judgments.judgments import Exchange, Judgments, Tally
from curate.report.judgments.looking import REASONS, Question
from curate.report.judgments.measures import Histogram, Measuring, pairs_in, thresholds_in
from curate.report.masking import Masks
from curate.report.previous import Previous, previous_run
from curate.report.production import Production, production
from curate.report.samples import Samples, Search, Shown, choose_samples
from curate.report.saved.compute import PassSaving, pass_saving
from curate.report.saved.equal_quality import EqualQuality, equal_quality
from curate.report.saved.measured import Evidence, Measured, read_evidence
from curate.report.saved.waterfall import Keeping, Waterfall, Weights, waterfall, weigh
from curate.report.sources import Group, Label, by_language, by_source, labels_of
from curate.report.unused import WithoutEffect, without_effect
from curate.settings.report import ReportSettings
from curate.shards.index import ShardIndex, read_index
from curate.store.manifest import read_manifest
from curate.store.manifest_entries import Gate, Judged, Manifest, RawTokens
from curate.store.run_directory import RunDirectory, Spread

SCHEMA_VERSION = 1


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The run in a few numbers; what ``curate run --json`` prints."""

    run_id: str
    verdict: str
    read: int
    quarantined: int
    kept: int
    removed: int
    kept_share: float
    removed_by: dict[str, int]
    tokens_kept: int | None
    tokens_raw: RawTokens | None
    one_pass_costs_less: float | None
    """Share of the raw corpus's tokens that a pass over the kept text does not process."""
    compute_multiplier: Measured | None
    """Raw by kept tokens for the same loss, where `curate measure` measured it."""
    compute_saved: Measured | None
    """Share of the tokens that a small model does not need for the same loss, where that was measured."""
    measured: str | None
    """The same as a sentence, with what to make of its size."""
    shards: int
    shard_bytes: int
    wall_seconds: float
    peak_rss_bytes: int
    gates_passed: bool
    worth_a_look: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one stage did to the stream of documents."""

    stage: str
    came: int
    kept: int
    removed: int
    bytes_in: int
    bytes_kept: int
    main_reason: str = ""


class ReasonCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often a reason was given; a document can have several."""

    stage: str
    code: str
    sentence: str
    documents: int
    share: float
    """Of the documents that came into the stage."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What the judgments of a run say: all of a report but tokens, shards and times."""

    quarantined: int
    """Records that could not be read."""
    flow: tuple[Step, ...]
    reasons: tuple[ReasonCount, ...]
    sources: tuple[Group, ...]
    languages: tuple[Group, ...]
    labels: tuple[Label, ...]
    """Labels of the language stage, and how many documents with each were removed for their score."""
    without_effect: tuple[WithoutEffect, ...]
    """Settings of the user that changed nothing in this corpus."""
    histograms: tuple[Histogram, ...]
    duplicates: Duplicates | None
    conversations: Conversations | None
    """Prompts, masks and benchmarks, where the stage `chat` ran."""
    weights: Weights
    """Bytes that each stage and reason removed."""
    crossed: Crossed
    """Reasons against sources, languages and each other."""
    shown: Shown
    """Rows of the documents among ``samples``."""
    samples: Samples


class Report(Findings, frozen=True, kw_only=True):
    """All that `report.json` and the page say."""

    schema_version: int
    curate: str
    summary: Summary
    gates: tuple[Gate, ...]
    alerts: tuple[Alert, ...]
    compute: PassSaving | None
    evidence: Evidence | None
    """What `curate measure` found on this very run."""
    equal_quality: EqualQuality | None
    """What that is in money and energy."""
    production: Production
    """Throughput, cycle time, scrap rate and yield."""
    waterfall: Waterfall | None
    """Where the raw tokens went."""
    previous: Previous | None
    """The run that was in the folder before, where there was one."""
    manifest: Manifest
    """``run.json`` as it is: settings, inputs, versions, timings, machine."""

    def reasons_of(self, stage: str) -> list[ReasonCount]:
        """Reasons of one stage, in its own order."""
        return [reason for reason in self.reasons if reason.stage == stage]

    def histograms_of(self, stage: str) -> list[Histogram]:
        """Histograms of one stage's measures."""
        return [histogram for histogram in self.histograms if histogram.measure.partition(".")[0] == stage]


def findings_of(
    directory: RunDirectory,
    manifest: Judged,
    settings: ReportSettings,
    spread: Spread = map,
    exchange: Exchange | None = None,
) -> Findings:
    """What the judgments of a run say, which may still be writing its shards.

    Args:
        directory: holds the judgments.
        manifest: what is known of the run.
        settings: how many documents to show.
        spread: how parts of the run are read: one after another, or several at a time.
        exchange: see `curate.report.judgments.judgments.Judgments`.

    Memory is bounded by the number of sources and the documents shown, not by the corpus.
    """
    judgments = Judgments(directory, manifest.stage_names, spread, exchange=exchange, tabled=_tabled(manifest))
    thresholds, pairs, reasons = thresholds_in(manifest, judgments), pairs_in(manifest, judgments), _reasons(manifest)
    given = [f"{reason.stage}.{reason.code}" for reason in reasons if reason.documents]
    measuring = Measuring(judgments, thresholds, pairs, max(1, settings.samples // 2) if settings.samples else 0)
    search = Search(given, settings.samples, judgments.rows)
    asked: list[Question] = [Tally(judgments), measuring, Keeping(judgments), search]
    tally, measured, kept, found, *copies = judgments.look(*asked, *[Copies(judgments)] * has_copies(judgments))
    judgments.tallied(tally)
    labels = labels_of(judgments)
    duplicates = find_duplicates(manifest, judgments, settings.epochs, *copies)
    findings = Findings(
        quarantined=manifest.counts.quarantined,
        flow=_flow(manifest, reasons),
        reasons=reasons,
        sources=by_source(judgments),
        languages=by_language(judgments),
        labels=labels,
        without_effect=without_effect(manifest, judgments, labels),
        histograms=measuring.histograms(measured),
        duplicates=duplicates,
        conversations=find_conversations(manifest, judgments),
        weights=weigh(judgments, kept),
        crossed=cross(judgments),
        shown=Shown(
            number=settings.samples,
            by_reason={code: tuple(best.rows.tolist()) for code, best in (found or {}).items()},
            nearest=measuring.nearest(measured),
            clusters=tuple(cluster.row for cluster in duplicates.largest) if duplicates else (),
        ),
        samples=Samples(),
    )
    return _with_samples(findings, manifest, judgments, settings)


def with_samples(
    findings: Findings, directory: RunDirectory, manifest: Judged, settings: ReportSettings, spread: Spread = map
) -> Findings:
    """Findings that were made before, with the documents to be shown."""
    judgments = Judgments(directory, manifest.stage_names, spread, tabled=())
    return _with_samples(findings, manifest, judgments, settings)


def _with_samples(findings: Findings, manifest: Judged, judgments: Judgments, settings: ReportSettings) -> Findings:
    if not settings.samples or not judgments.rows:
        return findings
    masks, thresholds = Masks(manifest.stages, manifest.config), thresholds_in(manifest, judgments)
    samples = choose_samples(judgments, findings.shown, thresholds, masks.shown if masks.names else None)
    return msgspec.structs.replace(findings, samples=samples)


def _tabled(manifest: Judged) -> set[str]:
    """Names of the columns that are read by way of a table: of conversations, and of what the user named."""
    chats = {*CONVERSATION_COLUMNS, REASONS} if "chat" in manifest.stage_names else set[str]()
    named = manifest.mentions or {"input.source", "input.id"} & {*manifest.given}
    documents = {"origin", "metadata"} if named else set()
    return {*chats, *documents, *(one.measure for one in manifest.mentions)}


def build_report(run_dir: Path, settings: ReportSettings, findings: Findings | None = None) -> Report:
    """Everything there is to say about a finished run.

    Args:
        run_dir: holds ``run.json`` and the judgments.
        settings: how many documents to show, and the training run that compute figures are about.
        findings: of this run, where they have been looked for.

    Raises:
        InputError: the folder is not a run, or its run is not finished.
    """
    manifest = read_manifest(run_dir)
    findings = findings or findings_of(RunDirectory.finished(run_dir, manifest), manifest, settings)
    alerts = find_alerts(
        manifest,
        sources=findings.sources,
        languages=findings.languages,
        labels=findings.labels,
        without_effect=findings.without_effect,
        histograms=findings.histograms,
        duplicates=findings.duplicates,
        crossed=findings.crossed,
    )
    saving = _saving(manifest, settings)
    evidence = read_evidence(run_dir, manifest.run_id)
    return Report(
        schema_version=SCHEMA_VERSION,
        curate=manifest.curate,
        summary=_summary(manifest, saving, alerts, evidence),
        gates=manifest.gates,
        alerts=alerts,
        compute=saving,
        evidence=evidence,
        equal_quality=_equal_quality(manifest, evidence, settings),
        production=production(manifest),
        waterfall=waterfall(manifest, findings.weights, _index(run_dir, manifest), settings),
        previous=previous_run(run_dir, manifest),
        manifest=manifest,
        **msgspec.structs.asdict(findings) | {"conversations": with_tokens(findings.conversations, manifest.shards)},
    )


def _reasons(manifest: Judged) -> tuple[ReasonCount, ...]:
    """Every reason a stage could have given, also those never given; then any that only the counts know."""
    came = {step.stage: step.came for step in manifest.flow}
    found: list[ReasonCount] = []
    for stage in manifest.stages:
        name = stage.name
        given = manifest.counts.reasons_of(name)
        sentences = {reason.code: reason.sentence for reason in stage.reasons}
        for code in [*sentences, *(code for code in given if code not in sentences)]:
            documents = given.get(code, 0)
            share = documents / came[name] if came.get(name) else 0.0
            found.append(
                ReasonCount(stage=name, code=code, sentence=sentences.get(code, ""), documents=documents, share=share)
            )
    return tuple(found)


def _flow(manifest: Judged, reasons: tuple[ReasonCount, ...]) -> tuple[Step, ...]:
    def main_reason(stage: str) -> str:
        given = [reason for reason in reasons if reason.stage == stage and reason.documents]
        return min(given, key=lambda reason: (-reason.documents, reason.code)).code if given else ""

    return tuple(
        Step(
            stage=step.stage,
            came=step.came,
            kept=step.kept,
            removed=step.removed,
            bytes_in=step.text_bytes_in,
            bytes_kept=step.text_bytes_kept,
            main_reason=main_reason(step.stage),
        )
        for step in manifest.flow
    )


def _saving(manifest: Manifest, settings: ReportSettings) -> PassSaving | None:
    tokens = manifest.tokens
    return (
        pass_saving(tokens.kept, tokens.raw, manifest.timings.cpu_seconds, settings) if tokens and tokens.kept else None
    )


def _equal_quality(manifest: Manifest, evidence: Evidence | None, settings: ReportSettings) -> EqualQuality | None:
    if not evidence or not manifest.tokens or not manifest.tokens.kept:
        return None
    return equal_quality(evidence, manifest.tokens.kept, manifest.timings.cpu_seconds, settings)


def _index(run_dir: Path, manifest: Manifest) -> ShardIndex | None:
    """The index of the shards, where it can be read; who checks shards says what is wrong with it."""
    if not manifest.shards:
        return None
    try:
        return read_index(RunDirectory(run_dir).shards)
    except UserError:
        return None


def _summary(
    manifest: Manifest, saving: PassSaving | None, alerts: tuple[Alert, ...], evidence: Evidence | None
) -> Summary:
    counts, tokens, shards, timings = manifest.counts, manifest.tokens, manifest.shards, manifest.timings
    removed_by = counts.removed_by
    return Summary(
        run_id=manifest.run_id,
        verdict=_verdict(manifest, saving, evidence),
        read=counts.read,
        quarantined=counts.quarantined,
        kept=counts.kept,
        removed=sum(removed_by.values()),
        kept_share=counts.kept / counts.read if counts.read else 0.0,
        removed_by=removed_by,
        tokens_kept=tokens.kept if tokens else None,
        tokens_raw=tokens.raw if tokens else None,
        one_pass_costs_less=saving.share.value if saving else None,
        compute_multiplier=evidence.multiplier if evidence else None,
        compute_saved=evidence.saving if evidence else None,
        measured="; ".join(filter(None, (evidence.sentence, evidence.caution))) if evidence else None,
        shards=shards.files if shards else 0,
        shard_bytes=shards.bytes if shards else 0,
        wall_seconds=timings.wall_seconds,
        peak_rss_bytes=timings.peak_rss_bytes,
        gates_passed=all(gate.passed for gate in manifest.gates),
        worth_a_look=sum(alert.level != "note" for alert in alerts),
    )


def _verdict(manifest: Manifest, saving: PassSaving | None, evidence: Evidence | None) -> str:
    """The run in one plain sentence."""
    counts, tokens = manifest.counts, manifest.tokens
    if not counts.read:
        return "There was nothing to read."
    if not counts.kept:
        return f"None of {quantities.counted(counts.read, 'document')} was kept: there is nothing to train on."
    kept = (
        f"{quantities.count(counts.kept)} of {quantities.counted(counts.read, 'document')}"
        f" {'was' if counts.kept == 1 else 'were'} kept ({quantities.share(counts.kept / counts.read)})"
    )
    if tokens is None:
        return f"{kept}."
    sentence = f"{kept}: {quantities.short(tokens.kept)} tokens, ready to train on"
    if evidence:
        return f"{sentence}. {evidence.sentence}."
    if saving is None or saving.share.value <= 0:
        return f"{sentence}."
    less = quantities.share(saving.share.value)
    return f"{sentence}. One pass over the kept text costs {less} less than over the raw text."
