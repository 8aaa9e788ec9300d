"""What deserves a second look, most pressing first: each with what to do about it."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from curate.corpus.input import LOST_KINDS
from curate.report import quantities
from curate.report.duplicates import Duplicates
from curate.report.measures import Histogram
from curate.report.sources import UNMEASURED, UNNAMED_SOURCE, Group, Label
from curate.report.unused import WithoutEffect
from curate.stages.language import ALL

Level = Literal["problem", "warning", "note"]

LOSSES = 3
"""Pieces of unread input named one by one."""
OTHER_LANGUAGES = 0.30
"""Share of the corpus in languages that are not kept, above which the keep list may be a mistake."""
UNSURE = 0.10
"""Share of the documents with a wanted label that a low score removed, above which the limit may be a mistake."""
SKEW = 0.25
"""A source that lost this much more than all sources together."""
CLIFF = 0.03
"""Share of documents within 5 % of a threshold."""
GIANT = 0.01
"""Share of the corpus in one cluster of duplicates."""
MANY_RULES = 4
"""Of stages with fewer, the table of reasons says enough about rules that never fired."""
_FEW = 30
"""Sources with fewer documents say nothing."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One finding: a sentence, why it matters, something to type, and the section to read."""

    level: Level
    title: str
    detail: str = ""
    command: str = ""
    section: str = ""


def find_alerts(
    manifest: Mapping[str, Any],
    *,
    sources: Sequence[Group],
    languages: Sequence[Group],
    labels: Sequence[Label] = (),
    without_effect: Sequence[WithoutEffect] = (),
    histograms: Sequence[Histogram],
    duplicates: Duplicates | None,
) -> tuple[Alert, ...]:
    """Everything worth a look, problems first."""
    found = [
        *_gates(manifest),
        *_too_few_documents(manifest),
        *_unknown_characters(manifest),
        *_other_languages(manifest, languages),
        *_unsure_languages(manifest, labels),
        *_skewed_sources(manifest, sources),
        *_quarantine(manifest),
        *_losses(manifest),
        *_inputs(manifest),
        *_cliffs(histograms),
        *_giant_clusters(manifest, duplicates),
        *(Alert(level="warning", title=text) for text in manifest.get("warnings", ())),
        *_without_effect(manifest, without_effect),
        *_silent_rules(manifest),
    ]
    order: dict[Level, int] = {"problem": 0, "warning": 1, "note": 2}
    first: dict[str, Alert] = {}
    for alert in found:
        first.setdefault(alert.title, alert)
    return tuple(sorted(first.values(), key=lambda alert: order[alert.level]))


def _gates(manifest: Mapping[str, Any]) -> Iterator[Alert]:
    for gate in manifest.get("gates", ()):
        if not gate["passed"] and gate["name"] != "min_documents":
            of = f" of source `{gate['source']}`" if "source" in gate else ""
            value, limit = quantities.share(gate["value"]), quantities.share(gate["limit"])
            yield Alert(
                level="problem",
                title=f"The gate `{gate['name']}` failed: {value}{of}, limit {limit}",
                detail="The command ended with exit code 1.",
                command=_look_at(manifest, gate["source"]) if "source" in gate else "",
                section="sources" if "source" in gate else "verdict",
            )


def _look_at(manifest: Mapping[str, Any], source: str) -> str:
    """Shows near-duplicates of one source."""
    return _sample_command(manifest, "near_dup.near_duplicate", source)


def _sample_command(manifest: Mapping[str, Any], reason: str, source: str = "") -> str:
    """Shows documents, of one source or all, that were removed for a reason."""
    of_source = f" --source {shlex.quote(source)}" if source else ""
    return f"curate sample {shlex.quote(_run_of(manifest))} --reason {shlex.quote(reason)}{of_source}"


