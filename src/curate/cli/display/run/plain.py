"""The face for logs and pipes: one ``key=value`` line every ten seconds, no control codes."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console

from curate.cli.display.notes import note
from curate.events import Event, PassFinished, PassStarted, Warned, Working
from curate.runs.progress import Progress

EVERY_SECONDS = 10.0


class PlainFace:
    """Prints a line when a pass begins and ends, and every `EVERY_SECONDS` between."""

    def __init__(self, console: Console) -> None:
        self._console, self.progress = console, Progress()
        self._last, self._said = time.monotonic(), ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def __call__(self, event: Event) -> None:
        """Show one event."""
        with self.progress.lock:
            line = self._line() if isinstance(event, PassFinished) else ""
            self.progress(event)
            if isinstance(event, Warned):
                note(self._console, "warning", event.message, event.hint)
            elif isinstance(event, PassStarted):
                self._say(f"pass={event.number}/{event.of} stages={','.join(event.stages)} bytes={event.total_bytes}")
            elif isinstance(event, Working):
                self._say(f'step="{event.what}"')
            elif line or time.monotonic() - self._last >= EVERY_SECONDS:
                self._say(line or self._line())

    def _line(self) -> str:
        current, left, rate = self.progress.current, self.progress.seconds_left, self.progress.documents_per_second
        if not current:
            return ""
        last = self.progress.stages.get(current.stages[-1]) if current.stages else None
        known = {
            "pass": f"{current.number}/{current.of}",
            "pct": f"{100 * self.progress.fraction:.0f}",
            "docs": self.progress.documents,
            "kept": last.kept if last else self.progress.documents,
            "elapsed": f"{time.monotonic() - self.progress.started:.0f}s",
            "rate": None if rate is None else f"{rate:.0f}/s",
            "eta": None if left is None else f"{left:.0f}s",
        }
        return " ".join(f"{key}={value}" for key, value in known.items() if value is not None)

    def _say(self, line: str) -> None:
        if line and line != self._said:
            self._last, self._said = time.monotonic(), line
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
