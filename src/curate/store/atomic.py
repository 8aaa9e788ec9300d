"""A file appears under its final name only when it is whole: temporary name, fsync, rename, fsync of the folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".tmp"


@contextmanager
def whole_file(final: Path) -> Iterator[Path]:
    """A temporary path to write to; it takes the name ``final`` when the block ends well, and goes when it does not."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f"{final.name}.{os.getpid()}{TEMPORARY}")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(final)
        _sync(final.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(final: Path, content: bytes) -> None:
    """Write ``content`` to ``final`` so that a reader sees the old file or the new one, never a torn one."""
    with whole_file(final) as temporary:
        temporary.write_bytes(content)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
