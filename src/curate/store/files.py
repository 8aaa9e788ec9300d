"""The few functions through which a run lists, writes and removes its files, on this disk or in an object store.

A file appears under its final name only when it is whole: written under another name beside it, synced, renamed, and
the folder synced. Only curate uses that other name, so what a killed run left can be distinguished from anything that
users keep in the same folder. In an object store it is put under its final name as a whole.
"""

import errno
import itertools
import os
import posixpath
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from curate.errors import InputError, UserError
from curate.store.disk import full_disk
from curate.store.objects.bucket import is_url, unknown_scheme
from curate.store.objects.credentials import KNOWN
from curate.store.objects.store_path import StorePath, tree_of

_UNFINISHED = re.compile(r"\..*\.\d+-\d+\.curate-unfinished", re.DOTALL)
_NAME_KEPT = 40
"""Characters of the final name in the other one: names have a length that file systems limit."""
_NOT_KNOWN = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}
_ZEROS = bytes(1 << 20)
_numbers = itertools.count()
_TOKEN = f"{secrets.randbelow(10**12):012d}"
"""Processes of two machines that share a folder may have the same number."""


def place(name: str) -> Path:
    """The folder or file that a user named: a path of this disk, or one in an object store.

    Raises:
        InputError: it is an address of a kind that is not known.

    Example:
        >>> place("curated"), place("memory://store/curated")
        (PosixPath('curated'), StorePath('memory://store/curated'))
    """
    if is_url(name):
        tree_of(name, root=True).refresh()
        return StorePath(name)
    if scheme := unknown_scheme(name):
        raise InputError(
            f"`{name}` cannot be opened: `{scheme}://` is not known",
            hint=f"known: {' '.join(KNOWN)}",
        )
    return Path(name)


def on_this_disk(path: Path) -> Path:
    """The file itself, or a copy of an object, for programs that open files only."""
    return path.local() if isinstance(path, StorePath) else path.resolve()


def way(to: Path, start: Path) -> str:
    """The path that leads to a folder from another one: an address where they are not in the same place."""
    if isinstance(to, StorePath) or isinstance(start, StorePath):
        same = isinstance(to, StorePath) and isinstance(start, StorePath) and to.parts[:2] == start.parts[:2]
        return posixpath.relpath(str(to), str(start)) if same else str(to.absolute())
    return os.path.relpath(to.absolute(), start.absolute())


@contextmanager
def whole_file(final: Path) -> Iterator[Path]:
    """A temporary path to write to; it takes the name ``final`` when the block ends well, and goes when it does not.

    Raises:
        UserError: there is a folder of that name, or a file where its folder would be.
    """
    if not isinstance(final, StorePath):
        require_no_folder(final)
        require_folder(final.parent)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished(final)
    try:
        yield temporary
        put(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def require_no_folder(path: Path, *, hint: str = "") -> None:
    """See that no folder is in the place of a file.

    Raises:
        UserError: there is one.
    """
    if path.is_dir():
        raise UserError(f"`{path}` is a folder, not a file", hint=hint or f"-o {path / 'NAME'}{path.suffix}")


def require_folder(path: Path, *, writable: bool = False, hint: str = "") -> None:
    """See that a folder is there, or can be made; with ``writable``, that it or what it would be made in takes files.

    Raises:
        UserError: a file is in its place, or it takes none.
    """
    for each in (path, *path.parents):
        if each.exists():
            if not each.is_dir():
                raise UserError(f"`{each}` is a file, not a folder", hint=hint or "name another folder with -o")
            if writable:
                require_takes_files(each, hint=hint)
            return


def require_takes_files(folder: Path, *, hint: str = "") -> None:
    """See that a file can be made in a folder. Leaves no trace.

    Raises:
        UserError: none can.
        OSError: its disk is full.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if full_disk(error):
            raise
        why = f"`{folder}` cannot be written: {error.strerror}"
        raise UserError(why, hint=hint or "name a folder that you may write to with -o") from error


def write_whole(final: Path, content: bytes) -> None:
    """Write ``content`` to ``final`` so that a reader sees the old file or the new one, never a torn one."""
    with whole_file(final) as temporary:
        temporary.write_bytes(content)


def put(temporary: Path, final: Path) -> None:
    """Give a finished file its name: the one place where that happens."""
    if isinstance(final, StorePath):
        final.tree.put(final.key, temporary)
        return
    _sync(temporary)
    temporary.replace(final)
    _sync(final.parent)


def unfinished(final: Path) -> Path:
    """A name on this disk that nobody else uses and that `is_unfinished` knows: beside ``final``, if that is there."""
    name = f".{final.name[:_NAME_KEPT]}.{os.getpid()}{_TOKEN}-{next(_numbers)}.curate-unfinished"
    return final.tree.copies.folder / name if isinstance(final, StorePath) else final.with_name(name)


def is_unfinished(name: str) -> bool:
    """Whether a file of that name was being written when its run was killed.

    Example:
        >>> is_unfinished(unfinished(Path("run.json")).name), is_unfinished("thesis.tmp")
        (True, False)
    """
    return _UNFINISHED.fullmatch(name) is not None


def allocate(file: BinaryIO, size: int) -> None:
    """Make a file ``size`` zeros long, all of which the disk holds: who writes through a map meets no full disk then.

    Raises:
        OSError: the disk cannot hold them.
    """
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except (AttributeError, OSError) as error:  # macOS has no such call, some file systems do not know it
        if isinstance(error, OSError) and error.errno not in _NOT_KNOWN:
            raise
        file.writelines(_ZEROS[: size - start] for start in range(0, size, len(_ZEROS)))
        file.flush()


class Entry(NamedTuple):
    """Something in a folder; a link is neither file nor folder, wherever it leads."""

    name: str
    path: Path
    is_file: bool
    is_folder: bool


def entries(folder: Path) -> list[Entry]:
    """What lies in a folder, sorted by name; nothing if there is none, or where a link leads elsewhere."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    if isinstance(folder, StorePath):
        return [Entry(one.name, one, one.is_file(), one.is_dir()) for one in folder.iterdir()]
    with os.scandir(folder) as listing:
        found = [(e, e.is_file(follow_symlinks=False), e.is_dir(follow_symlinks=False)) for e in listing]
    return sorted(Entry(e.name, Path(e.path), file, inside) for e, file, inside in found)


def remove(path: Path) -> None:
    """Remove a file; of a link, the link."""
    path.unlink(missing_ok=True)


def remove_empty(folder: Path) -> None:
    """Remove a folder that holds nothing; any other stays."""
    if not folder.is_symlink() and folder.is_dir() and not entries(folder):
        folder.rmdir()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
