"""What a run says while it works: one stream of facts, shown by the faces in `curate.ui`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PassStarted:
    """A pass begins over ``total_bytes`` of input."""

    number: int
    of: int
    name: str
    stages: tuple[str, ...]
    total_bytes: int


@dataclass(frozen=True)
class Advanced:
    """More of the pass is done: input bytes, and what the stages said of the documents in them."""

    input_bytes: int = 0
    documents: int = 0
    tokens: int = 0
    reused: bool = False
    """Whether this had been done before, and so says nothing about how fast the work goes."""
    stages: Mapping[str, "StageCounts"] = field(default_factory=dict)


@dataclass(frozen=True)
class StageCounts:
    """Documents that came into a stage, those it kept, and how often it gave each reason."""

    came: int
    kept: int
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PassFinished:
    """A pass ended; ``reused_parts`` of ``parts`` had been finished before."""

    number: int
    parts: int
    reused_parts: int


@dataclass(frozen=True)
class Working:
    """A step without a known length: resolving duplicates, cutting shards, drawing the report."""

    what: str


@dataclass(frozen=True)
class Warned:
    """Something the user should know; ``hint`` is something to type."""

    message: str
    hint: str = ""


Event = PassStarted | Advanced | PassFinished | Working | Warned
Emit = Callable[[Event], None]
