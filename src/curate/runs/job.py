"""What the user asked for, carried out: settings and files to a plan, the plan to a finished run with its report.

Nothing here prints, and nothing listens to signals: what happens is reported as events, and problems are raised.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from curate.cache.kernels import load_runtime
from curate.corpus.discovery.discover import Discovery, discover
from curate.corpus.discovery.notices import notices
from curate.corpus.discovery.standard_input import STANDARD, spooled, spooled_for_now
from curate.corpus.inspection.inspect import inspect
from curate.corpus.memory import for_one_document
from curate.corpus.parts import cut
from curate.engine.base import Engine, spreading
from curate.errors import PlanError, Stopped, UserError
from curate.events import Emit, Event, Warned, Working
from curate.models.tokenizers import LITTLE
from curate.pipeline.execute import execute, forget
from curate.pipeline.first_compile import announced_compiling
from curate.pipeline.mix_forecast import forecast, foretold
from curate.pipeline.planning.config import Config, load
from curate.pipeline.planning.engines import engine_for, require_able, run_memory
from curate.pipeline.planning.estimate import estimated
from curate.pipeline.planning.plan import Plan, left_out, make_plan, make_stages
from curate.pipeline.planning.trial import tried
from curate.pipeline.planning.unused_settings import unused_notes
from curate.pipeline.record.outcome import Outcome, manifest_of
from curate.pipeline.sharding.mixing import check_mix
from curate.pipeline.sharding.shard_places import CLUSTER
from curate.pipeline.stage_answers import asked
from curate.process.address_space import require_address_space
from curate.process.machine import cores
from curate.process.stopping import stoppable
from curate.runs.command_line import command_line
from curate.runs.planned import Planned
from curate.runs.progress import Progress
from curate.runs.stopped import explained, stopped
from curate.shards.index import layout_of
from curate.stages.contract import Encoder, Stage
from curate.store.earlier_run import earlier_runs
from curate.store.efforts import Efforts
from curate.store.files import place
from curate.store.history import History, entry_of
from curate.store.manifest import find_manifest, write_manifest
from curate.store.objects.bucket import is_url
from curate.store.objects.store_path import use_endpoint
from curate.store.ownership.claim import claimed, require_usable
from curate.store.ownership.outputs import require_outside_runs
from curate.store.ownership.tidying import first_row_file
from curate.store.run_directory import HISTORY, RunDirectory

if TYPE_CHECKING:
    from curate.report.made_before import MadeBefore
    from curate.report.model import Report
    from curate.runs.measurement import Measurement


class Prepared(NamedTuple):
    """A plan that can be carried out: its output folder can be written."""

    plan: Plan
    engine: Engine
    warnings: list[Warned]
    measurement: "Measurement | None" = None
    """What is to be measured when it is done."""


class Done(NamedTuple):
    """A finished run: its report, and what making it was like."""

    report: "Report | MadeBefore"
    outcome: Outcome

    @property
    def passed(self) -> bool:
        """Whether it met every gate."""
        return all(gate.passed for gate in self.report.manifest.gates)


@dataclass
class Job:
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
        arguments: section → settings, as a Python program gives them.
        in_folder: whether a settings file of the current folder counts.
        take_over: take a run directory in a bucket from the run that holds it.
    """

    paths: Sequence[str]
    output: str = "curated"
    config_file: str | None = None
    assignments: Sequence[str] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    in_folder: bool = True
    take_over: bool = False
    _held: "tempfile.TemporaryDirectory[str] | None" = None

    def config(self) -> Config:
        """The settings, validated; from now on ``s3://`` means the server that they name."""
        file = Path(self.config_file) if self.config_file else None
        found = load(file, self.flags, self.assignments, arguments=self.arguments, in_folder=self.in_folder)
        use_endpoint(found.endpoint)
        return found

    def stages(self, config: Config) -> tuple[Stage, ...]:
        """The stages asked for, in a working order."""
        return make_stages(config, self.only, self.skip)

    def found(self, config: Config, standard_input: str = "") -> Discovery:
        """The files that the paths lead to; ``standard_input`` is the file that holds it, where it is read."""
        _check_name(self.output)
        return discover(list(self.paths), config.input, self.output, standard_input)

    def plan(self, config: Config, stages: tuple[Stage, ...], found: Discovery | None = None) -> Plan:
        """The checked plan: files looked at, parts cut.

        Args:
            config: the settings.
            stages: as `stages` gives them.
            found: as `found` gives it.
        """
        found = found or self.found(config)
        memory = for_one_document(run_memory(config))
        files, without_text = inspect(found.files, config.input, config.run.workers or cores(), memory)
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

    def planned(self) -> Planned:
        """The plan with an estimate of time and disk; writes nothing."""
        config = self.config()
        held = spooled_for_now() if STANDARD in self.paths else None
        found = self.found(config, held[0] if held else "")
        plan = self.plan(config, self.stages(config), found)
        engine = engine_for(config, plan)
        notes = [*notices(plan.files, plan.skipped), *_setting_notes(plan), *_stage_notes(plan.stages, config, found)]
        trial = tried(plan)
        guess, mixture = estimated(trial, engine.workers), forecast(plan, trial)
        engine.close()
        if held:
            held[1].cleanup()
        return Planned(plan, guess, engine.workers, notes, self.output, mixture)

    def prepared(self, *, fresh: bool = False) -> Prepared:
        """The plan, for a folder that can be written, and what to warn of.

        What the run needs is loaded meanwhile, tokenizers outside the interpreter's lock.
        """
        with stoppable(self._stopped_early):
            require_address_space()
            config = self.config()
            stages = self.stages(config)
            _check_name(self.output)
            require_usable(place(self.output), [stage.name for stage in stages], fresh=fresh)
            require_outside_runs(place(self.output), new_run=True)
            held = self._standard_input() if STANDARD in self.paths else ""
            measurement = None
            if config.evidence.measure:
                from curate.runs.measurement import measurement_of

                measurement = measurement_of(self.output, config, [stage.name for stage in stages])
            with ThreadPoolExecutor(2) as pool:
                runtime, found = pool.submit(load_runtime), self.found(config, held)
                notes = pool.submit(_stage_notes, stages, config, found)
                plan = self.plan(config, stages, found)
                import_module("curate.report.html.page")
                pa.array([0])  # the first list has pyarrow import pandas, where there is one: 0.2 s
                runtime.result()
                warnings = [*notices(plan.files, plan.skipped), *_setting_notes(plan), *notes.result()]
                return Prepared(plan, engine_for(config, plan), warnings, measurement)

    def _standard_input(self) -> str:
        """The file that holds standard input: in the run directory, to go on with; of a bucket, for this run only."""
        where = place(self.output)
        if is_url(self.output):
            path, self._held = spooled_for_now()
            return path
        return spooled(Path(where))

    def carried_out(self, prepared: Prepared, hear: Emit, *, fresh: bool = False) -> Done:
        """Run a plan to its end.

        Args:
            prepared: the plan, made with the same ``fresh``.
            hear: called with each event, from several threads.
            fresh: forget what the run directory holds.

        Raises:
            Stopped: a signal, or a disk that takes no more; what is finished is safe.
            UserError: another run holds the folder, or a run over other files.
        """
        plan, command, progress = prepared.plan, self.command_line(), Progress()
        directory = RunDirectory(place(self.output), [part.name for part in plan.parts])
        if prepared.engine.is_shared:
            directory.share()

        def tell(event: Event) -> None:
            progress(event)
            hear(event)

        def why() -> Stopped:
            return stopped(directory, progress, prepared.engine.stopped or "stopped", command)

        with (
            explained(directory, progress, command, prepared.engine),
            claimed(directory.path, command, take_over=self.take_over),
        ):
            if fresh:
                forget(directory.path)
            self._refuse_other_corpus(plan, directory)
            require_able(prepared.engine, plan, directory)
            with stoppable(why, prepared.engine.stop):
                try:
                    done = self._worked(prepared, directory, tell)
                except BaseException:
                    prepared.engine.stop()
                    raise
                finally:
                    prepared.engine.close()  # what still runs writes files, and the claim ends behind this
            if prepared.measurement and (report := prepared.measurement.take(directory.path, tell, command)):
                return done._replace(report=report)
            return done

    def _worked(self, prepared: Prepared, directory: RunDirectory, tell: Emit) -> Done:
        from curate.report.html.page import ReportMaker

        plan, engine, warnings, _ = prepared
        with ReportMaker(directory.path, plan.config.report, spreading(engine), engine.exchange) as report:
            for warning in warnings:
                tell(warning)
            with announced_compiling(partial(_compiled, engine, tell), plan.stages) as ready:
                if table := foretold(plan, directory):
                    tell(Working(table))
                outcome = execute(plan, directory, engine, tell, ready, report.begin)
            told = [warning.message for warning in warnings]
            manifest = manifest_of(outcome, directory, self.command_line(), told, spreading(engine))
            history = History(directory.path)
            if history.damage:
                lost = "its content is lost" if history.is_ours else "it is left alone, and no history is kept"
                tell(Warned(f"`{HISTORY}` {history.damage}: {lost}"))
            history.keep(entry_of(manifest))
            write_manifest(directory.manifest, manifest)
            Efforts(directory.efforts).clear()
            if (known := report.known()) is None:
                tell(Working("drawing the report"))
            made = known or report.make()
        return Done(made, outcome)

    def command_line(self) -> str:
        """The command that does this again."""
        return command_line(
            self.paths,
            self.output,
            config_file=self.config_file,
            assignments=self.assignments,
            flags=self.flags,
            arguments=self.arguments,
            limit=self.limit,
            only=self.only,
            skip=self.skip,
        )

    def _stopped_early(self) -> Stopped:
        return Stopped("stopped before the first document was read; nothing was written", hint=self.command_line())

    def _refuse_other_corpus(self, plan: Plan, directory: RunDirectory) -> None:
        """A run directory whose files are all unknown to this plan holds someone else's work."""
        if manifest := find_manifest(directory.path).manifest:
            before = {(entry.name, entry.fingerprint) for entry in manifest.inputs}
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
                hint=f"choose another folder with -o, or discard that run: {self.command_line()} --fresh",
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
    """Stages of the recipe that do not run, and settings of the user that change nothing."""
    config = plan.config
    without = [
        Warned(f"the recipe's stage `{name}` does not run: {why}", hint=f"curate explain config.{name}")
        for name, why in left_out(config).items()
    ]
    return without + unused_notes(plan.config, [stage.name for stage in plan.stages], plan.files, plan.skipped)


def _stage_notes(stages: Sequence[Stage], config: Config, found: Discovery) -> list[Warned]:
    """Load what the stages need, see that shards can hold the vocabulary, and what stages have to say about it."""
    shards = config.shards
    for stage in stages:
        if isinstance(stage, Encoder):
            stage.expect(found.size(LITTLE))
            layout_of(shards, stage.tokenizer)  # type: ignore[attr-defined]
            check_mix(config.mix, stages)
            if shards.validation and not any(CLUSTER in each.adds for each in stages):
                raise PlanError(
                    "`shards.validation` keeps copies of a document on one side, and no stage finds them",
                    hint="add `near_dup` to pipeline.stages",
                )
    warned = []
    for stage in stages:
        with asked(stage):
            warned += [Warned(f"{stage.name}: {text}") for text in stage.warnings()]
    return warned


def _compiled(engine: Engine, tell: Emit, event: Event) -> None:
    """A kernel was not in the cache."""
    engine.compiling()
    tell(event)
