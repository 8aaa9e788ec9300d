"""A look at a corpus before any run: what is there, what would be read, what would come of it. Nothing is written."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from curate.corpus.discovery.notices import notices
from curate.corpus.memory import BASE_BYTES
from curate.engine.local import FLIGHT_BYTES
from curate.events import Warned
from curate.pipeline.conversations import ConversationsError
from curate.pipeline.planning.config import Config
from curate.pipeline.planning.engines import engine_for, run_memory
from curate.pipeline.planning.estimate import estimated
from curate.pipeline.planning.extrapolation import Guess
from curate.pipeline.planning.plan import Plan
from curate.pipeline.planning.trial import Trial, tried
from curate.runs.job import Job
from curate.settings.file import as_toml, toml_key

WANTED_LANGUAGE = 0.05
"""Share of the sampled documents from which a language is proposed for `language.keep`."""
_INDEX_BYTES = 32  # of near_dup, for a document


class FormatFound(msgspec.Struct, frozen=True):
    """Files of one format and compression."""

    format: str
    files: int
    bytes: int


class Checkup(msgspec.Struct, frozen=True, kw_only=True):
    """What ``curate check`` tells."""

    files: int
    bytes: int
    formats: list[FormatFound]
    fields: dict[str, dict[str, int]]
    """Role (``text``, ``id``, ``source``) → field → files in which it has that role."""
    guessed: list[str]
    """Roles of which some were guessed."""
    skipped: list[dict[str, str]]
    unreadable: list[dict[str, str]]
    """Files that would go to quarantine as a whole."""
    stages: list[str]
    trial: Trial
    seconds: Guess
    """Of wall time, starting included."""
    cpu_seconds: Guess
    """Of all processes, starting included."""
    disk_bytes: Guess
    travel_bytes: int
    """What a run would fetch from object stores: each object once."""
    memory_bytes: int
    workers: int
    settings: dict[str, dict[str, Any]]
    """To begin with: what was guessed, and what the sample says."""

    @property
    def toml(self) -> str:
        """The settings as lines of ``curate.toml``."""
        sections = (
            "\n".join([f"[{name}]", *(f"{toml_key(key)} = {as_toml(value)}" for key, value in keys.items())])
            for name, keys in self.settings.items()
        )
        return "\n\n".join(sections) + "\n" * bool(self.settings)


def checkup(job: Job) -> tuple[Checkup, list[Warned]]:
    """Look at what a job would read.

    Args:
        job: paths and settings; its output is not touched.

    Returns:
        What was found, and what is worth a warning.

    Raises:
        InputError: nothing can be read, or two fields may be the text.
    """
    config, told = job.config(), list[Warned]()
    try:
        plan = job.plan(config, job.stages(config))
    except ConversationsError as error:  # everything except their tokens can be estimated
        told.append(Warned(str(error), error.hint))
        job = replace(job, skip=[*job.skip, "chat", "tokenize"])
        plan = job.plan(config, job.stages(config))
    engine = engine_for(config)
    workers = engine.workers
    engine.close()
    trial = tried(plan)
    takes = estimated(trial, workers)
    found = Checkup(
        files=len(plan.files),
        bytes=plan.stored_bytes,
        formats=_formats(plan),
        fields=_fields(plan),
        guessed=sorted({role for file in plan.files for role in file.guessed}),
        skipped=[{"path": one.path, "why": one.why} for one in plan.skipped],
        unreadable=[
            {"path": file.name, "reason": file.problem.reason, "why": file.problem.detail}
            for file in plan.files
            if file.problem
        ],
        stages=[stage.name for stage in plan.stages],
        trial=trial,
        seconds=takes.seconds,
        cpu_seconds=takes.cpu_seconds,
        disk_bytes=takes.disk_bytes,
        travel_bytes=plan.remote_bytes,
        memory_bytes=_memory(config, trial, workers),
        workers=workers,
        settings=_settings(plan, trial),
    )
    return found, [*told, *notices(plan.files, plan.skipped)]


def _formats(plan: Plan) -> list[FormatFound]:
    files, size = Counter[str](), Counter[str]()
    for file in plan.files:
        name = file.format + (f".{file.compression}" if file.compression else "")
        files[name] += 1
        size[name] += file.size
    return [FormatFound(name, count, size[name]) for name, count in files.most_common()]


def _fields(plan: Plan) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for role in ("text", "id", "source"):
        names = Counter(name for file in plan.files if (name := getattr(file, role)))
        if names:
            found[role] = dict(names.most_common())
    return found


def _memory(config: Config, trial: Trial, workers: int) -> int:
    """What a run takes: itself, what is in flight on every worker, and the index of near-duplicates."""
    least = BASE_BYTES + (workers + 1) * min(FLIGHT_BYTES, int(2 * trial.all_text_bytes.value))
    return min(run_memory(config), least + int(_INDEX_BYTES * trial.all_documents.value))


def _settings(plan: Plan, trial: Trial) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {"input": dict(_input(plan))}
    languages = {code: n for code, n in trial.languages.items() if code != "und"}
    wanted = [code for code, n in languages.items() if n >= WANTED_LANGUAGE * max(1, trial.documents)]
    if wanted:
        found["language"] = {"keep": wanted}
    return {name: keys for name, keys in found.items() if keys}


def _input(plan: Plan) -> Iterator[tuple[str, str]]:
    """Fields that all files have in a role, so that no run has to guess them again."""
    fields: Mapping[str, Mapping[str, int]] = _fields(plan)
    for role, names in fields.items():
        if len(names) == 1:
            yield role, next(iter(names))
