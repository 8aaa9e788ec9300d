"""The calibration plot: how often documents with a score are good, beside how often they should be."""

import re
from typing import Any

from curate.report.drawing.vega import converted
from curate.training.figures import Bin

_INK, _MUTED, _GRID, _ACCENT = "#1f2328", "#59636e", "#d8dee4", "#0a62c4"
_SIZE = 300
_CONFIG = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domain": False, "ticks": False, "gridColor": _GRID, "labelColor": _MUTED, "titleColor": _INK,
        "titleFontWeight": "normal", "labelFontSize": 12, "titleFontSize": 12, "labelPadding": 6, "titlePadding": 8,
    },
}  # fmt: skip
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")


def calibration_chart(bins: tuple[Bin, ...]) -> str:
    """An SVG: one point with its 95 % interval for each tenth of the scores, and the line on which they should lie."""
    rows = [
        {"score": one.score, "good": one.good, "least": one.least, "most": one.most, "documents": one.documents}
        for one in bins
    ]
    axis, scale = {"format": ".0%", "tickCount": 5}, {"domain": [0, 1]}
    x = _number("score", title="mean score", axis=axis, scale=scale)
    ideal = {
        "data": {"values": [{"score": 0, "good": 0}, {"score": 1, "good": 1}]},
        "mark": {"type": "line", "color": _MUTED, "strokeDash": [4, 4], "strokeWidth": 1},
        "encoding": {"x": x, "y": _number("good", title="good documents", axis=axis, scale=scale)},
    }
    spread = {
        "data": {"values": rows},
        "mark": {"type": "rule", "color": _ACCENT, "strokeWidth": 1.5},
        "encoding": {"x": x, "y": _number("least", scale=scale), "y2": {"field": "most"}},
    }
    found = {
        "data": {"values": rows},
        "mark": {"type": "circle", "color": _ACCENT, "opacity": 1},
        "encoding": {
            "x": x,
            "y": _number("good", scale=scale),
            "size": _number("documents", scale={"range": [30, 300]}, legend=None),
        },
    }
    chart = {"layer": [ideal, spread, found], "width": _SIZE, "height": _SIZE, "config": _CONFIG}
    svg: str = converted("vegalite_to_svg", chart)
    return _LONG_NUMBER.sub(r"\1", svg)


def _number(field: str, **given: Any) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", **given}