def _run_of(manifest: Mapping[str, Any]) -> str:
    """The run directory as its command names it."""
    words = shlex.split(manifest.get("command", ""))
    named = [words[at + 1] for at in range(len(words) - 1) if words[at] in ("-o", "--output")]
    named += [word.removeprefix("--output=") for word in words if word.startswith("--output=")]
    return named[0] if named else "RUN"


def _too_few_documents(manifest: Mapping[str, Any]) -> Iterator[Alert]:
    """Nothing, or less than asked for, is left; nothing new beside an earlier run is no problem."""
    counts = manifest["counts"]
    gate = next((gate for gate in manifest.get("gates", ()) if gate["name"] == "min_documents"), None)
    if gate and not gate["passed"]:
        few = f"{quantities.counted(gate['value'], 'document')} of {quantities.count(counts['read'])}"
        kept = (
            "No document was kept"
            if not gate["value"]
            else f"Only {few} {'was' if gate['value'] == 1 else 'were'} kept"
        )
        yield Alert(
            level="problem",
            title=f"{kept}: the gate `min_documents` failed, limit {quantities.count(gate['limit'])}",
            detail=f"The command ended with exit code 1. {_most_removed(manifest)}Where this is meant, set"
            " `gates.min_documents = 0`.",
            command=_see_removed(manifest),
            section="flow",
        )
    elif counts["read"] and not counts["kept"]:
        held = gate["value"] if gate else 0
        title = (
            f"Nothing new: {quantities.counted(held, 'document')} in an earlier run" if held else "No document was kept"
        )
        yield Alert(level="note", title=title, detail=_most_removed(manifest).strip(), section="flow")


def _main_reason(manifest: Mapping[str, Any]) -> tuple[str, int]:
    """The reason that most documents were removed for, and how many; empty where none was."""
    given = {
        f"{stage}.{code}": documents
        for stage, entry in manifest["counts"]["removed"].items()
        for code, documents in entry["reasons"].items()
    }
    return min(given.items(), key=lambda one: (-one[1], one[0]), default=("", 0))


def _most_removed(manifest: Mapping[str, Any]) -> str:
    reason, documents = _main_reason(manifest)
    quarantined = manifest["counts"]["quarantined"]
    if quarantined > documents:
        return f"{quantities.counted(quarantined, 'document')} could not be read. "
    return f"Most were removed for `{reason}`: {quantities.counted(documents, 'document')}. " if reason else ""


def _see_removed(manifest: Mapping[str, Any]) -> str:
    reason, documents = _main_reason(manifest)
    run = shlex.quote(_run_of(manifest))
    if reason and documents >= manifest["counts"]["quarantined"]:
        return _sample_command(manifest, reason)
    return f"curate doctor {run}"


def _unknown_characters(manifest: Mapping[str, Any]) -> Iterator[Alert]:
    unknown = (manifest.get("tokens") or {}).get("unknown", {})
    if not unknown.get("characters"):
        return
    example, count = unknown["example"], quantities.count
    letters = " ".join(
        f"`{letter}` ({point})" if letter.isprintable() and not letter.isspace() else point
        for letter, point in zip(example["characters"], example["code_points"], strict=True)
    )
    documents = f"{count(unknown['documents'])} document{'s' * (unknown['documents'] != 1)}"
    yield Alert(
        level="warning",
        title=f"The tokenizer does not know {quantities.share(unknown['share'])} of the characters of the kept text:"
        f" {count(unknown['characters'])} in {documents}, such as {letters} in `{example['document']}`",
        detail="They are not in the shards, or only as the unknown token. `gates.max_unknown` sets how many may be.",
        section="tokens",
    )


