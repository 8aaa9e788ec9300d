"""What deserves a second look, most pressing first: each with what to do about it."""

import json
import shlex
from collections.abc import Callable, Iterator, Sequence

from curate.errors import listed
from curate.models.langid import UNDETERMINED
from curate.report import quantities
from curate.report.alerts.alert import FEW, Alert, Level, run_of, sample_command
from curate.report.alerts.input_alerts import of_input
from curate.report.alerts.rule_alerts import of_rules
from curate.report.crossed import Crossed
from curate.report.duplicates import Duplicates
from curate.report.judgments.measures import Histogram
from curate.report.sources import UNMEASURED, UNNAMED_SOURCE, Group, Label
from curate.report.unused import WithoutEffect
from curate.stages.language import ALL
from curate.store.manifest_entries import Manifest

OTHER_LANGUAGES = 0.30
"""Share of the corpus in languages that are not kept, above which the keep list may be a mistake."""
UNSURE = 0.10
"""Share of the documents with a wanted label that a low score removed, above which the limit may be a mistake."""
SKEW = 0.25
"""A source or wanted language that lost this much more than all of them together."""
GIANT = 0.01
"""Share of the corpus in one cluster of duplicates."""
HEAVY = 0.50
"""A stage that removed more of what reached it."""

Tokens = Callable[[float], float | None]
"""Bytes of raw text → about how many tokens that is; None where nothing counted tokens."""


def find_alerts(
    manifest: Manifest,
    *,
    sources: Sequence[Group],
    languages: Sequence[Group],
    labels: Sequence[Label] = (),
    without_effect: Sequence[WithoutEffect] = (),
    histograms: Sequence[Histogram],
    duplicates: Duplicates | None,
    crossed: Crossed,
) -> tuple[Alert, ...]:
    """Everything worth a look: problems first, and of each level what most documents and tokens are at stake in."""
    tokens = _tokens(manifest)
    found = [
        *_sample(manifest),
        *_gates(manifest),
        *_gates_that_cannot_fail(manifest),
        *_too_few_documents(manifest),
        *_unknown_characters(manifest),
        *_other_languages(manifest, languages, tokens),
        *_unsure_languages(manifest, labels, tokens),
        *_heavy_stages(manifest, languages, tokens),
        *_skewed(manifest, "Source", sources, tokens),
        *_skewed(manifest, "Language", _wanted(manifest, languages), tokens),
        *of_input(manifest),
        *_giant_clusters(manifest, duplicates),
        *(Alert(level="warning", title=text) for text in manifest.warnings),
        *of_rules(manifest, histograms, without_effect, crossed),
    ]
    order: dict[Level, int] = {"problem": 0, "warning": 1, "note": 2}
    first: dict[str, Alert] = {}
    for alert in found:
        first.setdefault(alert.title, alert)
    read, raw = max(1, manifest.counts.read), tokens(_raw_bytes(manifest)) or 1
    return tuple(
        sorted(first.values(), key=lambda one: (order[one.level], -max(one.documents / read, (one.tokens or 0) / raw)))
    )


def _tokens(manifest: Manifest) -> Tokens:
    raw, size = manifest.tokens.raw.value if manifest.tokens else None, _raw_bytes(manifest)
    return (lambda found: found * raw / size) if raw is not None and size else (lambda _: None)


def _raw_bytes(manifest: Manifest) -> int:
    return manifest.flow[0].text_bytes_in if manifest.flow else 0


def _gates_that_cannot_fail(manifest: Manifest) -> Iterator[Alert]:
    """Gates that the user set to a limit that no run breaks."""
    given = set(manifest.given)
    for gate in manifest.gates:
        if f"gates.{gate.name}" in given and not gate.can_fail:
            limit = quantities.share(gate.limit) if gate.unit == "share" else f"{gate.limit:,}"
            yield Alert(
                level="note",
                title=f"The gate `{gate.name}` cannot fail: its limit is {limit}",
                section="verdict",
            )


def _gates(manifest: Manifest) -> Iterator[Alert]:
    for gate in manifest.gates:
        if not gate.passed and gate.name != "min_documents":
            of = f" of source `{gate.source}`" if gate.source is not None else ""
            value, limit = quantities.share(gate.value), quantities.share(gate.limit)
            yield Alert(
                level="problem",
                title=f"The gate `{gate.name}` failed: {value}{of}, limit {limit}",
                detail="The command ended with exit code 1.",
                command=_look_at(manifest, gate.source) if gate.source is not None else "",
                section="sources" if gate.source is not None else "verdict",
            )


