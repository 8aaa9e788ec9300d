"""Threads that compute what many ask for, and what comes first of that."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any, TypeVar

Result = TypeVar("Result")


class Computing:
    """A pool of threads in which what a file waits for comes before everything else.

    One thread writes a file, in order. If its pieces took their turn among all that is asked for, it would be written
    alone in the end, with nothing left for other cores: with one shard of 90 million tokens that is a second and more.

    Args:
        threads: that compute at the same time.

    Example:
        >>> computing = Computing(1)
        >>> computing.submit(max, 1, 2, for_file=True).result()
        2
        >>> computing.close()
    """

    def __init__(self, threads: int) -> None:
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
        with self._taking:
            waiting = self._for_files or self._others
            if not waiting:  # closed meanwhile
                return
            future, work = waiting.popleft()
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  (whoever waits for the result raises it)
            future.set_exception(error)
            del future  # which would hold the error, that holds this frame
        else:
            future.set_result(result)
