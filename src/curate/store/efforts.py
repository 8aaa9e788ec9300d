"""What it cost to make the files of a run, while the run is not finished; ``run.json`` has it when it is.

A line for each piece of work that is done, appended as the work goes on, with the hash of what it says: lines that a
kill tore or a disk damaged say nothing. The file goes when ``run.json`` is written, so what lies in a finished run
follows from the input and the settings alone.
"""

import json
from pathlib import Path

import msgspec

from curate.store.cost_entries import Piece
from curate.store.digest import digest
from curate.store.files import remove, remove_empty, write_whole
from curate.store.objects.store_path import StorePath


class Efforts:
    """The pieces of work that are kept in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_ours = not path.exists() or bool(self.read())

    def read(self) -> list[Piece]:
        """The pieces, in the order in which they were done; none where the file is nobody's."""
        try:
            lines = self.path.read_text("utf-8", errors="replace").split("\n")
        except OSError:
            return []
        return [piece for piece in map(_piece, lines) if piece is not None]

    def add(self, piece: Piece) -> None:
        """Keep one piece more; not in a file of that name that is somebody else's."""
        if not self.is_ours:
            return
        said = msgspec.to_builtins(piece)
        line = f"{digest(said)} {json.dumps(said)}\n".encode()
        if not self.path.exists():
            write_whole(self.path, line)
            return
        if isinstance(self.path, StorePath):  # nothing can be appended to an object
            write_whole(self.path, self.path.read_bytes() + line)
            return
        with self.path.open("ab") as file:
            file.write(line)

    def clear(self) -> None:
        """Remove the file, if it is ours."""
        if self.is_ours:
            remove(self.path)
            remove_empty(self.path.parent)


def _piece(line: str) -> Piece | None:
    expected, _, said = line.partition(" ")
    try:
        piece = json.loads(said)
        return msgspec.convert(piece, Piece) if digest(piece) == expected else None
    except (ValueError, RecursionError):
        return None
