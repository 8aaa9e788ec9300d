"""What the events of a run add up to: what every display shows, and what a stopped run says of itself."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from curate.events import Advanced, Event, PassFinished, PassStarted, StageCounts, Warned, Working


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


class Progress:
    """Adds events up; safe to call from several threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.started = time.monotonic()
        self.current: PassStarted | None = None
        self.pass_started = self.started
        self.bytes = self.documents = self.tokens = 0
        self.stages: dict[str, Tally] = {}
        self.finished: list[tuple[PassStarted, float]] = []
        self.working = ""
        self.warnings: list[Warned] = []

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        with self.lock:
            if isinstance(event, PassStarted):
                self.current, self.pass_started, self.working = event, time.monotonic(), ""
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
        """Time the pass still needs if it goes on as it went; None while nobody can know."""
        elapsed = time.monotonic() - self.pass_started
        return elapsed * (1 - self.fraction) / self.fraction if self.fraction > 0.01 and elapsed > 0.5 else None

    @property
    def documents_per_second(self) -> float:
        """Speed of the current pass."""
        elapsed = time.monotonic() - self.pass_started
        return self.documents / elapsed if elapsed else 0.0

    def _advance(self, event: Advanced) -> None:
        self.bytes += event.input_bytes
        self.documents += event.documents
        self.tokens += event.tokens
        for name, counts in event.stages.items():
            self.stages.setdefault(name, Tally()).add(counts)
