"""Lines of a file that are held until it is known where a record ends."""

from bisect import bisect_right
from collections.abc import Iterable

from curate.corpus.compression import Block
from curate.corpus.lines import BOM
from curate.corpus.quarantine import Damaged


class HeldLines:
    """A stretch of a file. Places are offsets in what it decompresses to, without its byte order mark.

    Args:
        source: the bytes of the file.
    """

    def __init__(self, source: Iterable[Block]) -> None:
        self.start = 0
        """Where what is held begins."""
        self.ended = False
        """The file holds no more, or no more can be read of it."""
        self.damage: Damaged | None = None
        """Why no more can be read."""
        self._data = bytearray()
        self._source = iter(source)
        self._begun = False
        self._begins: list[int] = []
        self._steps: list[int] = []

    def __len__(self) -> int:
        return len(self._data)

    @property
    def stop(self) -> int:
        """Where what is held ends."""
        return self.start + len(self._data)

    def fill(self, wanted: int, most: int) -> None:
        """Read until whole lines of ``wanted`` bytes are held, or more than ``most`` bytes in all."""
        while self._whole() < wanted and len(self._data) <= most and self._more():
            pass

    def whole(self) -> bytes:
        """The lines that are whole, with what follows the last one if the file ends there."""
        return bytes(memoryview(self._data)[: self._whole()])

    def between(self, start: int, stop: int) -> bytes:
        """What is held between two places."""
        return bytes(memoryview(self._data)[start - self.start : stop - self.start])

    def line_end(self, size: int) -> int | None:
        """Where the first line ends that goes on beyond ``size`` bytes; None where that is not held."""
        found = self._data.find(b"\n", size)
        return None if found < 0 else self.start + found + 1

    def drop(self, start: int) -> None:
        """Hold only what is from ``start`` on."""
        del self._data[: start - self.start]
        self.start = start
        known = max(0, bisect_right(self._begins, start) - 1)
        del self._begins[:known], self._steps[:known]

    def drop_line(self) -> None:
        """Let go what is held and the rest of its last line, a block at a time."""
        self.drop(self.stop)
        while self._more():
            if stop := self.line_end(0):
                self.drop(stop)
                return
            self.drop(self.stop)

    def step(self, place: int) -> tuple[int, int | None]:
        """Where in the stored file the step lies that gave a place, and the place where the next step begins."""
        number = bisect_right(self._begins, place)
        until = self._begins[number] if number < len(self._begins) else None
        return (self._steps[number - 1] if number else 0), until

    def _whole(self) -> int:
        if self.ended and not self.damage:
            return len(self._data)
        return self._data.rfind(b"\n") + 1

    def _more(self) -> bool:
        """Read a block; False if there is none."""
        if self.ended:
            return False
        try:
            block = next(self._source, None)
        except Damaged as damage:
            block, self.damage = None, damage
        if block is None:
            self.ended = True
            return False
        data = block.data
        if data and not self._begun:
            data, self._begun = data.removeprefix(BOM), True
        self._begins.append(self.stop)
        self._steps.append(block.at)
        self._data += data
        return True
