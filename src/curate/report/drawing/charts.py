"""Charts of the page, each from its numbers to an inline SVG."""

from collections.abc import Iterable, Sequence

from curate.report.drawing.plot import (
    INK,
    KEPT,
    PAPER,
    REMOVED,
    Kind,
    Plot,
    number,
    power_ticks,
    round_ticks,
    scale,
    width_of,
)
from curate.report.duplicates import Duplicates
from curate.report.judgments.measures import Histogram, Threshold
from curate.report.model import Step
from curate.report.saved.measured import Contribution

_WIDTH = 460
"""Of every drawing, labels included, so that text has the same size in all of them."""
_RIGHT = 8
_TALL = 190
_LONGEST_NAME = 44
_LEAST_WIDTH = 200
"""Of the bars of a chart that also has names and numbers, as long as its labels are not known."""
FEW_SIZES = 8
"""Sizes of clusters that have a bar each."""


_READ = "read"
"""What stands for the reader, which is no stage."""


def flow_chart(flow: Sequence[Step], quarantined: int = 0) -> str:
    """Documents that came into each stage, split into kept and removed; before them those that could not be read."""
    if quarantined and flow:
        came = flow[0].came
        read = Step(stage=_READ, came=came + quarantined, kept=came, removed=quarantined, bytes_in=0, bytes_kept=0)
        flow = [read, *flow]
    most = max((step.came for step in flow), default=0) or 1
    names = [_cut(step.stage) for step in flow]
    left = _room(names, 13)
    inside = _inside_bars(flow, _LEAST_WIDTH / most)
    labels = [*map(_beside_bar, flow, inside)]
    while inside != (fitting := _inside_bars(flow, (_WIDTH - left - _room(labels)) / most, inside)):
        inside, labels = fitting, [*map(_beside_bar, flow, fitting)]
    right = _room(labels)
    plot = Plot(max(_WIDTH - left - right, 1), 34 * len(flow), left=left, right=right)
    x = scale("linear", 0, most, plot.width)
    kept = [max(x(step.kept), float(step.kept > 0)) for step in flow]
    lost = [max(x(step.removed), float(step.removed > 0)) for step in flow]
    plot.bars(((0, 34 * row + 6, wide, 22) for row, wide in enumerate(kept)), KEPT)
    plot.bars(((at, 34 * row + 6, wide, 22) for row, (at, wide) in enumerate(zip(kept, lost, strict=True))), REMOVED)
    for row, step in enumerate(flow):
        base = 34 * row + 21.5
        plot.text(-10, base, names[row], INK, anchor="end", size=13)
        if inside[row]:
            plot.text(8, base, f"{step.kept:,}", PAPER, bold=True)
        if labels[row]:
            plot.text(kept[row] + lost[row] + 6, base, labels[row])
    return str(plot)


def histogram_chart(histogram: Histogram) -> str:
    """Documents in each bin; what lies beyond a threshold takes the other colour."""
    edges, lines = histogram.edges, histogram.thresholds
    below = histogram.below or (0.0,) * len(histogram.counts)
    counts = [count + pairs for count, pairs in zip(histogram.counts, below, strict=True)]
    kind, most = counts_scale(histogram), max(counts, default=0) or 1
    heights = round_ticks(0, most, 3) if kind == "linear" else [0, *_powers(int(most))]
    left = _room(map(number, heights))
    plot = Plot(_WIDTH - left - _RIGHT, 125, left=left, top=8, bottom=24)
    x, y = scale(histogram.scale, edges[0], edges[-1], plot.width), scale(kind, 0, most, plot.height)
    plot.beside((plot.height - y(tick), number(tick)) for tick in heights)
    ends = edges[0], edges[-1]
    ticks = power_ticks(*ends) if histogram.scale == "log" else round_ticks(*ends, 6)
    plot.below((x(tick), number(tick)) for tick in ticks)
    bins = [bin_ for bin_ in zip(edges, edges[1:], counts, strict=False) if bin_[2]]
    for color, beyond in ((KEPT, False), (REMOVED, True)):
        chosen = [(low, high, max(1, y(count))) for low, high, count in bins if _is_beyond(low, high, lines) is beyond]
        plot.bars(((x(low), plot.height - tall, x(high) - x(low), tall) for low, high, tall in chosen), color, edge=0.6)
    plot.limits([(x(min(max(line.value, edges[0]), edges[-1])), _said(line)) for line in lines])
    return str(plot)


