"""What ``run.json`` says of the cost of a run, as structs."""

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An object in ``run.json``, all its names written."""


class Sparse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An object in ``run.json`` that lacks the names that nothing is to be said of."""


class StageTime(Entry, frozen=True, kw_only=True):
    """What a stage cost."""

    seconds: float
    bytes: int
    documents: int


class Timings(Entry, frozen=True, kw_only=True):
    """What it cost to make the files of the run."""

    started: str
    wall_seconds: float
    cpu_seconds: float
    documents_per_second: float | None
    bytes_per_second: float | None
    peak_rss_bytes: int
    resumed_parts: int
    steps: dict[str, float] = {}
    stages: dict[str, StageTime] = {}


class Piece(Entry, frozen=True, kw_only=True):
    """What making one piece cost; of a phase: CPU seconds, wall seconds, documents, bytes."""

    step: str
    piece: str
    started: str
    wall_seconds: float
    cpu_seconds: float
    phases: dict[str, tuple[float, float, int, int]]


class Machine(Entry, frozen=True, kw_only=True):
    """What the run ran on."""

    cpu: str
    cores: int | None
    memory_bytes: int
    os: str
    python: str


class Phase(Entry, frozen=True, kw_only=True):
    """A phase of a step in the profile."""

    name: str
    cpu_seconds: float
    wall_seconds: float
    documents: int
    bytes: int
    mb_per_cpu_second: float | None


class ProfiledStep(Entry, frozen=True, kw_only=True):
    """A step in the profile."""

    name: str
    wall_seconds: float
    cpu_seconds: float
    utilisation: float | None
    waiting_seconds: float
    phases: tuple[Phase, ...]


class Node(Entry, frozen=True, kw_only=True):
    """What the tasks on one node of a cluster did."""

    name: str
    tasks: int
    cpu_seconds: float
    input_bytes: int
    sent_bytes: int


class Breakdown(Sparse, frozen=True, kw_only=True):
    """The profile of a run."""

    workers: int
    steps: tuple[ProfiledStep, ...]
    nodes: tuple[Node, ...] | None = None
