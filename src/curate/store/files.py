"""Files on this machine: the few functions through which a run lists, writes and removes them.

A file appears under its final name only when it is whole: written under another name beside it, synced, renamed, and
the folder synced. That other name is one that only curate gives, so what a killed run left can be told from anything
that users keep in the same folder.
"""

import errno
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_UNFINISHED = re.compile(r"\..*\.\d+-\d+\.curate-unfinished", re.DOTALL)
_NAME_KEPT = 40
"""Characters of the final name in the other one: names have a length that file systems limit."""
_NOT_KNOWN = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}
_ZEROS = bytes(1 << 20)
_numbers = itertools.count()


@contextmanager
def whole_file(final: Path) -> Iterator[Path]:
    """A temporary path to write to; it takes the name ``final`` when the block ends well, and goes when it does not."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished(final)
    try:
        yield temporary
        put(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(final: Path, content: bytes) -> None:
    """Write ``content`` to ``final`` so that a reader sees the old file or the new one, never a torn one."""
    with whole_file(final) as temporary:
        temporary.write_bytes(content)


def put(temporary: Path, final: Path) -> None:
    """Give a finished file its name: the one place where that happens."""
    _sync(temporary)
    temporary.replace(final)
    _sync(final.parent)


def unfinished(final: Path) -> Path:
    """A name beside ``final`` that nobody else uses and that `is_unfinished` knows."""
    return final.with_name(f".{final.name[:_NAME_KEPT]}.{os.getpid()}-{next(_numbers)}.curate-unfinished")


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


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted by name; nothing where there is none, or where a link leads elsewhere."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    with os.scandir(folder) as listing:
        return sorted(listing, key=lambda entry: entry.name)


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a regular file itself, not a link to one."""
    return entry.is_file(follow_symlinks=False)


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
