"""From settings and files to passes that are known to work before the first document is read.

Neighbouring document stages are fused into one *pass* over a part while its text is in memory. A stage that must see
the whole corpus ends a pass: its ``observe`` runs in it, its ``resolve`` after it.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from curate.corpus.input import InputFile, Skipped
from curate.corpus.parts import Part, Strand
from curate.errors import PlanError, UserError, nearest
from curate.pipeline.conversations import check_conversations
from curate.pipeline.planning.config import Config
from curate.pipeline.stage_answers import asked
from curate.stages import stage_class, stage_names
from curate.stages.contract import Comparing, CorpusStage, Encoder, Rewriter, Stage
from curate.store.digest import digest
from curate.store.earlier_run import EarlierRun
from curate.store.objects.bucket import is_url

DOCUMENT_COLUMNS = ("text", "id", "source", "metadata", "raw_bytes", "turns")
"""Columns that a stage may need besides measures of earlier stages."""

LAYOUT_VERSION = 2
"""Bump when the documents files change shape: everything is made again."""


@dataclass(frozen=True)
class Pass:
    """Stages that share one reading of the text; ``closing`` is the corpus stage that ends it, if one does."""

    stages: tuple[Stage, ...]
    closing: CorpusStage | None = None

    @property
    def name(self) -> str:
        """Its stages, in order."""
        return " → ".join(stage.name for stage in (*self.stages, *([self.closing] if self.closing else [])))


@dataclass(frozen=True)
class Plan:
    """All that a run needs to know."""

    config: Config
    files: tuple[InputFile, ...]
    skipped: tuple[Skipped, ...]
    strands: tuple[Strand, ...]
    stages: tuple[Stage, ...]
    passes: tuple[Pass, ...]
    limit: int | None = None
    against: tuple[EarlierRun, ...] = ()

    @property
    def parts(self) -> list[Part]:
        """All parts, in order."""
        return [part for strand in self.strands for part in strand.parts]

    @functools.cached_property
    def rewriters(self) -> tuple[Rewriter, ...]:
        """The stages that change the text before it is written, in order."""
        return tuple(stage for stage in self.stages if isinstance(stage, Rewriter))

    @functools.cached_property
    def encoder(self) -> Encoder | None:
        """The stage that makes the tokens, if there is one."""
        return next((stage for stage in self.stages if isinstance(stage, Encoder)), None)

    @property
    def input_bytes(self) -> int:
        """Bytes of all parts, as stored."""
        return sum(part.bytes for part in self.parts)

    @property
    def stored_bytes(self) -> int:
        """Bytes of all input files."""
        return sum(file.size for file in self.files)

    @property
    def remote_bytes(self) -> int:
        """Bytes of the objects of the input that lie in stores; an archive counts once, not each of its members."""
        return sum({file.path: file.outer_size or file.size for file in self.files if is_url(file.path)}.values())

    @functools.cached_property
    def run_id(self) -> str:
        """Of all that determines documents, judgments and shards; how and where they are made is no part of it."""
        documents = [self.documents_key(part) for part in self.parts]
        stages = [(measure_key("", stage), thresholds_of(stage)) for stage in self.stages]
        shards = msgspec.to_builtins(self.config.shards) if self.encoder else None
        if shards and self.config.mix.active:
            shards |= {"mix": msgspec.to_builtins(self.config.mix), "seed": self.config.run.seed}
        if shards and (self.config.shards.order == "shuffle" or self.config.shards.validation):
            shards["seed"] = self.config.run.seed
        return digest(documents, stages, shards, [run.run_id for run in self.against])[:16]

    def documents_key(self, part: Part) -> str:
        """What the documents file of a part is made from."""
        share = self.config.input.sample
        return digest(LAYOUT_VERSION, part.fingerprint, self._rewriting, self.limit, *([share] if share < 1 else []))

    @functools.cached_property
    def _rewriting(self) -> str:
        """Thresholds decide what the next rewriter gets to see; those of the last one decide verdicts alone."""
        key = ""
        for before, rewriter in zip((None, *self.rewriters), self.rewriters, strict=False):
            key = measure_key(digest(key, thresholds_of(before)) if before else "", rewriter)
        return key


def make_stages(config: Config, only: Sequence[str] = (), skip: Sequence[str] = ()) -> tuple[Stage, ...]:
    """The stages of a run, in an order that works.

    Args:
        config: validated settings.
        only: just these stages of the pipeline (in its order).
        skip: leave these out.

    Raises:
        PlanError: an impossible order, or a stage that needs what no earlier one gives.
        ConfigError: an unknown stage.
    """
    try:
        names = _chosen([name for name in config.pipeline.stages if name not in left_out(config)], only, skip)
        stages = tuple(_made(stage_class(name), config) for name in names)
        _check_order(stages)
        _check_needs(stages)
    except UserError as error:
        error.where = error.where or config.origin("pipeline.stages")
        raise
    return stages


def _made(kind: type[Stage], config: Config) -> Stage:
    with asked(kind):
        return kind(config.stage(kind.name))  # type: ignore[call-arg]


def left_out(config: Config) -> dict[str, str]:
    """Stages that the recipe names and that have nothing to do: name → why. Those that the user names are not."""
    if not config.origin("pipeline.stages").startswith("recipe "):
        return {}
    lacking = ((name, config.stage(name).lacking()) for name in config.pipeline.stages if name in config.sections)
    return {name: why for name, why in lacking if why}


def make_plan(
    config: Config,
    stages: tuple[Stage, ...],
    files: tuple[InputFile, ...],
    skipped: tuple[Skipped, ...],
    strands: tuple[Strand, ...],
    *,
    limit: int | None = None,
    against: tuple[EarlierRun, ...] = (),
) -> Plan:
    """A checked plan.

    Args:
        config: validated settings.
        stages: from `make_stages`.
        files: inspected input files.
        skipped: files found but not read, with the reason.
        strands: the parts of the input.
        limit: read no more than this many documents.
        against: earlier runs whose documents count as already there.

    Raises:
        PlanError: an earlier run that cannot be compared with.
    """
    _check_against(stages, against)
    check_conversations(files, stages, config.shards)
    return Plan(config, files, skipped, strands, stages, _fused(stages), limit, against)


def measure_key(documents_key: str, stage: Stage) -> str:
    """What the measures of a stage depend on, for documents with the given key."""
    measuring = {
        name: msgspec.to_builtins(getattr(stage.settings, name))
        for name in stage.settings.__struct_fields__
        if name not in stage.settings.thresholds
    }
    with asked(stage):
        return digest(documents_key, stage.name, stage.version, stage.fingerprint, measuring)


def thresholds_of(stage: Stage) -> dict[str, object]:
    """The settings that only verdicts depend on."""
    return {name: msgspec.to_builtins(getattr(stage.settings, name)) for name in sorted(stage.settings.thresholds)}


def _chosen(pipeline: Sequence[str], only: Sequence[str], skip: Sequence[str]) -> list[str]:
    for flag, names in (("--only", only), ("--skip", skip)):
        for name in names:
            if name not in stage_names():
                each = [f"{flag} {one.strip()}" for one in name.split(",")]
                hint = " ".join(each) if len(each) > 1 else nearest(name, stage_names())
                raise PlanError(f"there is no stage `{name}`", where=f"{flag} {name}", hint=hint)
    for name in only:
        if name not in pipeline:
            raise PlanError(
                f"`--only {name}` names a stage that is not in `pipeline.stages`",
                hint=f"pipeline.stages = {[*pipeline, name]}",
            )
    return [name for name in pipeline if name not in skip and (not only or name in only)]


def _check_order(stages: Sequence[Stage]) -> None:
    for index, stage in enumerate(stages):
        if isinstance(stage, Rewriter) and index and not isinstance(stages[index - 1], Rewriter):
            raise PlanError(
                f"`{stage.name}` changes the text and must come first, but follows `{stages[index - 1].name}`",
                hint="put it first in pipeline.stages",
            )
        if isinstance(stage, Encoder) and index < len(stages) - 1:
            raise PlanError(
                f"`{stage.name}` makes the tokens and must come last, but `{stages[index + 1].name}` follows it",
                hint="put it last in pipeline.stages",
            )


def _check_needs(stages: Sequence[Stage]) -> None:
    given = set(DOCUMENT_COLUMNS)
    for stage in stages:
        for column in stage.needs:
            if column not in given:
                raise PlanError(
                    f"`{stage.name}` needs `{column}`, which no stage before it gives",
                    hint=f"add `{column.partition('.')[0]}` before it in pipeline.stages",
                )
        given |= {f"{stage.name}.{column}" for column in stage.adds}


def _check_against(stages: Sequence[Stage], against: Sequence[EarlierRun]) -> None:
    comparing = [stage for stage in stages if isinstance(stage, Comparing)]
    if against and not comparing:
        raise PlanError(
            f"`--against {against[0].path}` needs `near_dup`, which does not run",
            hint="add `near_dup` to pipeline.stages",
        )
    for stage in comparing:
        for run in against:
            then = run.settings(stage.name)
            if then is None:
                raise PlanError(
                    f"`{run.path}` cannot be used with --against: it ran without `{stage.name}`",
                    hint=f"run it with `{stage.name}` in pipeline.stages",
                )
            if why := stage.incomparable(then):
                raise PlanError(f"`{run.path}` cannot be used with --against: {why.message}", hint=why.hint)
            run.require_index(stage.name)


def _fused(stages: Sequence[Stage]) -> tuple[Pass, ...]:
    passes: list[Pass] = []
    fused: list[Stage] = []
    for stage in stages:
        if isinstance(stage, CorpusStage):
            passes.append(Pass(tuple(fused), stage))
            fused = []
        else:
            fused.append(stage)
    if fused or not passes:
        passes.append(Pass(tuple(fused)))
    return tuple(passes)
