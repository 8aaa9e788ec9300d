"""What the browser has read of a run once, on this disk, so that it opens at once the next time."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from curate.cache.folder import cache_folder, keep_whole
from curate.store.digest import digest
from curate.store.objects.ranges import is_far
from curate.view.groups import Groups, Table

Array = npt.NDArray[Any]

SMALL = 100_000
"""Documents of a run that is read as fast as anything could be looked up."""
RUNS = 4
"""Runs of which something is kept: those opened last."""
_VERSION = 1


class Stored:
    """Arrays of one run, by name, in a folder of the user's cache. What is missing or cannot be written is made again.

    Args:
        files: all row files that the arrays are made from.
        proof: what else they depend on, such as the checksum of ``run.json``.
        rows: documents of the run.
    """

    def __init__(self, files: list[Path], proof: list[str], rows: int) -> None:
        self._folder: Path | None = None
        if rows >= SMALL:
            looks = [[str(file), *((0, 0) if is_far(file) else _look(file))] for file in files]
            self._folder = cache_folder() / "view" / digest([_VERSION, proof, looks])

    @property
    def is_there(self) -> bool:
        """Whether the files were read and checked before, and have not changed since."""
        return self._folder is not None and (self._folder / "groups.json").exists()

    def groups(self, make: Callable[[], Groups]) -> Groups:
        """The groups of the documents, made where they are not there; writes `is_there`, so everything was checked."""
        if self._folder is None:
            return make()
        table = self._folder / "groups.json"
        with suppress(OSError, ValueError, msgspec.DecodeError):
            of = np.load(self._folder / "groups.npy", mmap_mode="r")
            os.utime(self._folder)
            return Groups(of, msgspec.json.decode(table.read_bytes(), type=Table))
        made = make()
        self._write("groups.npy", made.of)
        with suppress(OSError):
            keep_whole(table, lambda file: file.write(msgspec.json.encode(made.table)))
            self._tidy()
        return made

    def array(self, name: str, make: Callable[[], Array]) -> Array:
        """An array, made where it is not there."""
        if self._folder is None:
            return make()
        file = f"{digest(name)}.npy"
        with suppress(OSError, ValueError):
            return np.load(self._folder / file, mmap_mode="r")  # type: ignore[no-any-return]
        return self._written(file, make())

    def arrays(self, name: str, make: Callable[[], dict[str, Array]]) -> dict[str, Array]:
        """Several arrays that are made together."""
        if self._folder is None:
            return make()
        made = dict[str, Array]()

        def all_of_them() -> dict[str, Array]:
            made.update(made or make())
            return made

        keys = self.array(f"{name}, names", lambda: np.array([*all_of_them()]))
        return {key: self.array(f"{name} {key}", partial(lambda key: all_of_them()[key], key)) for key in keys.tolist()}

    def _written(self, name: str, array: Array) -> Array:
        """The array as it lies on this disk, so that it takes no memory that others need; itself where it cannot."""
        self._write(name, array)
        assert self._folder is not None
        with suppress(OSError, ValueError):
            return np.load(self._folder / name, mmap_mode="r")  # type: ignore[no-any-return]
        return array

    def _write(self, name: str, array: Array) -> None:
        assert self._folder is not None
        with suppress(OSError):
            keep_whole(self._folder / name, lambda file: np.save(file, array))

    def _tidy(self) -> None:
        """Forget the runs that were opened longest ago; only what has our names is removed."""
        assert self._folder is not None
        ours = [table.parent for table in self._folder.parent.glob("*/groups.json")]
        for folder in sorted(ours, key=lambda folder: folder.stat().st_mtime, reverse=True)[RUNS:]:
            for file in (folder / "groups.json", *folder.glob("*.npy"), *folder.glob("tmp*.tmp")):  # of a killed one
                file.unlink(missing_ok=True)
            with suppress(OSError):  # somebody else's file is in it
                folder.rmdir()


def _look(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns
