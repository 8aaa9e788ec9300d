"""How many cores and how much memory this process may use: those of the machine, or of the container it is in.

A container on Linux is a control group with limits (the files of cgroup v2, or of v1), and the groups around it may
have limits, too. Neither the interpreter nor psutil asks them: both count what the whole machine has.
"""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_GROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_MEMORY = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Limit, use, and the entry of ``memory.stat`` for what is given back on demand: of cgroup v2, and of v1."""


def cores() -> int:
    """Cores that this process may use: all, those it is pinned to, or as many as the quota of its container makes.

    Example:
        >>> 1 <= cores() <= os.cpu_count()
        True
    """
    pinned = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([pinned, *map(math.ceil, _quotas())]))


def all_memory() -> int:
    """Bytes of memory of the machine, or what its container may take at most."""
    import psutil

    limits = [said for file, *_ in _MEMORY for said in _said("memory", file)]
    return min([int(psutil.virtual_memory().total), *(int(limit) for limit in limits if limit.isdigit())])


def free_memory() -> int:
    """Bytes of memory that can be had, of the machine and in the container: unused, or an idle cache of files."""
    import psutil

    return min([int(psutil.virtual_memory().available), all_memory(), *_left()])


def _left() -> Iterator[int]:
    """Bytes that each group may still take, where it has a limit; those of files that were not read lately it gives."""
    for limits, used, idle in _MEMORY:
        for limit, taken, kinds in zip(
            *(_said("memory", file) for file in (limits, used, "memory.stat")), strict=False
        ):
            if limit.isdigit():
                cached = dict(line.partition(" ")[::2] for line in kinds.split("\n")).get(idle, "0")
                yield max(0, int(limit) - max(0, int(taken) - int(cached)))


def _quotas() -> Iterator[float]:
    """Processor time of a second that each group may use, where it has a limit."""
    for said in _said("cpu", "cpu.max"):
        quota, period = said.split()
        if quota != "max":
            yield int(quota) / int(period)
    for quota, period in zip(_said("cpu", "cpu.cfs_quota_us"), _said("cpu", "cpu.cfs_period_us"), strict=False):
        if int(quota) > 0:
            yield int(quota) / int(period)


def _said(controller: str, file: str) -> Iterator[str]:
    """What a file says in the group of this process and in those around it."""
    lines = list[str]()
    with suppress(OSError):
        lines = _OWN.read_text("utf-8").split("\n")
    for line in filter(None, lines):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = _GROUPS / controllers
        group = base / path.strip("/")
        for each in (group, *group.parents):
            with suppress(OSError):
                yield (each / file).read_text("utf-8").strip()
            if each == base:
                break
