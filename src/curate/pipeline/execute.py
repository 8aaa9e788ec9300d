"""One run from plan to report: passes over the parts, duplicates resolved, shards cut, books balanced.

Every step first looks at what is finished in the run directory, so running the same plan again continues it, and
running a changed plan redoes only what the change touches.
"""

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curate import __version__
from curate.corpus.parts import Strand
from curate.engine.base import Engine, Interrupted, spreading
from curate.errors import InputError, listed
from curate.events import Emit, Event, PassFinished, PassStarted, Warned, Working
from curate.pipeline.choices import Choice, first_choice, later_stages, next_choice, steady
from curate.pipeline.passes import PartResult, PassTask
from curate.pipeline.planning.plan import Pass, Plan
from curate.pipeline.record.outcome import Outcome, judged
from curate.pipeline.record.profile import Made, Profile
from curate.pipeline.sharding.raw_tokens import raw_tokens
from curate.pipeline.sharding.shard_places import cut
from curate.pipeline.sharding.sharding import notes_of, write_shards
from curate.pipeline.sharding.unknown_characters import UnknownCharacters, unknown_characters
from curate.pipeline.step import Step
from curate.pipeline.whole_corpus import keys_for, resolve
from curate.shards.formats import FORMATS
from curate.shards.index import ShardIndex
from curate.stages import stage_names
from curate.stages.contract import Deduplicating, Stage
from curate.store.books import Books, balance
from curate.store.efforts import Efforts
from curate.store.files import remove
from curate.store.history import History
from curate.store.manifest import find_manifest
from curate.store.manifest_entries import Judged, RawTokens
from curate.store.ownership.tidying import clear_unfinished, is_page, is_report, tidy
from curate.store.row_file import keys_of
from curate.store.run_directory import DOCUMENTS, MANIFEST, QUARANTINE, REPORT_JSON, REPORT_PAGE, SHARDS, RunDirectory

Ready = Callable[[Stage], None]
OnJudged = Callable[[Judged], None]


def execute(
    plan: Plan,
    directory: RunDirectory,
    engine: Engine,
    emit: Emit,
    ready: Ready | None = None,
    on_judged: OnJudged | None = None,
) -> Outcome:
    """Run a plan in a claimed directory.

    Args:
        plan: checked stages and inspected files.
        directory: where everything goes; what it holds already is used.
        engine: where the work runs.
        emit: hears of progress, from several threads.
        ready: called before a stage measures a batch; returns when it may.
        on_judged: called when all judgments are there, with what `curate.pipeline.record.outcome.judged` says of them;
            shards are still being written.

    Raises:
        Interrupted: the engine was asked to stop; everything finished is safe.
        BooksDoNotBalance: the files do not add up.
    """
    run = _Run(plan, directory, engine, emit, ready, on_judged)
    return run.execute()


def forget(path: Path) -> None:
    """Remove all that earlier runs wrote to a directory, of whatever layout, and nothing else.

    Args:
        path: a claimed run directory.
    """
    found = find_manifest(path)
    directory = RunDirectory(path)
    notes_of(directory).clear_all()
    stages = [stage["name"] for stage in found.content.get("stages", ())] if found.state == "older" else []
    numbered = {DOCUMENTS, QUARANTINE, *stage_names(), *stages}
    Efforts(directory.efforts).clear()
    tidy(directory, (), found.manifest, numbered)
    if is_report(path / REPORT_JSON):
        remove(path / REPORT_JSON)
    if is_page(path / REPORT_PAGE):
        remove(path / REPORT_PAGE)
    History(path).clear()
    remove(path / MANIFEST)  # the folder was claimed, so it is none of another program


def _steps_of(number: int, one: Pass) -> list[str]:
    """What a pass and what ends it are called in the profile."""
    return [f"pass {number + 1}", *([one.closing.name] if one.closing else [])]


