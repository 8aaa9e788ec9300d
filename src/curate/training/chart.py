"""The calibration plot: how often documents with a score are good, beside how often they should be."""

import re

import altair as alt
import vl_convert

from curate.training.figures import Bin

_INK, _MUTED, _GRID, _ACCENT = "#1f2328", "#59636e", "#d8dee4", "#0a62c4"
_SIZE = 300
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")


def calibration_chart(bins: tuple[Bin, ...]) -> str:
    """An SVG: one point with its 95 % interval for each tenth of the scores, and the line on which they should lie."""
    rows = [
        {"score": one.score, "good": one.good, "least": one.least, "most": one.most, "documents": one.documents}
        for one in bins
    ]
    axis = alt.Axis(format=".0%", tickCount=5)
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("score:Q", title="mean score", axis=axis, scale=scale)
    ideal = (
        alt.Chart(alt.Data(values=[{"score": 0, "good": 0}, {"score": 1, "good": 1}]))
        .mark_line(color=_MUTED, strokeDash=[4, 4], strokeWidth=1)
        .encode(x=x, y=alt.Y("good:Q", title="good documents", axis=axis, scale=scale))
    )
    points = alt.Chart(alt.Data(values=rows)).encode(x=x)
    spread = points.mark_rule(color=_ACCENT, strokeWidth=1.5).encode(y=alt.Y("least:Q", scale=scale), y2="most:Q")
    found = points.mark_circle(color=_ACCENT, opacity=1).encode(
        y=alt.Y("good:Q", scale=scale), size=alt.Size("documents:Q", scale=alt.Scale(range=[30, 300]), legend=None)
    )
    chart = (ideal + spread + found).properties(width=_SIZE, height=_SIZE).configure(
        background="transparent",
        font="system-ui, sans-serif",
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            domain=False, ticks=False, gridColor=_GRID, labelColor=_MUTED, titleColor=_INK, titleFontWeight="normal",
            labelFontSize=12, titleFontSize=12, labelPadding=6, titlePadding=8,
        ),
    )  # fmt: skip
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict())
    return _LONG_NUMBER.sub(r"\1", svg)
