"""How far a pass is with a part, in bytes of its input."""


class SettledBytes:
    """Bytes of a part's input count as done when their documents are settled, not when they are read.

    Args:
        size: bytes read so far.
        rows: documents read so far.

    Example:
        >>> done = SettledBytes(size=1000, rows=10)
        >>> done.settled(rows=5), done.settled(rows=4), done.rest()
        (500, 400, 100)
    """

    def __init__(self, size: int = 0, rows: int = 0) -> None:
        self._size, self._rows = size, rows
        self._settled = self._told = 0

    def add(self, size: int, rows: int) -> None:
        """So many bytes and documents more were read."""
        self._size, self._rows = self._size + size, self._rows + rows

    def settled(self, rows: int) -> int:
        """Bytes that are done now and were not before, as so many documents more are settled."""
        self._settled += rows
        done = max(self._told, self._size * self._settled // max(1, self._rows))
        told, self._told = self._told, done
        return done - told

    def rest(self) -> int:
        """Bytes that no document stands for, when all documents are settled."""
        told, self._told = self._told, self._size
        return self._size - told
