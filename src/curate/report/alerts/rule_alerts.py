"""What deserves a second look in limits and rules."""

from collections.abc import Iterator, Sequence

from curate.errors import listed
from curate.report import quantities
from curate.report.alerts.alert import FEW, Alert
from curate.report.crossed import Crossed
from curate.report.judgments.measures import Histogram
from curate.report.unused import WithoutEffect
from curate.store.manifest_entries import Manifest

CLIFF = 0.03
"""Share of documents within 5 % of a threshold."""
MANY_RULES = 4
"""Of stages with fewer, the table of reasons says enough about rules that never fired."""


def of_rules(
    manifest: Manifest,
    histograms: Sequence[Histogram],
    unused: Sequence[WithoutEffect],
    crossed: Crossed,
) -> Iterator[Alert]:
    """Limits that many documents are near, and settings and rules that change nothing."""
    yield from _cliffs(histograms)
    yield from _without_effect(manifest, unused)
    yield from _silent_rules(manifest)
    yield from _needless_rules(manifest, crossed)


def _cliffs(histograms: Sequence[Histogram]) -> Iterator[Alert]:
    for histogram in histograms:
        for threshold, near in zip(histogram.thresholds, histogram.near, strict=True):
            share = near / histogram.documents
            if share > CLIFF and not histogram.measure.startswith("near_dup."):
                yield Alert(
                    level="note",
                    title=f"{quantities.share(share)} of the documents are near the limit of `{histogram.measure}`",
                    detail=f"They are within 5 % of {threshold.value:g}; a small change of it would move many across.",
                    documents=near,
                    section=f"stage-{histogram.measure.partition('.')[0]}",
                )


def _without_effect(manifest: Manifest, found: Sequence[WithoutEffect]) -> Iterator[Alert]:
    """Settings of the user that changed nothing, and limits that no document is beyond."""
    for one in found:
        yield Alert(level="warning", title=f"`{one.setting}` had no effect: {one.why}", detail=one.hint)
    given, counts = set(manifest.given), manifest.counts
    idle = [
        rule.setting
        for stage in manifest.stages
        for rule in stage.rules
        if rule.setting in given and not counts.reasons_of(stage.name).get(rule.reason)
    ]
    if idle:
        yield Alert(
            level="note",
            title=f"{len(idle)} {'limit' if len(idle) == 1 else 'limits'} that you set removed nothing",
            detail=listed(idle, most=4),
        )


def _silent_rules(manifest: Manifest) -> Iterator[Alert]:
    came = {step.stage: step.came for step in manifest.flow}
    for stage in manifest.stages:
        given = manifest.counts.reasons_of(stage.name)
        silent = [rule.reason for rule in stage.rules if not given.get(rule.reason)]
        if silent and len(stage.rules) >= MANY_RULES and came.get(stage.name, 0) >= FEW:
            yield Alert(
                level="note",
                title=f"{len(silent)} of {len(stage.rules)} rules of `{stage.name}` never fired",
                detail=listed(silent, most=4),
                section=f"stage-{stage.name}",
            )


def _needless_rules(manifest: Manifest, crossed: Crossed) -> Iterator[Alert]:
    """Rules that removed documents, each of which another rule of the stage would have removed."""
    for stage in manifest.stages:
        reasons = {f"{stage.name}.{rule.reason}" for rule in stage.rules}
        needless = [reason for reason, alone in crossed.alone.items() if reason in reasons and not alone]
        if needless and len(reasons) >= MANY_RULES:
            one = len(needless) == 1
            yield Alert(
                level="note",
                title=f"{len(needless)} {'rule' if one else 'rules'} of `{stage.name}` removed nothing that another"
                f" rule would not have removed",
                detail=listed([reason.partition(".")[2] for reason in needless]),
                section="reasons",
            )
