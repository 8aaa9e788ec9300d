"""What the events of a run add up to: what every display shows, and what a stopped run says of itself."""

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from curate.events import Advanced, Event, PassFinished, PassStarted, StageCounts, Warned, Working

WINDOW_SECONDS = 30.0
LEAST_SECONDS = 0.5
"""Seconds of a pass before a speed is shown."""


@dataclass
class Tally:
    """One stage so far: documents that came, stayed, and its reasons."""

    came: int = 0
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, counts: StageCounts) -> None:
        """Count some documents more."""
        self.came += counts.came
        self.kept += counts.kept
        self.reasons.update(counts.reasons)

    @property
    def main_reason(self) -> str:
        """The reason given most often; the first by name of equals."""
        return min(self.reasons, key=lambda reason: (-self.reasons[reason], reason)) if self.reasons else ""


class _Rates(NamedTuple):
    """Work done in a second."""

    bytes: float
    documents: float


class _Rate:
    """How fast a pass goes: of the last `WINDOW_SECONDS`, or of all of it as long as that is shorter."""

    def __init__(self, started: float) -> None:
        self._done: deque[tuple[float, int, int]] = deque([(started, 0, 0)])
        self._bytes = self._documents = 0

    def add(self, size: int, documents: int) -> None:
        """Some more was done now."""
        self._bytes, self._documents = self._bytes + size, self._documents + documents
        now = time.monotonic()
        self._done.append((now, self._bytes, self._documents))
        while len(self._done) > 2 and self._done[1][0] < now - WINDOW_SECONDS:
            self._done.popleft()

    def now(self) -> _Rates | None:
        """The speed of late; None at the beginning, when it would be chance."""
        since, size, documents = self._done[0]
        seconds = time.monotonic() - since
        if seconds < LEAST_SECONDS or not self._bytes:
            return None
        return _Rates((self._bytes - size) / seconds, (self._documents - documents) / seconds)


class Progress:
    """Adds events up; safe to call from several threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.started = time.monotonic()
        self.current: PassStarted | None = None
        self.pass_started = self.started
        self.bytes = self.documents = self.tokens = 0
        self._rate = _Rate(self.started)
        self.stages: dict[str, Tally] = {}
        self.finished: list[tuple[PassStarted, float]] = []
        self.working = ""
        self.warnings: list[Warned] = []

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        with self.lock:
            if isinstance(event, PassStarted):
                self.current, self.pass_started, self.working = event, time.monotonic(), ""
                self._rate = _Rate(self.pass_started)
                self.bytes = self.tokens = 0  # only the last pass makes tokens; it may come again
                self.stages |= {name: Tally() for name in event.stages}
            elif isinstance(event, Advanced):
                self._advance(event)
            elif isinstance(event, PassFinished) and self.current:
                before = sum(seconds for done, seconds in self.finished if done == self.current)
                self.finished = [one for one in self.finished if one[0] != self.current]
                self.finished.append((self.current, before + time.monotonic() - self.pass_started))
                self.current = None
            elif isinstance(event, Working):
                self.working = event.what
            elif isinstance(event, Warned):
                self.warnings.append(event)

    @property
    def fraction(self) -> float:
        """Share of the current pass's input bytes that is done."""
        total = self.current.total_bytes if self.current else 0
        return min(1.0, self.bytes / total) if total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time the pass still needs if it goes on as it went of late; None while nobody can know."""
        if self.fraction >= 1:
            return 0.0
        rates = self._rate.now()
        if not self.current or not rates or not rates.bytes:
            return None
        return (self.current.total_bytes - self.bytes) / rates.bytes

    @property
    def documents_per_second(self) -> float | None:
        """Speed of the current pass of late, without what had been done before; None while nobody can know."""
        rates = self._rate.now()
        return rates.documents if rates else None

    def _advance(self, event: Advanced) -> None:
        self.bytes += event.input_bytes
        self.documents += event.documents
        self.tokens += event.tokens
        first = self.current.stages[0] if self.current and self.current.stages else ""
        came = event.stages[first].came if first in event.stages else event.documents
        if not event.reused:
            self._rate.add(event.input_bytes, came)
        for name, counts in event.stages.items():
            self.stages.setdefault(name, Tally()).add(counts)
