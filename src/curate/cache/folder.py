"""Where things are kept between processes, on this machine."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$CURATE_CACHE_DIR``, else ``curate`` in the user's cache folder."""
    return Path(os.environ.get("CURATE_CACHE_DIR") or user_cache_folder() / "curate")


def user_cache_folder() -> Path:
    """``$XDG_CACHE_HOME``, else ``~/.cache``.

    A relative path does not count, as that variable's specification has it: it would be a folder of the corpus.
    """
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".cache"
