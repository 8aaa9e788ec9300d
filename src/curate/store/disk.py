"""Full disks: distinguished from other errors wherever they occur, and named."""

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from curate.errors import causes
from curate.store.objects.store_path import StorePath

_FULL = {
    errno.ENOSPC: "is full",
    errno.EDQUOT: "has no room left for you: your quota is used up",
    errno.EFBIG: "takes no file as large as this, or `ulimit -f` forbids it",
}
_SAID = {os.strerror(number): state for number, state in _FULL.items()}
"""Libraries in other languages give the words, and not always the number."""


def full_disk(error: BaseException, *folders: Path) -> str:
    """A sentence that names the disk that is full; empty where an error has another cause.

    Args:
        error: what was met, by Python or by a library.
        folders: what was being written to. Thought of besides: the temporary folder, that of compiled kernels, and the
            file that the output goes to.

    Example:
        >>> full_disk(OSError(errno.ENOSPC, "No space left on device", "/data/out/run.json"))
        'the disk of `/data/out` is full'
        >>> full_disk(OSError(errno.EFBIG, "File too large", "/data/out/run.json"))
        'the disk of `/data/out` takes no file as large as this, or `ulimit -f` forbids it'
        >>> full_disk(OSError(errno.EACCES, "Permission denied"))
        ''
    """
    for each in causes(error):
        state = _state(each)
        if state:
            name = each.filename if isinstance(each, OSError) else None
            place = Path(os.fsdecode(name)).parent if name else min([*folders, *_others()], key=_free)
            return f"the disk of `{place}` {state}"
    return ""


def unwritable(error: BaseException, folder: Path) -> str:
    """A sentence about a file in ``folder`` that cannot be used (any more); empty where an error has another cause.

    Example:
        >>> unwritable(PermissionError(errno.EACCES, "Permission denied", "out/documents/a"), Path("out"))
        '`out/documents/a` cannot be read or written: Permission denied'
    """
    for each in causes(error):
        if isinstance(each, OSError) and each.filename and each.strerror:
            file = Path(os.fsdecode(each.filename))
            if isinstance(folder, StorePath) and os.fsdecode(each.filename).startswith(str(folder)):
                return f"`{os.fsdecode(each.filename)}` cannot be read or written: {each.strerror}"
            if file.absolute().is_relative_to(folder.absolute()):
                return f"`{file}` cannot be read or written: {each.strerror}"
    return ""


def _state(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in _FULL:
        return _FULL[error.errno]
    return next((state for words, state in _SAID.items() if words in str(error)), "")


def _others() -> Iterator[Path]:
    """Where else this process may write."""
    yield Path(tempfile.gettempdir())
    yield Path(os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).parent)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            yield Path(f"/proc/self/fd/{stream.fileno()}").readlink().parent


def _free(folder: Path) -> int:
    """Bytes free on the disk of a folder, which need not exist."""
    if isinstance(folder, StorePath):
        folder = folder.tree.copies.folder
    existing = next((each for each in (folder.absolute(), *folder.absolute().parents) if each.exists()), Path("/"))
    try:
        return shutil.disk_usage(existing).free
    except OSError:
        return 0
