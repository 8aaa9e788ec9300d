"""Where the time of a run goes: CPU and wall seconds, bytes and documents of every phase of every step.

*Steps* follow one another: pass 1, near_dup, pass 2, shards … The *phases* of a step go on at the same time: lanes
read and write, workers parse and measure.

The record of a run is of the work that made its files, in however many runs of the command that was: see `Profile`.
"""

import resource
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from curate.engine.base import NodeWork
from curate.process.child import spent
from curate.store.cost_entries import Breakdown, Node, Phase, Piece, ProfiledStep

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
    """CPU time of this thread, and of children that work for it, and wall time since it was made.

    Example:
        >>> Stopwatch().effort(documents=3).documents
        3
    """

    def __init__(self) -> None:
        self._cpu, self._wall = _cpu(), time.monotonic()

    def effort(self, documents: int = 0, size: int = 0) -> Effort:
        """What was spent so far on so many documents and bytes."""
        return Effort(_cpu() - self._cpu, time.monotonic() - self._wall, documents, size)


def _cpu() -> float:
    return time.thread_time() + spent.seconds


@dataclass
class Work:
    """What making one piece cost: wall time, CPU time of the whole process meanwhile, and its phases."""

    wall: float = 0.0
    cpu: float = 0.0
    phases: dict[str, Effort] = field(default_factory=dict)
    started: str = ""
    """When the run began that did it."""

    def and_then(self, later: "Work", kept: Collection[str]) -> "Work":
        """With work that was done on top of it, which made use of what the phases ``kept`` had done."""
        phases = {name: effort for name, effort in self.phases.items() if name in kept}
        for name, effort in later.phases.items():
            phases[name] = phases.get(name, Effort()) + effort
        started = min(self.started or later.started, later.started)
        return Work(self.wall + later.wall, self.cpu + later.cpu, phases, started)


@dataclass(frozen=True)
class Made:
    """A piece is done: what a task tells of it.

    Attributes:
        piece: which.
        kept: phases of earlier work on it that were of use.
        phases: what each phase of it cost.
    """

    piece: str = ""
    kept: Collection[str] = ()
    phases: Mapping[str, Effort] = field(default_factory=dict)


class Costs:
    """What the phases of pieces cost, collected from the threads of a task until each piece is done.

    Args:
        tell: hears of each piece that is done.

    Example:
        >>> costs = Costs(print)
        >>> costs.add("language", Effort(documents=10), "part-1")
        >>> costs.made("part-1")
        Made(piece='part-1', kept=(), phases={'language': Effort(seconds=0.0, wall=0.0, documents=10, bytes=0)})
    """

    def __init__(self, tell: Callable[[Made], None]) -> None:
        self._tell = tell
        self._open: dict[str, dict[str, Effort]] = {}
        self._lock = threading.Lock()

    def add(self, phase: str, effort: Effort, piece: str = "") -> None:
        """Add to a phase of a piece; from any thread."""
        with self._lock:
            phases = self._open.setdefault(piece, {})
            phases[phase] = phases.get(phase, Effort()) + effort

    def made(self, piece: str = "", kept: Collection[str] = ()) -> None:
        """A piece is done.

        Args:
            piece: which.
            kept: phases of earlier work on it that were of use.
        """
        with self._lock:
            phases = self._open.pop(piece, {})
        self._tell(Made(piece, tuple(kept), phases))

    @contextmanager
    def phase(self, name: str, documents: int = 0, size: int = 0, piece: str = "") -> Iterator[None]:
        """Add what happens inside, on this thread."""
        watch = Stopwatch()
        yield
        self.add(name, watch.effort(documents, size), piece)

    def drawn(self, phase: str, items: Iterable[Item], piece: Callable[[Item], str]) -> Iterator[Item]:
        """The same items; making each of them counts as ``phase`` of its piece."""
        source = iter(items)
        while True:
            watch = Stopwatch()
            item = next(source, _END)
            if item is _END:
                return
            self.add(phase, watch.effort(), piece(item))  # type: ignore[arg-type]
            yield item  # type: ignore[misc]


