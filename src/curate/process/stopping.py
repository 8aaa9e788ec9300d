"""Asked to stop: Ctrl-C, SIGTERM and a closed terminal end the command within two seconds, whatever it is doing.

A run is asked to stop at its next row group. If it has not a second later (a kernel over one huge document, a
compiler, a thread that reads), or if nothing is going on that could be asked, the process leaves as it is. Nothing has
to be tidied up: files get their names only when they are whole. A second signal is not followed by a second.

Python runs handlers in the main thread alone, between two of its instructions, which may be far apart. So a thread that
hears of signals through a pipe does all this but the asking.
"""

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from curate.errors import CurateError, ExitCode
from curate.process.child import end_children

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 1.0
"""For a run to stop by itself."""
_LAST_WORDS_SECONDS = 0.5
"""To say what is safe: whoever reads stderr may have stopped reading."""
_SHOW_CURSOR = b"\x1b[?25h\n"

Explain = Callable[[], CurateError]
Ask = Callable[[], None]


def listen() -> None:
    """Have signals end this process from now on. Ignored ones (``nohup``, ``trap ''``) stay ignored."""
    _listening.append(True)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading,), name="stopping", daemon=True).start()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)


def end() -> None:
    """End this process as SIGTERM would, from any thread; without `listen`, nothing."""
    if _listening:
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def stoppable(explain: Explain, ask: Ask | None = None) -> Iterator[None]:
    """Say what a signal means for the work inside; without `listen`, nothing.

    Args:
        explain: the error that the process leaves with: what is safe, and how to go on. Called from another thread.
        ask: has the work end soon, by an exception of its own; called from the main thread.
    """
    _stack.append((explain, ask))
    try:
        yield
    finally:
        _stack.pop()


def exit_code() -> ExitCode:
    """4 after SIGTERM or SIGHUP, else 130: Ctrl-C."""
    return ExitCode.STOPPED if _received and _received[0] != signal.SIGINT else ExitCode.INTERRUPTED


def _handle(number: int, _frame: FrameType | None) -> None:
    """In the main thread, whenever Python gets to it."""
    _received.append(number)
    ask = _stack[-1][1] if _stack else None
    if ask:
        ask()


def _watch(pipe: int) -> None:
    while (number := os.read(pipe, 1)[0]) not in SIGNALS:
        continue
    _received.append(number)
    if _stack and _stack[-1][1]:
        select.select([pipe], [], [], GRACE_SECONDS)  # or until a second signal
    code = exit_code()
    with suppress(RuntimeError):  # no room for another thread
        last = threading.Timer(_LAST_WORDS_SECONDS, os._exit, [code])
        last.daemon = True
        last.start()
    end_children()
    with suppress(Exception):
        os.write(2, _last_words())
    os._exit(code)


def _last_words() -> bytes:
    """Written past consoles and their locks, which whoever is stuck may hold."""
    cursor = _SHOW_CURSOR if os.isatty(2) else b""
    if not _stack:
        return cursor
    error = _stack[-1][0]()
    hint = f"\nhint: {error.hint}" if error.hint else ""
    return cursor + f"error: {error.message}{hint}\n".encode(errors="replace")


_listening: list[bool] = []
_received: list[int] = []
"""Signals, the first one first."""
_stack: list[tuple[Explain, Ask | None]] = []
"""What is going on, the innermost last."""
