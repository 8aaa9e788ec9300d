"""Look-up tables derived from the installed Python and libraries, kept on disk between processes.

Kernels look code points up in tables of 1.1 million entries. Building one in Python takes a second or more, so
each is built once for a given version of what it derives from, and mapped from disk afterwards.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.cache.folder import cache_folder, keep_whole

Tables = dict[str, npt.NDArray[Any]]


def derived(name: str, version: str, build: Callable[[], Tables]) -> Tables:
    """The tables that ``build`` returns, from disk when the same ``name`` and ``version`` were built before.

    Args:
        name: what the tables are, a file-name stem.
        version: everything they derive from (library versions, ``unicodedata.unidata_version``, own revision).
        build: returns arrays by name; must be deterministic.

    A folder that cannot be written is no error: the tables are then built again in each process.
    """
    stamp = hashlib.sha256(version.encode()).hexdigest()[:16]
    file = cache_folder() / f"{name}-{stamp}.npz"
    try:
        with np.load(file) as stored:
            return {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError):
        tables = build()
    with suppress(OSError):
        keep_whole(file, lambda temporary: np.savez(temporary, allow_pickle=False, **tables))
    return tables


def shipped(package: str, name: str) -> str:
    """A text that lies beside the modules of a package; what tables derive from.

    Example:
        >>> shipped("curate.text.quality.words", "word_rules.toml").startswith("#")
        True
    """
    return files(package).joinpath(name).read_text("utf-8")
