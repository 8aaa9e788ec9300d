"""Findings of a large run, kept on this disk: a page with other prices, or without samples, reads no judgment again.

No text of a document is kept, only which are shown. A file that was touched since is looked at again; one whose time
was set back on purpose is not.
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from curate.cache.folder import cache_folder
from curate.report.made_before import judged_as
from curate.report.model import Findings
from curate.report.samples import Samples
from curate.settings.report import ReportSettings
from curate.store.checked_json import BrokenJson, read_json, write_json
from curate.store.digest import digest
from curate.store.manifest_entries import Manifest
from curate.store.objects.ranges import is_far
from curate.store.run_directory import DOCUMENTS

SMALL = 100_000
"""Documents of a run that is looked at as fast as anything could be looked up."""
RUNS = 16
"""Runs of which something is kept: those that were reported on last."""


def kept_findings(run: Path, manifest: Manifest, settings: ReportSettings) -> Findings | None:
    """Findings that were kept, without samples, where no file was touched since; else None."""
    try:
        if not (file := _file(run, manifest, settings)):
            return None
        content = read_json(file)
        os.utime(file)
        return msgspec.convert(content["findings"], Findings, str_keys=True)
    except (OSError, BrokenJson, KeyError, msgspec.ValidationError):
        return None


def keep_findings(run: Path, manifest: Manifest, settings: ReportSettings, findings: Findings) -> None:
    """Keep findings of a finished run; not of a small one, nor of one in a store, where looking at files is work."""
    without = msgspec.structs.replace(findings, samples=Samples())
    with suppress(OSError):  # a cache that cannot be written is none
        if file := _file(run, manifest, settings):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, {"findings": msgspec.to_builtins(without, str_keys=True)})
            ours = sorted(file.parent.glob("findings-*.json"), key=lambda each: each.stat().st_mtime, reverse=True)
            for old in ours[RUNS:]:
                old.unlink(missing_ok=True)


def _file(run: Path, manifest: Manifest, settings: ReportSettings) -> Path | None:
    """Named by all that findings are made of."""
    if is_far(run) or sum(part.documents for part in manifest.parts) < SMALL:
        return None
    folders = [DOCUMENTS, *manifest.stage_names]
    found = ((run / folder / name).stat() for name in manifest.part_names for folder in folders)
    looks = [[status.st_size, status.st_mtime_ns] for status in found]
    made_of = judged_as(manifest, {"samples": settings.samples, "epochs": settings.epochs})
    return cache_folder() / "report" / f"findings-{digest([made_of, str(run.resolve()), looks])}.json"
