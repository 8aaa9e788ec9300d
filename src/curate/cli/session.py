"""One command's worth of work: settings and files to a plan, the plan to a finished run with its report.

This is what ``curate run`` does, and what a Python program calls::

    from curate.cli.session import Session

    Session(paths=["corpus/"], output="curated").work(face="quiet")
"""

import json as jsonlib
import os
import shlex
import sys
import time
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pyarrow as pa
from rich.console import Console

from curate.cli.display.console import Color, console
from curate.cli.display.notes import note
from curate.cli.display.plain import PlainFace
from curate.cli.display.plan import plan_as_data, show_header, show_plan
from curate.cli.display.profile import show_profile
from curate.cli.display.quiet import QuietFace
from curate.cli.display.record import show_record
from curate.cli.display.terminal import TerminalFace
from curate.corpus.discover import discover
from curate.corpus.inspect import inspect
from curate.corpus.memory import for_one_document
from curate.corpus.notices import notices
from curate.corpus.parts import cut
from curate.engine.base import Interrupted
from curate.engine.local import LocalEngine
from curate.errors import CurateError, ExitCode, PlanError, Stopped, UserError
from curate.events import Warned, Working
from curate.pipeline.config import Config, load
from curate.pipeline.estimate import estimate
from curate.pipeline.execute import execute, forget, local_engine, run_memory
from curate.pipeline.first_compile import announced_compiling, load_compiler
from curate.pipeline.outcome import Outcome, manifest_of, profile_of
from curate.pipeline.plan import Plan, make_plan, make_stages
from curate.pipeline.sharding import CLUSTER
from curate.pipeline.unused_settings import unused_notes
from curate.process.stopping import exit_code, stoppable
from curate.shards.index import layout_of
from curate.shards.settings import ShardSettings
from curate.stages.contract import Encoder, Stage
from curate.store.claim import claimed, require_usable
from curate.store.disk import full_disk, unwritable
from curate.store.earlier_run import earlier_runs
from curate.store.efforts import Efforts
from curate.store.manifest import find_manifest, read_manifest, write_manifest
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.store.tidying import first_row_file

if TYPE_CHECKING:
    from curate.report.model import Report
    from curate.report.page import ReportMaker

Face = TerminalFace | PlainFace | QuietFace


