"""A whole run directory examined: every file present and what was written, rows beside rows, books that balance.

Nothing is changed. Each problem comes with something to type.
"""

import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import xxhash

from curate.errors import CurateError
from curate.process.machine import cores
from curate.shards.index import index_path, read_index
from curate.shards.notes import is_one_of
from curate.store.books import balance
from curate.store.checked_json import BrokenJson, read_json
from curate.store.files import entries, is_unfinished
from curate.store.history import History, entry_of
from curate.store.manifest import Found, command_of, find_manifest, read_manifest
from curate.store.manifest_entries import Manifest, Shards
from curate.store.report_file import find_report
from curate.store.row_file import is_in_place, keys_of, keys_together
from curate.store.run_directory import (
    CACHE,
    DOCUMENTS,
    HISTORY,
    LOCK,
    QUARANTINE,
    REPORT_JSON,
    REPORT_PAGE,
    RunDirectory,
)  # fmt: skip
from curate.store.seal import BrokenSeal, checked


class Problem(NamedTuple):
    """Something that is wrong: the file (a path in the run directory), a sentence about it, and what to type."""

    file: str
    sentence: str
    remedy: str


class Examination(NamedTuple):
    """What was looked at, and what is wrong with it."""

    files: int
    bytes: int
    problems: list[Problem]


def examined(run: Path) -> Examination:
    """Look at every file of a finished run.

    Args:
        run: the run directory.

    Raises:
        InputError: it is none, its run is not finished, or another version wrote it.
    """
    found = find_manifest(run)
    if found.state != "damaged":
        read_manifest(run)
    return _Examination(run, found).result()


