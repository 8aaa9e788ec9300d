"""Charts of the page as inline SVG: Vega-Lite drawn at build time, coloured by the page's own style sheet.

Colours in the specifications are stand-ins that become CSS variables, so one drawing serves light, dark and
print. Nothing in the SVG has an id, a style attribute or a script: it lives under a policy that forbids all
of them.
"""

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from curate.report.drawing.vega import Spec, converted
from curate.report.duplicates import Duplicates
from curate.report.measures import Histogram, Threshold
from curate.report.model import Step
from curate.report.saved.measured import Contribution

_INK, _MUTED, _GRID, _KEPT, _REMOVED, _PAPER = (f"#10101{digit}" for digit in range(6))
_VARIABLES = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _GRID: "var(--line)",
    _KEPT: "var(--accent)",
    _REMOVED: "var(--removed)",
    _PAPER: "var(--paper)",
}
_NOISE = re.compile(
    r' (?:aria-hidden="true"|aria-roledescription="[^"]*"|role="graphics-[^"]*"|pointer-events="none"|opacity="1"'
    r'|font-family="[^"]*"|xmlns(?::xlink)?="[^"]*"|version="1\.1"|class="[^"]*")'
)
_INVISIBLE = re.compile(r'<path d="(?:M0,0h0v0h0Z)?"(?: display="none")?/>')
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")

_COUNT = "datum.value >= 1e6 ? format(datum.value / 1e6, '~g') + ' M' : format(datum.value, ',')"
_WIDTH = 440
_HALF_WIDTH = 430
_CONFIG = {
    "background": "transparent",
    "aria": False,
    "padding": {"left": 2, "right": 8, "top": 6, "bottom": 2},
    "view": {"stroke": None},
    "axis": {
        "domain": False, "ticks": False, "grid": True, "gridColor": _GRID, "tickColor": _GRID, "labelColor": _MUTED,
        "labelFontSize": 12, "titleColor": _MUTED, "titleFontSize": 12, "titleFontWeight": "normal",
        "labelPadding": 6, "titlePadding": 8,
    },
}  # fmt: skip
FEW_SIZES = 8
"""Sizes of clusters that have a bar each."""
_RULE = {"type": "rule", "color": _INK, "strokeWidth": 1.5}
_LABEL = {"type": "text", "align": "center", "baseline": "bottom", "dy": -4, "fontSize": 12, "color": _INK}
_LOG_AXIS = {"grid": False, "tickCount": 5, "labelExpr": _COUNT, "ticks": True, "labelOverlap": "greedy"}


def flow_chart(flow: Sequence[Step]) -> str:
    """Documents that came into each stage, split into kept and removed."""
    rows: list[dict[str, Any]] = []
    for step in flow:
        label = f"\N{MINUS SIGN}{step.removed:,}" if step.removed else ""
        rows += [
            {"stage": step.stage, "from": 0, "to": step.kept, "part": "kept", "kept": f"{step.kept:,}"},
            {"stage": step.stage, "from": step.kept, "to": step.came, "part": "removed", "removed": label},
        ]
    widest = max((step.came for step in flow), default=0) * 1.14 or 1
    scale = {"domainMin": 0, "domainMax": widest, "nice": False}
    stages = {"grid": False, "labelFontSize": 13, "labelColor": _INK, "labelPadding": 10}
    y = _name("stage", sort=[step.stage for step in flow], title=None, axis=stages)
    text = {"type": "text", "align": "left", "fontSize": 12}
    fits = {"condition": {"test": f"datum.to > {widest * 0.14:.6g}", "value": 1}, "value": 0}
    bars = {
        "mark": {"type": "bar", "height": 22},
        "encoding": {
            "x": _number("from", title=None, scale=scale, axis=None),
            "x2": {"field": "to"},
            "y": y,
            "color": _parts("kept", "removed"),
        },
    }
    kept = {
        "transform": [{"filter": "datum.part == 'kept'"}],
        "mark": {**text, "dx": 8, "color": _PAPER, "fontWeight": 600},
        "encoding": {"x": {"value": 0}, "y": y, "text": _name("kept"), "opacity": fits},
    }
    removed = {
        "transform": [{"filter": "datum.part != 'kept'"}],
        "mark": {**text, "dx": 6, "color": _MUTED},
        "encoding": {"x": _number("to", scale=scale), "y": y, "text": _name("removed")},
    }
    return _svg({"data": {"values": rows}, "layer": [bars, kept, removed], "width": _WIDTH, "height": {"step": 34}})


