"""The face that shows nothing but warnings; not even those when twice quiet."""

from types import TracebackType
from typing import Self

from rich.console import Console

from curate.cli.display.notes import note
from curate.events import Event, Warned
from curate.runs.progress import Progress


class QuietFace:
    """Adds events up without showing them."""

    def __init__(self, console: Console, *, warnings: bool = True) -> None:
        self._console, self._warnings, self.progress = console, warnings, Progress()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        self.progress(event)
        if self._warnings and isinstance(event, Warned):
            note(self._console, "warning", event.message, event.hint)
