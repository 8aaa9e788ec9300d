"""Which files are the corpus: from the paths a user typed to a sorted list of input files.

Files are opened here only where their name tells no format, and the ``run.json`` of folders that have one. What is
skipped is listed with the reason, so that no file is lost in silence.
"""

import glob
import os
import shlex
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from curate.corpus.archives.members import expanded, is_archive
from curate.corpus.discovery.named import input_file, input_file_of
from curate.corpus.discovery.objects import located, name_of, runs_among
from curate.corpus.discovery.pattern import fixed_folder, matching
from curate.corpus.discovery.sidecars import sidecar
from curate.corpus.discovery.standard_input import NAME, STANDARD
from curate.corpus.discovery.unknown import identified, note_of
from curate.corpus.formats.registry import by_suffix, formats
from curate.corpus.input import COMPRESSIONS, InputFile, InputSettings, Skipped, excluded_by
from curate.errors import InputError, UserError, nearest
from curate.store.objects.bucket import Stored, is_url, unknown_scheme
from curate.store.objects.credentials import KNOWN
from curate.store.ownership.claim import is_run_directory

_IRREGULAR = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

_REQUESTS = 16
"""Objects of unknown formats that are looked at together."""


class Discovery(NamedTuple):
    """What the given paths lead to."""

    files: tuple[InputFile, ...]
    """Sorted by name; each file once."""
    skipped: tuple[Skipped, ...]

    def size(self, most: int) -> int:
        """Bytes of the files as they are stored, added up until they are more than ``most``."""
        total = 0
        for file in self.files:
            with suppress(OSError):
                total += file.size or os.stat(file.path).st_size  # noqa: PTH116  (a hundred thousand times)
            if total > most:
                break
        return total


def discover(paths: Sequence[str], settings: InputSettings, output: str = "", standard_input: str = "") -> Discovery:
    """The input files that ``paths`` (files, folders, globs with ``**``) lead to.

    Args:
        paths: as the user typed them. Folders are walked; hidden files and run directories in them are passed over.
        settings: the section ``[input]``.
        output: folder that the run writes to, which is no part of the corpus; empty: there is none.
        standard_input: the file that holds what the path ``-`` stands for; empty: that path is like any other.

    Raises:
        InputError: a path is empty, does not exist or lies in ``output``, a pattern matches nothing, or nothing found
            is a known format.
    """
    search = _Search(output.rstrip("/") if is_url(output) else os.path.realpath(output) if output else "")
    for path in paths:
        if path != STANDARD or not standard_input:
            search.add(path)
    root = os.path.commonpath(search.roots) if search.roots else ""
    real_root = os.path.realpath(root)
    address = _common(search.addresses) if not search.roots else ""

    def name_in_corpus(path: str) -> str:
        return name_of(path, address) if is_url(path) else _name(*search.as_reached(path, root, real_root))

    taken, skipped = [], [entry._replace(path=name_in_corpus(entry.path)) for entry in search.skipped]
    unknown: list[tuple[str, str, Stored | None]] = []
    for path in (*search.found.values(), *search.objects):
        name, stored = name_in_corpus(path), search.objects.get(path)
        if pattern := excluded_by(name, settings):
            skipped.append(_excluded(name, pattern))
            continue
        file = input_file(path, name, settings, stored)
        if file:
            taken.append(file)
        else:
            unknown.append((path, name, stored))
    with ThreadPoolExecutor(_REQUESTS) as pool:
        look = pool.map if search.objects else map
        for (path, name, stored), found in zip(unknown, look(lambda one: identified(*one), unknown), strict=True):
            if found.format:
                kind, note = formats()[found.format], note_of(found.format)
                taken.append(input_file_of(path, name, kind, found.compression, settings, stored, note))
            else:
                skipped.append(Skipped(name, found.why, found.kind))
    if standard_input and (file := input_file(standard_input, NAME, settings)):
        taken.append(file)
    if any(map(is_archive, taken)):
        each = [expanded(file, settings) for file in taken]
        members = [file for files, _ in each for file in files]
        taken = [file for file in members if not excluded_by(file.name, settings)]
        skipped += [_excluded(file.name, by) for file in members if (by := excluded_by(file.name, settings))]
        skipped += [one for _, others in each for one in others]
    if not taken:
        raise InputError(_nothing_to_read(paths, skipped), hint=_nothing_hint(skipped))
    return Discovery(tuple(sorted(taken, key=lambda file: file.name)), tuple(sorted(set(skipped))))


