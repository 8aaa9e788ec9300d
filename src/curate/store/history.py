"""``history.jsonl``: a line for each run that made something in a run directory, the oldest first.

``run.json`` tells of the last run alone. A run that redoes nothing adds no line, so the file follows from what
was done. Each line is a JSON object with a checksum; lines without a right one say nothing, and a file of that name
that has none is somebody else's and stays as it is.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curate.store.checked_json import CHECKSUM, with_checksum
from curate.store.digest import digest
from curate.store.files import remove, write_whole
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
            self._lines = self._file.read_text("utf-8", errors="replace").splitlines()
        except (FileNotFoundError, IsADirectoryError):
            self._lines = []
        self.runs = [entry for entry in map(_entry, self._lines) if entry is not None]
        self.is_ours = not self._file.exists() or bool(self.runs)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add a run; one that is told already, as its writer was killed before it was done, is told once."""
        if not self.is_ours:
            return
        plain = json.loads(json.dumps(entry))
        lines = self._lines
        if self.runs and all(self.runs[-1].get(name) == plain[name] for name in ("run_id", "started")):
            last = max(at for at, line in enumerate(lines) if _entry(line) is not None)
            lines = lines[:last] + lines[last + 1 :]
        line = json.dumps(with_checksum(plain), ensure_ascii=False)
        write_whole(self._file, "".join(f"{one}\n" for one in [*lines, line]).encode(errors="backslashreplace"))

    def clear(self) -> None:
        """Remove the file, if it is ours."""
        if self.is_ours:
            remove(self._file)


def entry_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a line says of a run: which it was, what it counted, and what it cost."""
    counts, timings = manifest["counts"], manifest["timings"]
    removed = {stage: entry["documents"] for stage, entry in counts["removed"].items()}
    return {
        "run_id": manifest["run_id"],
        "started": timings["started"],
        "curate": manifest["curate"],
        "command": manifest["command"],
        "read": counts["read"],
        "kept": counts["kept"],
        "removed": sum(removed.values()),
        "quarantined": counts["quarantined"],
        "removed_by": removed,
        "tokens": (manifest["tokens"] or {}).get("kept"),
        "wall_seconds": timings["wall_seconds"],
        "cpu_seconds": timings["cpu_seconds"],
        "gates_passed": all(gate["passed"] for gate in manifest["gates"]),
    }


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or entry.pop(CHECKSUM, None) != digest(entry):
        return None
    return entry
