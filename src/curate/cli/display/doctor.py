"""``curate doctor``: what this machine has, one line each, with a remedy where something is wrong."""

import json as jsonlib
import os
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

import typer
from rich.text import Text

from curate.cache.folder import cache_folder
from curate.cli.display.console import console
from curate.cli.display.format import duration, size
from curate.errors import DISTRIBUTION, CurateError, ExitCode
from curate.process.machine import all_memory, cores, free_memory
from curate.report.quantities import counted
from curate.store.manifest import versions

_OF_EXTRA = re.compile(r"(?P<package>[\w.-]+).*; extra == ['\"](?P<extra>[\w-]+)['\"]")


class Finding(NamedTuple):
    """One line of the check-up; ``remedy`` is something to type."""

    name: str
    good: bool
    detail: str
    remedy: str = ""


def show_checkup(*, json: bool) -> int:
    """Print all findings; exit code 2 when something must be mended before a run."""
    return show_findings([tried(name, check) for name, check in _CHECKS], json=json)


def show_findings(findings: Sequence[Finding], *, json: bool) -> int:
    """Print findings; exit code 2 when something must be mended before a run."""
    if json:
        typer.echo(jsonlib.dumps([finding._asdict() for finding in findings], ensure_ascii=False))
    else:
        out = console(stderr=False)
        for finding in findings:
            mark = ("ok  ", "green") if finding.good else ("fix ", "bold red")
            out.print(Text.assemble(mark, f"{finding.name:<12} {finding.detail}"), soft_wrap=True)
            if finding.remedy:
                out.print(Text(f"     hint: {finding.remedy}", "cyan"), soft_wrap=True)
        bad = [finding.name for finding in findings if not finding.good]
        out.print(
            Text(f"{counted(len(bad), 'problem')}: {', '.join(bad)}" if bad else f"{len(findings)} checks, no problem")
        )
    return ExitCode.DONE if all(finding.good for finding in findings) else ExitCode.USER_ERROR


def tried(name: str, check: Callable[[], tuple[bool, str, str]]) -> Finding:
    """What a check finds; whatever it raises is a finding."""
    try:
        return Finding(name, *check())
    except CurateError as error:
        return Finding(name, good=False, detail=error.message, remedy=error.hint)
    except Exception as error:  # noqa: BLE001  (a broken installation can fail in any way; that is the finding)
        return Finding(
            name,
            good=False,
            detail=f"{type(error).__name__}: {error}",
            remedy=f"pip install --force-reinstall {DISTRIBUTION}",
        )


def _packages() -> tuple[bool, str, str]:
    found = versions()
    missing = [name for name, version in found.items() if version == "not installed"]
    shown = ", ".join(f"{name} {version}" for name, version in found.items())
    return not missing, shown, f"pip install {' '.join(missing)}" if missing else ""


def _extras() -> tuple[bool, str, str]:
    """Packages that only some stages and verbs need; none of them missing is a fault."""
    needs = defaultdict[str, list[str]](list)
    for requirement in requires(DISTRIBUTION) or ():
        if (found := _OF_EXTRA.match(requirement)) and found["extra"] != "all":
            needs[found["extra"]].append(found["package"])
    missing = [extra for extra, packages in needs.items() if not all(map(_installed, packages))]
    shown = ", ".join(f"{extra} {'no' if extra in missing else 'yes'}" for extra in needs)
    return True, shown, f"pip install '{DISTRIBUTION}[{','.join(missing)}]'" if missing else ""


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _machine() -> tuple[bool, str, str]:
    free = free_memory()
    detail = f"{cores()} cores, {size(free)} of {size(all_memory())} memory free"
    return (
        free > 700_000_000,
        detail,
        "" if free > 700_000_000 else "close other programs",
    )


def _disk() -> tuple[bool, str, str]:
    free = shutil.disk_usage(".").free
    return (
        free > 1_000_000_000,
        f"{size(free)} free here",
        "" if free > 1_000_000_000 else "choose another disk with -o",
    )


def _cache() -> tuple[bool, str, str]:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    return (
        True,
        f"{folder}{'' if writable else ' (not writable: tables are built in each run)'}",
        ("" if writable else "export CURATE_CACHE_DIR=/a/writable/folder"),
    )


def _stages() -> tuple[bool, str, str]:
    """Load every stage and run it on one sentence: models, vocabularies, kernels."""
    from curate.cli.display.trial import try_stage
    from curate.stages import BUILTIN, stage_class

    started = time.monotonic()
    for name, _ in BUILTIN:
        try_stage(stage_class(name))
    return True, f"all stages ran on one sentence ({duration(time.monotonic() - started)})", ""


_CHECKS: tuple[tuple[str, Callable[[], tuple[bool, str, str]]], ...] = (
    ("packages", _packages),
    ("extras", _extras),
    ("machine", _machine),
    ("disk", _disk),
    ("cache", _cache),
    ("stages", _stages),
)
