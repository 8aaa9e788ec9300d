"""The result file as one SVG: megabytes of text for each CPU second, on a logarithmic scale."""

from pathlib import Path
from typing import Any

from benchmarks.jobs import KINDS
from benchmarks.results import summary
from curate.report.drawing.plot import GRID, INK, MUTED, Plot, number, power_ticks, scale, width_of

COLORS = {"curate": "#2f6f4f", "floor": "#9aa5ad", "others": "#c08a3e"}
ON_WHITE = {INK: "#1f2328", MUTED: "#59636e", GRID: "#d8dee4"}
"""A picture of its own has no style sheet."""
STEP = 26


def draw(content: dict[str, Any], path: Path) -> None:
    """Bars of every job at the largest size that curate's whole job, and the job itself, were measured at."""
    best: dict[str, dict[str, Any]] = {}
    for (job, size), one in sorted(summary(content["measurements"]).items(), key=lambda item: item[0][1]):
        if one["status"] == "done" and job != "curate-2":
            group = "floor" if job.startswith("floor") else "curate" if job.startswith("curate") else "others"
            best[job] = {"job": f"{job}, {size} MB", "does": KINDS[job], "speed": one["mb_per_cpu_second"]} | {
                "color": COLORS[group]
            }
    rows = sorted(best.values(), key=lambda row: -row["speed"])
    if not rows:
        return
    left = max(width_of(row["job"]) for row in rows) + 10
    plot = Plot(430, STEP * len(rows), left=left, right=60 + max(width_of(row["does"]) for row in rows), bottom=44)
    lowest, highest = rows[-1]["speed"] / 2, rows[0]["speed"]
    x = scale("log", lowest, highest, plot.width)
    ticks = [(x(tick), number(tick)) for tick in power_ticks(lowest, highest)]
    plot.below(ticks, "MB of text per CPU second (each step is a factor)")
    for row, one in enumerate(rows):
        speed, base = f"{one['speed']:.3g}", STEP * row + 17
        plot.bars([(0, STEP * row + 3, x(one["speed"]), STEP - 6)], one["color"])
        plot.text(-8, base, one["job"], INK, anchor="end")
        plot.text(x(one["speed"]) + 4, base, speed, INK)
        plot.text(x(one["speed"]) + 14 + width_of(speed), base, one["does"], size=10)
    svg = str(plot).replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"', 1)
    for variable, color in ON_WHITE.items():
        svg = svg.replace(variable, color)
    path.write_text(svg)
