"""The run directory: where each file is, whose directory it is, and which of its files still count.

Parts are numbered in the order of the input, so a new file in the middle moves numbers. What was made for a part is
found again by the key in its documents file and renamed; nothing is measured again because a number changed.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from curate.errors import UserError
from curate.store.atomic import TEMPORARY
from curate.store.row_file import keys_of

DOCUMENTS = "documents"
QUARANTINE = "quarantine"
SHARDS = "shards"
CACHE = ".cache"
MANIFEST = "run.json"
REPORT = ("report.json", "report.html")
_LOCK = ".curate.lock"
_PART = re.compile(r"part-(\d{5,})\.parquet")
_MOVING = "moving-"


class RunDirectory:
    """Paths of one run. Example: ``RunDirectory(Path("curated")).part("quality", 3)``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def manifest(self) -> Path:
        """``run.json``."""
        return self.path / MANIFEST

    @property
    def shards(self) -> Path:
        """Folder of the token shards."""
        return self.path / SHARDS

    @property
    def scratch(self) -> Path:
        """Room for what a stage must not keep in memory; emptied when the run ends."""
        return self.path / CACHE / "scratch"

    def part(self, folder: str, part: int) -> Path:
        """The file of one part: ``folder`` is ``documents``, ``quarantine`` or the name of a stage."""
        return self.path / folder / f"part-{part:05d}.parquet"

    def cached(self, stage: str, part: int) -> Path:
        """What a stage keeps for later steps (signatures, token ids); may be deleted, is then made again."""
        return self.path / CACHE / stage / f"part-{part:05d}.parquet"

    def audit(self, stage: str) -> Path:
        """What the audit of a corpus stage found; may be deleted, is then made again."""
        return self.path / CACHE / stage / "audit.json"

    def parts(self, folder: str) -> list[Path]:
        """Files of all parts in a folder, in order."""
        return sorted(file for file in (self.path / folder).glob("part-*.parquet") if _PART.fullmatch(file.name))

    @contextmanager
    def claimed(self, *, fresh: bool) -> Iterator[None]:
        """Hold the directory for one run.

        Raises:
            UserError: another run holds it, or it holds files that are not a run's.
        """
        self._refuse_foreign()
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"another run is writing to `{self.path}`",
                    hint="wait for it, or choose another folder with -o",
                ) from None
            if fresh:
                self._empty()
            yield
        (self.path / _LOCK).unlink(missing_ok=True)

    def adopt(self, document_keys: Sequence[str], folders: Sequence[str]) -> int:
        """Make file numbers fit the plan and drop what no part of it can use.

        Args:
            document_keys: measure key expected in each part's documents file, in order.
            folders: names of the stages whose files follow their documents.

        Returns:
            How many parts have their documents already.
        """
        self._remove_leftovers()
        self._remove_other_stages({DOCUMENTS, QUARANTINE, *folders})
        wanted = {key: index for index, key in enumerate(document_keys)}
        places: dict[int, int] = {}
        for file in self.parts(DOCUMENTS):
            keys, number = keys_of(file), int(file.stem.removeprefix("part-"))
            if keys and keys.measure in wanted:
                places[number] = wanted[keys.measure]
        every = [DOCUMENTS, QUARANTINE, *folders, *(f"{CACHE}/{folder}" for folder in folders)]
        for folder in every:
            self._renumber(folder, places)
        return len(places)

    def _renumber(self, folder: str, places: dict[int, int]) -> None:
        for file in self.parts(folder):
            number = int(file.stem.removeprefix("part-"))
            if number not in places:
                file.unlink()
            elif places[number] != number:
                file.replace(file.with_name(f"{_MOVING}{places[number]}"))
        for file in (self.path / folder).glob(f"{_MOVING}*"):
            file.replace(self.part(folder, int(file.name.removeprefix(_MOVING))))

    def _remove_other_stages(self, current: set[str]) -> None:
        """What stages that are no longer in the pipeline left: it would pass for part of this run."""
        for folder in (*self.path.iterdir(), *(self.path / CACHE).glob("*")):
            if folder.name not in current and any(_PART.fullmatch(file.name) for file in folder.glob("part-*.parquet")):
                shutil.rmtree(folder)

    def _remove_leftovers(self) -> None:
        """Files of a run that was killed: half-written ones, and ones caught between two numbers."""
        for pattern in (f"*{TEMPORARY}", f"{_MOVING}*"):
            for file in self.path.rglob(pattern):
                file.unlink()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _refuse_foreign(self) -> None:
        if self.path.is_file():
            raise UserError(f"`{self.path}` is a file, not a folder", hint="name another folder with -o")
        if not self.path.is_dir():
            return
        names = {entry.name for entry in os.scandir(self.path)}
        if names and not names & {MANIFEST, _LOCK}:
            raise UserError(
                f"`{self.path}` holds files that no run of curate wrote, such as `{min(names)}`",
                hint="name an empty or a new folder with -o",
            )

    def _empty(self) -> None:
        """Remove what runs write, and nothing else that may lie there."""
        self._remove_other_stages(set())
        for folder in (self.shards, self.path / CACHE):
            shutil.rmtree(folder, ignore_errors=True)
        for name in (MANIFEST, *REPORT):
            (self.path / name).unlink(missing_ok=True)