class _Search:
    """Walks what the user named; the same file reached twice is found once."""

    def __init__(self, output: str) -> None:
        self.found: dict[str, str] = {}
        self.objects: dict[str, Stored] = {}
        self.addresses: list[str] = []
        self.roots: list[str] = []
        self.skipped: list[Skipped] = []
        self._output = output
        self._walked: set[str] = set()
        self._links: dict[str, str] = {}
        self._passed_over: dict[str, bool] = {}

    def add(self, path: str) -> None:
        if is_url(path) or unknown_scheme(path):
            self._add_objects(path)
            return
        if not path.strip() or "\0" in path:
            raise InputError(f"{path!r} is not a path", hint="curate run corpus/")
        if os.path.lexists(path):
            self._refuse_output(path)
            given = _as_given(path)
            self.roots.append(given if os.path.isdir(path) else os.path.dirname(given))  # noqa: PTH112, PTH120
            self._take(path)
        elif glob.has_magic(path):
            fixed, before = fixed_folder(path), len(self.skipped)
            if not os.path.lexists(fixed):
                raise InputError(
                    f"the pattern `{path}` matches nothing: `{fixed}` does not exist", hint=_similar(Path(fixed))
                )
            matches = sorted(matching(path, self._not_listed))
            if not matches and len(self.skipped) == before:
                raise InputError(f"the pattern `{path}` matches nothing", hint="quote patterns with `**`")
            self._refuse_output(fixed)
            self.roots.append(_as_given(fixed))
            for match in matches:
                if not any(map(self._is_passed_over, _folders_between(fixed, match))):
                    self._take(match)
        else:
            raise InputError(f"`{path}` does not exist", hint=_similar(Path(path)))

    def _add_objects(self, address: str) -> None:
        """Those of an object store."""
        if scheme := unknown_scheme(address):
            raise InputError(
                f"`{address}` cannot be opened: `{scheme}://` is not known", hint=f"known: {' '.join(KNOWN)}"
            )
        root, objects = located(address)
        self._refuse_output(root)
        self.addresses.append(root)
        passed_over = dict.fromkeys(runs_among(root, objects), "the folder of another run of curate")
        if is_url(self._output):
            passed_over[self._output] = "the folder that this run writes to"
        beside: dict[str, set[str]] = {}
        for url, _ in objects:
            beside.setdefault(url.rpartition("/")[0], set()).add(url.rpartition("/")[2])
        for url, stored in objects:
            folder, _, name = url.rpartition("/")
            run = next((run for run in passed_over if url.startswith(f"{run}/")), None)
            if run:
                self._skip(run, passed_over[run], "run")
            elif any(piece.startswith(".") for piece in name_of(url, root).split("/")):
                self._skip(url, "hidden: its name begins with a dot", "hidden")
            elif len(objects) > 1 and (why := sidecar(name, beside[folder])):
                self._skip(url, why, "sidecar")
            else:
                self.objects.setdefault(url, stored)

    def _refuse_output(self, path: str) -> None:
        if self._output and _is_within(path if is_url(path) else os.path.realpath(path), self._output):
            raise InputError(
                f"`{path}` is to be read, but is in the folder `{self._output}` that the run would write to",
                hint="name another folder with -o",
            )

    def _take(self, path: str) -> None:
        given = _as_given(path)
        if os.path.isdir(path):  # noqa: PTH112
            target = os.path.realpath(path)
            self._link(target, given)
            self._walk(target)
        else:
            # The folder is made canonical, not the file: a linked file keeps the name it was found under.
            folder, name = os.path.split(given)
            target = os.path.realpath(folder)
            self._link(target, folder)
            self._keep(os.path.join(target, name))  # noqa: PTH118

    def _link(self, target: str, reached: str) -> None:
        """Note how a folder was reached first, where that is through a link."""
        if target != reached and target not in self._walked:
            self._links.setdefault(target, reached)

    def _keep(self, path: str) -> None:
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116
        except OSError as error:
            self._skip(path, f"a link that leads nowhere: {error.strerror}", "irregular")
            return
        real = os.path.realpath(path)
        if not stat.S_ISREG(mode):
            self._skip(path, f"{_IRREGULAR.get(stat.S_IFMT(mode), 'something')} and not a file", "irregular")
        elif self._output and _is_within(real, self._output):
            self._skip(path, "a link to what this run writes", "run")
        else:
            self.found.setdefault(real, path)

    def _walk(self, folder: str) -> None:
        if folder in self._walked:
            return
        self._walked.add(folder)
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self._not_listed(folder, error)
            return
        if self._is_passed_over(folder):
            return
        if not entries:
            self._skip(folder, "an empty folder", "empty")
        names = frozenset(entry.name for entry in entries)
        for entry in entries:
            self._visit(entry, names)

    def _visit(self, entry: os.DirEntry[str], names: frozenset[str]) -> None:
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file(follow_symlinks=False)
        except OSError:  # a link to itself
            is_folder = is_file = False
        if entry.name.startswith("."):
            self._skip(entry.path, "hidden: its name begins with a dot", "hidden")
        elif is_folder:
            target = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
            self._link(target, entry.path)
            self._walk(target)
        elif is_file:
            if why := sidecar(entry.name, names):
                self._skip(entry.path, why, "sidecar")
            else:
                self.found.setdefault(entry.path, entry.path)  # the folder is canonical already
        else:
            self._keep(entry.path)

    def as_reached(self, path: str, root: str, real_root: str) -> tuple[str, str]:
        """A file as it was reached, and the root that this lies below: what lies outside of the root is named after the
        link that led there, so that names (and ids) do not depend on where a corpus lies.

        Args:
            path: of a file, its folders free of links.
            root: what all paths as the user gave them have in common.
            real_root: the same, free of links.
        """
        while not _is_within(path, real_root):
            folder = next((each for each in (path, *map(str, Path(path).parents)) if each in self._links), None)
            if folder is None:
                break
            path = self._links[folder] + path[len(folder.rstrip(os.sep)) :]
            if _is_within(path, root):
                return path, root
        return path, real_root

    def _not_listed(self, folder: str, error: OSError) -> None:
        self._skip(folder, f"the folder cannot be listed: {error.strerror}", "irregular")

    def _is_passed_over(self, folder: str) -> bool:
        """Whether a folder is a run directory, which is said once."""
        if folder not in self._passed_over:
            is_own = folder == self._output
            self._passed_over[folder] = is_own or _is_run(folder)
            if self._passed_over[folder]:
                why = "the folder that this run writes to" if is_own else "the folder of another run of curate"
                self._skip(folder, why, "run")
        return self._passed_over[folder]

    def _skip(self, path: str, why: str, kind: str) -> None:
        self.skipped.append(Skipped(path, why, kind))  # type: ignore[arg-type]


