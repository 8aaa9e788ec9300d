"""The run directory: where each of its files is.

A part's files have one name in every folder. The name says what the part was made from; the order of the parts is that
of the input, and no name tells it: it comes from the plan while a run goes on, and from ``run.json`` ever after.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from curate.errors import DamagedFile, UserError
from curate.store.files import entries, is_unfinished, remove, remove_empty, unfinished
from curate.store.manifest_entries import Manifest
from curate.store.objects.local_copies import room
from curate.store.objects.store_path import StorePath
from curate.store.recorded_command import command_here
from curate.store.row_file import read_columns
from curate.store.seal import BrokenSeal, checked

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

DOCUMENTS = "documents"
QUARANTINE = "quarantine"
SHARDS = "shards"
CACHE = ".cache"
STANDARD_INPUT = "stdin"
MANIFEST = "run.json"
REPORT_JSON = "report.json"
REPORT_PAGE = "report.html"
HISTORY = "history.jsonl"
MARKS = "marks.csv"
EVIDENCE = "evidence.json"
EVIDENCE_CACHE = "evidence"
LOCK = ".curate.lock"
AUDIT = "audit.json"
EFFORTS = "efforts.jsonl"
TAGS = "tags.json"

Spread = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""``map``, or what does the same on several cores: `curate.engine.base.Engine.spread`."""


class RunDirectory:
    """Paths of one run.

    Args:
        path: the folder.
        parts: what the files of each part are called, in the order of the input.
        remedy: what to type when a file is damaged. Given for a finished run, whose files are checked before they are
            read; a run that goes on checks what it finds once, and trusts what it writes.

    Example:
        >>> RunDirectory(Path("curated"), ["part-5f0c0db3a1e2-0000.parquet"]).part("quality", 0).as_posix()
        'curated/quality/part-5f0c0db3a1e2-0000.parquet'
    """

    def __init__(self, path: Path, parts: Sequence[str] = (), *, remedy: str | None = None) -> None:
        self.path, self.names, self._remedy = path, tuple(parts), remedy

    @classmethod
    def finished(cls, path: Path, manifest: Manifest) -> Self:
        """Of a run with that manifest."""
        return cls(path, manifest.part_names, remedy=command_here(manifest.command, path))

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
        """Room on this disk for what a stage must not keep in memory; every file in it has a name of `new_scratch`."""
        if isinstance(self.path, StorePath):
            return room(str(self.path)) / "scratch"
        return self.path / CACHE / "scratch"

    def new_scratch(self, name: str) -> Path:
        """A file there that nobody else uses, and that goes when a run begins or ends."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        return unfinished(self.scratch / name)

    def clear_scratch(self) -> None:
        """Remove all such files."""
        for entry in entries(self.scratch):
            if entry.is_file and is_unfinished(entry.name):
                remove(entry.path)
        remove_empty(self.scratch)

    def share(self) -> None:
        """Workers elsewhere write to it, too: in a store, each look at a file is a request."""
        if isinstance(self.path, StorePath):
            self.path.tree.is_listed = False

    def part(self, folder: str, part: int) -> Path:
        """The file of one part: ``folder`` is ``documents``, ``quarantine`` or the name of a stage."""
        return self.path / folder / self.names[part]

    def cached(self, stage: str, part: int) -> Path:
        """What a stage keeps for later steps (signatures, token ids); may be deleted, is then made again."""
        return self.path / CACHE / stage / self.names[part]

    def audit(self, stage: str) -> Path:
        """What the audit of a corpus stage found; may be deleted, is then made again."""
        return self.path / CACHE / stage / AUDIT

    @property
    def efforts(self) -> Path:
        """What the work cost, until ``run.json`` says it."""
        return self.path / CACHE / EFFORTS

    def parts(self, folder: str) -> list[Path]:
        """Files of all parts in a folder, in the order of the input."""
        return [self.part(folder, part) for part in range(len(self.names))]

    def checked(
        self, folder: str, part: int, columns: Collection[str] | None = None, *, group: int | None = None
    ) -> Path:
        """The file of one part, whose bytes are those that were written.

        Args:
            folder: as for `part`.
            part: number of the part.
            columns: those that will be read; None: all.
            group: the row group that will be read; None: all.

        Raises:
            DamagedFile: it is missing or damaged.
        """
        self.footer(folder, part, columns, group)
        return self.part(folder, part)

    def columns(self, folder: str, part: int, columns: Collection[str]) -> "pa.Table":
        """Columns of one part, in the order asked for, of bytes that are those that were written.

        Args:
            folder: as for `part`.
            part: number of the part.
            columns: their names.

        Raises:
            DamagedFile: the file is missing or damaged.
        """
        return read_columns(self.part(folder, part), columns, self.footer(folder, part, columns))

    def footer(
        self,
        folder: str,
        part: int,
        columns: Collection[str] | None,
        group: int | None = None,
        rows: range | None = None,
    ) -> "pq.FileMetaData | None":
        """The footer of the file of one part, checked as by `checked`; None while the run goes on: nothing need be.

        ``rows``: those of the part that will be read; None: all.
        """
        if self._remedy is None:
            return None
        file = self.part(folder, part)
        try:
            return checked(file, columns, group, rows)
        except BrokenSeal as broken:
            raise DamagedFile(f"`{file}` {broken}", hint=f"make it again: {self._remedy}") from broken

    def row_files(self, folders: Iterable[str]) -> list[Path]:
        """The files of all parts that are there, in these folders and in what stages keep.

        Raises:
            UserError: a folder has the name of one.
        """
        places = [self.path / place for folder in folders for place in (folder, f"{CACHE}/{folder}")]
        names = frozenset(self.names)
        found = [file for place in places if place.is_dir() for file in sorted(place.iterdir()) if file.name in names]
        for file in found:
            if file.is_dir():
                raise UserError(
                    f"`{file}` is a folder where curate writes a file", hint="move it, then run the same command again"
                )
        return found

    def remove_damaged(self, found: Iterable[Path], spread: Spread = map) -> list[str]:
        """Check all bytes of files that a run finds; damaged ones go, and are made again like any that is missing.

        Args:
            found: of `row_files`.
            spread: checks several at once.

        Returns:
            What is gone, as paths in the directory.
        """
        from curate.store.objects.tags import is_unchanged, unchanged

        whole = unchanged(self.path)
        unknown = [file for file in found if not is_unchanged(file, whole)]
        damaged = [file for file in spread(_if_damaged, unknown) if file]
        for file in damaged:
            remove(file)
        return [file.relative_to(self.path).as_posix() for file in damaged]

    def forget(self, folders: Iterable[str], part: int) -> None:
        """Remove all files of a part; the documents last, for they say what is there."""
        others = [folder for folder in folders if folder != DOCUMENTS]
        for file in [*(self.cached(f, part) for f in others), *(self.part(f, part) for f in (*others, DOCUMENTS))]:
            remove(file)


def _if_damaged(file: Path) -> Path | None:
    try:
        checked(file)
    except BrokenSeal:
        return file
    return None