def _other_languages(manifest: Mapping[str, Any], languages: Sequence[Group]) -> Iterator[Alert]:
    keep = manifest.get("config", {}).get("language", {}).get("keep", [])
    measured = [group for group in languages if group.name != UNMEASURED]
    total = sum(group.documents for group in measured)
    others = [group for group in measured if group.name not in keep]
    share = sum(group.documents for group in others) / total if total else 0.0
    if share <= OTHER_LANGUAGES or ALL in keep:
        return
    named = [group for group in others if group.name.isalpha()]  # not the rest that is counted together
    large = [group for group in named if group.documents >= 0.05 * total] or named[:1]
    wanted = json.dumps([*keep, *(group.name for group in large)], ensure_ascii=False)
    names = ", ".join(f"{group.name} {quantities.share(group.documents / total)}" for group in large)
    yield Alert(
        level="warning",
        title=f"{quantities.share(share)} of the documents are in languages that were not kept ({names})",
        detail=f"`language.keep` is {json.dumps(keep, ensure_ascii=False)}. If these languages are wanted:",
        command=f"{manifest.get('command', 'curate run')} --set 'language.keep={wanted}'",
        section="languages",
    )


def _without_effect(manifest: Mapping[str, Any], found: Sequence[WithoutEffect]) -> Iterator[Alert]:
    """Settings of the user that changed nothing, and limits that no document is beyond."""
    for one in found:
        yield Alert(level="warning", title=f"`{one.setting}` had no effect: {one.why}", detail=one.hint)
    given, removed = set(manifest.get("given", ())), manifest["counts"]["removed"]
    idle = [
        rule["setting"]
        for stage in manifest.get("stages", ())
        for rule in stage.get("rules", ())
        if rule.get("setting") in given and not removed.get(stage["name"], {}).get("reasons", {}).get(rule["reason"])
    ]
    if idle:
        yield Alert(
            level="note",
            title=f"{len(idle)} {'limit' if len(idle) == 1 else 'limits'} that you set removed nothing",
            detail=_listed(idle),
        )


def _unsure_languages(manifest: Mapping[str, Any], labels: Sequence[Label]) -> Iterator[Alert]:
    """Wanted labels that fell for their score alone: a third of all English, say."""
    settings = manifest.get("config", {}).get("language", {})
    keep = settings.get("keep", [])
    for label in labels:
        share = label.removed / label.documents
        if label.documents >= _FEW and share > UNSURE and (label.language in keep or ALL in keep):
            most = f", most in {_listed(label.sources)}" if label.sources else ""
            yield Alert(
                level="warning",
                title=f"{quantities.share(share)} of the documents labelled `{label.language}` were removed for a low"
                f" score{most}",
                detail=f"{quantities.count(label.removed)} documents; `language.min_score` is"
                f" {settings.get('min_score')}. Short and technical texts score low though their label is right. Those"
                " nearest to the limit:",
                command=_sample_command(manifest, "language.low_score"),
                section="languages",
            )


def _skewed_sources(manifest: Mapping[str, Any], sources: Sequence[Group]) -> Iterator[Alert]:
    documents = sum(group.documents for group in sources)
    lost = 1 - sum(group.kept for group in sources) / documents if documents else 0.0
    for group in sources:
        if group.documents >= _FEW and (1 - group.kept_share) - lost > SKEW:
            yield Alert(
                level="warning",
                title=f"Source `{group.name}` lost {quantities.share(1 - group.kept_share)}"
                f" (all sources: {quantities.share(lost)})",
                detail=f"Most of it to `{group.top_reason}`." if group.top_reason else "",
                command=_sample_command(manifest, group.top_reason, group.name)
                if group.top_reason and group.name != UNNAMED_SOURCE
                else "",
                section="sources",
            )


def _quarantine(manifest: Mapping[str, Any]) -> Iterator[Alert]:
    quarantined = manifest["counts"]["quarantined"]
    if quarantined:
        files = [entry["name"] for entry in manifest.get("inputs", ()) if entry.get("quarantined")]
        one = quarantined == 1
        yield Alert(
            level="warning",
            title=f"{quantities.count(quarantined)} {'record' if one else 'records'} could not be read",
            detail=f"In {_listed(files)}. {'Its' if one else 'Their'} bytes are in the folder `quarantine`,"
            " with position and reason.",
            section="inputs",
        )


