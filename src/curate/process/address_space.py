"""Limits on the memory that this process may take (``ulimit -v``), and allocations that fail: said as what they are."""

import errno
import os
import resource

from curate.errors import UserError, causes

LEAST = 3_000_000_000
"""Bytes below which runs fail, or hang as a thread cannot start: libraries and threads reserve more than they use."""
_SAID = ("failed to map segment", "can't start new thread", os.strerror(errno.ENOMEM))
"""How a library that cannot be loaded says it, and the interpreter."""


def out_of_memory(error: BaseException) -> str:
    """A sentence about memory that could not be had; empty where an error has another cause.

    Example:
        >>> out_of_memory(MemoryError())
        'there is no memory left for this process'
        >>> out_of_memory(OSError(errno.EACCES, "Permission denied"))
        ''
    """
    for each in causes(error):
        if isinstance(each, MemoryError) or any(words in str(each) for words in _SAID):
            allowed = _allowed()
            return "there is no memory left for this process" + (f": {_said(allowed)}" if allowed else "")
    return ""


def more_memory(command: str = "") -> str:
    """What to type where memory could not be had.

    Args:
        command: that continues; empty: the one that was given.
    """
    if not _allowed():
        return "end other programs, or give a smaller --memory"
    return "ulimit -v unlimited" + (f"; {command}" if command else "")


def require_address_space() -> None:
    """See that this process may take as much memory as any run does.

    Raises:
        UserError: it may not.
    """
    if 0 < _allowed() < LEAST:
        raise UserError(
            f"a run needs {LEAST / 1e9:.0f} GB of address space, and {_said(_allowed())}", hint=more_memory()
        )


def _allowed() -> int:
    """Bytes; 0: as many as there are."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return 0 if limit == resource.RLIM_INFINITY else limit


def _said(allowed: int) -> str:
    return f"`ulimit -v` allows it {allowed / 1e9:.1f} GB"
