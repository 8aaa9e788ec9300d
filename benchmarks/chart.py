"""The result file as one SVG: megabytes of text for each CPU second, on a logarithmic scale."""

from pathlib import Path
from typing import Any

import altair as alt

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
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("job:N", sort="-x", title=None, axis=alt.Axis(labelLimit=220)),
        x=alt.X("speed:Q", scale=alt.Scale(type="log"), title="MB of text per CPU second (each step is a factor)"),
    )
    lowest = min(row["speed"] for row in rows) / 2
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        x2=alt.datum(lowest),
        color=alt.Color(
            "group:N",
            legend=None,
            scale=alt.Scale(domain=["curate", "floor", "others"], range=["#2f6f4f", "#9aa5ad", "#c08a3e"]),
        ),
    )
    labels = base.mark_text(align="left", dx=4).encode(text=alt.Text("speed:Q", format=".3~r"))
    notes = base.mark_text(align="left", dx=44, color="#667", fontSize=10).encode(text="does:N")
    alt.layer(bars, labels, notes).properties(width=430, height=alt.Step(26), background="white").save(str(path))
