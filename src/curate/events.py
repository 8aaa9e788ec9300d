"""What a run reports while it works: one stream of events, shown by `curate.cli.display`."""

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
    """More of the pass is done: input bytes, and how the stages judged the documents in them."""

    input_bytes: int = 0
    documents: int = 0
    tokens: int = 0
    reused: bool = False
    """Whether this had been done before, so that it says nothing about the speed of the work."""
    stages: Mapping[str, "StageCounts"] = field(default_factory=dict)


@dataclass(frozen=True)
class StageCounts:
    """Documents that reached a stage, those it kept, and how often it gave each reason."""

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