class Profile:
    """Collects what tasks tell, and adds it to what earlier runs did on the same pieces.

    A *piece* is what is made or found as a whole: a part in one step, a shard, the judgments of a corpus stage (called
    ``""``). What was found costs nothing new and keeps what it cost.

    Args:
        workers: threads that work.
        started: when this run began.
        known: pieces of earlier runs, as `pieces` gives them.
        keep: hears of each piece that is done.
        elsewhere: CPU seconds spent so far in other processes than this one and its children.
        by_node: what each node of a cluster has done so far.

    Example:
        >>> profile = Profile(workers=2)
        >>> with profile.step("pass 1"):
        ...     profile.made(Made("part-1", phases={"language": Effort(0.5, 0.6, documents=10, bytes=50_000_000)}))
        >>> profile.efforts()["language"].bytes
        50000000
    """

    def __init__(
        self,
        workers: int,
        started: str = "",
        known: Iterable[Piece] = (),
        keep: Callable[[Piece], None] | None = None,
        elsewhere: Callable[[], float] = float,
        by_node: Callable[[], Mapping[str, NodeWork]] = dict,
    ) -> None:
        self.workers, self._started, self._keep, self._elsewhere = workers, started, keep, elsewhere
        self._by_node = by_node
        self._work = {(piece.step, piece.piece): _work_of(piece) for piece in known}
        self._step, self._last, self._made_here = "", "", False
        self._mark = time.monotonic(), self._cpu()
        self._lock = threading.Lock()
        self.made_something = False

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """What is made inside belongs to this step."""
        if self._step:
            self._mark = time.monotonic(), self._cpu()
        self._step, self._last = name, ""
        self._made_here = False
        yield
        if self._made_here:  # what came after the last piece
            work = self._work[name, self._last]
            wall, cpu = self._since()
            work.wall, work.cpu = work.wall + wall, work.cpu + cpu

    def made(self, made: Made) -> None:
        """A piece of the step that is going on is done; the time since the one before is its."""
        with self._lock:
            work = Work(*self._since(), dict(made.phases), self._started)
            before = self._work.get((self._step, made.piece))
            self._work[self._step, made.piece] = before.and_then(work, made.kept) if before and made.kept else work
            self._last, self._made_here, self.made_something = made.piece, True, True
            if self._keep:
                self._keep(_piece(self._step, made.piece, self._work[self._step, made.piece]))

    def settle(self, steps: Sequence[str], pieces: Collection[str], stages: Collection[str]) -> None:
        """Forget what made files that are no longer there, and put the rest in order.

        Args:
            steps: those of the plan, in order.
            pieces: parts and shards of the run.
            stages: those of the plan. Where one was measured in a step of an earlier plan, it stays.
        """
        order = {step: at for at, step in enumerate(steps)}
        known = {name for (step, _), work in self._work.items() if step in order for name in work.phases}
        missing = set(stages) - known
        kept = {
            key: _rounded(work)
            for key, work in self._work.items()
            if key[1] in pieces and (key[0] in order or missing & work.phases.keys())
        }
        places = {piece: at for at, piece in enumerate(sorted(pieces))}
        self._work = dict(sorted(kept.items(), key=lambda item: (order.get(item[0][0], -1), places[item[0][1]])))

    def pieces(self) -> tuple[Piece, ...]:
        """All pieces as they stand in ``run.json``."""
        return tuple(_piece(*key, work) for key, work in self._work.items())

    def steps(self) -> dict[str, Work]:
        """The pieces of each step together."""
        total: dict[str, Work] = {}
        for (step, _), work in self._work.items():
            before = total.get(step, Work(started=work.started))
            phases = {
                name: before.phases.get(name, Effort()) + work.phases.get(name, Effort())
                for name in (*before.phases, *work.phases)
            }
            started = min(before.started, work.started)
            total[step] = Work(before.wall + work.wall, before.cpu + work.cpu, phases, started)
        return total

    def efforts(self) -> dict[str, Effort]:
        """Every phase, over all steps."""
        total: dict[str, Effort] = {}
        for step in self.steps().values():
            for name, effort in step.phases.items():
                total[name] = total.get(name, Effort()) + effort
        return total

    def breakdown(self) -> Breakdown:
        """The profile as it stands in ``run.json``; the page of files explains each number."""
        nodes = tuple(Node(name=name, **work._asdict()) for name, work in sorted(self._by_node().items()))
        steps = tuple(self._profiled(*item) for item in self.steps().items())
        return Breakdown(workers=self.workers, steps=steps, nodes=nodes or None)

    def _since(self) -> tuple[float, float]:
        """Wall and CPU time since the last time somebody asked."""
        before, self._mark = self._mark, (time.monotonic(), self._cpu())
        return self._mark[0] - before[0], self._mark[1] - before[1]

    def _cpu(self) -> float:
        return cpu_seconds() + self._elsewhere()

    def _profiled(self, name: str, step: Work) -> ProfiledStep:
        waiting = sum((effort.wall - effort.seconds for effort in step.phases.values()), 0.0)
        return ProfiledStep(
            name=name,
            wall_seconds=round(step.wall, 3),
            cpu_seconds=round(step.cpu, 3),
            utilisation=round(step.cpu / (step.wall * self.workers), 3) if step.wall else None,
            waiting_seconds=round(waiting, 3),
            phases=tuple(_phase(*item) for item in step.phases.items()),
        )


def cpu_seconds() -> float:
    """CPU time of this process and its children so far."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _phase(name: str, effort: Effort) -> Phase:
    measured = effort.bytes and effort.seconds
    return Phase(
        name=name,
        cpu_seconds=round(effort.seconds, 3),
        wall_seconds=round(effort.wall, 3),
        documents=effort.documents,
        bytes=effort.bytes,
        mb_per_cpu_second=round(effort.bytes / 1e6 / effort.seconds, 1) if measured else None,
    )


def _piece(step: str, piece: str, work: Work) -> Piece:
    phases = {
        name: (round(effort.seconds, 6), round(effort.wall, 6), effort.documents, effort.bytes)
        for name, effort in work.phases.items()
    }
    wall, cpu = round(work.wall, 6), round(work.cpu, 6)
    return Piece(step=step, piece=piece, started=work.started, wall_seconds=wall, cpu_seconds=cpu, phases=phases)


def _work_of(piece: Piece) -> Work:
    phases = {name: Effort(*numbers) for name, numbers in piece.phases.items()}
    return Work(piece.wall_seconds, piece.cpu_seconds, phases, piece.started)


def _rounded(work: Work) -> Work:
    """As it is read back, so that what is added up is the same ever after."""
    return _work_of(_piece("", "", work))


_END = object()
