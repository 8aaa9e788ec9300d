"""What libraries import at once although nothing here needs it, in the processes that belong to curate.

Where there is a pandas, pyarrow imports it at the first array that it makes, to see whether that was made of a series:
0.2 to 0.3 s. numba looks for scipy and coverage, which takes 0.04 s. A process of curate hides them meanwhile; whoever
needs them later finds them, pyarrow too. In a program that imports curate nothing is hidden.
"""

import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

UNNEEDED: Mapping[str, tuple[str, ...]] = {"numba": ("coverage", "scipy"), "pyarrow": ("pandas",)}
"""Library → modules hidden while it is imported, unless they are loaded already."""


def hide_unneeded() -> None:
    """Hide them in this process. A stage or format of somebody else may give pyarrow series: pandas stays then."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Hidden(threading.local):
    """What a thread does not find at the moment: others may import a library meanwhile, too."""

    names: tuple[str, ...] = ()


class _Finder:
    """Finds the libraries where they are, and what is hidden nowhere."""

    def __init__(self) -> None:
        self._hidden = _Hidden()

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        """See `importlib.abc.MetaPathFinder`."""
        if name in self._hidden.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        spec = PathFinder.find_spec(name, path) if name in UNNEEDED else None
        if spec and spec.loader:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                with self._hiding(UNNEEDED[name]):
                    run(module)
                    if name == "pyarrow" and not _has_others():
                        module.array([0])

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    @contextmanager
    def _hiding(self, names: Sequence[str]) -> "Iterator[None]":
        before = self._hidden.names
        self._hidden.names = tuple(name for name in names if name not in sys.modules)
        try:
            yield
        finally:
            self._hidden.names = before


def _has_others() -> bool:
    """Whether a stage or a format of somebody else is installed."""
    return any(group.startswith("curate.") for group in entry_points().groups)
