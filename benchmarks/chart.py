"""The result file as one SVG: megabytes of text for each CPU second, on a logarithmic scale."""

from pathlib import Path
from typing import Any

import vl_convert

from benchmarks.jobs import KINDS
from benchmarks.results import summary


def draw(content: dict[str, Any], path: Path) -> None:
    """Bars of every job at the largest size that curate's whole job, and the job itself, were measured at."""
    best: dict[str, dict[str, Any]] = {}
    for (job, size), one in sorted(summary(content["measurements"]).items(), key=lambda item: item[0][1]):
        if one["status"] == "done" and job != "curate-2":
            label = f"{job}, {size} MB"
            group = "floor" if job.startswith("floor") else "curate" if job.startswith("curate") else "others"
            best[job] = {"job": label, "does": KINDS[job], "speed": one["mb_per_cpu_second"], "group": group}
    rows = list(best.values())
    if not rows:
        return
    lowest = min(row["speed"] for row in rows) / 2
    place = {
        "y": {"field": "job", "type": "nominal", "sort": "-x", "title": None, "axis": {"labelLimit": 220}},
        "x": {
            "field": "speed",
            "type": "quantitative",
            "scale": {"type": "log"},
            "title": "MB of text per CPU second (each step is a factor)",
        },
    }
    colors = {"domain": ["curate", "floor", "others"], "range": ["#2f6f4f", "#9aa5ad", "#c08a3e"]}
    color = {"field": "group", "type": "nominal", "legend": None, "scale": colors}
    speed = {"field": "speed", "type": "quantitative", "format": ".3~r"}
    text = {"type": "text", "align": "left"}
    bars = {
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": {**place, "x2": {"datum": lowest}, "color": color},
    }
    labels = {"mark": {**text, "dx": 4}, "encoding": {**place, "text": speed}}
    notes = {
        "mark": {**text, "dx": 44, "color": "#667", "fontSize": 10},
        "encoding": {**place, "text": {"field": "does", "type": "nominal"}},
    }
    frame = {"width": 430, "height": {"step": 26}, "background": "white"}
    path.write_text(vl_convert.vegalite_to_svg({"data": {"values": rows}, "layer": [bars, labels, notes], **frame}))
