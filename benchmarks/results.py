"""One result file: every measurement of one corpus, the medians, the ratios, and what got worse between two files.

Ratios compare jobs of one machine measured side by side, so they may be compared across machines; seconds may not.
All are costs: a larger one is worse.
"""

import json
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.jobs import RIVAL_OF

FIGURES = ("cpu_seconds", "wall_seconds", "peak_mb")


class Results:
    """The measurements in a file, written anew after each one, so that a broken-off benchmark goes on where it was."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path = path
        self.content: dict[str, Any] = {"about": about, "measurements": []}
        if path.exists():
            self.content = json.loads(path.read_text())
            made_from = self.content["about"].get("corpus")
            if made_from != about.get("corpus"):
                raise SystemExit(f"{path} is about another corpus ({made_from}): give --name")
            self.content["about"] = about

    @property
    def measurements(self) -> list[dict[str, Any]]:
        return self.content["measurements"]

    def forget(self, jobs: set[str], sizes: Collection[int]) -> None:
        """Drop what was measured of these jobs (``all`` for all) at these sizes."""
        self.content["measurements"] = [
            one for one in self.measurements if one["size"] not in sizes or not jobs & {one["job"], "all"}
        ]

    def has(self, job: str, size: int, run: int) -> bool:
        """Whether that run is there; what was not installed then may be now."""
        return any(
            (one["job"], one["size"], one["run"]) == (job, size, run) and one["status"] != "not installed"
            for one in self.measurements
        )

    def add(self, measurement: dict[str, Any]) -> None:
        """Add and write."""
        key = [measurement[name] for name in ("job", "size", "run")]
        self.content["measurements"] = [
            one for one in self.measurements if [one[name] for name in ("job", "size", "run")] != key
        ] + [measurement]
        self.write()

    def write(self) -> None:
        """Write measurements and ratios."""
        self.content["ratios"] = ratios(summary(self.measurements))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.content, indent=1) + "\n")


def summary(measurements: list[dict[str, Any]]) -> dict[tuple[str, int], dict[str, Any]]:
    """Of each job and size: the last finished run with the median of its figures, and their ``range``."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for key in {(one["job"], one["size"]): None for one in measurements}:
        runs = [one for one in measurements if (one["job"], one["size"]) == key]
        done = [one for one in runs if one["status"] == "done"]
        if not done:
            found[key] = dict(runs[-1])
            continue
        middle = {name: median(one[name] for one in done) for name in FIGURES}
        spread = {name: [min(one[name] for one in done), max(one[name] for one in done)] for name in FIGURES}
        speed = {"mb_per_cpu_second": done[-1]["text_mb"] / middle["cpu_seconds"]}
        found[key] = {**done[-1], **middle, **speed, "runs": len(done), "range": spread}
    return found


def ratios(found: dict[tuple[str, int], dict[str, Any]]) -> dict[str, float]:
    """Named costs of curate against the floor, the rivals, itself with two workers, and itself at a smaller size.

    >>> one = {"status": "done", "cpu_seconds": 6.0, "wall_seconds": 6.0, "text_mb": 10.0}
    >>> ratios({("curate", 10): one, ("floor", 10): {**one, "cpu_seconds": 3.0}})
    {'s10 curate/floor cpu': 2.0}
    """
    done = {key: one for key, one in found.items() if one["status"] == "done"}
    out: dict[str, float] = {}
    for (job, size), one in done.items():
        if job == "curate" and ("floor", size) in done:
            out[f"s{size} curate/floor cpu"] = one["cpu_seconds"] / done["floor", size]["cpu_seconds"]
        if job == "curate" and ("curate-2", size) in done:
            out[f"s{size} 2 workers/1 wall"] = done["curate-2", size]["wall_seconds"] / one["wall_seconds"]
        if job in RIVAL_OF and (RIVAL_OF[job], size) in done:
            ours = done[RIVAL_OF[job], size]
            out[f"s{size} {RIVAL_OF[job]}/{job} cpu"] = ours["cpu_seconds"] / one["cpu_seconds"]
    for job in ("curate", "curate-2"):
        sizes = sorted(size for name, size in done if name == job)
        for small, large in pairwise(sizes):
            one, other = done[job, small], done[job, large]
            growth = other["cpu_seconds"] / one["cpu_seconds"] / (other["text_mb"] / one["text_mb"])
            out[f"s{small}-s{large} {job} growth cpu"] = growth
    return out


def worse(new: dict[str, float], old: dict[str, float], tolerance: float) -> list[str]:
    """A sentence for each ratio, of those in both, that grew by more than the tolerance.

    >>> worse({"s10 curate/floor cpu": 2.4}, {"s10 curate/floor cpu": 2.0}, 0.15)
    ['s10 curate/floor cpu: 2.000 → 2.400, 20 % worse']
    """
    return [
        f"{name}: {old[name]:.3f} → {new[name]:.3f}, {new[name] / old[name] - 1:.0%} worse".replace("%", " %")
        for name in new
        if name in old and new[name] > old[name] * (1 + tolerance)
    ]
