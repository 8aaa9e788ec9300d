"""``history.jsonl``: a line for each run that made something in a run directory, the oldest first.

``run.json`` tells of the last run alone. A run that redoes nothing adds no line, so the file follows from what
was done. Each line is a JSON object with a checksum; lines without a right one are damaged and say nothing. A file of
that name in which no line looks like one of ours is somebody else's and stays as it is.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curate.store.checked_json import CHECKSUM, with_checksum
from curate.store.digest import digest
from curate.store.files import remove, write_whole
from curate.store.manifest_entries import Manifest
from curate.store.run_directory import HISTORY


class History:
    """The runs of one run directory.

    Args:
        run: the run directory.

    Attributes:
        runs: what each line says, see `entry_of`.
        is_ours: whether curate may write the file.
    """

    def __init__(self, run: Path) -> None:
        self._file = run / HISTORY
        try:
            self._lines = [line for line in self._file.read_text("utf-8", errors="replace").split("\n") if line]
        except (FileNotFoundError, IsADirectoryError):
            self._lines = []
        self.runs = [entry for entry in map(_entry, self._lines) if entry is not None]
        self.is_ours = (
            bool(self.runs) or any(map(_looks_like_ours, self._lines)) or not "".join(self._lines).strip("\0 ")
        )

    def keep(self, entry: Mapping[str, Any]) -> None:
        """Add a run that is not recorded yet, and drop damaged lines.

        Args:
            entry: see `entry_of`; of a run that redid nothing, as of the run that made the files.
        """
        if not self.is_ours:
            return
        plain = json.loads(json.dumps(entry))
        runs = [one for one in self.runs if not _is_same(one, plain)]
        lines = [json.dumps(with_checksum(one), ensure_ascii=False) for one in [*runs, plain]]
        if lines != self._lines:
            write_whole(self._file, "".join(f"{one}\n" for one in lines).encode(errors="backslashreplace"))

    def tells_of(self, entry: Mapping[str, Any]) -> bool:
        """Whether a line tells of this run."""
        return any(_is_same(one, entry) for one in self.runs)

    @property
    def damage(self) -> str:
        """What cannot be read in the file, as the end of a sentence; empty where all of it can."""
        damaged = len(self._lines) - len(self.runs)
        if not self.is_ours:
            return "was not written by curate"
        return f"has {damaged} damaged line{'s' * (damaged > 1)}" if damaged else ""

    def problem(self, entry: Mapping[str, Any]) -> str:
        """What is wrong with the file, as the end of a sentence; nothing of a file that is somebody else's."""
        if not self.is_ours:
            return ""
        return self.damage or ("" if self.tells_of(entry) else "does not describe this run")

    def clear(self) -> None:
        """Remove the file, if it is ours."""
        if self.is_ours:
            remove(self._file)


def entry_of(manifest: Manifest) -> dict[str, Any]:
    """What a line says of a run: which it was, what it counted, and what it cost."""
    counts, timings, removed = manifest.counts, manifest.timings, manifest.counts.removed_by
    return {
        "run_id": manifest.run_id,
        "started": timings.started,
        "made": max((piece.started for piece in manifest.work), default=timings.started),
        "curate": manifest.curate,
        "command": manifest.command,
        "read": counts.read,
        "kept": counts.kept,
        "removed": sum(removed.values()),
        "quarantined": counts.quarantined,
        "removed_by": removed,
        "tokens": manifest.tokens.kept if manifest.tokens else None,
        "wall_seconds": timings.wall_seconds,
        "cpu_seconds": timings.cpu_seconds,
        "gates_passed": all(gate.passed for gate in manifest.gates),
    }


def made_at(entry: Mapping[str, Any]) -> str:
    """When the last piece of a run was begun; a run that changes a threshold takes over pieces of the one before."""
    found: str = entry.get("made") or entry["started"]
    return found


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("run_id", "started"))


_NAMES = ('"run_id"', '"removed_by"', '"quarantined"', '"wall_seconds"', '"gates_passed"')


def _looks_like_ours(line: str) -> bool:
    """Whether a line that is damaged was one of ours: damage spares most names, another program has other ones."""
    return sum(name in line for name in _NAMES) > 1


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or entry.pop(CHECKSUM, None) != digest(entry):
        return None
    return entry
