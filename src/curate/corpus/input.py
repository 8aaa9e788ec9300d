"""Which files are the corpus: from the paths a user typed to a sorted list of input files.

Nothing is opened here. What is passed over is listed with the reason, so that no file is left out in silence.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from curate.errors import InputError, nearest
from curate.stages.contract import Settings

Format = Literal["jsonl", "parquet", "text", "lines"]
"""``text``: a file is one document. ``lines``: a line is one document."""
Compression = Literal["", "gzip", "zstd"]

_FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".markdown": "text",
}
_COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}


class InputSettings(Settings, frozen=True):
    """The section ``[input]``: which fields hold what, and how files are cut.

    Raises:
        ValueError: a size is not positive.
    """

    text: str = ""
    """Field that holds the text (dots reach into objects); empty: guessed from the first records."""
    id: str = ""
    """Field that holds the id; empty: guessed, else ``file#position``."""
    source: str = ""
    """Field that names the source; empty: guessed, else the first folder, else the file's stem."""
    text_files: Literal["document", "lines"] = "document"
    """Whether a plain-text or Markdown file is one document, or one document each line."""
    max_document_bytes: int = 128 * 1024 * 1024
    """Longer lines, values and text files go to quarantine: one document must fit in memory several times."""
    part_bytes: int = 64_000_000
    """Size of a part, the unit of work and of resume."""
    against: tuple[str, ...] = ()
    """Folders of finished runs whose documents count as already there: near_dup removes what they hold."""

    def __post_init__(self) -> None:
        for key in ("max_document_bytes", "part_bytes"):
            value = getattr(self, key)
            if value < 1:
                raise ValueError(f"`input.{key}` must be at least 1 byte, but is {value}")


class LineMark(NamedTuple):
    """Where a line begins: a place at which a file of lines can be entered."""

    offset: int
    line: int
    """Number of the line, counted from 1."""


class RowGroup(NamedTuple):
    """Size of one row group of a Parquet file."""

    rows: int
    bytes: int
    """Uncompressed."""


