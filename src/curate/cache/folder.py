"""Where things are kept between processes, on this machine."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def cache_folder() -> Path:
    """``$CURATE_CACHE_DIR``, else ``curate`` in the user's cache folder."""
    return Path(os.environ.get("CURATE_CACHE_DIR") or user_cache_folder() / "curate")


def user_cache_folder() -> Path:
    """``$XDG_CACHE_HOME``, else ``~/.cache``.

    A relative path does not count, as that variable's specification has it: it would be a folder of the corpus.
    """
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".cache"


def keep_whole(file: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file of a cache, which appears under its name only when it is whole.

    Raises:
        OSError: the folder cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as temporary:
            write(temporary)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