def _look_at(manifest: Manifest, source: str) -> str:
    """Shows near-duplicates of one source."""
    return sample_command(manifest, "near_dup.near_duplicate", source)


def _too_few_documents(manifest: Manifest) -> Iterator[Alert]:
    """Nothing, or less than asked for, is left; nothing new beside an earlier run is no problem."""
    counts = manifest.counts
    gate = next((gate for gate in manifest.gates if gate.name == "min_documents"), None)
    if gate and not gate.passed:
        few = f"{quantities.counted(int(gate.value), 'document')} of {quantities.count(counts.read)}"
        kept = "No document was kept" if not gate.value else f"Only {few} {'was' if gate.value == 1 else 'were'} kept"
        yield Alert(
            level="problem",
            title=f"{kept}: the gate `min_documents` failed, limit {quantities.count(gate.limit)}",
            detail=f"The command ended with exit code 1. {_most_removed(manifest)}If this is intended, set"
            " `gates.min_documents = 0`.",
            command=_see_removed(manifest),
            section="flow",
            documents=counts.read,
        )
    elif counts.read and not counts.kept:
        held = int(gate.value) if gate else 0
        title = (
            f"Nothing new: {quantities.counted(held, 'document')} in an earlier run" if held else "No document was kept"
        )
        yield Alert(level="note", title=title, detail=_most_removed(manifest).strip(), section="flow")


def _main_reason(manifest: Manifest) -> tuple[str, int]:
    """The reason that most documents were removed for, and how many; empty where none was."""
    return min(manifest.counts.reasons.items(), key=lambda one: (-one[1], one[0]), default=("", 0))


def _most_removed(manifest: Manifest) -> str:
    reason, documents = _main_reason(manifest)
    quarantined = manifest.counts.quarantined
    if quarantined > documents:
        return f"{quantities.counted(quarantined, 'document')} could not be read. "
    return f"Most were removed for `{reason}`: {quantities.counted(documents, 'document')}. " if reason else ""


def _see_removed(manifest: Manifest) -> str:
    reason, documents = _main_reason(manifest)
    run = shlex.quote(run_of(manifest))
    if reason and documents >= manifest.counts.quarantined:
        return sample_command(manifest, reason)
    return f"curate doctor {run}"


def _unknown_characters(manifest: Manifest) -> Iterator[Alert]:
    unknown = manifest.tokens.unknown if manifest.tokens else None
    if not unknown or not unknown.example:
        return
    example, count = unknown.example, quantities.count
    letters = " ".join(
        f"`{letter}` ({point})" if letter.isprintable() and not letter.isspace() else point
        for letter, point in zip(example.characters, example.code_points, strict=True)
    )
    documents = quantities.counted(unknown.documents, "document")
    yield Alert(
        level="warning",
        title=f"The tokenizer does not know {quantities.share(unknown.share)} of the characters of the kept text:"
        f" {count(unknown.characters)} in {documents}, such as {letters} in `{example.document}`",
        detail="They are not in the shards, or only as the unknown token. `gates.max_unknown` limits their share.",
        section="tokens",
        documents=unknown.documents,
    )


def _other_languages(manifest: Manifest, languages: Sequence[Group], tokens: Tokens) -> Iterator[Alert]:
    keep = manifest.section("language").get("keep", [])
    measured = [group for group in languages if group.name != UNMEASURED]
    total = sum(group.documents for group in measured)
    others = [group for group in measured if group.name not in (*keep, UNDETERMINED)]  # und: documents without any word
    share = sum(group.documents for group in others) / total if total else 0.0
    if share <= OTHER_LANGUAGES or ALL in keep:
        return
    named = [group for group in others if group.name.isalpha()]  # not the rest that is counted together
    large = [group for group in named if group.documents >= 0.05 * total]
    few = sum(group.documents for group in large) >= 0.5 * share * total
    large = large if few else named[:3]
    wanted = json.dumps([*keep, *(group.name for group in large)] if few else [ALL], ensure_ascii=False)
    names = ", ".join(f"{group.name} {quantities.share(group.documents / total)}" for group in large)
    which = f" ({names}{'' if few else ' and others'})" if names else ""  # none where all that have a row are kept
    yield Alert(
        level="warning",
        title=f"{quantities.share(share)} of the documents are in languages that were not kept{which}",
        detail=f"`language.keep = {json.dumps(keep, ensure_ascii=False)}`."
        f" If {'these' if few else 'all'} languages are wanted:",
        command=f"{manifest.command} --set 'language.keep={wanted}'",
        section="languages",
        documents=sum(group.documents for group in others),
        tokens=tokens(sum(group.bytes_in for group in others)),
    )


