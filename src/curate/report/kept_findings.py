"""Findings that ``report.json`` holds: a page with other prices, or without samples, reads no judgment again.

They belong to the judgments of that run, wherever it is copied to, and hold no text: documents that are shown are read
and checked again. `curate doctor` finds a file that was damaged since.
"""

from pathlib import Path
from typing import Any

import msgspec

from curate.report.made_before import all_as, found_as
from curate.report.model import SCHEMA_VERSION, Findings, Report
from curate.report.samples import Samples
from curate.settings.report import ReportSettings
from curate.store.checked_json import BrokenJson, read_json
from curate.store.manifest_entries import Manifest
from curate.store.report_file import MadeOf
from curate.store.run_directory import REPORT_JSON

SMALL = 100_000
"""Documents of a run whose judgments are looked at again, in a second: damaged ones are found."""


def kept_findings(run: Path, manifest: Manifest, settings: ReportSettings) -> Findings | None:
    """The findings of a large run without samples, where its report holds them; else None.

    Args:
        run: the run directory.
        manifest: of the run.
        settings: of the report that is to be made.
    """
    if sum(part.documents for part in manifest.parts) < SMALL or not (told := _told(run, manifest)):
        return None
    content, made_of = told
    try:
        found = msgspec.convert({**content, "samples": Samples()}, Findings, str_keys=True)
    except msgspec.ValidationError:
        return None
    is_same = made_of.epochs == settings.epochs and settings.samples in {0, found.shown.number}
    return found if is_same else None


def read_report(run: Path, manifest: Manifest) -> Report | None:
    """The report that is written in a run directory, without samples; None where it is not that of the run as it is.

    Args:
        run: the run directory.
        manifest: of the run.
    """
    if not (told := _told(run, manifest)) or told[1].all != all_as(run, manifest, told[1].judged):
        return None
    try:
        return msgspec.convert({**told[0], "samples": Samples(), "manifest": manifest}, Report, str_keys=True)
    except msgspec.ValidationError:
        return None


def _told(run: Path, manifest: Manifest) -> tuple[dict[str, Any], MadeOf] | None:
    """What is written, where this version wrote it of these judgments."""
    try:
        content = read_json(run / REPORT_JSON)
        made_of = msgspec.convert(content.get("made_of"), MadeOf)
    except (OSError, BrokenJson, msgspec.ValidationError):
        return None
    is_ours = content.get("schema_version") == SCHEMA_VERSION and made_of.found == found_as(manifest)
    return (content, made_of) if is_ours else None
