"""Bytes that must wait for what is written before them: a header that counts them, a table of their places."""

import shutil
from contextlib import ExitStack
from pathlib import Path

from curate.shards.files.hashed_file import HashedFile
from curate.store.files import remove, unfinished


class Spool:
    """An unfinished file beside the final one; gone when the stack closes."""

    def __init__(self, files: ExitStack, final: Path) -> None:
        path = unfinished(final)
        files.callback(remove, path)
        self._file = files.enter_context(path.open("w+b"))
        self.size = 0

    def write(self, data: "bytes | bytearray | memoryview") -> None:
        """Add bytes at the end."""
        self._file.write(data)
        self.size += len(data)

    def copy_to(self, sink: HashedFile) -> None:
        """Write everything to ``sink``."""
        self._file.seek(0)
        shutil.copyfileobj(self._file, sink, _PIECE)


_PIECE = 4_194_304
