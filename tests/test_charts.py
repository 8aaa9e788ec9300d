"""Charts: whatever the numbers, what is drawn is inside the drawing, to scale, inert and readable."""

import re
from xml.etree import ElementTree as ET

from hypothesis import example, given
from hypothesis import strategies as st

from curate.report.drawing import charts
from curate.report.drawing.plot import KEPT, REMOVED, power_ticks, round_ticks, scale, width_of
from curate.report.duplicates import ClusterSize, Duplicates
from curate.report.judgments.measures import Histogram, Threshold
from curate.report.model import Step
from curate.report.saved.measured import Contribution, Measured
from curate.training.chart import calibration_chart
from curate.training.figures import Bin

COUNT = st.one_of(st.integers(0, 300), st.integers(0, 10**11))
NAME = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=24)


def drawn(svg):
    """The boxes of each colour and the labels of a drawing in which every mark is inside and nothing acts."""
    root = ET.fromstring(svg)
    left, top, width, height = map(float, root.get("viewBox").split())
    boxes, labels = {KEPT: [], REMOVED: []}, []
    for mark in root:
        assert not {"id", "style", "class", "href"} & set(mark.attrib)
        numbers = [float(n) for key in ("x", "y", "cx", "cy") if (n := mark.get(key))]
        points = [tuple(map(float, pair.split(","))) for pair in re.findall(r"[-\d.]+,[-\d.]+", mark.get("d", ""))]
        points += [tuple(numbers)] if numbers else []
        assert all(-1 <= x - left <= width + 1 and -1 <= y - top <= height + 1 for x, y in points), mark.attrib
        if "z" in mark.get("d", ""):
            sizes = re.findall(r"M([-\d.]+),([-\d.]+)h([-\d.]+)v([-\d.]+)", mark.get("d"))
            boxes[mark.get("fill")] += [tuple(map(float, box)) for box in sizes]
        if mark.tag == "text":
            x, y = numbers
            size, wide = int(mark.get("font-size")[:-2]), width_of(mark.text, int(mark.get("font-size")[:-2]))
            begins = x - {"start": 0, "middle": wide / 2, "end": wide}[mark.get("text-anchor")]
            if not mark.get("transform"):
                labels.append((begins, y - size + 2, begins + wide, y, mark.text))
    for number, one in enumerate(labels):
        for other in labels[:number]:
            apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
            assert apart, (one, other)
    return boxes, labels


@st.composite
def histograms(draw):
    log = draw(st.booleans())
    numbers = st.integers(1, 10**7) if log else st.one_of(st.integers(-50, 10**7), st.floats(-1, 1, width=32))
    edges = sorted(draw(st.sets(numbers, min_size=2, max_size=40)))
    while edges[-1] - edges[0] < 1e-6 * max(1, abs(edges[-1])):
        edges[-1] += 1
    bins = len(edges) - 1
    lines = draw(st.lists(st.tuples(st.sampled_from(edges), st.sampled_from(["min", "max"])), max_size=3))
    return Histogram(
        measure="a.b",
        documents=1,
        scale="log" if log else "linear",
        edges=tuple(map(float, edges)),
        counts=tuple(draw(st.lists(COUNT, min_size=bins, max_size=bins))),
        median=0,
        largest=0,
        thresholds=tuple(Threshold(measure="a.b", value=at, side=side) for at, side in lines),
        below=draw(st.none() | st.just((0.5,) * bins)),
    )


@given(histograms())
def test_a_histogram_has_a_bar_for_every_bin_with_documents_on_its_side_of_the_line(histogram):
    boxes, _ = drawn(charts.histogram_chart(histogram))
    counts = [count + (histogram.below or [0] * 99)[n] for n, count in enumerate(histogram.counts)]
    middles = [(low + high) / 2 for low, high in zip(histogram.edges, histogram.edges[1:], strict=False)]
    beyond = [any(line.is_beyond(middle) for line in histogram.thresholds) for middle in middles]
    at = scale(histogram.scale, histogram.edges[0], histogram.edges[-1], 1)
    wide = [at(high) - at(low) > 1e-9 for low, high in zip(histogram.edges, histogram.edges[1:], strict=False)]
    for color, side in ((KEPT, False), (REMOVED, True)):
        wanted = [shown for shown, count, on in zip(wide, counts, beyond, strict=True) if count and on is side]
        assert sum(wanted) <= len(boxes[color]) <= len(wanted)  # a bin of no width has none
    if charts.counts_scale(histogram) == "linear" and max(counts) and len(boxes[KEPT]) == sum(map(bool, counts)):
        for (_, y, _, tall), count in zip(boxes[KEPT], filter(None, counts), strict=True):
            assert abs(tall - max(1, 125 * count / max(counts))) <= 0.11
            assert abs(y + tall - 125) <= 0.11


