"""What a pattern of paths matches: as `glob`, but folders below a ``**`` are entered once, whatever links there are."""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

_ANY_FOLDERS = "**"

Refused = Callable[[str, OSError], None]
"""Called with a folder that cannot be listed, and the reason."""


def fixed_folder(pattern: str) -> str:
    """The folders of a pattern before its first wildcard.

    Example:
        >>> fixed_folder("/data/books/*/a?.jsonl"), fixed_folder("*.jsonl")
        ('/data/books', '.')
    """
    return str(Path(*_pieces(pattern)[0]))


def matching(pattern: str, refused: Refused) -> Iterator[str]:
    """Files and folders that match. A wildcard matches no hidden name; a ``**`` at the end, the folder with all in it.

    Args:
        pattern: with ``*``, ``?``, ``[…]`` in names, ``**`` for any folders.
        refused: is called for folders that cannot be listed.
    """
    fixed, wild = _pieces(pattern)
    found = _below(str(Path(*fixed)), wild, refused)
    yield from filter(os.path.isdir, found) if pattern.endswith("/") else found


def _pieces(pattern: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What comes before the first wildcard, and the rest."""
    parts = Path(pattern).parts
    first = next((at for at, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return parts[:first], parts[first:]


def _below(folder: str, pieces: Sequence[str], refused: Refused) -> Iterator[str]:
    if not pieces:
        yield folder
        return
    piece, *rest = pieces
    if piece == _ANY_FOLDERS:
        while rest and rest[0] == _ANY_FOLDERS:
            del rest[0]
        for each in _folders(folder, refused) if rest else [folder]:
            yield from _below(each, rest, refused)
    elif glob.has_magic(piece):
        for entry in _listed(folder, refused):
            if fnmatchcase(entry.name, piece) and (piece.startswith(".") or not entry.name.startswith(".")):
                yield from _entered(os.path.join(folder, entry.name), rest, refused)  # noqa: PTH118
    elif os.path.lexists(path := os.path.join(folder, piece)):  # noqa: PTH118
        yield from _entered(path, rest, refused)


def _entered(path: str, rest: Sequence[str], refused: Refused) -> Iterator[str]:
    if not rest or os.path.isdir(path):  # noqa: PTH112
        yield from _below(path, rest, refused)


def _folders(folder: str, refused: Refused) -> Iterator[str]:
    """A folder and all that are in it, however deep; through links, too, each once."""
    waiting, entered = [folder], set[str]()
    while waiting:
        one = waiting.pop()
        real = os.path.realpath(one)
        if real in entered:
            continue
        entered.add(real)
        yield one
        inside = [entry for entry in _listed(one, refused) if not entry.name.startswith(".") and _is_folder(entry)]
        waiting += [os.path.join(one, entry.name) for entry in reversed(inside)]  # noqa: PTH118


def _listed(folder: str, refused: Refused) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listing:
            return sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        refused(folder, error)
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
