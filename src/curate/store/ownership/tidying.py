"""What lies in a run directory before a run begins: what it needs, what of curate's it does not, what is not curate's.

Only what proves to be curate's is ever removed, and the proof is in the file: a row file says in its sealed footer
where it belongs, a JSON file of ours agrees with its checksum, and an unfinished file has a name that nobody else
gives. A row file without such proof that a whole manifest lists was curate's before it was damaged. Everything else
stays, and is named. Links are never followed.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa

from curate.store.checked_json import BrokenJson, parsed, read_json
from curate.store.efforts import Efforts
from curate.store.files import Entry, entries, is_unfinished, remove, remove_empty
from curate.store.footers import footer_of
from curate.store.manifest_entries import Manifest
from curate.store.row_file import MEASURE_KEY, PLACE, is_in_place
from curate.store.run_directory import (
    AUDIT,
    CACHE,
    DOCUMENTS,
    EFFORTS,
    EVIDENCE,
    EVIDENCE_CACHE,
    HISTORY,
    LOCK,
    MANIFEST,
    MARKS,
    QUARANTINE,
    REPORT_JSON,
    REPORT_PAGE,
    SHARDS,
    STANDARD_INPUT,
    TAGS,
    RunDirectory,
)  # fmt: skip

_AT_THE_TOP = {LOCK, MANIFEST, REPORT_JSON, REPORT_PAGE, EVIDENCE, HISTORY, MARKS}
_PART = re.compile(r"part-[0-9a-f]{12}-\d{4,}\.parquet")
_NUMBERED = re.compile(r"part-\d{5,}\.parquet")
"""What parts were called when they were numbered."""


def tidy(
    directory: RunDirectory, folders: Collection[str], manifest: Manifest | None, numbered: Collection[str] = ()
) -> list[str]:
    """Remove row files and scratch that curate wrote and this run does not need; shards are looked after by themselves.

    Args:
        directory: of the run that begins; no other run writes to it.
        folders: names of the folders that it writes row files to.
        manifest: of the run before; None where it is not whole.
        numbered: names of the folders from which files of the layout in which parts were numbered go, too. They do not
            say where they belong: copies of them in any other folder are the user's.

    Returns:
        What is not curate's, as paths in the directory.
    """
    return list(_Tidying(directory, folders, manifest, numbered).foreign())


def clear_unfinished(directory: RunDirectory, folders: Collection[str]) -> None:
    """Remove what workers that died were writing to these folders of a run; nobody writes there now."""
    for folder in folders:
        for path in (directory.path / folder, directory.path / CACHE / folder):
            for entry in entries(path):
                if entry.is_file and is_unfinished(entry.name):
                    remove(entry.path)


def first_row_file(path: Path, other_than: Collection[str] = ()) -> Path | None:
    """Some row file of curate's in a run directory; None, too, when any file has one of the names ``other_than``."""
    files = list(_row_files(path))
    known = any(file.name in other_than for file in files)
    return None if known else next(filter(is_in_place, files), None)


def first_numbered(path: Path) -> Path | None:
    """The documents of some part of a run of the layout in which parts were numbered."""
    documents = [entry.path for entry in entries(path / DOCUMENTS) if _NUMBERED.fullmatch(entry.name)]
    return next((file for file in documents if file.is_file() and _is_numbered(file)), None)


