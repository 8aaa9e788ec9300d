"""Where compiled kernels and derived tables are kept between processes: never in a folder that the user did not name.

numba's cache holds pickles and machine code, which are run when they are read: whoever can write it can run code.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curate.cache.folder import user_cache_folder


def choose_kernel_cache(package: str) -> None:
    """Make sure that numba has a folder to write to, without which it refuses to define a kernel at all.

    That is ``NUMBA_CACHE_DIR`` where it is set, else the folder of the source, else the user's cache folder. Where none
    can be written, a temporary folder, which only this user can read, serves this process alone.

    Args:
        package: path of the `__init__.py` of the kernels' package.
    """
    own, given = user_cache_folder() / "numba", os.environ.get("NUMBA_CACHE_DIR")
    if given:
        os.environ["NUMBA_CACHE_DIR"] = str(Path(given).absolute())  # a child process works in another folder
    elif not _writable(Path(package).parent / "__pycache__"):
        os.environ["NUMBA_CACHE_DIR"] = str(own) if _writable(own) else tempfile.mkdtemp(prefix="curate-kernels-")


def forget_moved_types() -> None:
    """Have numba compile anew where its cache names a type that has moved.

    numba unpickles the index of a kernel before it looks whether its source has changed, so the first run after an
    upgrade would fail for a class that another version of this package had elsewhere.
    """
    from numba.core.caching import IndexDataCacheFile

    load = IndexDataCacheFile._load_index  # noqa: SLF001  (numba has no setting for it)

    def load_or_forget(self: IndexDataCacheFile) -> Any:
        try:
            return load(self)
        except (ImportError, AttributeError):
            return {}

    IndexDataCacheFile._load_index = load_or_forget  # noqa: SLF001


def load_compiler() -> None:
    """Have numba load what every kernel needs, from the cache too: 0.3 s that the first kernel pays otherwise.

    A kernel that another thread calls meanwhile waits: numba looks each of its tables through once, so whoever came in
    the middle would compile with half of them. All kernels are loaded and compiled under the lock that is taken here.
    """
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.registry import cpu_target

    with global_compiler_lock, _no_linear_algebra():
        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()


@contextmanager
def _no_linear_algebra() -> Iterator[None]:
    """Keep numba from importing SciPy to see whether there is a BLAS for its ``np.correlate``: 0.1 s."""
    from numba.np import linalg

    def absent() -> None:
        raise ImportError

    ensure_blas = getattr(linalg, "ensure_blas", absent)  # a name that another version may not have
    linalg.ensure_blas = absent
    try:
        yield
    finally:
        linalg.ensure_blas = ensure_blas


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
