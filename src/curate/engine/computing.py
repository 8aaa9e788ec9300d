"""Threads that compute what many ask for, and what comes first of that."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any, TypeVar

Result = TypeVar("Result")


class Computing:
    """A pool of threads in which what a file waits for comes first, and who writes the file has a core.

    One thread writes a file, in order, which takes as long as making what is written: compressing a shard of 90 million
    tokens is 4 CPU s. Were it one of three threads on two cores, it would be written alone in the end, with nothing
    left for the other core. So while lanes write, fewer threads take what no file waits for, but always one.

    Args:
        threads: that compute at the same time.

    Example:
        >>> computing = Computing(1)
        >>> computing.submit(max, 1, 2, for_file=True).result()
        2
        >>> computing.close()
    """

    def __init__(self, threads: int) -> None:
        self._threads, self._lanes, self._at_others = threads, 0, 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._for_files = deque[tuple[Future[Any], partial[Any]]]()
        self._others = deque[tuple[Future[Any], partial[Any]]]()
        self._taking = Lock()

    def submit(self, work: Callable[..., Result], *arguments: Any, for_file: bool) -> "Future[Result]":
        """``work(*arguments)`` when its turn has come; ``for_file``: a file that is being written waits for it."""
        future = Future[Result]()
        with self._taking:
            (self._for_files if for_file else self._others).append((future, partial(work, *arguments)))
        self._pool.submit(self._next)
        return future

    @contextmanager
    def lane(self, change: int = 1) -> Iterator[None]:
        """One lane more works meanwhile; with -1 one of them waits."""
        self._change(change)
        try:
            yield
        finally:
            self._change(-change)

    def close(self) -> None:
        """Cancel what has not begun, and wait for the rest."""
        with self._taking:
            left = [*self._for_files, *self._others]
            self._for_files.clear()
            self._others.clear()
        for future, _ in left:
            future.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _next(self) -> None:
        """Do what comes first; nothing where that has to wait until there is room."""
        with self._taking:
            other = not self._for_files
            if other and not (self._others and self._room() > 0):
                return
            future, work = (self._others if other else self._for_files).popleft()
            self._at_others += other
        try:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001  (whoever waits for the result raises it)
                future.set_exception(error)
                del future  # which would hold the error, that holds this frame
            else:
                future.set_result(result)
        finally:
            if other:
                self._change(at_others=-1)

    def _room(self) -> int:
        """Threads more that may take what no file waits for."""
        return max(1, self._threads - self._lanes) - self._at_others

    def _change(self, lanes: int = 0, at_others: int = 0) -> None:
        with self._taking:
            self._lanes += lanes
            self._at_others += at_others
            room = min(len(self._others), self._room())
        for _ in range(room):
            self._pool.submit(self._next)
