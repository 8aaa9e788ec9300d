"""Each chart with what it shows as a sentence and its numbers as a table: nobody needs to see it to read it."""

from collections.abc import Iterator, Sequence

import msgspec

from curate.report import quantities
from curate.report.drawing import charts
from curate.report.duplicates import Duplicates
from curate.report.judgments.measures import NEAR, Histogram
from curate.report.model import Findings, Step
from curate.report.saved.measured import Contribution


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """A drawing with its finding as a sentence and its numbers as a table."""

    id: str
    title: str
    svg: str
    finding: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def drawings(findings: Findings) -> dict[str, Drawing]:
    """Every chart of the page by its id: ``flow``, ``measure-<measure>``, ``clusters``, ``catch``."""
    return {figure.id: figure for figure in _drawn(findings)}


def drawing_of_contributions(found: Sequence[Contribution]) -> Drawing | None:
    """What stages and rules contribute; None where nothing was measured."""
    measured = [each for each in found if each.multiplier and each.multiplier.value]
    if not measured:
        return None
    names_of = {
        verdict: [each.name for each in measured if each.verdict == verdict]
        for verdict in ("earns its keep", "costs more than it brings")
    }
    said = [f"{name} {verdict}" for verdict, names in names_of.items() for name in names[:3]]
    return Drawing(
        id="contributions",
        title="Value of stages and rules",
        svg=charts.contributions_chart(measured),
        finding=f"{'; '.join(said) or 'None makes a measurable difference'}. The line marks 1, no difference.",
        headers=(),
        rows=(),
    )


def _drawn(findings: Findings) -> Iterator[Drawing]:
    if findings.flow:
        yield Drawing(
            id="flow",
            title="Documents through the stages",
            svg=charts.flow_chart(findings.flow, findings.quarantined),
            finding=_finding_of_flow(findings.flow),
            headers=(),
            rows=(),
        )
    for histogram in findings.histograms:
        line = next(iter(histogram.thresholds), None)
        below = histogram.below or (0.0,) * len(histogram.counts)
        edges = zip(histogram.edges, histogram.edges[1:], histogram.counts, below, strict=False)
        passed, rows = 0, []
        for low, high, count, pairs in edges:
            beyond = passed if line is None or line.side == "min" else histogram.documents - passed
            kept = (f"{pairs:,.0f}",) if histogram.below is not None else ()
            share = quantities.share(beyond / histogram.documents) if histogram.documents else "0"
            rows.append((_edge(low), _edge(high), f"{count:,}", *kept, share))
            passed += count
        what_if = "below “from”" if line is None else f"removed if {line.side} were “from”"
        yield Drawing(
            id=f"measure-{histogram.measure}",
            title=histogram.measure,
            svg=charts.histogram_chart(histogram),
            finding=(_finding_of_pairs if histogram.pairs else _finding_of_histogram)(histogram),
            headers=("from", "to", "documents", *(("kept pairs",) if histogram.below is not None else ()), what_if),
            rows=tuple(rows),
        )
    duplicates = findings.duplicates
    if duplicates and duplicates.sizes:
        yield Drawing(
            id="clusters",
            title="Cluster sizes",
            svg=charts.cluster_chart(duplicates),
            finding=_finding_of_clusters(duplicates),
            headers=("documents in a cluster", "clusters"),
            rows=tuple((f"{size.documents:,}", f"{size.clusters:,}") for size in duplicates.sizes[:60]),
        )
    if duplicates and duplicates.curve:
        yield Drawing(
            id="catch",
            title="Which pairs are compared",
            svg=charts.catch_chart(duplicates),
            finding=_finding_of_catch(duplicates),
            headers=("similarity", "compared"),
            rows=tuple((f"{at:g}", quantities.share(chance)) for at, chance in duplicates.curve),
        )


