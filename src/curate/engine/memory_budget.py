"""Memory shared by the tasks that run at the same time, in the order in which they ask for it."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import Condition

from curate.engine.base import Interrupted
from curate.engine.turns import Turns

_PATIENCE = 0.2  # seconds between two looks whether the engine was stopped


class MemoryBudget:
    """Bytes that may be taken at the same time. Who asks for more than there are gets them when nobody holds any.

    Args:
        size: bytes.
        stopped: whether waiting has become useless.
        turns: those of this process, where several processes share the memory: who asks for more than ``size`` then
            waits for all of them.

    Example:
        >>> budget = MemoryBudget(100, lambda: False)
        >>> with budget.taken(60), budget.taken(40):
        ...     budget.free
        0
    """

    def __init__(self, size: int, stopped: Callable[[], bool], turns: Turns | None = None) -> None:
        self.free = size
        self._size, self._stopped, self._turns = size, stopped, turns
        self._waiting = deque[object]()
        self._changed = Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Wait for ``size`` bytes, and hold them.

        Raises:
            Interrupted: the engine was stopped meanwhile.
        """
        alone, size, ticket = size > self._size, min(size, self._size), object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or self.free < size:
                    self._changed.wait(_PATIENCE)
                    if self._stopped():
                        raise Interrupted
                self.free -= size
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            with self._turns.taken(alone=alone) if self._turns else nullcontext():
                yield
        finally:
            with self._changed:
                self.free += size
                self._changed.notify_all()
