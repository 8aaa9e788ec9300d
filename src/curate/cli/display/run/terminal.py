"""The live face: a bar for the pass, a line for each stage, redrawn four times a second."""

import threading
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from curate.cli.display.format import count, duration, share
from curate.cli.display.notes import note
from curate.events import Event, Warned
from curate.runs.progress import Progress


class TerminalFace:
    """Use as a context manager; call it with events."""

    def __init__(self, console: Console) -> None:
        self._console, self.progress = console, Progress()
        self._live = Live(get_renderable=self._picture, console=console, refresh_per_second=4, transient=True)
        self._spinner = Spinner("dots")
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self.progress(event)
        if isinstance(event, Warned):
            with self._lock:
                note(self._live.console, "warning", event.message, event.hint)

    def _picture(self) -> Group:
        with self.progress.lock:
            lines: list[Table | Text | Spinner] = []
            for done, seconds in self.progress.finished:
                lines.append(Text(f"Pass {done.number}/{done.of}  {done.name}  {duration(seconds)}", "dim"))
            if self.progress.current:
                lines += [self._bar(), self._stages()]
            elif self.progress.working:
                self._spinner.update(text=Text(f" {self.progress.working}"))
                lines.append(self._spinner)
            return Group(*lines)

    def _bar(self) -> Table:
        current, left, rate = self.progress.current, self.progress.seconds_left, self.progress.documents_per_second
        assert current
        row = Table.grid(padding=(0, 1))
        row.add_row(
            Text(f"Pass {current.number}/{current.of}", "bold"),
            ProgressBar(total=1.0, completed=self.progress.fraction, width=36),
            Text(f"{self.progress.fraction:4.0%}"),
            Text(f"{duration(left)} left" if left is not None else "estimating…", "cyan"),
            Text(f"{rate:,.0f} docs/s" if rate is not None else "", "dim"),
        )
        return row

    def _stages(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=11)
        for _ in range(2):
            table.add_column(justify="right", min_width=11)
        current = self.progress.current
        for name in current.stages if current else ():
            tally = self.progress.stages[name]
            main = tally.main_reason
            why = f"{main} {share(tally.reasons[main], tally.came)}" if main else ""
            if name == "tokenize" and self.progress.tokens:
                why = f"{count(self.progress.tokens)} tokens"
            table.add_row(f"  {name}", f"{tally.came:,}", f"→ {tally.kept:,}", Text(why, "dim"))
        return table