def _excluded(name: str, pattern: str) -> Skipped:
    return Skipped(name, f"`input.exclude` has `{pattern}`", "excluded")


def _is_run(folder: str) -> bool:
    try:
        return is_run_directory(Path(folder))
    except (OSError, UserError):  # one that may not be entered: its files say so when they are opened
        return False


def _common(addresses: Sequence[str]) -> str:
    """The folder that several addresses have in common; empty where that is less than a bucket."""
    pieces = zip(*(address.split("/") for address in addresses), strict=False)
    shared = [one[0] for one in takewhile(lambda each: len(set(each)) == 1, pieces)]
    return "/".join(shared) if len(shared) > 2 else ""


def _name(path: str, root: str) -> str:
    """The name of a file below ``root``: valid text whatever bytes the file system allows, ``/`` between folders."""
    inside = path[len(root) + 1 :] if path.startswith(root + os.sep) else os.path.relpath(path, root)
    if os.sep == "/":
        inside = inside.replace("\\", "\\\\")  # so that no other name looks like one with escaped bytes
    return os.fsencode(inside).decode("utf-8", "backslashreplace").replace(os.sep, "/")


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _nothing_to_read(paths: Sequence[str], skipped: Sequence[Skipped]) -> str:
    where = ", ".join(f"`{path}`" for path in paths)
    if not paths:
        return "no path is given"
    if not skipped:
        return f"there is no file to read in {where}"
    more = f", and {len(skipped) - 1:,} more skipped" if len(skipped) > 1 else ""
    return f"there is no file to read in {where}: `{skipped[0].path}` is skipped ({skipped[0].why}){more}"


def _nothing_hint(skipped: Sequence[Skipped]) -> str:
    if any(entry.kind == "run" for entry in skipped):
        return "name its files themselves to read them: 'RUN/shards/*.parquet' holds what a run kept"
    alone = " ".join(suffix for suffix, each in by_suffix().items() if not each.packable)
    return f"known suffixes: {' '.join(by_suffix())}, each (except {alone}) also with {' '.join(COMPRESSIONS)}"


def _as_given(path: str) -> str:
    """A path from the root of the file system on, with the links that it was typed with; none before a ``..`` of it."""
    parts = Path(path).parts
    steps = len(parts) - parts[::-1].index(os.pardir) if os.pardir in parts else 0
    return os.path.join(os.path.realpath(os.path.join("", *parts[:steps])), *parts[steps:])  # noqa: PTH118


def _folders_between(fixed: str, match: str) -> list[str]:
    """The folders below ``fixed`` in which a file lies."""
    folders = Path(os.path.relpath(match, fixed)).parts[:-1]
    return [os.path.realpath(os.path.join(fixed, *folders[:end])) for end in range(1, len(folders) + 1)]  # noqa: PTH118


def _similar(path: Path) -> str:
    """A hint naming what lies where ``path`` was looked for."""
    folder = next(parent for parent in path.absolute().parents if os.path.isdir(parent))  # noqa: PTH112
    wanted = path.absolute().relative_to(folder).parts[0]
    hint = nearest(wanted, _names(folder))
    return hint if hint.startswith("did you mean") else f"ls {shlex.quote(str(folder))}"


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