class _Run:
    def __init__(
        self,
        plan: Plan,
        directory: RunDirectory,
        engine: Engine,
        emit: Emit,
        ready: Ready | None,
        on_judged: OnJudged | None,
    ) -> None:
        self.plan, self.directory, self.engine, self.emit = plan, directory, engine, emit
        self.ready, self.on_judged = ready, on_judged
        self.started = datetime.now(UTC)
        self.before, efforts = find_manifest(directory.path).manifest, Efforts(directory.efforts)
        known = [*(self.before.work if self.before else ()), *efforts.read()]
        started = self.started.isoformat(timespec="seconds")
        self.profile = Profile(
            engine.workers, started, known, efforts.add, lambda: engine.cpu_elsewhere, lambda: engine.by_node
        )
        self.judges: tuple[Step, ...] = ()
        self.choices: dict[str, Choice] = {}
        self.audits: dict[str, Mapping[str, Any]] = {}
        self.reused: int | None = None

    def execute(self) -> Outcome:
        self._adopt()
        self._judge_from(0)
        while (number := self._undecided()) is not None:
            self._resolve(number)
            self._judge_from(number + 1)
        books, index, tokens, unknown = self._finished()
        if self.engine.losses:
            folders = [DOCUMENTS, QUARANTINE, SHARDS, *(stage.name for stage in self.plan.stages)]
            clear_unfinished(self.directory, folders)
        steps = [_steps_of(number, one) for number, one in enumerate(self.plan.passes)]
        pieces = {
            "",
            *(part.name for part in self.plan.parts),
            *(shard.file for shard in (index.shards if index else ())),
        }
        stages = [stage.name for stage in self.plan.stages]
        self.profile.settle([*itertools.chain(*steps), SHARDS], pieces, stages)
        return Outcome(
            self.plan,
            books,
            index,
            tokens,
            unknown,
            self.audits,
            self.profile,
            self.reused or 0,
            self.started,
            self.before,
        )

    def _adopt(self) -> None:
        """Find out what of an earlier attempt can be used; what cannot goes, and what is not curate's is named."""
        names = () if self.plan.limit else self.directory.names
        folders = [DOCUMENTS, QUARANTINE, *(stage.name for stage in self.plan.stages)]
        others = tidy(RunDirectory(self.directory.path, names), folders, self.before)
        notes = notes_of(self.directory)
        others += notes.foreign()
        if self.plan.encoder:
            notes.require_room(FORMATS[self.plan.config.shards.format].index_file)
        else:
            notes.clear_all()
        if others:
            self.emit(
                Warned(
                    f"`{self.directory.path}` holds files that curate did not write and leaves alone: {listed(others)}"
                )
            )
        found = self.directory.row_files(folders)
        if found:
            self.emit(Working(f"checking {len(found):,} files of an earlier attempt"))
        damaged = self.directory.remove_damaged(found, spreading(self.engine))
        if damaged:
            self.emit(Warned(f"damaged since they were written, and made again: {listed(damaged)}"))

    def _judge_from(self, first: int) -> None:
        """All passes from this one on, each with the stage that ends it."""
        for number in range(first, len(self.plan.passes)):
            with self.profile.step(_steps_of(number, self.plan.passes[number])[0]):
                self._pass(number, self.plan.passes[number])
            if closing := self.plan.passes[number].closing:
                if isinstance(closing, Deduplicating):
                    self.choices[closing.name] = self._first_choice(closing)
                self._resolve(number)

    def _pass(self, number: int, one: Pass) -> None:
        steps = tuple(
            Step(stage, "encode" if stage is self.plan.encoder else "judge", self.ready) for stage in one.stages
        )
        observing = (Step(one.closing, "observe"),) if one.closing else ()
        names = tuple(stage.name for stage in (*one.stages, *([one.closing] if one.closing else [])))
        self.emit(PassStarted(number + 1, len(self.plan.passes), one.name, names, self.plan.input_bytes))
        task = PassTask(self.plan, number, (*steps, *observing), self.judges, self.directory, self.plan.limit)
        results = self._mapped(task)
        reused = sum(result.reused for result in results)
        self.reused = reused if self.reused is None else min(self.reused, reused)
        self.judges += tuple(step for step in steps if step.role == "judge")
        self.emit(PassFinished(number + 1, len(results), reused))

    def _mapped(self, task: PassTask) -> list[PartResult]:
        if self.plan.limit is None or not task.reads_input:
            return [result for results in self.engine.map(task, self.plan.strands, self._hear) for result in results]
        done: list[PartResult] = []
        strands: list[Strand] = []
        for strand in self.plan.strands:  # a limit is counted in order, one strand after another
            task = replace(task, left=self.plan.limit - sum(result.documents for result in done))
            [results] = self.engine.map(task, [strand], self._hear)
            done += results
            strands.append(Strand(strand.parts[: len(results)]))
            if sum(result.documents for result in done) >= self.plan.limit:
                break
        self.plan = replace(self.plan, strands=tuple(strands))
        return done

    def _hear(self, news: Made | Event) -> None:
        """What a task tells."""
        if isinstance(news, Made):
            self.profile.made(news)
        else:
            self.emit(news)

    def _resolve(self, number: int) -> None:
        """What the stage that ends a pass says; steps behind it have not judged yet, or will judge again."""
        stage = self.plan.passes[number].closing
        assert stage is not None
        self.judges = self._before(stage)
        choice = self.choices.get(stage.name)
        again = bool(choice and choice.rounds)
        self.emit(Working(f"{stage.name}: {'choosing survivors again' if again else 'comparing candidates'}"))
        with self.profile.step(stage.name):
            audit = resolve(self.plan, stage, self.judges, self.directory, self.engine, self.profile, choice)
        if audit is not None:
            self.audits[stage.name] = audit
        self.judges += (Step(stage, "judge"),)

    def _before(self, stage: Stage) -> tuple[Step, ...]:
        """Steps with verdicts before a stage."""
        place = self.plan.stages.index
        return tuple(step for step in self.judges if place(step.stage) < place(stage))

    def _first_choice(self, stage: Deduplicating) -> Choice:
        """By what an earlier run found out, where that is no matter or where nothing has changed since."""
        choice = first_choice(self.plan, stage, self.directory, spreading(self.engine))
        if steady(self.plan, stage):
            return choice
        keys = keys_for(self.plan, stage, self._before(stage), self.directory, choice, spreading(self.engine))
        files = [self.directory.part(stage.name, part.index) for part in self.plan.parts]
        stored = [*spreading(self.engine)(keys_of, files)]
        return choice if stored == keys else Choice.knowing_nothing(len(keys))

    def _undecided(self) -> int | None:
        """The pass whose last stage must choose again, as later ones removed what it kept; the last of several."""
        for number, one in reversed(list(enumerate(self.plan.passes))):
            stage = one.closing
            if isinstance(stage, Deduplicating) and any(s.reasons for s in later_stages(self.plan, stage)):
                before = self.choices[stage.name]
                after = next_choice(self.plan, stage, before, self.judges, self.directory, spreading(self.engine))
                if after is not before:
                    self.choices[stage.name] = after
                    return number
        return None

    def _finished(self) -> tuple[Books, ShardIndex | None, RawTokens | None, UnknownCharacters | None]:
        """The books, the shards, the tokens of the raw corpus and what was unknown: to be made side by side."""
        encoder = self.plan.encoder
        if encoder is None:
            return self._close_books(), None, None, None
        self.emit(Working("cutting shards"))
        with self.profile.step(SHARDS):
            step, seed, parts = Step(encoder, "encode"), self.plan.config.run.seed, len(self.plan.parts)
            cutting = cut(self.plan, step, self.judges, self.directory, self.engine)
            if cutting.table:
                parts_of = (f"{one.group} {one.mixed_tokens:,} ({one.epochs:.2f} ×)" for one in cutting.table)
                self.emit(Working(f"tokens of the mixture: {', '.join(parts_of)}"))
            self.judges += (Step(encoder, "judge"),)
            counted = (
                lambda: raw_tokens(cutting.tokens, encoder, self.judges, self.directory, parts, self.engine, seed),
                lambda: unknown_characters(encoder, self.judges, self.directory, parts, self.engine),
            )
            # or all texts that were removed would be read, and half of them encoded, again
            recorded = self._recorded_tokens()
            index, books, *of_tokens = self._side_by_side(
                lambda: write_shards(cutting, self.plan, step, self.directory, self.engine, self._hear),
                self._close_books,
                *(() if recorded else counted),
            )
            raw, unknown = recorded or of_tokens
        return books, index, raw, unknown

    def _recorded_tokens(self) -> tuple[RawTokens, UnknownCharacters] | None:
        """What the run before says of tokens, if it was this one and every judgment is still as it was."""
        before = self.before
        if not before or not before.tokens or self.profile.made_something:
            return None
        if (before.run_id, before.curate) != (self.plan.run_id, __version__):
            return None
        if before.section("run").get("seed") != self.plan.config.run.seed:  # raw tokens may be a draw
            return None
        return before.tokens.raw, UnknownCharacters.recorded(before.tokens)

    def _side_by_side(self, *works: Callable[[], Any]) -> list[Any]:
        """Results of several things that share the engine; the first that fails stops the others and is raised.

        That interrupts the others, which may end before it: an interruption is raised only if nothing failed.
        """
        with ThreadPoolExecutor(len(works), thread_name_prefix="driver") as pool:
            futures = [pool.submit(work) for work in works]
            try:
                for future in as_completed(futures):
                    future.result()
            except Interrupted:
                wait(futures)
                errors = [error for future in futures if (error := future.exception())]
                raise next((error for error in errors if not isinstance(error, Interrupted)), errors[0]) from None
            except BaseException:  # Ctrl-C too: the others end at their next item, and the pool waits for them
                self.engine.stop()
                raise
            return [future.result() for future in futures]

    def _close_books(self) -> Books:
        """The counts, which add up; whoever waits for all judgments is notified."""
        names = [step.stage.name for step in self.judges]
        deduplicating = [step.stage.name for step in self.judges if isinstance(step.stage, Deduplicating)]
        books = balance(self.directory, names, len(self.plan.parts), deduplicating, spreading(self.engine))
        if not books.read and self.plan.limit != 0:
            names = [file.name for file in self.plan.files]
            raise InputError(
                f"no document was read: {listed(names)} {'holds' if len(names) == 1 else 'hold'} none",
                hint="curate run --dry-run shows the formats and fields of all files",
            )
        if self.on_judged:
            self.on_judged(judged(self.plan, books, self.audits))
        return books
