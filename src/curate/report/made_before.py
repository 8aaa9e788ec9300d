"""Whether the report in a run directory is the one that would be made now: then nothing is read to draw it again.

``report.json`` says what it was made of, twice: of what is known when all documents are judged, and of all that a
report says. The files of judgments need not be compared: they are those of ``run_id``, or the run has made them again.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from curate import __version__
from curate.report.alerts.alert import Alert
from curate.report.html.shown_paths import ShownPaths
from curate.report.model import SCHEMA_VERSION, Summary
from curate.settings.report import ReportSettings
from curate.store.checked_json import BrokenJson, read_json
from curate.store.digest import digest
from curate.store.manifest_entries import Judged, Manifest
from curate.store.objects.tags import is_unchanged, unchanged
from curate.store.report_file import MadeOf, ReportFile
from curate.store.run_directory import EVIDENCE, HISTORY, REPORT_JSON, REPORT_PAGE


class _Written(ReportFile, frozen=True, kw_only=True):
    """What is used again of ``report.json``."""

    summary: Summary
    alerts: tuple[Alert, ...]


class MadeBefore(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says that was not made again; texts as others may see them."""

    summary: Summary
    alerts: tuple[Alert, ...]
    manifest: Manifest


def made_of(run: Path, manifest: Manifest, settings: ReportSettings) -> MadeOf:
    """What a report is made of, as two digests.

    Args:
        run: the run directory.
        manifest: of the run.
        settings: of the report.
    """
    judged = _judged(manifest, settings)
    return MadeOf(
        judged=judged, all=all_as(run, manifest, judged), found=found_as(manifest), epochs=float(settings.epochs)
    )


def may_be_known(run: Path, manifest: Judged, settings: ReportSettings) -> bool:
    """Whether it is likely that nothing need be looked at, as far as judgments say.

    Args:
        run: the run directory.
        manifest: as far as it is known.
        settings: of the report.
    """
    found = _read(run)
    return bool(found and found.made_of and found.made_of.judged == _judged(manifest, settings))


def made_before(run: Path, manifest: Manifest, settings: ReportSettings) -> MadeBefore | None:
    """The report that is there, if it and its page are those that would be made; None where they are not."""
    found = _read(run)
    if not found or found.made_of != made_of(run, manifest, settings):
        return None
    if not _is_whole(run / REPORT_PAGE, found.page_xxh3):
        return None
    shown = ShownPaths.of_run(manifest).of_manifest(manifest)
    return MadeBefore(summary=found.summary, alerts=found.alerts, manifest=shown)


def all_as(run: Path, manifest: Manifest, judged: str) -> str:
    """A digest of all that a report says of a run, of whose judgments ``judged`` is one."""
    beside = [file.read_bytes() for name in (EVIDENCE, HISTORY) if (file := run / name).is_file()]
    return digest(judged, _plain(manifest), beside)


def found_as(manifest: Judged) -> str:
    """A digest of what findings are made of, but for settings of the report."""
    return _judged_as(manifest, None)


def _judged_as(manifest: Judged, settings: Any) -> str:
    known = {name: found for name, found in _plain(manifest).items() if name in Judged.__struct_fields__}
    known["parts"] = manifest.part_names
    return digest(__version__, SCHEMA_VERSION, known, settings)


def _judged(manifest: Judged, settings: ReportSettings) -> str:
    return _judged_as(manifest, msgspec.to_builtins(settings))


def _plain(manifest: Judged) -> dict[str, Any]:
    """The manifest as JSON has it, whether it was read or not."""
    plain: dict[str, Any] = json.loads(json.dumps(msgspec.to_builtins(manifest, enc_hook=str)))
    return plain


def _read(run: Path) -> _Written | None:
    try:
        return msgspec.convert(read_json(run / REPORT_JSON), _Written)
    except (BrokenJson, OSError, msgspec.ValidationError):
        return None


def _is_whole(page: Path, expected: str) -> bool:
    if is_unchanged(page, unchanged(page.parent)):
        return True
    try:
        return xxhash.xxh3_128_hexdigest(page.read_bytes()) == expected
    except OSError:
        return False
