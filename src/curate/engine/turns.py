"""Memory between the processes of one run: usual work goes on in all of them, a huge document has it all to itself.

Each process has a share of the memory. What needs more than the share of its process waits until no other process
works, and they wait until it is done. Record locks of the system do that, on a file without a name which all processes
hold: they go with the process, however it ends.
"""

import fcntl
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Self

_WORK, _NEXT = 0, 1
"""Bytes of the file that are locked: by who works, and by whose turn is next."""


class Turns:
    """Turns of one process.

    Args:
        file: number of the open file; must stay open.

    Example:
        >>> with Turns.new() as turns, turns.taken(alone=False), turns.taken(alone=False):
        ...     turns.working
        2
    """

    def __init__(self, file: int) -> None:
        self.file, self.working = file, 0
        self._entering, self._counting = threading.Lock(), threading.Lock()
        self._own: IO[bytes] | None = None

    @classmethod
    def new(cls) -> Self:
        """For a run that begins; `close` ends it."""
        own = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the run goes on)
        made = cls(own.fileno())
        made._own = own
        return made

    @contextmanager
    def taken(self, *, alone: bool) -> Iterator[None]:
        """Work as one of many, or ``alone``: then nobody else in this process may hold a turn or ask for one."""
        with self._entering:
            _lock(self.file, fcntl.LOCK_EX, _NEXT)  # whoever waits for his turn holds up those who come later
            with self._counting:
                if not self.working:
                    _lock(self.file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, _WORK)
                self.working += 1
            _lock(self.file, fcntl.LOCK_UN, _NEXT)
        try:
            yield
        finally:
            with self._counting:
                self.working -= 1
                if not self.working:
                    _lock(self.file, fcntl.LOCK_UN, _WORK)

    def close(self) -> None:
        """Give the file back."""
        if self._own:
            self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _lock(file: int, kind: int, byte: int) -> None:
    fcntl.lockf(file, kind, 1, byte, os.SEEK_SET)
