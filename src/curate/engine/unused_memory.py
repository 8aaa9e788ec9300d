"""Memory that nobody uses any more goes back to the system.

Allocators keep what was freed for the next who asks. Between two phases that need different things, that adds up to the
sum of what both need: 70 MB after the exchanges of ten million documents.
"""

import ctypes
import sys

import pyarrow as pa


def release_unused_memory() -> None:
    """Ask Arrow's allocator, and that of C where it can be asked (glibc, by ``malloc_trim``)."""
    pa.default_memory_pool().release_unused()
    if _TRIM is not None:
        _TRIM(0)


_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
