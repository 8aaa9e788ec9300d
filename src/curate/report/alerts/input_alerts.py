"""What deserves a second look in what was read."""

from collections.abc import Iterator

from curate.corpus.discovery.notices import is_about_a_folder
from curate.corpus.input import LOST_KINDS
from curate.errors import listed
from curate.report import quantities
from curate.report.alerts.alert import Alert
from curate.store.manifest_entries import Manifest, PassedOver

LOSSES = 3
"""Pieces of unread input named one by one."""


def of_input(manifest: Manifest) -> Iterator[Alert]:
    """Records that could not be read, lost pieces of files, empty and skipped files."""
    yield from _quarantine(manifest)
    yield from _losses(manifest)
    yield from _files(manifest)


def _quarantine(manifest: Manifest) -> Iterator[Alert]:
    quarantined, losses = manifest.counts.quarantined, manifest.losses
    named = sum(1 if loss.lost_documents is None else loss.lost_documents for loss in losses[:LOSSES])
    if quarantined and quarantined != named:
        files = [entry.name for entry in manifest.inputs if entry.quarantined]
        one = quarantined == 1
        yield Alert(
            level="warning",
            title=f"{quantities.counted(quarantined, 'record')} could not be read",
            detail=f"In {listed(files, most=4)}. {'Its' if one else 'Their'} bytes are in the folder `quarantine`,"
            " with position and reason.",
            section="inputs",
            documents=quarantined,
        )


def _losses(manifest: Manifest) -> Iterator[Alert]:
    """Pieces of input that are more than one document, the largest first."""
    for loss in manifest.losses[:LOSSES]:
        documents, size = loss.lost_documents, loss.lost_bytes
        if documents is not None:
            what = quantities.counted(documents, "document")
        elif loss.reason == "truncated_file":
            what = "An unknown number of documents"
        else:
            what = quantities.size(size or 0)
        why, _, more = loss.detail.partition(": ")
        yield Alert(
            level="warning",
            title=f"{what} of `{loss.file}` could not be read: {why}",
            detail=more[:1].upper() + more[1:],
            section="inputs",
            documents=documents or 0,
        )


def _files(manifest: Manifest) -> Iterator[Alert]:
    said = " ".join(manifest.warnings)
    names = (entry.name for entry in manifest.inputs if entry.empty)
    empty = [name for name in names if name not in said]
    if empty:
        yield Alert(
            level="note",
            title=f"{len(empty)} input {'file is' if len(empty) == 1 else 'files are'} empty",
            detail=listed(empty, most=4),
            section="inputs",
        )
    if over := manifest.passed_over:
        yield Alert(
            level="note",
            title=f"{quantities.count(sum(one.records for one in over))} archive records are not pages",
            detail="; ".join(f"{one.reason} {one.records:,} ({_details(one)})" for one in over)
            + ". No document is lost with them; the folder `quarantine` says where each is.",
            section="inputs",
        )
    noticed = {entry.kind for entry in manifest.skipped if entry.path in said}  # with one, all others of its kind
    skipped = [entry for entry in manifest.skipped if entry.kind not in noticed or is_about_a_folder(entry.path)]
    skipped = [entry for entry in skipped if entry.path not in said]
    if skipped:
        detail = "; ".join(f"{entry.path}: {entry.why}" for entry in skipped[:3])
        lost = any(entry.kind in LOST_KINDS for entry in skipped)
        yield Alert(
            level="warning" if lost else "note",
            title=f"{len(skipped)} {'file was' if len(skipped) == 1 else 'files were'} skipped",
            detail=detail,
            section="inputs",
        )


def _details(one: PassedOver) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in one.details.items())