def _finding_of_flow(flow: Sequence[Step]) -> str:
    largest = max(flow, key=lambda step: step.removed, default=None)
    if largest is None or not largest.removed:
        return "No stage removed a document."
    lost = quantities.share(largest.removed / largest.came)
    return (
        f"Most was removed by {largest.stage}: {largest.removed:,} of the {largest.came:,} documents"
        f" that reached it ({lost})."
    )


def _finding_of_histogram(histogram: Histogram) -> str:
    if not histogram.thresholds:
        return (
            f"About half of the {histogram.documents:,} documents measured are at or below"
            f" {quantities.short(histogram.median)}; the largest value is {quantities.short(histogram.largest)}."
        )
    parts = []
    for line, beyond in zip(histogram.thresholds, histogram.beyond, strict=True):
        side = "below" if line.side == "min" else "at or above" if line.at else "above"
        parts.append(
            f"{beyond:,} ({quantities.share(beyond / histogram.documents)}) lie {side} {quantities.short(line.value)}"
        )
    near = max(histogram.near)
    close = f" {near:,} are within 5{quantities.NARROW}% of the limit." if near else ""
    return f"Of {histogram.documents:,} documents measured, {' and '.join(parts)}.{close}{_scale_of(histogram)}"


def _finding_of_pairs(histogram: Histogram) -> str:
    """Of a similarity only removed documents have one: what lies below the limit is estimated from kept pairs."""
    line = histogram.thresholds[0].value
    apart = f"; {histogram.apart:,} exact copies are apart" if histogram.apart else ""
    removed = f"{histogram.documents:,} documents were removed at {line:g} or above{apart}.{_scale_of(histogram)}"
    if histogram.below is None:
        return removed
    found = [(at, pairs) for at, pairs in zip(histogram.edges, histogram.below, strict=False) if pairs]
    if not found:
        return f"{removed} In a sample, no pair of kept documents is just below it."
    near = sum(pairs for at, pairs in found if at >= line * (1 - NEAR))
    return (
        f"{removed} Below it lie about {sum(pairs for _, pairs in found):,.0f} pairs of kept documents from"
        f" {found[0][0]:g} on, {near:,.0f} of them within 5{quantities.NARROW}%, estimated from a sample."
    )


def _scale_of(histogram: Histogram) -> str:
    """How bars are drawn, where that is not as long as their counts."""
    drawn = {"linear": "", "sqrt": "square-root", "symlog": "logarithmic"}[charts.counts_scale(histogram)]
    return f" Counts are drawn on a {drawn} scale." if drawn else ""


def _edge(value: float) -> str:
    """Between two bins.

    Example:
        >>> _edge(0.02), _edge(100_001.0)
        ('0.02', '100,001')
    """
    return f"{value:,.0f}" if value.is_integer() else f"{value:.6g}"


def _finding_of_clusters(duplicates: Duplicates) -> str:
    over, copies = duplicates.passed_over, "copy" if duplicates.passed_over == 1 else "copies"
    also = f" {over:,} preferred {copies} did not count: a later stage removed them." if over else ""
    if not duplicates.clusters:
        return (
            f"No document was removed for another one that is kept.{also}" if over else "No document had a duplicate."
        )
    largest = duplicates.largest[0].documents if duplicates.largest else 0
    removed, kept = (
        quantities.counted(duplicates.removed, "duplicate"),
        quantities.counted(duplicates.clusters, "survivor"),
    )
    are = "is" if duplicates.clusters == 1 else "are"
    return f"{removed} of {kept}, which {are} kept; the largest cluster has {largest:,} documents.{also}"


def _finding_of_catch(duplicates: Duplicates) -> str:
    chance = {round(at, 3): value for at, value in duplicates.curve}
    said = [
        f"{quantities.share(chance[at])} of pairs at {at:g}"
        for at in (duplicates.similarity, round(duplicates.similarity - 0.2, 3))
        if at in chance
    ]
    found = f" compare {' and '.join(said)}" if said else " decide which pairs are compared"
    return f"{duplicates.bands} bands of {duplicates.rows} rows{found}; every removal is then checked exactly."