class _Examination:
    """One look at a run; files and bytes are counted on the way."""

    def __init__(self, run: Path, found: Found) -> None:
        self.run, self.state = run, found.state
        self.manifest = found.manifest
        self.again = command_of(run)
        self.folders = [DOCUMENTS, QUARANTINE, *(self.manifest.stage_names if self.manifest else ())]
        self.directory = RunDirectory(run, (self.manifest and self.manifest.part_names) or _names_in(run / DOCUMENTS))
        self.files = self.bytes = 0

    def result(self) -> Examination:
        problems = [*self._manifest(), *self._row_files()]
        if not problems and self.manifest:
            problems += self._books(self.manifest)
        problems += self._cache()
        if self.manifest:
            problems += self._shards(self.manifest.shards)
        problems += [*self._report(), *self._history(), *self._leftovers()]
        return Examination(self.files, self.bytes, problems)

    def _manifest(self) -> Iterator[Problem]:
        self._count(self.directory.manifest)
        if self.state == "damaged":
            yield self._problem(self.directory.manifest, "is damaged")
        if (self.run / LOCK).exists():
            yield self._problem(self.run / LOCK, "is there: a run was interrupted or is still running")

    def _row_files(self) -> Iterator[Problem]:
        """Each is whole, in its place, and as long as its documents; none is left of other runs."""
        rows = dict[str, int]()
        for folder in self.folders:
            files = self.directory.parts(folder)
            with ThreadPoolExecutor(cores()) as pool:
                for file, looked in zip(files, pool.map(_looked_at, files), strict=True):
                    self._count(file)
                    if isinstance(looked, str):
                        yield self._problem(file, looked)
                        continue
                    if folder != QUARANTINE and looked != rows.setdefault(file.name, looked):
                        yield self._problem(file, f"has {looked:,} rows for {rows[file.name]:,} documents")
            known = {file.name for file in files}
            for entry in entries(self.run / folder):
                if entry.is_file and entry.name not in known and is_in_place(entry.path):
                    yield self._problem(entry.path, "belongs to an earlier state of this run")

    def _books(self, manifest: Manifest) -> Iterator[Problem]:
        """The books of files that are whole, and what the manifest says of them."""
        try:
            deduplicating = [stage.name for stage in manifest.stages if stage.deduplicates]
            books = balance(self.directory, manifest.stage_names, len(self.directory.names), deduplicating)
        except CurateError as error:
            yield self._problem(self.directory.manifest, f"has counts that do not add up: {error.message}")
            return
        if books.counts() != manifest.counts:
            yield self._problem(self.directory.manifest, "does not count the documents that the files hold")
        for folder in self.folders:
            if manifest.keys.get(folder) != keys_together(map(keys_of, self.directory.parts(folder))):
                yield self._problem(self.run / folder, "holds files that were made from something else")

    def _cache(self) -> Iterator[Problem]:
        """What is kept for later steps may be missing, but not damaged."""
        for folder in entries(self.run / CACHE):
            for entry in entries(folder.path):
                file = entry.path
                looked: str | int = 0
                if entry.name in self.directory.names:
                    looked = _looked_at(file)
                elif entry.is_file and file.suffix == ".json":
                    looked = _looked_at_json(file)
                self._count(file)
                if isinstance(looked, str):
                    yield self._problem(file, looked)

    def _shards(self, recorded: Shards | None) -> Iterator[Problem]:
        if not recorded:
            return
        folder = self.directory.shards
        try:
            index = read_index(folder)
        except CurateError as error:
            yield self._problem(index_path(folder), error.message)
            return
        self._count(index_path(folder))
        for shard in index.shards:
            for name in shard.files:
                self._count(folder / name)
            for name in shard.damaged(folder):
                yield self._problem(folder / name, "is missing or damaged")
        for name, xxh3 in index.files.items():
            self._count(folder / name)
            if not is_one_of(folder / name, {xxh3}):
                yield self._problem(folder / name, "is missing or damaged")
        if index.tokens != recorded.tokens:
            yield self._problem(index_path(folder), "counts other tokens than the run")
        listed = {name for shard in index.shards for name in shard.files}
        for entry in entries(folder):
            if entry.name.startswith("shard-") and entry.name not in listed:
                yield self._problem(entry.path, "is in no index of shards", "move it to another folder")

    def _report(self) -> Iterator[Problem]:
        again = f"curate report {shlex.quote(str(self.run))}"
        numbers, page = self.run / REPORT_JSON, self.run / REPORT_PAGE
        self._count(numbers)
        self._count(page)
        try:
            expected = find_report(self.run).page_xxh3
        except FileNotFoundError:
            yield self._problem(numbers, "is missing", again)
        except BrokenJson as broken:
            yield self._problem(numbers, str(broken), again)
        else:
            if not page.is_file():
                yield self._problem(page, "is missing", again)
            elif xxhash.xxh3_128_hexdigest(page.read_bytes()) != expected:
                yield self._problem(page, "is damaged, or does not belong to this report", again)

    def _history(self) -> Iterator[Problem]:
        self._count(self.run / HISTORY)
        if self.manifest and (problem := History(self.run).problem(entry_of(self.manifest))):
            yield self._problem(self.run / HISTORY, problem)

    def _leftovers(self) -> Iterator[Problem]:
        """Files that a killed run was writing."""
        inside = [entry.path for folder in (self.run, self.run / CACHE) for entry in entries(folder)]
        for folder in (self.run, *inside):
            for entry in entries(folder):
                if entry.is_file and is_unfinished(entry.name):
                    yield self._problem(entry.path, "was left by a run that was killed")

    def _count(self, file: Path) -> None:
        if file.is_file():
            self.files, self.bytes = self.files + 1, self.bytes + file.stat().st_size

    def _problem(self, file: Path, sentence: str, remedy: str = "") -> Problem:
        return Problem(file.relative_to(self.run).as_posix(), sentence, remedy or self.again)


def _looked_at(file: Path) -> int | str:
    """How many rows a whole row file has, or what is wrong with it."""
    try:
        rows = int(checked(file).num_rows)
    except BrokenSeal as broken:
        return str(broken)
    return rows if is_in_place(file) else "belongs elsewhere, under another name"


def _looked_at_json(file: Path) -> int | str:
    """Nothing, or what is wrong with a JSON file."""
    try:
        read_json(file)
    except (BrokenJson, FileNotFoundError) as broken:
        return str(broken)
    return 0


def _names_in(folder: Path) -> list[str]:
    """Names of row files where no manifest tells them."""
    return [entry.name for entry in entries(folder) if is_in_place(entry.path)]
