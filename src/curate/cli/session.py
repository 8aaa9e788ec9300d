"""``curate run`` on a terminal: a `Job` whose events are shown, and what is printed before and after."""

import json as jsonlib
import shlex
import sys
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from rich.console import Console

from curate.cli.display.console import Color, console
from curate.cli.display.notes import note
from curate.cli.display.run.log_file import logged
from curate.cli.display.run.plain import PlainFace
from curate.cli.display.run.plan import show_header, show_plan
from curate.cli.display.run.profile import show_profile
from curate.cli.display.run.quiet import QuietFace
from curate.cli.display.run.record import show_record
from curate.cli.display.run.terminal import TerminalFace
from curate.engine.base import spreading
from curate.errors import ConfigError, ExitCode
from curate.events import Emit, Event
from curate.pipeline.planning.config import load
from curate.pipeline.planning.engines import local_engine
from curate.runs.job import Job
from curate.store.files import on_this_disk, place
from curate.store.manifest import read_manifest
from curate.store.objects.bucket import is_url
from curate.store.objects.store_path import use_endpoint
from curate.store.run_directory import REPORT_PAGE

if TYPE_CHECKING:
    from curate.report.made_before import MadeBefore
    from curate.report.model import Report

Face = TerminalFace | PlainFace | QuietFace
Form = Literal["text", "markdown"]

_DRAWN_WITH = ("report", "run", "storage")
"""Sections of settings that a report is drawn with."""


class Session(Job):
    """A job with an audience: one command's worth of work."""

    def show_plan(self, *, json: bool = False, color: Color = "auto", warnings: bool = True) -> int:
        """Print the plan with an estimate of time and disk; writes nothing."""
        out, planned = console(color), self.planned()
        if json:
            sys.stdout.write(jsonlib.dumps(planned.as_data(), ensure_ascii=False) + "\n")
        else:
            show_header(out, planned.plan, planned.workers)
            show_plan(out, planned.plan, planned.estimate, planned.travels, planned.mixture)
        for text in planned.warnings if warnings else ():
            note(out, "warning", text.message, text.hint)
        return ExitCode.DONE

    def work(
        self,
        *,
        face: Literal["auto", "plain", "quiet"] = "quiet",
        fresh: bool = False,
        json: bool = False,
        form: Form = "text",
        color: Color = "auto",
        quiet: int = 0,
        open_page: bool = False,
        profile: bool = False,
        began: float | None = None,
        log_file: str | None = None,
    ) -> int:
        """Run to the end; returns the exit code.

        Args:
            face: how progress is shown; ``auto`` is live on a terminal, plain lines elsewhere.
            fresh: forget what the run directory holds.
            json: print summary, reasons and alerts as one JSON object on stdout instead of the run directory.
            form: ``markdown`` prints the run as a page of a CI job shows it, instead of the run directory.
            color: of what people read on stderr.
            quiet: 1 hides progress and record, 2 also warnings.
            open_page: open the report in a browser.
            profile: show what every step cost.
            began: when the command began (`time.monotonic`), before anything was loaded; None: now.
            log_file: gets everything, too, even what ``quiet`` hides.
        """
        clock = time.monotonic() if began is None else began
        err = console(color)
        with logged(log_file, self.command_line(), self.paths, self.output) as log:
            hearing = [*([] if quiet else [err]), *([log] if log else [])]
            prepared = self.prepared(fresh=fresh)
            for out in hearing:
                show_header(out, prepared.plan, prepared.engine.workers)
            with _face(face, err, quiet) as shown:
                done = self.carried_out(prepared, _both(shown, PlainFace(log)) if log else shown, fresh=fresh)
            report, page = done.report, place(self.output) / "report.html"
            spent = time.monotonic() - clock
            for out in hearing:
                show_record(out, report.manifest, page, report.summary, spent, done.outcome.reused_parts)
                if profile and report.manifest.profile:
                    show_profile(out, report.manifest.profile)
            for out in [*([err] if quiet < 2 else []), *([log] if log else [])]:
                _show_alerts(out, report)
        _print_result(report, self.output, json=json, form=form)
        if open_page:
            webbrowser.open(on_this_disk(page).as_uri())
        return ExitCode.DONE if done.passed else ExitCode.GATE_FAILED


def _show_alerts(out: Console, report: "Report | MadeBefore") -> None:
    for alert in report.alerts:
        if alert.level != "note" and alert.title not in report.manifest.warnings:
            where = f". {alert.detail}" if alert.detail and not alert.command else ""  # which files, and what to do
            note(out, "error" if alert.level == "problem" else "warning", f"{alert.title}{where}", alert.command)


def _print_result(report: "Report | MadeBefore", run: str, *, json: bool, form: Form = "text", page: str = "") -> None:
    """What a script reads: one object, Markdown, or a path."""
    if json:
        told = {
            "run": run,
            "report": f"{run.rstrip('/')}/{REPORT_PAGE}",
            **msgspec.to_builtins(report.summary),
            "reasons": report.manifest.counts.reasons,
            "alerts": [
                {"level": one.level, "title": one.title, "detail": one.detail, "command": one.command}
                for one in report.alerts
            ],
        }
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    elif form == "markdown":
        from curate.cli.display.run.markdown import as_markdown
        from curate.report.model import Report
        from curate.runs.finished import Run

        # of a report that need not be made again nothing is at hand but its summary
        sys.stdout.write(as_markdown(report if isinstance(report, Report) else Run(place(run)).report))
    else:
        sys.stdout.write(f"{page or run}\n")


def _both(*faces: Emit) -> Emit:
    def tell(event: Event) -> None:
        for face in faces:
            face(event)

    return tell


def _face(face: str, err: Console, quiet: int) -> Face:
    if face == "quiet" or quiet:
        return QuietFace(err, warnings=quiet < 2)
    return TerminalFace(err) if face == "auto" and err.is_terminal else PlainFace(err)


def redraw(
    run: str,
    config_file: str | None,
    assignments: Sequence[str],
    *,
    no_samples: bool,
    open_page: bool,
    json: bool,
) -> int:
    """Build the report of a finished run again; its own settings hold unless a file is given."""
    from curate.report.html.page import ReportMaker

    file = Path(config_file) if config_file else None
    if is_url(run):
        use_endpoint(load(file, assignments=assignments).endpoint)
    folder = place(run)
    manifest = read_manifest(folder)
    before = manifest.section("report") if config_file is None else {}
    kept = [f"report.{key}={jsonlib.dumps(value)}" for key, value in before.items()]
    config = load(
        file,
        {"report.samples": 0 if no_samples else None},
        [*kept, *assignments],
    )
    for assignment in assignments:
        if assignment.partition(".")[0] not in _DRAWN_WITH:
            raise ConfigError(
                f"`--set {assignment}` does not change a report: only settings of [report] do",
                hint=f"curate whatif {shlex.quote(run)} --set {shlex.quote(assignment)}",
            )
    engine = local_engine(config)
    with ReportMaker(folder, config.report, spreading(engine), engine.exchange) as maker:
        report = maker.make()
    engine.close()
    page = folder / "report.html"
    _print_result(report, run, json=json, page=str(page))
    if open_page:
        webbrowser.open(on_this_disk(page).as_uri())
    return ExitCode.DONE