class Problem(NamedTuple):
    """Why a whole file goes to quarantine, noticed when it was inspected."""

    reason: str
    detail: str


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the corpus. `discover` fills the first block of fields, `inspect` the second."""

    path: str
    name: str
    """Relative to the given folder, with ``/``: the same on every machine."""
    format: Format
    compression: Compression = ""
    max_document_bytes: int = InputSettings().max_document_bytes

    size: int = 0
    """Bytes on disk."""
    fingerprint: str = ""
    """XXH3-128 of the content, in hex; empty when the file cannot be read."""
    empty: bool = False
    text: str = ""
    id: str = ""
    source: str = ""
    guessed: frozenset[str] = frozenset()
    """Which of ``text``, ``id``, ``source`` were guessed rather than set."""
    marks: tuple[LineMark, ...] = ()
    """Ascending; files of plain lines only."""
    row_groups: tuple[RowGroup, ...] = ()
    problem: Problem | None = None
    note: str = ""
    """Something worth telling the user that is no problem."""

    @property
    def default_source(self) -> str:
        """The first folder, else the stem of the file."""
        folder, slash, _ = self.name.partition("/")
        return folder if slash else _stem(self.name)


class Skipped(NamedTuple):
    """A file or folder that was found and not taken."""

    path: str
    why: str


class Discovery(NamedTuple):
    """What the given paths lead to."""

    files: tuple[InputFile, ...]
    """Sorted by name; each file once."""
    skipped: tuple[Skipped, ...]
    hidden: int
    """Files and folders passed over because their name begins with a dot."""


def discover(paths: Sequence[str], settings: InputSettings) -> Discovery:
    """The input files that ``paths`` (files, folders, globs with ``**``) lead to.

    Args:
        paths: as the user typed them. Folders are walked; hidden files in them are passed over.
        settings: the section ``[input]``.

    Raises:
        InputError: a path does not exist, a pattern matches nothing, or nothing found is a known format.
    """
    search = _Search()
    for path in paths:
        search.add(path)
    root = os.path.commonpath(search.roots) if search.roots else ""
    taken, skipped = [], list(search.skipped)
    for path in search.found.values():
        file = _input_file(path, root, settings)
        if file:
            taken.append(file)
        else:
            skipped.append(Skipped(path, f"`{Path(path).suffix or Path(path).name}` is not a known format"))
    if not taken:
        where = ", ".join(f"`{path}`" for path in paths)
        raise InputError(
            f"there is no file to read in {where} ({len(skipped)} passed over)",
            hint=f"known suffixes: {' '.join(_FORMATS)}, each but .parquet also with .gz .zst",
        )
    return Discovery(tuple(sorted(taken, key=lambda file: file.name)), tuple(sorted(skipped)), search.hidden)


class _Search:
    """Walks what the user named; the same file reached twice is found once."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.roots: list[str] = []
        self.skipped: list[Skipped] = []
        self.hidden = 0
        self._walked: set[str] = set()

    def add(self, path: str) -> None:
        if Path(path).exists():
            self._root(path if Path(path).is_dir() else str(Path(path).parent))
            self._take(path)
        elif glob.has_magic(path):
            matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207  (Path's takes no absolute)
            if not matches:
                raise InputError(f"the pattern `{path}` matches nothing", hint="quote patterns with `**`")
            self._root(_fixed_folder(path))
            for match in matches:
                self._take(match)
        else:
            raise InputError(f"`{path}` does not exist", hint=_similar(Path(path)))

    def _root(self, folder: str) -> None:
        self.roots.append(os.path.realpath(folder or "."))

    def _take(self, path: str) -> None:
        if Path(path).is_dir():
            self._walk(os.path.realpath(path))
        else:
            # The folder is made canonical, not the file: a linked file keeps the name it was found under.
            folder, name = os.path.realpath(Path(path).parent), Path(path).name
            self._keep(os.path.join(folder, name))  # noqa: PTH118

    def _keep(self, path: str) -> None:
        if not Path(path).is_file():
            self.skipped.append(Skipped(path, "not a regular file, or a link that leads nowhere"))
        else:
            self.found.setdefault(os.path.realpath(path), path)

    def _walk(self, folder: str) -> None:
        if folder in self._walked:
            return
        self._walked.add(folder)
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self.skipped.append(Skipped(folder, f"the folder cannot be listed: {error.strerror}"))
            return
        for entry in entries:
            self._visit(entry)

    def _visit(self, entry: os.DirEntry[str]) -> None:
        if entry.name.startswith("."):
            self.hidden += 1
        elif entry.is_dir():
            self._walk(os.path.realpath(entry.path) if entry.is_symlink() else entry.path)
        elif entry.is_file(follow_symlinks=False):
            self.found.setdefault(entry.path, entry.path)  # the folder is canonical already
        else:
            self._keep(entry.path)


def _input_file(path: str, root: str, settings: InputSettings) -> InputFile | None:
    name = _portable(os.path.relpath(path, root) if not path.startswith(root + os.sep) else path[len(root) + 1 :])
    stem, suffix = os.path.splitext(name.lower())  # noqa: PTH122  (a name, not a path; a hundred thousand times)
    compression = _COMPRESSIONS.get(suffix, "")
    if compression:
        suffix = os.path.splitext(stem)[1]  # noqa: PTH122
    kind = _FORMATS.get(suffix)
    if kind is None or (kind == "parquet" and compression):
        return None
    if kind == "text" and settings.text_files == "lines":
        kind = "lines"
    return InputFile(
        path=path,
        name=name,
        format=kind,
        compression=compression,
        max_document_bytes=settings.max_document_bytes,
    )


def _portable(name: str) -> str:
    """A name that is valid text whatever bytes the file system allows, with ``/`` between folders."""
    return os.fsencode(name).decode("utf-8", "backslashreplace").replace(os.sep, "/")


def _stem(name: str) -> str:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122
    return os.path.splitext(stem)[0] if suffix.lower() in _COMPRESSIONS else stem  # noqa: PTH122


def _fixed_folder(pattern: str) -> str:
    """The folders of a pattern before its first wildcard."""
    parts = Path(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return str(Path(*parts[:fixed]))


def _similar(path: Path) -> str:
    """A hint naming what lies where ``path`` was looked for."""
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    siblings = _names(folder)
    wanted = path.absolute().relative_to(folder).parts[0]
    hint = nearest(wanted, siblings)
    return hint if hint.startswith("did you mean") else f"look what is in `{folder}`"


def _names(folder: Path) -> Iterator[str] | list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
