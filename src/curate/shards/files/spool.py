"""Files that begin with what counts the rest of them: a header, a table of places."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.shards.damage import DamagedShard
from curate.shards.files.hashed_file import HashedFile, hashed_file
from curate.shards.format import Target
from curate.store.files import remove, unfinished

Counts = npt.NDArray[np.int64]


class HeadedFile:
    """Bytes behind a head. Where what it counts is known before, it is written first; else the bytes wait on disk.

    Args:
        files: close what is written.
        target: the shard.
        path: of the file.
        head: what stands first, by the tokens of all rows of the shard; raises where the file cannot be.
    """

    def __init__(self, files: ExitStack, target: Target, path: Path, head: Callable[[Counts], bytes]) -> None:
        self._files, self._path, self._head = files, path, head
        self._counts: list[Counts] = []
        self._written = b""
        if target.n_tokens is None:
            waiting = unfinished(path)
            files.callback(remove, waiting)
            self._spool = files.enter_context(waiting.open("w+b"))
        else:
            self._written = head(target.n_tokens)
            self._file = self._begun(self._written)

    def write(self, data: "bytes | memoryview", n_tokens: Counts) -> None:
        """Add bytes at the end, those of rows of so many tokens."""
        self._counts.append(n_tokens)
        (self._file if self._written else self._spool).write(data)

    def finish(self) -> list[tuple[str, HashedFile]]:
        """The file.

        Raises:
            DamagedShard: there were other rows than was said before.
        """
        head = self._head(np.concatenate([np.zeros(0, np.int64), *self._counts]))
        if not self._written:
            self._file = self._begun(head)
            self._spool.seek(0)
            shutil.copyfileobj(self._spool, self._file, _PIECE)
        elif head != self._written:
            raise DamagedShard(f"`{self._path.name}` has other documents than those that were counted before")
        return [(self._path.name, self._file)]

    def _begun(self, head: bytes) -> HashedFile:
        file = self._files.enter_context(hashed_file(self._path))
        file.write(head)
        return file


_PIECE = 4_194_304