@example([("0", 10_117, 5_140_840), ("0", 3_458_690, 1), ("0000000¡¡¡¡¡¡¡¡¡¡¡", 0, 0)])
@given(st.lists(st.tuples(NAME, COUNT, COUNT), min_size=1, max_size=9))
def test_the_flow_shows_each_stage_to_one_scale(stages):
    flow = [
        Step(stage=name, came=kept + lost, kept=kept, removed=lost, bytes_in=0, bytes_kept=0)
        for name, kept, lost in stages
    ]
    boxes, labels = drawn(charts.flow_chart(flow))
    most = max(step.came for step in flow) or 1
    assert [label[4] for label in labels if label[4] in {step.stage for step in flow}]
    for color, lengths in ((KEPT, [step.kept for step in flow]), (REMOVED, [step.removed for step in flow])):
        shares = sorted(length / most for length in lengths if length)
        wide = sorted(box[2] for box in boxes[color])
        assert len(wide) == len(shares)
        if sum(wide) > 50:
            assert all(abs(w / wide[-1] - s / shares[-1]) < 1.2 / wide[-1] for w, s in zip(wide, shares, strict=True))


@given(st.dictionaries(st.integers(2, 10**6), st.integers(1, 10**7), min_size=1, max_size=40))
def test_clusters_and_the_curve_are_inside(sizes):
    curve = tuple((n / 50, (n / 50) ** 2) for n in range(51))
    duplicates = Duplicates(
        sizes=tuple(ClusterSize(documents=size, clusters=number) for size, number in sorted(sizes.items())),
        removed=1, passed_over=0, largest=(), bands=1, rows=1, similarity=0.8, curve=curve,
        redundancy=None, matrix=None,
    )  # fmt: skip
    drawn(charts.cluster_chart(duplicates))
    drawn(charts.catch_chart(duplicates))


def measured(value, low, high):
    return Measured(value=value, low=low, high=high, unit="x", tag="MEASURED", assumptions=())


@given(st.lists(st.tuples(st.floats(0.05, 20), st.none() | st.floats(0.5, 1), st.none() | st.floats(1, 2)), min_size=1))
def test_contributions_and_calibration_are_inside(found):
    contributions = [
        Contribution(
            kind="rule", name=f"quality.rule_{n}", documents=1, tokens=1, share=0.1, verdict="", on=(),
            multiplier=measured(value, low and low * value, high and high * value),
        )
        for n, (value, low, high) in enumerate(found)
    ]  # fmt: skip
    drawn(charts.contributions_chart(contributions))
    bins = tuple(Bin(low=0, high=1, documents=n, score=n / 9, good=n / 9, least=0, most=1) for n in range(10))
    drawn(calibration_chart(bins))


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 9))
def test_ticks_are_inside_and_few(low, span, about):
    ticks = round_ticks(low, low + span, about)
    if span > 1e-9 * abs(low):
        assert len(ticks) <= 2 * about + 1
        assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)


@given(st.floats(0.01, 1e6), st.floats(1.5, 1e9))
def test_ticks_of_powers_are_inside_and_few(low, times):
    ticks = power_ticks(low, low * times)
    assert len(ticks) <= 12
    assert all(low <= tick <= low * times for tick in ticks)


@given(st.sampled_from(["linear", "sqrt", "symlog", "log"]), st.floats(1, 1e6), st.floats(1.1, 1e3), st.floats(0, 1))
def test_scales_keep_order_and_ends(kind, low, times, share):
    high = low * times
    at = scale(kind, low, high, 100)
    assert at(low) == 0
    assert abs(at(high) - 100) < 1e-9
    assert -1e-9 <= at(low + share * (high - low)) <= 100 + 1e-9
