"""A finished run that a new one is compared with: what it observed, what it decided, and its texts."""

import functools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import PlanError
from curate.process.machine import cores
from curate.store.digest import digest
from curate.store.files import place
from curate.store.manifest import read_manifest
from curate.store.manifest_entries import Manifest
from curate.store.recorded_command import command_here
from curate.store.row_file import keys_of
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.store.seal import BrokenSeal, checked


@dataclass(frozen=True)
class EarlierRun:
    """One run given with ``--against``."""

    path: str
    manifest: Manifest

    @property
    def run_id(self) -> str:
        """The id in its manifest."""
        return self.manifest.run_id

    @functools.cached_property
    def directory(self) -> RunDirectory:
        """Where its files are."""
        return RunDirectory(place(self.path), self.manifest.part_names)

    @property
    def parts(self) -> int:
        """How many parts it has."""
        return len(self.manifest.parts)

    def settings(self, stage: str) -> Mapping[str, Any] | None:
        """Section and version of a stage, as it ran then; None when it did not."""
        versions = {entry.name: entry.version for entry in self.manifest.stages}
        return {**self.manifest.config[stage], "version": versions[stage]} if stage in versions else None

    def editors_before(self, stage: str) -> tuple[str, ...]:
        """Stages that changed the text before this one saw it."""
        names = self.manifest.stage_names
        return tuple(name for name in names[: names.index(stage)] if self.parts and "edits" in self._columns(name))

    def others_than(self, stage: str) -> tuple[str, ...]:
        """All other stages: what they removed is not there."""
        return tuple(entry.name for entry in self.manifest.stages if entry.name != stage)

    def require_index(self, stage: str) -> None:
        """See that all that the stage observed is still there and what was written: index, verdicts and texts.

        Raises:
            PlanError: a file is missing or damaged.
        """
        folders = (DOCUMENTS, *self.manifest.stage_names)
        files = [self.directory.part(folder, part) for part in range(self.parts) for folder in folders]
        files += [self.directory.cached(stage, part) for part in range(self.parts)]
        with ThreadPoolExecutor(cores()) as pool:
            for file, broken in zip(files, pool.map(_broken, files), strict=True):
                if broken:
                    raise self._unusable(file, broken)

    def _columns(self, stage: str) -> list[str]:
        file = self.directory.part(stage, 0)
        try:
            return list(checked(file, ()).schema.to_arrow_schema().names)
        except BrokenSeal as broken:
            raise self._unusable(file, str(broken)) from broken

    def _unusable(self, file: Path, why: str) -> PlanError:
        hint = f"make it again: {command_here(self.manifest.command, Path(self.path))}"
        return PlanError(f"`{self.path}` cannot be used with --against: `{file}` {why}", hint=hint)

    def digest(self, stage: str) -> str:
        """What the index of a stage and the verdicts of all were made from."""
        files = [
            (
                self.directory.cached(stage, part),
                *(self.directory.part(name, part) for name in (stage, *self.others_than(stage))),
            )
            for part in range(self.parts)
        ]
        return digest(self.run_id, [[(keys := keys_of(file)) and keys.verdict for file in each] for each in files])


def _broken(file: Path) -> str:
    """What is wrong with a row file; empty when nothing is."""
    try:
        checked(file)
    except BrokenSeal as broken:
        return str(broken)
    return ""


def earlier_runs(paths: Sequence[str], output: str) -> tuple[EarlierRun, ...]:
    """The runs at ``paths``, in that order.

    Args:
        paths: folders of finished runs.
        output: folder of the new run.

    Raises:
        InputError: a folder is not a finished run.
        PlanError: one is given twice, is the new run itself, or was itself run against one that is not given.
    """
    runs: list[EarlierRun] = []
    for path in paths:
        if place(path).resolve() == place(output).resolve():
            raise PlanError(f"`{path}` cannot be compared with itself", hint="choose another folder with -o")
        run = EarlierRun(path, read_manifest(place(path)))
        if run.run_id in {other.run_id for other in runs}:
            raise PlanError(f"`--against {path}` is given twice", hint="name each earlier run once")
        runs.append(run)
    _require_predecessors(runs)
    return tuple(runs)


def _require_predecessors(runs: Sequence[EarlierRun]) -> None:
    given = {run.run_id: run.path for run in runs}
    for run in runs:
        for before in run.manifest.against:
            if before.run_id not in given:
                changed = before.path in given.values()
                raise PlanError(
                    f"`{run.path}` was itself run against `{before.path}`, "
                    + ("which has changed since" if changed else "which is not given"),
                    hint=f"make it again: {command_here(run.manifest.command, Path(run.path))}"
                    if changed
                    else f"--against {before.path} --against {run.path}",
                )
