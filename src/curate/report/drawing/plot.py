"""A plot as inline SVG: shapes and axes over a rectangle of data, coloured by the style sheet of its page.

Nothing in it has an id, a style attribute or a script: it lives under a policy that forbids all of them. Colours are
CSS variables, so that one drawing serves light, dark and print (``docs/decisions/0106-charts-drawn-here.md``).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Literal

INK, MUTED, GRID, KEPT, REMOVED, PAPER = (
    f"var(--{name})" for name in ("ink", "muted", "line", "accent", "removed", "paper")
)
Kind = Literal["linear", "sqrt", "symlog", "log"]
Anchor = Literal["start", "middle", "end"]
Tick = tuple[float, str]
"""Where it is, in pixels, and what it says."""
_SIZE = 12
_NARROW = frozenset(" .,:;|!'ijl()")
_OF_KIND: dict[Kind, Callable[[float], float]] = {
    "linear": float,
    "sqrt": math.sqrt,
    "symlog": math.log1p,
    "log": math.log,
}


class Plot:
    """A drawing whose coordinates count from the upper left corner of its data, in pixels.

    Args:
        width: of the data.
        height: of the data.
        left: room for labels; likewise ``right``, ``top`` and ``bottom``.

    Example:
        >>> plot = Plot(100, 20, left=30, top=0, right=0, bottom=0)
        >>> plot.bars([(0, 4, 80, 12)], KEPT)
        >>> print(plot)
        <svg width="130" height="20" viewBox="-30 0 130 20"><path d="M0,4h80v12h-80z" fill="var(--accent)"/></svg>
    """

    def __init__(
        self, width: float, height: float, *, left: float = 2, right: float = 8, top: float = 6, bottom: float = 2
    ) -> None:
        self.width, self.height = width, height
        self._left, self._right, self._top, self._bottom = left, right, top, bottom
        self._shapes: list[str] = []

    def __str__(self) -> str:
        width = _short(self._left + self.width + self._right)
        height = _short(self._top + self.height + self._bottom)
        view = f"{_short(-self._left)} {_short(-self._top)} {width} {height}"
        return f'<svg width="{width}" height="{height}" viewBox="{view}">{"".join(self._shapes)}</svg>'

    def bars(self, boxes: Iterable[tuple[float, float, float, float]], color: str, *, edge: float = 0) -> None:
        """Rectangles (x, y, width, height) of one colour, with ``edge`` pixels of paper around each."""
        drawn = (f"M{_short(x)},{_short(y)}h{_short(w)}v{_short(h)}h{_short(-w)}z" for x, y, w, h in boxes if w and h)
        if path := "".join(drawn):
            around = f' stroke="{PAPER}" stroke-width="{edge}"' if edge else ""
            self._shapes.append(f'<path d="{path}" fill="{color}"{around}/>')

    def line(self, points: Iterable[tuple[float, float]], color: str, width: float = 1, *, dashes: str = "") -> None:
        """Straight lines from point to point."""
        path = "L".join(f"{_short(x)},{_short(y)}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._shapes.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="{width}"{dashed}/>')

    def point(self, x: float, y: float, radius: float, color: str = KEPT) -> None:
        """A disc."""
        self._shapes.append(f'<circle cx="{_short(x)}" cy="{_short(y)}" r="{_short(radius)}" fill="{color}"/>')

    def text(
        self,
        x: float,
        y: float,
        said: str,
        color: str = MUTED,
        *,
        anchor: Anchor = "start",
        size: int = _SIZE,
        bold: bool = False,
        upwards: bool = False,
    ) -> None:
        """A line of text whose base line is at ``y``; ``upwards`` turns it."""
        extra = ' font-weight="600"' if bold else ""
        extra += f' transform="rotate(-90 {_short(x)} {_short(y)})"' if upwards else ""
        place = f'x="{_short(x)}" y="{_short(y)}" font-size="{size}px" text-anchor="{anchor}"'
        self._shapes.append(f'<text {place} fill="{color}"{extra}>{escape(said)}</text>')

    def below(self, ticks: Iterable[Tick], title: str = "", *, marks: bool = True) -> None:
        """The horizontal axis: what has no room beside the label to its left is skipped."""
        end = -math.inf
        for x, said in ticks:
            anchor, begins = self._anchored(x, said)
            if begins < end:
                continue
            end = begins + width_of(said) + 6
            if marks:
                self.line([(x, self.height), (x, self.height + 5)], GRID)
            self.text(x, self.height + 19, said, anchor=anchor)
        if title:
            self.text(self.width / 2, self.height + 38, title, anchor="middle")

    def beside(self, ticks: Iterable[Tick], title: str = "") -> None:
        """The vertical axis with lines across the data, from the lowest up; what has no room is skipped."""
        last = math.inf
        for y, said in ticks:
            if last - y < _SIZE:
                continue
            last = y
            self.line([(0, y), (self.width, y)], GRID)
            self.text(-6, y + 4, said, anchor="end")
        if title:
            self.text(_SIZE - self._left, self.height / 2, title, anchor="middle", upwards=True)

    def limits(self, ticks: Sequence[Tick]) -> None:
        """Lines from top to bottom with labels above, a row higher where two labels would meet."""
        ends = [-math.inf] * (len(ticks) + 1)
        for x, said in sorted(ticks):
            anchor, begins = self._anchored(x, said)
            row = next(row for row, end in enumerate(ends) if end <= begins)
            ends[row] = begins + width_of(said) + 6
            self._top = max(self._top, 20 + 15 * row)
            self.line([(x, -15 * row), (x, self.height)], INK, 1.5)
            self.text(x, -6 - 15 * row, said, INK, anchor=anchor)

    def _anchored(self, x: float, said: str) -> tuple[Anchor, float]:
        """How a label at ``x`` is set so that it stays inside the drawing, and where it begins."""
        width = width_of(said)
        if x - width / 2 < -self._left:
            return "start", x
        if x + width / 2 > self.width + self._right:
            return "end", x - width
        return "middle", x - width / 2


def width_of(said: str, size: int = _SIZE) -> float:
    """Room for a text in pixels, whatever sans-serif font shows it.

    Example:
        >>> width_of("1,000"), width_of("")
        (33.6, 0)
    """
    return sum(0.32 if letter in _NARROW else 0.62 if letter.isascii() else 1.0 for letter in said) * size


def scale(kind: Kind, low: float, high: float, length: float) -> Callable[[float], float]:
    """From a value to pixels: ``low`` is at 0, ``high`` at ``length``.

    Example:
        >>> scale("log", 1, 100, 300)(10), scale("sqrt", 0, 100, 50)(25)
        (150.0, 25.0)
    """
    of = _OF_KIND[kind]
    start, span = of(low), (of(high) - of(low)) or 1.0
    return lambda value: length * (of(value) - start) / span


def round_ticks(low: float, high: float, about: int) -> list[float]:
    """Some ``about`` round numbers from ``low`` to ``high``.

    Example:
        >>> round_ticks(0, 146, 3), round_ticks(0.1, 0.37, 6)
        ([0.0, 50.0, 100.0], [0.1, 0.15, 0.2, 0.25, 0.3, 0.35])
    """
    least = (high - low) / about
    if least <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(least))
    step = power * next(
        one for one, below in ((1, 2**0.5), (2, 10**0.5), (5, 50**0.5), (10, 11)) if least / power < below
    )
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * number, 12) for number in range(first, last + 1)]


def power_ticks(low: float, high: float) -> list[float]:
    """Few enough numbers of a logarithmic axis: 1, 10, 100, with steps between where there is room.

    Example:
        >>> power_ticks(8, 2000), power_ticks(1, 100_000)
        ([10.0, 30.0, 100.0, 300.0, 1000.0], [1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0])
    """
    wide = math.log10(high / low)
    steps = (1, 2, 5) if wide < 2 else (1, 3) if wide < 3 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [at for at in (float(step * 10.0**power) for power in powers for step in steps) if low <= at <= high]


def number(value: float) -> str:
    """As axes have it.

    Example:
        >>> number(12_000.0), number(0.25), number(2_500_000)
        ('12,000', '0.25', '2.5 M')
    """
    return f"{value / 1e6:,.4g} M" if abs(value) >= 1e6 else f"{value:,.10g}"


def _short(value: float) -> str:
    return f"{round(value, 1):.10g}"