def _losses(manifest: Mapping[str, Any]) -> Iterator[Alert]:
    """Pieces of input that are more than one document, the largest first."""
    for loss in manifest.get("losses", ())[:LOSSES]:
        documents, size = loss["lost_documents"], loss["lost_bytes"]
        if documents is not None:
            what = f"{quantities.count(documents)} documents"
        elif loss["reason"] == "truncated_file":
            what = "an unknown number of documents"
        else:
            what = quantities.size(size or 0)
        yield Alert(
            level="warning",
            title=f"{what} of `{loss['file']}` could not be read: {loss['detail'].partition(': ')[0]}",
            detail=loss["detail"],
            section="inputs",
        )


def _inputs(manifest: Mapping[str, Any]) -> Iterator[Alert]:
    said = " ".join(manifest.get("warnings", ()))
    names = (entry["name"] for entry in manifest.get("inputs", ()) if entry.get("empty"))
    empty = [name for name in names if name not in said]
    if empty:
        yield Alert(
            level="note",
            title=f"{len(empty)} input {'file is' if len(empty) == 1 else 'files are'} empty",
            detail=_listed(empty),
            section="inputs",
        )
    if over := manifest.get("passed_over"):
        yield Alert(
            level="note",
            title=f"{quantities.count(sum(one['records'] for one in over))} records of archives are no pages",
            detail="; ".join(f"{one['reason']} {one['records']:,} ({_details(one)})" for one in over)
            + ". No document is lost with them; where each lies is in the folder `quarantine`.",
            section="inputs",
        )
    skipped = [entry for entry in manifest.get("skipped", ()) if entry["path"] not in said]
    if skipped:
        detail = "; ".join(f"{entry['path']}: {entry['why']}" for entry in skipped[:3])
        lost = any(entry.get("kind", "format") in LOST_KINDS for entry in skipped)
        yield Alert(
            level="warning" if lost else "note",
            title=f"{len(skipped)} {'file was' if len(skipped) == 1 else 'files were'} skipped",
            detail=detail,
            section="inputs",
        )


def _cliffs(histograms: Sequence[Histogram]) -> Iterator[Alert]:
    for histogram in histograms:
        for threshold, near in zip(histogram.thresholds, histogram.near, strict=True):
            share = near / histogram.documents
            if share > CLIFF and not histogram.measure.startswith("near_dup."):
                yield Alert(
                    level="note",
                    title=f"{quantities.share(share)} of the documents lie near the line of `{histogram.measure}`",
                    detail=f"They are within 5 % of {threshold.value:g}; a small change of it would move many across.",
                    section=f"stage-{histogram.measure.partition('.')[0]}",
                )


def _giant_clusters(manifest: Mapping[str, Any], duplicates: Duplicates | None) -> Iterator[Alert]:
    read = manifest["counts"]["read"]
    if duplicates and duplicates.largest and read:
        documents = duplicates.largest[0].documents
        if documents > 10 and documents / read > GIANT:
            yield Alert(
                level="note",
                title=f"{quantities.count(documents)} documents are copies of one,"
                f" {quantities.share(documents / read)} of the corpus",
                section="duplicates",
            )


def _silent_rules(manifest: Mapping[str, Any]) -> Iterator[Alert]:
    removed = manifest["counts"]["removed"]
    for stage in manifest.get("stages", ()):
        given = removed.get(stage["name"], {}).get("reasons", {})
        silent = [rule["reason"] for rule in stage.get("rules", ()) if not given.get(rule["reason"])]
        if silent and len(stage["rules"]) >= MANY_RULES:
            yield Alert(
                level="note",
                title=f"{len(silent)} of {len(stage['rules'])} rules of `{stage['name']}` never fired",
                detail=_listed(silent),
                section=f"stage-{stage['name']}",
            )


def _listed(names: Sequence[str], shown: int = 4) -> str:
    listed = ", ".join(f"`{name}`" for name in names[:shown])
    return listed + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _details(one: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in one["details"].items())
