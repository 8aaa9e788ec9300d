"""Who may write to a run directory in an object store: an object that only one process can create.

There are no locks in a bucket, so the claim is an object written on condition that there is none, or that it is still
the one that was seen. Its holder writes it again every minute. One that has not been renewed for ten minutes, or whose
process is known to have ended, may be taken over; whoever loses a claim writes nothing any more.
"""

import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from curate.errors import CurateError, UserError
from curate.store.objects.bucket import Changed, Taken, Unreachable
from curate.store.objects.store_path import StorePath

RENEWED_SECONDS = 60
STALE_SECONDS = 600
_WAIT = "wait for it, choose another folder with -o, or, if it has certainly ended, add --take-over"


@contextmanager
def leased(lock: StorePath, command: str, *, take_over: bool = False) -> Iterator[None]:
    """Hold the claim of a run directory.

    Args:
        lock: the object that stands for it.
        command: what the run is, for whoever finds the claim.
        take_over: take it from whoever holds it.

    Raises:
        UserError: another run holds it.
    """
    lease = _Lease(lock, command)
    lease.take(take_over=take_over)
    try:
        yield
    finally:
        lease.end()


class _Lease:
    """One claim, renewed by a thread of its own."""

    def __init__(self, lock: StorePath, command: str) -> None:
        self._tree, self._key, self._lock, self._command = lock.tree, lock.key, lock, command
        self._tag = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renewing, name="claim", daemon=True)

    def take(self, *, take_over: bool) -> None:
        try:
            self._write(replaces=False)
        except Taken:
            self._take_over(forced=take_over)
        _held_here.add(str(self._lock))
        self._tree.forget()  # others may have written until now
        self._tree.held = True
        self._thread.start()

    def _take_over(self, *, forced: bool) -> None:
        store = self._tree.store
        try:
            seen = store.facts(self._key)
            found = _parsed(store.read(self._key, 0, max(seen.size, 1), seen.tag))
        except FileNotFoundError:  # it ended a moment ago
            self._write(replaces=False)
            return
        except Changed as error:  # it has just been renewed
            raise UserError(f"another run is writing to `{self._lock.parent}`", hint=_WAIT) from error
        if not forced and not self._is_abandoned(found):
            ago = max(0, int(time.time() - found.get("renewed", 0)))
            raise UserError(
                f"another run is writing to `{self._lock.parent}`: process {found.get('pid', '?')} on"
                f" {found.get('host', 'an unknown machine')}, last heard of {ago} seconds ago",
                hint=_WAIT,
            )
        try:
            self._write(replaces=seen.tag)
        except Taken as error:
            raise UserError(
                f"another run has just begun to write to `{self._lock.parent}`",
                hint="wait for it, or choose another folder with -o",
            ) from error

    def end(self) -> None:
        """No longer hold it; where the object is still there, it says that nobody is at work."""
        self._over.set()
        self._thread.join()
        _held_here.discard(str(self._lock))
        self._tree.held, self._tree.writable_until = False, None
        with suppress(CurateError, Taken, FileNotFoundError):
            if self._tree.find(self._key):
                self._write(replaces=self._tag, renewed=0)

    def _renewing(self) -> None:
        while not self._over.wait(RENEWED_SECONDS):
            try:
                self._write(replaces=self._tag)
            except Unreachable:
                continue  # it is tried again, and nothing is written when ten minutes have gone by
            except (Taken, FileNotFoundError, CurateError):
                self._tree.writable_until = 0.0
                return

    def _write(self, *, replaces: Any, renewed: float | None = None) -> None:
        begun, store = time.monotonic(), self._tree.store
        said = f"{self._command}\n{json.dumps(_holder(time.time() if renewed is None else renewed))}\n"
        content = said.encode(errors="surrogateescape")
        try:
            stored = store.put(self._key, content, replaces=replaces)
        except Taken:  # by this very request perhaps, whose answer was lost and which was made again
            try:
                stored = store.facts(self._key)
                is_own = store.read(self._key, 0, max(stored.size, 1), stored.tag) == content
            except (FileNotFoundError, Changed):
                is_own = False
            if not is_own:
                raise
        self._tag = stored.tag or store.facts(self._key).tag
        self._tree.writable_until = begun + STALE_SECONDS - RENEWED_SECONDS

    def _is_abandoned(self, holder: dict[str, Any]) -> bool:
        """Whether nobody is at work any more."""
        if time.time() - holder.get("renewed", 0) > STALE_SECONDS:
            return True
        if holder.get("host") != platform.node() or abs(holder.get("boot", 0) - psutil.boot_time()) > 5:
            return False
        try:
            begun, then = float(psutil.Process(holder["pid"]).create_time()), float(holder["begun"])
        except (psutil.NoSuchProcess, KeyError):
            return True
        is_own = holder["pid"] == os.getpid() and str(self._lock) not in _held_here
        return is_own or abs(begun - then) > 0.01


_held_here: set[str] = set()
"""Claims that this process holds: one of its own that it holds no more could not be given back."""


def _holder(renewed: float) -> dict[str, Any]:
    """This process, as another one can find out whether it has ended."""
    process = psutil.Process()
    return {
        "host": platform.node(),
        "boot": int(psutil.boot_time()),
        "pid": os.getpid(),
        "begun": process.create_time(),
        "renewed": renewed,
    }


def _parsed(content: bytes) -> dict[str, Any]:
    """Who holds a claim; empty where it cannot be read."""
    with suppress(ValueError):
        found = json.loads(content.decode(errors="replace").partition("\n")[2])
        return found if isinstance(found, dict) else {}
    return {}
