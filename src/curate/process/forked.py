"""Whether this process was forked from one in which Polars had worked: its threads are missing then.

A fork copies the thread that forks and no other, so whoever asks Polars for something in the child waits for ever.
Nobody can start these threads again; all that helps is to say so at once.
"""

import os
import sys
from pathlib import Path

from curate.errors import UserError

_THREADS = Path("/proc/self/task")
_OF_POLARS = b"polars-0"
"""Polars names its threads by number; the first of them is there as soon as it has worked."""


class _Fork:
    """What is known of this process."""

    working = False
    """Polars had worked when the last fork was made."""
    without = False
    """This process, or one that it comes from, is such a fork."""


def _before() -> None:
    _Fork.working = "polars" in sys.modules and _has_worked()


def _in_child() -> None:
    _Fork.without = _Fork.without or _Fork.working


os.register_at_fork(before=_before, after_in_child=_in_child)


def require_threads() -> None:
    """Nothing where Polars can work.

    Raises:
        UserError: this process was forked from one in which it had worked.
    """
    if _Fork.without:
        raise UserError(
            f"process {os.getpid()} was forked from one in which Polars has worked; its threads are missing here",
            hint='start processes with multiprocessing.get_context("spawn"), or fork before the first run',
        )


def _has_worked() -> bool:
    try:
        return any(_comm(thread) == _OF_POLARS for thread in _THREADS.iterdir())
    except OSError:
        return True  # not Linux: it is loaded, and may have


def _comm(thread: Path) -> bytes:
    try:
        return (thread / "comm").read_bytes().strip()
    except OSError:  # it has ended meanwhile
        return b""
