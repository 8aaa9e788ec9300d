"""Where compiled kernels and derived tables are kept between processes: never in a folder that the user did not name.

numba's cache holds pickles and machine code, which are run when they are read: whoever can write it can run code.
"""

import os
import tempfile
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


def load_without_compiler() -> None:
    """Have numba load a kernel that is kept without what compiling one takes: 0.3 s, most of it imports.

    numba fills all of its tables before it looks for a kept kernel, and again before it compiles. The second is enough:
    what machine code calls is there with the runtime. So is the module of each function of numba that a kernel holds,
    which is named for what runs in object mode. Only of this package: kernels of others may call more.
    """
    from numba.core import environment
    from numba.core.caching import Cache
    from numba.core.runtime.nrt import rtsys

    load, rebuild = Cache.load_overload, environment._rebuild_env  # noqa: SLF001  (numba has no setting for it)

    def load_alone(self: Cache, signature: Any, target: Any) -> Any:
        if not self._py_func.__module__.startswith("curate."):
            return load(self, signature, target)
        rtsys.initialize(target)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(signature, target)

    def rebuild_alone(module: str, constants: Any, name: str) -> Any:
        if not module.startswith("numba.") or environment.lookup_environment(name):
            return rebuild(module, constants, name)
        made = environment.Environment({"__name__": module})
        made.consts[:] = constants
        made.env_name = name
        environment.Environment._memo[name] = made  # noqa: SLF001
        return made

    Cache.load_overload, environment._rebuild_env = load_alone, rebuild_alone  # noqa: SLF001


def load_runtime() -> None:
    """Have numba make what every kernel calls, kept ones too: 0.05 s, outside the interpreter's lock."""
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.registry import cpu_target
    from numba.core.runtime.nrt import rtsys

    with global_compiler_lock:
        rtsys.initialize(cpu_target.target_context)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