def _unsure_languages(manifest: Manifest, labels: Sequence[Label], tokens: Tokens) -> Iterator[Alert]:
    """Wanted labels that fell for their score alone: a third of all English, say."""
    settings = manifest.section("language")
    keep = settings.get("keep", [])
    for label in labels:
        share = label.removed / label.documents
        if label.documents >= FEW and share > UNSURE and (label.language in keep or ALL in keep):
            most = f", most in {listed(label.sources, most=4)}" if label.sources else ""
            yield Alert(
                level="warning",
                title=f"{quantities.share(share)} of the documents labelled `{label.language}` were removed for a low"
                f" score{most}",
                detail=f"{quantities.count(label.removed)} documents; `language.min_score` is"
                f" {settings.get('min_score')}. Short and technical texts score low though their label is right. Those"
                " nearest to the limit:",
                command=sample_command(manifest, "language.low_score"),
                section="languages",
                documents=label.removed,
                tokens=tokens(label.removed_bytes),
            )


def _wanted(manifest: Manifest, languages: Sequence[Group]) -> list[Group]:
    """Languages that are to be kept."""
    keep = manifest.section("language").get("keep", [])
    return [group for group in languages if group.name in keep or (ALL in keep and group.name.isalpha())]


def _skewed(manifest: Manifest, kind: str, groups: Sequence[Group], tokens: Tokens) -> Iterator[Alert]:
    """Sources, or wanted languages, that lost far more than all of them."""
    documents = sum(group.documents for group in groups)
    lost = 1 - sum(group.kept for group in groups) / documents if documents else 0.0
    for group in groups:
        if group.documents < FEW or (1 - group.kept_share) - lost <= SKEW:
            continue
        can_be_asked = kind == "Source" and group.top_reason and group.name != UNNAMED_SOURCE
        yield Alert(
            level="warning",
            title=f"{kind} `{group.name}` lost {quantities.share(1 - group.kept_share)}"
            f" (all {kind.lower()}s: {quantities.share(lost)})",
            detail=f"Most of it to `{group.top_reason}`." if group.top_reason else "",
            command=sample_command(manifest, group.top_reason, group.name) if can_be_asked else "",
            section=f"{kind.lower()}s",
            documents=group.documents - group.kept,
            tokens=tokens(group.bytes_in - group.bytes_kept),
        )


def _heavy_stages(manifest: Manifest, languages: Sequence[Group], tokens: Tokens) -> Iterator[Alert]:
    """Stages that removed most of what reached them, as far as nothing else says so."""
    said = {"language"} if list(_other_languages(manifest, languages, tokens)) else set[str]()
    for step in manifest.flow if manifest.counts.kept else ():
        given = manifest.counts.reasons_of(step.stage)
        if step.came < FEW or step.removed <= HEAVY * step.came or step.stage in said or not given:
            continue
        reason = min(given, key=lambda code: (-given[code], code))
        yield Alert(
            level="warning",
            title=f"`{step.stage}` removed {quantities.share(step.removed / step.came)} of the documents that reached"
            f" it, most for `{reason}`",
            command=sample_command(manifest, f"{step.stage}.{reason}"),
            section=f"stage-{step.stage}",
            documents=step.removed,
            tokens=tokens(step.text_bytes_in - step.text_bytes_kept),
        )


def _giant_clusters(manifest: Manifest, duplicates: Duplicates | None) -> Iterator[Alert]:
    read = manifest.counts.read
    if duplicates and duplicates.largest and read:
        documents = duplicates.largest[0].documents
        if documents > 10 and documents / read > GIANT:
            yield Alert(
                level="note",
                title=f"{quantities.count(documents)} documents are copies of one,"
                f" {quantities.share(documents / read)} of the corpus",
                section="duplicates",
                documents=documents - 1,
            )


def _sample(manifest: Manifest) -> Iterator[Alert]:
    share = manifest.section("input").get("sample", 1)
    if share < 1:
        yield Alert(
            level="warning",
            title=f"This run is a preview of a sample: {100 * share:.3g} % of the documents of the input",
            detail="They are drawn by a hash of their text: copies are drawn together, near-duplicates are not, and"
            " the whole input has more of those.",
        )
