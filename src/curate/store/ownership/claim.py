"""Whose a run directory is: may a run write there at all, is it a run's, and is nobody else at it."""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from curate.errors import Stopped, UserError
from curate.store.files import remove, remove_empty, require_takes_files
from curate.store.manifest import find_manifest, other_layout
from curate.store.objects.credentials import WRITABLE
from curate.store.objects.lease import leased
from curate.store.objects.store_path import StorePath
from curate.store.objects.tags import write_tags
from curate.store.ownership.tidying import first_numbered, first_row_file
from curate.store.run_directory import CACHE, DOCUMENTS, LOCK, MANIFEST, QUARANTINE, REPORT_JSON, REPORT_PAGE, SHARDS

_OF_THE_SYSTEM = {"lost+found", ".DS_Store"}
"""What an empty disk or folder may hold."""


def is_run_directory(folder: Path) -> bool:
    """Whether a run of curate, finished or not, wrote a folder; what only looks like one is none."""
    if _is_there(folder / LOCK):
        return True
    if (folder / MANIFEST).is_file() and find_manifest(folder).state in {"whole", "older", "newer"}:
        return True
    return (folder / DOCUMENTS).is_dir() and bool(first_row_file(folder) or first_numbered(folder))


def require_usable(path: Path, folders: Collection[str], *, fresh: bool) -> None:
    """See that a run may write to a folder, before anything else is done. Leaves no trace.

    Args:
        path: the run directory; need not exist.
        folders: names of the folders in it that the run writes to, beside those of every run.
        fresh: whether what an earlier run left is to be removed.

    Raises:
        UserError: it cannot be written, or holds what no run of curate wrote, or another version did.
    """
    _require_writable(path, [DOCUMENTS, QUARANTINE, SHARDS, CACHE, *folders])
    if path.is_dir():
        _require_ours(path)
    found = find_manifest(path)
    if found.state in {"older", "newer"} and not fresh:
        raise other_layout(path, found)
    if not fresh and first_numbered(path):
        raise UserError(
            f"`{path}` holds an unfinished run of an older version, whose parts were numbered",
            hint="name another folder with -o, or discard that run with --fresh",
        )


def _require_writable(path: Path, folders: Collection[str]) -> None:
    if isinstance(path, StorePath):
        _require_bucket(path)
        return
    nearest = next(folder for folder in (path, *path.absolute().parents) if _is_there(folder))
    if not nearest.is_dir():
        what = "a link that leads nowhere" if nearest.is_symlink() and not nearest.exists() else "a file"
        raise UserError(f"`{nearest}` is {what}, not a folder", hint="name another folder with -o")
    inside = [path / folder for folder in folders if nearest == path and _is_there(path / folder)]
    for folder in (nearest, *inside):
        if not folder.is_dir():
            raise UserError(
                f"`{folder}` is not a folder, and curate needs one there", hint="name another folder with -o"
            )
        require_takes_files(folder)
    if (path / LOCK).exists() and not os.access(path / LOCK, os.W_OK):
        raise UserError(
            f"`{path / LOCK}` cannot be written: it is another user's", hint="name a folder of your own with -o"
        )
    for name in (MANIFEST, REPORT_JSON, REPORT_PAGE, LOCK):
        if (path / name).is_dir():
            raise UserError(
                f"`{path / name}` is a folder, and curate writes a file there", hint="name another folder with -o"
            )


def _require_bucket(path: StorePath) -> None:
    """See that a store answers, holds no object where the folder is to be, and is one that can be written to."""
    scheme = path.parts[0].removesuffix(":")
    if scheme not in WRITABLE:
        raise UserError(
            f"`{path}` can only be read", hint=f"name a folder, or {', '.join(f'{one}://…' for one in WRITABLE[:3])}"
        )
    if path.is_file():
        raise UserError(f"`{path}` is an object, and not a folder", hint="name another folder with -o")


def _is_there(path: Path) -> bool:
    """Whether something has that name, a link that leads nowhere too."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"`{path}` cannot be a run directory: {why}", hint="name another folder with -o") from error
    return True


def _require_ours(path: Path) -> None:
    """See that what a folder holds was written by a run."""
    names = {entry.name for entry in path.iterdir()} - _OF_THE_SYSTEM
    state = find_manifest(path).state
    unknown = not names & {MANIFEST, LOCK} and bool(names)
    such_as = MANIFEST if state == "foreign" else min(names, default="")
    if state == "foreign" or (unknown and first_row_file(path) is None and first_numbered(path) is None):
        raise UserError(
            f"`{path}` holds files that no run of curate wrote, such as `{such_as}`",
            hint="name an empty or a new folder with -o",
        )
    if state == "damaged" and first_row_file(path) is None:
        raise UserError(
            f"`{path / MANIFEST}` cannot be read, and nothing beside it shows that curate wrote it",
            hint="name another folder with -o, or remove that file",
        )


@contextmanager
def claimed(path: Path, command: str, *, take_over: bool = False) -> Iterator[None]:
    """Hold a run directory; its lock says by which command while the run is not finished.

    Args:
        path: the run directory.
        command: what makes the run.
        take_over: take a directory in an object store from whoever holds it. On a disk nobody else can seem to.

    Raises:
        UserError: another run holds it.
    """
    parents = () if isinstance(path, StorePath) else (path, *path.parents)
    missing = [each for each in parents if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    was_unfinished = (path / LOCK).exists()
    with _held(path, command, take_over=take_over):
        try:
            yield
        except UserError:  # nothing was begun that somebody could wish to end
            if not was_unfinished:
                with suppress(Stopped):  # where the claim was lost, the object is another run's
                    remove(path / LOCK)
                with suppress(OSError):  # somebody wrote there meanwhile
                    for folder in missing:
                        remove_empty(folder)
            raise
        write_tags(path)
        remove(path / LOCK)


@contextmanager
def _held(path: Path, command: str, *, take_over: bool) -> Iterator[None]:
    if isinstance(path, StorePath):
        with leased(path / LOCK, command, take_over=take_over):
            yield
        return
    with _locked(path) as lock:
        lock.truncate(0)
        lock.write(f"{command}\n")
        lock.flush()
        yield


def _locked(path: Path) -> IO[str]:
    """The lock, held; and it is still the file of that name, which who held it before may have removed."""
    while True:
        lock = (path / LOCK).open("a", encoding="utf-8", errors="surrogateescape")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), (path / LOCK).stat()):
                return lock
        except FileNotFoundError:
            pass
        except OSError as error:
            lock.close()
            raise _not_locked(path, error) from error
        lock.close()


def _not_locked(path: Path, error: OSError) -> UserError:
    if isinstance(error, BlockingIOError):
        return UserError(f"another run is writing to `{path}`", hint="wait for it, or choose another folder with -o")
    return UserError(f"`{path}` cannot be locked: {error.strerror}", hint="name a folder on another disk with -o")