@dataclass
class Session:
    """What the user asked for.

    Attributes:
        paths: folders, files or globs.
        output: the run directory.
        config_file: settings file; None takes ``curate.toml`` of the current folder if there is one.
        assignments: ``section.key=value`` texts.
        flags: ``section.key`` → value given by a flag, None where none was.
        limit: read no more documents than this.
        only: run just these stages.
        skip: leave these out.
    """

    paths: Sequence[str]
    output: str = "curated"
    config_file: str | None = None
    assignments: Sequence[str] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    only: Sequence[str] = ()
    skip: Sequence[str] = ()

    def config(self) -> Config:
        """The settings, validated."""
        return load(Path(self.config_file) if self.config_file else None, self.flags, self.assignments)

    def stages(self, config: Config) -> tuple[Stage, ...]:
        """The stages asked for, in a working order."""
        return make_stages(config, self.only, self.skip)

    def plan(self, config: Config, stages: tuple[Stage, ...]) -> Plan:
        """The checked plan: files found and looked at, parts cut."""
        _check_name(self.output)
        memory = for_one_document(run_memory(config))
        found = discover(list(self.paths), config.input, self.output)
        files, without_text = inspect(found.files, config.input, config.run.workers or os.cpu_count() or 1, memory)
        strands = cut(files, config.input.part_bytes)
        return make_plan(
            config,
            stages,
            files,
            (*found.skipped, *without_text),
            strands,
            limit=self.limit,
            against=earlier_runs(config.input.against, self.output),
        )

    def show_plan(self, *, json: bool = False, color: Color = "auto") -> int:
        """Print the plan with an estimate of time and disk; writes nothing."""
        out = console(color)
        config = self.config()
        plan = self.plan(config, self.stages(config))
        engine = local_engine(config)
        notes = [*notices(plan.files, plan.skipped), *_setting_notes(plan), *_stage_notes(plan.stages, config.shards)]
        guess = estimate(plan, engine.workers)
        engine.close()
        if json:
            sys.stdout.write(jsonlib.dumps(plan_as_data(plan, guess), ensure_ascii=False) + "\n")
        else:
            show_header(out, plan, engine.workers)
            show_plan(out, plan, guess)
        for text in notes:
            note(out, "warning", text.message, text.hint)
        return ExitCode.DONE

    def work(
        self,
        *,
        face: Literal["auto", "plain", "quiet"] = "quiet",
        fresh: bool = False,
        json: bool = False,
        color: Color = "auto",
        quiet: int = 0,
        open_page: bool = False,
        profile: bool = False,
    ) -> int:
        """Run to the end; returns the exit code.

        Args:
            face: how progress is shown; ``auto`` is live on a terminal, plain lines elsewhere.
            fresh: forget what the run directory holds.
            json: print the report's summary as one JSON object on stdout instead of the run directory.
            color: of what people read on stderr.
            quiet: 1 leaves out progress and record, 2 also warnings.
            open_page: open the report in a browser.
            profile: leave what every step cost in ``run.json`` and the report, and show it.
        """
        err, command, clock = console(color), self.command_line(), time.monotonic()
        with stoppable(self._stopped_early):
            plan, warnings = self._prepared(fresh=fresh)
        engine = local_engine(plan.config)
        directory = RunDirectory(Path(self.output), [part.name for part in plan.parts])
        if not quiet:
            show_header(err, plan, engine.workers)
        shown = _face(face, err, quiet)
        with _explained(directory, shown, command), claimed(directory.path, command):
            if fresh:
                forget(directory.path)
            self._refuse_other_corpus(plan, directory)
            report, outcome = self._worked(plan, directory, engine, shown, warnings, profile=profile)
        manifest, page = report.manifest, directory.path / "report.html"
        if not quiet:
            spent = time.monotonic() - clock
            show_record(err, manifest, page, msgspec.to_builtins(report.summary), spent, outcome.reused_parts)
            if profile:
                show_profile(err, manifest["profile"])
        if quiet < 2:
            for alert in report.alerts:
                if alert.level != "note" and alert.title not in manifest["warnings"]:
                    note(err, "warning", alert.title, alert.command)
        if json:
            sys.stdout.write(msgspec.json.encode(report.summary).decode() + "\n")
        else:
            sys.stdout.write(f"{self.output}\n")
        if open_page:
            webbrowser.open(page.resolve().as_uri())
        return ExitCode.DONE if all(gate["passed"] for gate in manifest["gates"]) else ExitCode.GATE_FAILED

    def _prepared(self, *, fresh: bool) -> tuple[Plan, list[Warned]]:
        """The plan, for a folder that can be written.

        What the run needs is loaded meanwhile, tokenizers outside the interpreter's lock.
        """
        config = self.config()
        stages = self.stages(config)
        _check_name(self.output)
        require_usable(Path(self.output), [stage.name for stage in stages], fresh=fresh)
        with ThreadPoolExecutor(2) as pool:
            notes, compiler = pool.submit(_stage_notes, stages, config.shards), pool.submit(load_compiler)
            plan = self.plan(config, stages)
            import_module("curate.report.page")
            pa.array([0])  # the first list has pyarrow import pandas, where there is one: 0.2 s
            compiler.result()
            return plan, [*notices(plan.files, plan.skipped), *_setting_notes(plan), *notes.result()]

    def _stopped_early(self) -> Stopped:
        return Stopped("stopped before the first document was read; nothing was written", hint=self.command_line())

    def _worked(
        self,
        plan: Plan,
        directory: RunDirectory,
        engine: LocalEngine,
        face: Face,
        warnings: Sequence[Warned],
        *,
        profile: bool,
    ) -> tuple["Report", Outcome]:
        from curate.report.page import ReportMaker

        drafting = ReportMaker(directory.path, plan.config.report, engine.spread)
        command = self.command_line()
        stopping = stoppable(partial(_stopped, directory, face, "stopped", command), engine.stop)
        with face, stopping, drafting as report:
            for warning in warnings:
                face(warning)
            with announced_compiling(face, plan.stages) as ready:
                outcome = execute(plan, directory, engine, face, ready, report.begin)
            manifest = manifest_of(outcome, directory, command, [w.message for w in warnings])
            if profile or "profile" in outcome.before:
                manifest["profile"] = profile_of(outcome)
            write_manifest(directory.manifest, manifest)
            Efforts(directory.efforts).clear()
            face(Working("drawing the report"))
            made = report.make()
            for warning in _undrawn(report, self.output):
                face(warning)
        engine.close()
        return made, outcome

    def command_line(self) -> str:
        """The command that does this again."""
        words = ["curate", "run", *self.paths, "-o", self.output]
        if self.config_file:
            words += ["-c", self.config_file]
        for assignment in self.assignments:
            words += ["--set", assignment]
        for key, value in self.flags.items():
            for one in value if isinstance(value, list) else [value]:
                words += ["--" + key.partition(".")[2], str(one)] if one is not None else []
        if self.limit:
            words += ["--limit", str(self.limit)]
        for flag, names in (("--only", self.only), ("--skip", self.skip)):
            for name in names:
                words += [flag, name]
        return os.fsencode(shlex.join(words)).decode("utf-8", "backslashreplace")  # names may be no text

    def _refuse_other_corpus(self, plan: Plan, directory: RunDirectory) -> None:
        """A run directory whose files are all unknown to this plan holds someone else's work."""
        state, manifest = find_manifest(directory.path)
        if state == "whole":
            before = {(entry["name"], entry["fingerprint"]) for entry in manifest["inputs"]}
            now = {(file.name, file.fingerprint) for file in plan.files}
            names = {name for name, _ in now}
            unknown = bool(before) and not before & now and not {name for name, _ in before} & names
            such_as = min(before)[0] if before else ""
        else:
            found = first_row_file(directory.path, other_than=directory.names)
            unknown, such_as = found is not None, f"{found.parent.name}/{found.name}" if found else ""
        if unknown:
            raise UserError(
                f"`{self.output}` holds a run over other files, such as `{such_as}`",
                hint=f"choose another folder with -o, or forget that run: {self.command_line()} --fresh",
            )


