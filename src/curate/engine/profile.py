"""Where the time of a run goes: CPU and wall seconds, bytes and documents of every phase of every step.

*Steps* follow one another: pass 1, near_dup, pass 2, shards … The *phases* of a step go on at the same time: lanes
read and write, workers parse and measure.
"""

import resource
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

Item = TypeVar("Item")

READ, PARSE, WRITE = "read", "parse", "write"
"""Phases that are no stage: reading and decompressing, parsing, writing Parquet."""


@dataclass(frozen=True)
class Effort:
    """What some work cost: CPU and wall seconds of its threads, documents and text bytes worked on."""

    seconds: float = 0.0
    wall: float = 0.0
    documents: int = 0
    bytes: int = 0

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(
            self.seconds + other.seconds,
            self.wall + other.wall,
            self.documents + other.documents,
            self.bytes + other.bytes,
        )


class Stopwatch:
    """CPU time of this thread and wall time since it was made.

    Example:
        >>> Stopwatch().effort(documents=3).documents
        3
    """

    def __init__(self) -> None:
        self._cpu, self._wall = time.thread_time(), time.monotonic()

    def effort(self, documents: int = 0, size: int = 0) -> Effort:
        """What was spent so far on so many documents and bytes."""
        return Effort(time.thread_time() - self._cpu, time.monotonic() - self._wall, documents, size)


@dataclass
class StepProfile:
    """One step: its own wall time, the CPU time of the whole process meanwhile, and its phases."""

    wall: float = 0.0
    cpu: float = 0.0
    phases: dict[str, Effort] = field(default_factory=dict)


class Profile:
    """Collects what every thread reports.

    Example:
        >>> profile = Profile(workers=2)
        >>> with profile.step("pass 1"):
        ...     profile.add("language", Effort(seconds=0.5, wall=0.6, documents=10, bytes=50_000_000))
        >>> profile.efforts()["language"].bytes
        50000000
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.steps: dict[str, StepProfile] = {}
        self._current = StepProfile()
        self._lock = threading.Lock()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """What is added inside belongs to this step."""
        self._current = current = self.steps.setdefault(name, StepProfile())
        wall, cpu = time.monotonic(), cpu_seconds()
        try:
            yield
        finally:
            current.wall += time.monotonic() - wall
            current.cpu += cpu_seconds() - cpu

    def add(self, phase: str, effort: Effort) -> None:
        """Add to a phase of the step that is going on; from any thread."""
        with self._lock:
            phases = self._current.phases
            phases[phase] = phases.get(phase, Effort()) + effort

    @contextmanager
    def phase(self, name: str, documents: int = 0, size: int = 0) -> Iterator[None]:
        """Add what happens inside, on this thread."""
        watch = Stopwatch()
        yield
        self.add(name, watch.effort(documents, size))

    def drawn(self, phase: str, items: Iterable[Item]) -> Iterator[Item]:
        """The same items; making each of them counts as ``phase``."""
        source = iter(items)
        while True:
            watch = Stopwatch()
            item = next(source, _END)
            self.add(phase, watch.effort())
            if item is _END:
                return
            yield item  # type: ignore[misc]

    def efforts(self) -> dict[str, Effort]:
        """Every phase, over all steps."""
        total: dict[str, Effort] = {}
        for step in self.steps.values():
            for name, effort in step.phases.items():
                total[name] = total.get(name, Effort()) + effort
        return total

    def as_data(self) -> dict[str, Any]:
        """The breakdown as it stands in ``run.json``; the page of files explains each number."""
        return {"workers": self.workers, "steps": [self._step_data(*item) for item in self.steps.items()]}

    def _step_data(self, name: str, step: StepProfile) -> dict[str, Any]:
        busy = sum(effort.wall for effort in step.phases.values())
        return {
            "name": name,
            "wall_seconds": round(step.wall, 3),
            "cpu_seconds": round(step.cpu, 3),
            "utilisation": round(step.cpu / (step.wall * self.workers), 3) if step.wall else None,
            "waiting_seconds": round(busy - sum(effort.seconds for effort in step.phases.values()), 3),
            "phases": [_phase_data(*item) for item in step.phases.items()],
        }


def cpu_seconds() -> float:
    """CPU time of this process and its children so far."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _phase_data(name: str, effort: Effort) -> dict[str, Any]:
    measured = effort.bytes and effort.seconds
    return {
        "name": name,
        "cpu_seconds": round(effort.seconds, 3),
        "wall_seconds": round(effort.wall, 3),
        "documents": effort.documents,
        "bytes": effort.bytes,
        "mb_per_cpu_second": round(effort.bytes / 1e6 / effort.seconds, 1) if measured else None,
    }


_END = object()