def counts_scale(histogram: Histogram) -> Kind:
    """How counts are drawn: so that a bar which holds nearly everything does not hide the others."""
    counts = sorted(filter(None, histogram.counts))
    if len(counts) < 3:
        return "linear"
    larger = counts[-1] / counts[len(counts) // 2]
    return "linear" if larger <= 20 else "sqrt" if larger <= 2000 else "symlog"


def cluster_chart(duplicates: Duplicates) -> str:
    """Number of clusters of each size: a bar for each of a few sizes, else points on logarithmic scales."""
    sizes = duplicates.sizes
    most = max(size.clusters for size in sizes)
    if len(sizes) <= FEW_SIZES:
        names, said = [f"{size.documents:,} documents" for size in sizes], [f"{size.clusters:,}" for size in sizes]
        left, right = _room(names), _room(said)
        plot = Plot(_WIDTH - left - right, 24 * len(sizes), left=left, right=right)
        x = scale("linear", 0, most, plot.width)
        plot.bars(((0, 24 * row + 5, max(1, x(size.clusters)), 14) for row, size in enumerate(sizes)), KEPT)
        for row, size in enumerate(sizes):
            plot.text(-10, 24 * row + 16, names[row], INK, anchor="end")
            plot.text(x(size.clusters) + 6, 24 * row + 16, said[row])
        return str(plot)
    largest = 1.1 * max(size.documents for size in sizes)
    ticks = power_ticks(1, max(most, 2))
    plot = _titled(_room(map(number, ticks)))
    x, y = scale("log", 1.8, largest, plot.width), scale("log", 0.9, 1.1 * most, plot.height)
    plot.below(((x(tick), number(tick)) for tick in power_ticks(1.8, largest)), "documents in a cluster")
    plot.beside(((plot.height - y(tick), number(tick)) for tick in ticks), "clusters")
    for size in sizes:
        plot.point(x(size.documents), plot.height - y(size.clusters), 3.8)
    return str(plot)


def catch_chart(duplicates: Duplicates) -> str:
    """The S-curve: probability that a pair of a given similarity is compared."""
    plot = _titled(_room(["100%"]))
    x, y = (scale("linear", 0, 1, length) for length in (plot.width, plot.height))
    shares = round_ticks(0, 1, 5)
    plot.below(((x(share), f"{share:.1f}") for share in shares), "Jaccard similarity of a pair")
    plot.beside(((plot.height - y(share), f"{share:.0%}") for share in shares), "compared")
    plot.line([(x(at), plot.height - y(chance)) for at, chance in duplicates.curve], KEPT, 2.5)
    plot.limits([(x(duplicates.similarity), f"similarity {duplicates.similarity:g}")])
    return str(plot)


def contributions_chart(found: Sequence[Contribution]) -> str:
    """The multiplier of having each stage or rule as a point with its interval; 1 makes no difference."""
    measured = [(each.name, each.multiplier) for each in found if each.multiplier and each.multiplier.value]
    known = [end for _, m in measured for end in (m.value, m.low, m.high) if end]
    least, most = min(0.98, *known), max(1.02, *known)
    left = _room(_cut(name) for name, _ in measured)
    plot = Plot(_WIDTH - left - _RIGHT, 22 * len(measured), left=left, bottom=44)
    x = scale("log", least, most, plot.width)
    ticks = [tick for tick in round_ticks(least, most, 5) if tick > 0]
    plot.below(((x(tick), number(tick)) for tick in ticks), "multiplier of having it")
    plot.line([(x(1), 0), (x(1), plot.height)], INK, 1.5)
    for row, (name, m) in enumerate(measured):
        plot.text(-10, 22 * row + 15, _cut(name), INK, anchor="end")
        plot.line([(x(m.low or least), 22 * row + 11), (x(m.high or most), 22 * row + 11)], KEPT, 2)
        plot.point(x(m.value or 1), 22 * row + 11, 4.4)
    return str(plot)


def _powers(most: int) -> list[int]:
    """1, 10, 100 and the last half or fifth of a step, so that the longest bar has a number near its end.

    Example:
        >>> _powers(3), _powers(397), _powers(700)
        ([1, 2], [1, 10, 100, 200], [1, 10, 100, 500])
    """
    powers = [10**power for power in range(len(str(most)))]
    return [*powers, *[step * powers[-1] for step in (5, 2) if step * powers[-1] <= most][:1]]


def _room(labels: Iterable[str], size: int = 12) -> float:
    """That the longest of some labels takes, with the space between it and the data."""
    return max((width_of(label, size) for label in labels), default=0) + 10


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _inside_bars(flow: Sequence[Step], width: float, among: Sequence[bool] | None = None) -> list[bool]:
    """Whose number of kept documents fits into its bar, of `among`, where a document is so wide."""
    fitting = [width_of(f"{step.kept:,}") + 16 < width * step.kept for step in flow]
    return [all(both) for both in zip(fitting, among or fitting, strict=True)]


def _beside_bar(step: Step, kept_is_inside: bool) -> str:
    removed = f"\N{MINUS SIGN}{step.removed:,}{' in quarantine' * (step.stage == _READ)}" if step.removed else ""
    return removed if kept_is_inside else f"{step.kept:,} kept {removed}".strip()


def _titled(left: float) -> Plot:
    """A plot with a title on both axes."""
    return Plot(_WIDTH - left - 20 - _RIGHT, _TALL, left=left + 20, top=8, bottom=44)


def _said(line: Threshold) -> str:
    name = line.setting.partition(".")[2]
    return f"{line.side if not name or name.startswith(f'{line.side}_') else name} {line.value:,g}"


def _is_beyond(low: float, high: float, lines: Sequence[Threshold]) -> bool:
    middle = (low + high) / 2
    return any(line.is_beyond(middle) for line in lines)