def histogram_chart(histogram: Histogram) -> str:
    """Documents in each bin; what lies beyond a threshold takes the other colour."""
    edges, lines = histogram.edges, histogram.thresholds
    bins = [
        {
            "from": low,
            "to": high,
            "documents": count + under,
            "none": 0,
            "part": "beyond" if _is_beyond(low, high, lines) else "within",
        }
        for low, high, count, under in zip(
            edges, edges[1:], histogram.counts, histogram.below or [0] * len(histogram.counts), strict=False
        )
    ]
    given: dict[str, Any] = {"low": edges[0], "high": edges[-1], "ticks": _ticks(histogram)}
    given["powers"] = _powers(max(histogram.counts, default=0))
    given |= {f"align{i}": _align(line, histogram) for i, line in enumerate(lines)}
    data = {"bins": bins} | {f"line{i}": [_line(line)] for i, line in enumerate(lines)}
    vega = _histogram_spec(histogram.scale, counts_scale(histogram), len(lines))
    filled = {
        **vega,
        "signals": [{**signal, "value": given.get(signal["name"], signal.get("value"))} for signal in vega["signals"]],
        "data": [
            {**entry, "values": data[entry["name"]]} if entry["name"] in data else entry for entry in vega["data"]
        ],
    }
    return _cleaned(converted("vega_to_svg", filled))


