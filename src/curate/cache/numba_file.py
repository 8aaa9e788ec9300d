"""numba's own settings file, which it is kept from reading.

numba reads ``.numba_config.yaml`` of the current folder, and again at each function that it compiles. One line of it,
``cache_dir``, names a folder whose pickles and machine code are then run, so a corpus could bring code. ``NUMBA_*``
variables hold as ever: those are the user's.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

_READER = "numba.core.config"
_FILE = ".numba_config.yaml"


def ignore_numba_file() -> None:
    """Have numba look for a file that is never there; where numba is loaded already, nothing can be done."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


class _Finder:
    """Finds just the module that reads the file."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == _READER else None
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Loads that module with another name for the file: the null device, which is no file to it.

    Nor is the library loaded that would read it, which numba does without where it is not installed: 0.02 s.
    """

    def get_code(self, fullname: str) -> CodeType | None:
        code = super().get_code(fullname)
        return code and code.replace(
            co_consts=tuple(os.devnull if each == _FILE else each for each in code.co_consts),
            co_names=tuple("no_yaml" if each == "yaml" else each for each in code.co_names),
        )