def _check_name(output: str) -> None:
    """The output folder has a name that libraries and ``run.json`` can write."""
    if not output.strip():
        raise UserError("the name of the output folder is empty", hint="curate run … -o curated")
    try:
        output.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(output).decode("utf-8", "backslashreplace")
        raise UserError(f"the name of the output folder `{shown}` is not UTF-8", hint="-o curated") from None


def _setting_notes(plan: Plan) -> list[Warned]:
    """Settings of the user that change nothing."""
    return unused_notes(plan.config, [stage.name for stage in plan.stages], plan.files)


def _stage_notes(stages: Sequence[Stage], shards: ShardSettings) -> list[Warned]:
    """Load what the stages need, see that shards can hold the vocabulary, and what stages have to say about it."""
    speaking = [stage for stage in stages if hasattr(stage, "warnings")]
    for stage in stages:
        if isinstance(stage, Encoder):
            layout_of(shards, stage.tokenizer)  # type: ignore[attr-defined]
            if shards.validation and not any(CLUSTER in each.adds for each in stages if hasattr(each, "adds")):
                raise PlanError(
                    "`shards.validation` keeps copies of a document on one side, and no stage finds them",
                    hint="add `near_dup` to pipeline.stages",
                )
    return [Warned(f"{stage.name}: {text}") for stage in speaking for text in stage.warnings()]


def _undrawn(maker: "ReportMaker", run: str) -> list[Warned]:
    """What the user should know of charts that are not on the page."""
    if not maker.undrawn:
        return []
    number, first = len(maker.undrawn), maker.undrawn[0]
    charts = f"{number} charts" if number > 1 else f"the chart `{first.title}`"
    message = f"the report shows numbers in place of {charts}: {first.problem}"
    return [Warned(message, hint=shlex.join(["curate", "report", run]))]


def _face(face: str, err: Console, quiet: int) -> Face:
    if face == "quiet" or quiet:
        return QuietFace(err, warnings=quiet < 2)
    return TerminalFace(err) if face == "auto" and err.is_terminal else PlainFace(err)


@contextmanager
def _explained(directory: RunDirectory, face: Face, command: str) -> Iterator[None]:
    """Turn a stop or a disk that takes no more into an error that says what is safe and how to go on."""
    try:
        yield
    except Interrupted:
        error = _stopped(directory, face, "stopped", command)
        error.exit_code = exit_code()
        raise error from None
    except Exception as problem:
        why = full_disk(problem, directory.path)
        if not why and not isinstance(problem, CurateError):
            why = unwritable(problem, directory.path)
        if not why:
            raise
        raise _stopped(directory, face, why, command) from problem


def _stopped(directory: RunDirectory, face: Face, why: str, command: str) -> Stopped:
    progress = face.progress
    current = progress.current
    place = f" at {progress.fraction:.0%} of pass {current.number}/{current.of}" if current else ""
    safe = sum(file.exists() for file in directory.parts(DOCUMENTS))
    return Stopped(
        f"{why}{place}; {safe:,} part{'s' * (safe != 1)} of documents {'are' if safe != 1 else 'is'} safe,"
        " and the same command continues",
        hint=command,
    )


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
    from curate.report.page import ReportMaker

    folder = Path(run)
    manifest = read_manifest(folder)
    before = manifest["config"]["report"] if config_file is None else {}
    kept = [f"report.{key}={jsonlib.dumps(value)}" for key, value in before.items()]
    config = load(
        Path(config_file) if config_file else None,
        {"report.samples": 0 if no_samples else None},
        [*kept, *assignments],
    )
    engine = local_engine(config)
    with ReportMaker(folder, config.report, engine.spread) as maker:
        report = maker.make()
    engine.close()
    for warning in _undrawn(maker, run):
        note(console(), "warning", warning.message, warning.hint)
    page = folder / "report.html"
    if json:
        sys.stdout.write(msgspec.json.encode(report.summary).decode() + "\n")
    else:
        sys.stdout.write(f"{page}\n")
    if open_page:
        webbrowser.open(page.resolve().as_uri())
    return ExitCode.DONE
