"""The child process that reads pages: one after the other, each within limits that end the process.

It imports nothing of curate but what it needs, so that it is there within a tenth of a second. Whoever asked
(`curate.html.children`) knows by the answers that came which page ended it.
"""

import json
import os
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from curate.html.extractors import Extracted

READY = b"ready\n"
ANSWER = struct.Struct("<?qqd")
"""Whether the extractor came to an end without an error; bytes of text and of title; CPU seconds."""
LENGTH = struct.Struct("<q")

DOCUMENTS = frozenset({"epub", "docx", "pdf"})
"""Kinds of `curate.html.documents`."""

_SAID = 300
"""Characters of what a library says of a page that it cannot read."""
_MEMORY_A_BYTE = 100
"""Bytes of memory that a page may take for each of its own: four times what a page of 56 MB takes resiliparse."""
_LEAST_MEMORY = 1 << 30


def serve() -> None:
    """Answer requests from stdin until it ends: a line of JSON (extractor, options, seconds), then batches of pages."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    requests = sys.stdin.buffer
    extractor, options, seconds = json.loads(requests.readline())
    extract = _documents(extractor) if extractor in DOCUMENTS else _pages(extractor, options)
    answers.write(READY)
    answers.flush()
    base = _address_space()
    while pages := _read(requests):
        for page in pages:
            _limit(seconds, base + _LEAST_MEMORY + _MEMORY_A_BYTE * len(page))
            began = time.process_time()
            try:
                text, title = extract(page)
                good = True
            except Exception as error:  # noqa: BLE001  (whatever a library raises over a page)
                good, title = False, ""
                text = (str(error)[:_SAID] or type(error).__name__) if extractor in DOCUMENTS else ""
            spent = time.process_time() - began
            _limit(0, 0)
            data = [one.encode("utf-8", "replace") for one in (text, title)]
            answers.write(ANSWER.pack(good, len(data[0]), len(data[1]), spent) + data[0] + data[1])
            answers.flush()


def _pages(extractor: str, options: Mapping[str, Any]) -> Callable[[bytes], "Extracted"]:
    from curate.html.extractors import make

    extract = make(extractor, options)
    extract("<p>a page that nobody needs: it loads what is loaded late</p>")
    return lambda page: extract(page.decode())


def _documents(kind: str) -> Callable[[bytes], "Extracted"]:
    from curate.html.documents import reader

    return reader(kind)


def _read(requests: BinaryIO) -> list[bytes]:
    """One batch, all of it: nobody waits for an answer before everything is asked."""
    head = requests.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return []
    (number,) = LENGTH.unpack(head)
    lengths = struct.unpack(f"<{number}q", requests.read(number * LENGTH.size))
    return [requests.read(length) for length in lengths]


def _limit(seconds: float, memory: int) -> None:
    """Have the kernel end this process (SIGPROF) after so much CPU time; 0: no limit.

    A signal is the one thing that also ends a loop in native code. No handler: Python would run it too late.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)
    with suppress(ValueError, OSError):  # the system may allow less
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = memory or resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_AS, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _address_space() -> int:
    """Bytes of address space in use, where the system tells."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  (pathlib is one import more)
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