def counts_scale(histogram: Histogram) -> Literal["linear", "sqrt", "symlog"]:
    """How counts are drawn: so that a bar which holds nearly everything does not hide the others."""
    counts = sorted(filter(None, histogram.counts))
    if len(counts) < 3:
        return "linear"
    larger = counts[-1] / counts[len(counts) // 2]
    return "linear" if larger <= 20 else "sqrt" if larger <= 2000 else "symlog"


@functools.cache
def _histogram_spec(kind: str, counts: str, lines: int) -> Spec:
    """What all histograms of a scale and number of thresholds share, as Vega: making it takes longer than drawing one.

    A page has two dozen of them; each fills in the data sets ``bins`` and ``line0`` …, and the signals ``low``,
    ``high``, ``ticks``, ``powers`` and ``align0`` ….
    """
    scale = {"type": kind, "domainMin": {"expr": "low"}, "domainMax": {"expr": "high"}, "nice": False}
    shown = {"tickCount": 6} if kind == "linear" else {"values": {"expr": "ticks"}}
    numbers = {"grid": False, "labelExpr": _COUNT, "labelFlush": True, "ticks": True, "labelOverlap": "greedy", **shown}
    few = {"tickCount": 3} if counts == "linear" else {"values": {"expr": "powers"}, "labelOverlap": "greedy"}
    heights = {"labelExpr": _COUNT, **few}
    bars = {
        "data": {"name": "bins"},
        "mark": {"type": "bar", "stroke": _PAPER, "strokeWidth": 0.6},
        "encoding": {
            "x": _number("from", title=None, scale=scale, axis=numbers),
            "x2": {"field": "to"},
            "y": _number("documents", title=None, scale={"type": counts}, axis=heights),
            "y2": {"field": "none"},
            "color": _parts("within", "beyond"),
        },
    }
    marks = [mark for i in range(lines) for mark in _line_marks(f"line{i}", f"align{i}", scale)]
    given = ("low", "high", "ticks", "powers", *(f"align{i}" for i in range(lines)))
    spec = {"params": [{"name": name} for name in given], "layer": [bars, *marks], "width": _HALF_WIDTH, "height": 130}
    vega: Spec = converted("vegalite_to_vega", {**spec, "config": _CONFIG})
    return vega


def cluster_chart(duplicates: Duplicates) -> str:
    """Number of clusters of each size: a bar for each of a few sizes, else points on logarithmic scales."""
    rows = [{"size": size.documents, "clusters": size.clusters} for size in duplicates.sizes]
    if len(rows) <= FEW_SIZES:
        return _cluster_bars(rows)
    sizes = _number("size", scale={"type": "log", "domainMin": 1.8}, title="documents in a cluster", axis=_LOG_AXIS)
    clusters = _number("clusters", scale={"type": "log", "domainMin": 1}, title="clusters", axis=_LOG_AXIS)
    points = {
        "data": {"values": rows},
        "mark": {"type": "circle", "size": 46, "color": _KEPT, "opacity": 0.9},
        "encoding": {"x": sizes, "y": clusters},
    }
    return _svg({**points, "width": _HALF_WIDTH, "height": 200})


def _cluster_bars(rows: Sequence[Mapping[str, int]]) -> str:
    named = [{**row, "name": f"{row['size']:,} documents", "said": f"{row['clusters']:,}"} for row in rows]
    y = _name("name", sort=None, title=None, axis={"grid": False, "labelColor": _INK, "minExtent": 110})
    scale = {"domainMin": 0, "domainMax": 1.15 * max(row["clusters"] for row in rows), "nice": False}
    x = _number("clusters", title=None, scale=scale, axis=None)
    bars = {"mark": {"type": "bar", "height": 14, "color": _KEPT}, "encoding": {"x": x, "y": y}}
    label = {"type": "text", "align": "left", "dx": 6, "fontSize": 12, "color": _MUTED}
    said = {"mark": label, "encoding": {"x": x, "y": y, "text": _name("said")}}
    return _svg({"data": {"values": named}, "layer": [bars, said], "width": _HALF_WIDTH, "height": {"step": 24}})


def catch_chart(duplicates: Duplicates) -> str:
    """The S-curve: probability that a pair of a given similarity is compared."""
    rows = [{"similarity": at, "chance": chance} for at, chance in duplicates.curve]
    percent = {"format": "%", "tickCount": 4}
    similarity = _number("similarity", title="Jaccard similarity of a pair", axis={"grid": False, "tickCount": 6})
    curve = {
        "data": {"values": rows},
        "mark": {"type": "line", "color": _KEPT, "strokeWidth": 2.5},
        "encoding": {
            "x": similarity,
            "y": _number("chance", title="compared", axis=percent, scale={"domain": [0, 1]}),
        },
    }
    line = {"values": [{"at": duplicates.similarity, "label": f"similarity {duplicates.similarity:g}"}]}
    rule = {"data": line, "mark": _RULE, "encoding": {"x": _number("at")}}
    text = {"data": line, "mark": _LABEL, "encoding": {"x": _number("at"), "y": {"value": 0}, "text": _name("label")}}
    return _svg({"layer": [curve, rule, text], "width": _HALF_WIDTH, "height": 200})


def contributions_chart(found: Sequence[Contribution]) -> str:
    """The multiplier of having each stage or rule as a point with its interval; 1 makes no difference."""
    measured = [(each.name, each.multiplier) for each in found if each.multiplier and each.multiplier.value]
    known = [end for _, m in measured for end in (m.value, m.low, m.high) if end]
    least, most = min(0.98, *known), max(1.02, *known)
    rows = [{"name": name, "at": m.value, "low": m.low or least, "high": m.high or most} for name, m in measured]
    scale = {"type": "log", "domain": [least, most], "nice": False}
    y = _name("name", sort=None, title=None, axis={"grid": False, "labelColor": _INK, "labelLimit": 260})
    x = _number("at", scale=scale, title="multiplier of having it", axis={"tickCount": 5, "format": ".2~f"})
    one = {
        "data": {"values": [{"at": 1}]},
        "mark": _RULE,
        "encoding": {"x": _number("at", scale=scale)},
    }
    spans = {
        "data": {"values": rows},
        "mark": {"type": "rule", "color": _KEPT, "strokeWidth": 2},
        "encoding": {"x": _number("low", scale=scale), "x2": {"field": "high"}, "y": y},
    }
    points = {
        "data": {"values": rows},
        "mark": {"type": "circle", "size": 60, "color": _KEPT, "opacity": 1},
        "encoding": {"x": x, "y": y},
    }
    return _svg({"layer": [one, spans, points], "width": _WIDTH, "height": {"step": 22}})


def _line(line: Threshold) -> dict[str, Any]:
    name = line.side if line.setting.partition(".")[2].startswith(f"{line.side}_") else line.setting.partition(".")[2]
    return {"at": line.value, "label": f"{name or line.side} {line.value:,g}"}


def _align(line: Threshold, histogram: Histogram) -> str:
    """Where the label goes, so that it never sticks out of the drawing."""
    place = _place(line.value, histogram)
    return "left" if place < 0.12 else "right" if place > 0.88 else "center"


def _line_marks(data: str, align: str, scale: Spec) -> list[Spec]:
    """A threshold as a rule with its label above."""
    x = _number("at", scale=scale)
    label = {**_LABEL, "align": {"expr": align}}
    return [
        {"data": {"name": data}, "mark": _RULE, "encoding": {"x": x}},
        {"data": {"name": data}, "mark": label, "encoding": {"x": x, "y": {"value": 0}, "text": _name("label")}},
    ]


def _place(value: float, histogram: Histogram) -> float:
    """Where a value lies between the outer edges: 0 left, 1 right."""
    low, high = histogram.edges[0], histogram.edges[-1]
    if histogram.scale == "log":
        low, high, value = math.log(low), math.log(high), math.log(max(value, 1.0))
    return (value - low) / (high - low)


def _ticks(histogram: Histogram) -> list[float]:
    """Few enough numbers on a logarithmic axis: 1, 10, 100 with steps between when there is room."""
    if histogram.scale == "linear":
        return []
    low, high = math.log10(histogram.edges[0]), math.log10(histogram.edges[-1])
    steps = (1, 2, 5) if high - low < 2 else (1, 3) if high - low < 3 else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    places = [float(step * 10**power) for power in powers for step in steps]
    return [place for place in places if low <= math.log10(place) <= high]


def _powers(most: int) -> list[int]:
    """Ticks of counts that are not drawn to a linear scale: 0, 1, 10, 100 …"""
    return [0, *(10**power for power in range(len(str(most))))]


def _number(field: str, **given: Any) -> Spec:
    return {"field": field, "type": "quantitative", **given}


def _name(field: str, **given: Any) -> Spec:
    return {"field": field, "type": "nominal", **given}


def _parts(first: str, second: str) -> Spec:
    return _name("part", scale={"domain": [first, second], "range": [_KEPT, _REMOVED]}, legend=None)


def _is_beyond(low: float, high: float, lines: Sequence[Threshold]) -> bool:
    middle = (low + high) / 2
    return any(middle < line.value if line.side == "min" else middle > line.value for line in lines)


def _svg(chart: Spec) -> str:
    return _cleaned(converted("vegalite_to_svg", {**chart, "config": _CONFIG}))


def _cleaned(svg: str) -> str:
    """Without what the page has no use for, coloured by its style sheet."""
    svg = _INVISIBLE.sub("", _NOISE.sub("", svg))
    svg = _LONG_NUMBER.sub(r"\1", svg)
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    return svg