class _Tidying:
    """One walk over a run directory, which removes what goes and names what is not curate's."""

    def __init__(
        self, directory: RunDirectory, folders: Collection[str], manifest: Manifest | None, numbered: Collection[str]
    ) -> None:
        self.path, self.folders, self.numbered = directory.path, frozenset(folders), frozenset(numbered)
        self.names = frozenset(directory.names)
        self.known = frozenset([DOCUMENTS, QUARANTINE, *(manifest.stage_names if manifest else ())])
        """Folders that the run before wrote to."""
        self.listed = frozenset(manifest.part_names if manifest else ())

    def foreign(self) -> Iterator[str]:
        for entry in entries(self.path):
            if self._removed_as_unfinished(entry) or entry.name in _AT_THE_TOP:
                continue
            if entry.name == CACHE and entry.is_folder:
                yield from self._cache(entry.path)
            elif entry.is_folder and entry.name != SHARDS:
                yield from self._row_files(entry.path)
            elif entry.name not in {*self.folders, SHARDS, CACHE}:
                yield self._name(entry)

    def _cache(self, cache: Path) -> Iterator[str]:
        for entry in entries(cache):
            if self._removed_as_unfinished(entry):
                continue
            if not entry.is_folder:
                if not self._is_ours_in_cache(entry):
                    yield self._name(entry)
            elif entry.name == "scratch":
                yield from [
                    self._name(each) for each in entries(cache / "scratch") if not self._removed_as_unfinished(each)
                ]
                remove_empty(cache / "scratch")
            elif entry.name not in {SHARDS, EVIDENCE_CACHE, STANDARD_INPUT}:
                yield from self._row_files(entry.path)
        remove_empty(cache)

    def _row_files(self, folder: Path) -> Iterator[str]:
        """A folder of row files, or of somebody else's files."""
        needed, removed, others = folder.name in self.folders, False, list[Entry]()
        for entry in entries(folder):
            if needed and entry.name in {*self.names, AUDIT}:
                continue
            if self._is_ours(folder, entry):
                remove(entry.path)
                removed = True
            else:
                others.append(entry)
        if needed or removed or folder.name in self.known:
            yield from [self._name(entry) for entry in others if not self._removed_as_unfinished(entry)]
            remove_empty(folder)
        else:
            yield f"{folder.relative_to(self.path).as_posix()}/"

    def _is_ours(self, folder: Path, entry: Entry) -> bool:
        if not entry.is_file:
            return False
        file, numbered = entry.path, folder.name in self.numbered
        if entry.name == AUDIT:
            return is_whole_json(file) or (numbered and _is_numbered_audit(file))
        if numbered and _NUMBERED.fullmatch(entry.name):
            return _is_numbered(file)
        listed = folder.name in self.known and entry.name in self.listed
        return _PART.fullmatch(entry.name) is not None and (listed or is_in_place(file))

    def _is_ours_in_cache(self, entry: Entry) -> bool:
        if entry.name == TAGS:
            return entry.is_file and is_whole_json(entry.path)
        return entry.name == EFFORTS and entry.is_file and Efforts(entry.path).is_ours

    def _removed_as_unfinished(self, entry: Entry) -> bool:
        """Whether it was an unfinished file; it is gone then."""
        gone = entry.is_file and is_unfinished(entry.name)
        if gone:
            remove(entry.path)
        return gone

    def _name(self, entry: Entry) -> str:
        return entry.path.relative_to(self.path).as_posix() + "/" * entry.is_folder


def is_report(file: Path) -> bool:
    """Whether it is a report's numbers."""
    try:
        return {"schema_version", "curate", "summary"} <= parsed(file).keys()
    except (BrokenJson, FileNotFoundError):
        return False


def is_page(file: Path) -> bool:
    """Whether it is a report's page."""
    try:
        with file.open("rb") as page:
            return b"<title>curate report" in page.read(4096)
    except OSError:
        return False


def is_whole_json(file: Path) -> bool:
    """Whether it is a JSON file of ours."""
    try:
        read_json(file)
    except (BrokenJson, FileNotFoundError):
        return False
    return True


def _row_files(path: Path) -> Iterator[Path]:
    """Files with names of row files in the folders of a run directory."""
    for folder in (path, path / CACHE):
        for entry in entries(folder):
            if entry.is_folder:
                inside = entries(entry.path)
                yield from [file.path for file in inside if _PART.fullmatch(file.name) and file.is_file]


def _is_numbered(file: Path) -> bool:
    """Whether it is a row file of the time before they said where they belong; a copy of a later one says that."""
    try:
        metadata = footer_of(file).metadata or {}
    except (OSError, pa.ArrowException):
        return False
    return MEASURE_KEY in metadata and PLACE not in metadata


def _is_numbered_audit(file: Path) -> bool:
    """Whether it is what an audit found then, without a checksum."""
    try:
        return parsed(file).keys() == {"key", "figures"}
    except (BrokenJson, FileNotFoundError):
        return False
