"""Pages read by child processes, so that one that hangs, crashes or grows without end costs itself alone.

An extractor is a library of native code, or of loops that nobody can stop, over input that anyone on the web wrote. So
it runs in processes of its own (`curate.html.serving`), one for each thread that asks. A page that ends its process is
known by the answers that are missing. Results do not depend on which pages a process had before: one that dies over a
page gets a successor, which begins with that page; only what ends a fresh process has failed.
"""

import atexit
import select
import struct
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from signal import SIGPROF
from typing import Literal, NamedTuple

from curate.html.serving import ANSWER, LENGTH, READY
from curate.process.child import Watch, spent, start_child

Outcome = Literal["extracted", "failed", "took_too_long"]


class Job(NamedTuple):
    """What a child does to every page."""

    request: str
    """JSON of `curate.html.serving.serve`: extractor, options, CPU seconds for a page."""


class Answer(NamedTuple):
    """What became of one page."""

    outcome: Outcome
    text: bytes = b""
    title: bytes = b""


def read_pages(pages: Sequence[bytes], job: Job) -> list[Answer]:
    """What every page holds, in order. Safe on any thread.

    Args:
        pages: HTML as UTF-8.
        job: what to do to them.

    Raises:
        OSError: no process can be started.
    """
    answers: list[Answer] = []
    while len(answers) < len(pages):
        child, unhurt = _take(job), False
        try:
            child.answer(pages[len(answers) :], answers)
            unhurt = True
        except _DiedError as died:
            if died.out_of_time:
                answers.append(Answer("took_too_long"))
            elif died.alone:
                answers.append(Answer("failed"))
        finally:
            if unhurt:
                _give_back(job, child)
            else:
                child.close()
    return answers


def stop() -> None:
    """End all processes that wait for pages."""
    with _lock:
        children = [child for idle in _idle.values() for child in idle]
        _idle.clear()
    for child in children:
        child.close()


class _DiedError(Exception):
    """A child ended over a page."""

    def __init__(self, *, out_of_time: bool, alone: bool) -> None:
        super().__init__()
        self.out_of_time, self.alone = out_of_time, alone


class _Child:
    """A process that reads pages; one thread at a time asks it."""

    def __init__(self, job: Job) -> None:
        self._process = start_child("curate.html.serving:serve", stdout=subprocess.PIPE)
        assert self._process.stdin
        assert self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._replies, select.POLLIN | select.POLLHUP)
        self._held = bytearray()
        self._read = 0
        """Pages that it has come through."""
        with suppress(OSError):
            self._requests.write(job.request.encode() + b"\n")
            self._requests.flush()
        if self._take(len(READY)) != READY:
            self.close()
            raise OSError("the process that reads HTML pages ended before it began")

    def answer(self, pages: Sequence[bytes], answers: list[Answer]) -> None:
        """Append what becomes of each page.

        Raises:
            _DiedError: the process ended over the page after the last one answered.
        """
        lengths = struct.pack(f"<{len(pages)}q", *map(len, pages))
        with suppress(OSError):  # it has ended: its answers say so
            self._requests.write(b"".join([LENGTH.pack(len(pages)), lengths, *pages]))
            self._requests.flush()
        for _ in pages:
            head = self._take(ANSWER.size)
            if len(head) < ANSWER.size:
                raise self._died()
            good, text_bytes, title_bytes, seconds = ANSWER.unpack(head)
            body = self._take(text_bytes + title_bytes)
            if len(body) < text_bytes + title_bytes:
                raise self._died()
            spent.add(seconds)
            self._read += 1
            answers.append(Answer("extracted" if good else "failed", body[:text_bytes], body[text_bytes:]))

    def close(self) -> None:
        self._process.kill()
        with suppress(OSError):  # what it was asked and never read
            self._requests.close()
        self._replies.close()
        self._process.wait()

    def _died(self) -> _DiedError:
        code = self._process.wait()
        return _DiedError(out_of_time=code == -SIGPROF, alone=not self._read)

    def _take(self, size: int) -> bytes:
        """So many bytes of its replies; fewer where it has ended."""
        watch: Watch | None = None
        while len(self._held) < size:
            if self._poll.poll(_LOOK_MILLISECONDS):
                block = self._replies.read1(_BLOCK)  # type: ignore[attr-defined]
                if not block:
                    break
                self._held += block
            elif watch is None:
                watch = Watch(self._process, float("inf"))
            elif watch.stuck():
                self._process.kill()
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken


def _take(job: Job) -> _Child:
    with _lock:
        idle = _idle.get(job)
        if idle:
            return idle.pop()
    return _Child(job)


def _give_back(job: Job, child: _Child) -> None:
    with _lock:
        _idle.setdefault(job, []).append(child)


_BLOCK = 1 << 20
_LOOK_MILLISECONDS = 5_000
_idle: dict[Job, list[_Child]] = {}
_lock = threading.Lock()

atexit.register(stop)
