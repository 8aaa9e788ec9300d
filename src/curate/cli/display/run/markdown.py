"""A finished run as a page of Markdown: what a CI job shows beside its log.

Names in it come from the corpus, so they are escaped; no text of a document is in it.
"""

import re
import sys
from collections.abc import Iterable, Sequence

from curate.cli.display.format import count, duration, share, size
from curate.cli.display.notes import printable
from curate.errors import ExitCode
from curate.report.alerts.alert import Alert
from curate.report.model import Report
from curate.report.previous import Previous
from curate.runs.finished import Run
from curate.store.files import place
from curate.store.manifest_entries import Gate

REASONS_SHOWN = 10
_MARKS = re.compile(r"([\\`*_{}\[\]<>|~#@!$&])")
_WORDS = {"problem": "Problem", "warning": "Warning", "note": "Note"}


def show_markdown(run: str) -> int:
    """Print it on stdout; writes nothing."""
    sys.stdout.write(as_markdown(Run(place(run)).report))
    return ExitCode.DONE


def as_markdown(report: Report) -> str:
    """Gates, stages, main reasons and what deserves a look, in GitHub's Markdown.

    Args:
        report: of the run.

    Returns:
        Headings, tables and one command for each finding; ends with a line end.
    """
    summary, timings = report.summary, report.manifest.timings
    facts = [
        f"kept {summary.kept:,} of {summary.read:,} documents ({share(summary.kept, summary.read)})",
        f"removed {summary.removed:,}",
        f"quarantined {summary.quarantined:,}",
    ]
    if summary.tokens_kept is not None:
        facts.append(f"{count(summary.tokens_kept)} tokens")
    facts.append(f"{duration(timings.wall_seconds)} of work")
    if summary.peak_rss_bytes:
        facts.append(f"peak {size(summary.peak_rss_bytes)}")
    reasons = sorted((one for one in report.reasons if one.documents), key=lambda one: (-one.documents, one.code))
    flow = [
        (f"`{step.stage}`", f"{step.came:,}", f"{step.kept:,}", f"{step.removed:,}", share(step.removed, step.came))
        for step in report.flow
    ]
    why = [(f"`{one.stage}.{one.code}`", f"{one.documents:,}", safe(one.sentence)) for one in reasons[:REASONS_SHOWN]]
    lines = [
        f"## curate: {'passed' if summary.gates_passed else 'a gate failed'}",
        "",
        " · ".join(facts),
        "",
        *(f"- {_gate(gate)}" for gate in report.gates if gate.can_fail),
        "",
        *_table(("stage", "in", "kept", "removed", ""), flow, ":--", "--:", "--:", "--:", "--:"),
        "",
        *(_table(("reason", "documents", "means"), why, ":--", "--:", ":--") if why else ()),
        "",
        *_changes(report.previous),
        *_findings([alert for alert in report.alerts if alert.level != "note"]),
        f"curate {safe(report.curate)} · run `{summary.run_id}`",
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def safe(text: str) -> str:
    r"""``text`` as Markdown that shows it, whatever it holds.

    Example:
        >>> safe("a|b <img> [x](y)\n# @all")
        'a\\|b \\<img\\> \\[x\\](y) \\# \\@all'
    """
    return _MARKS.sub(r"\\\1", " ".join(printable(text).split()))


def _gate(gate: Gate) -> str:
    def said(value: float) -> str:
        return f"{value:,.0f}" if gate.unit == "documents" else share(value, 1)

    return f"{'✅' if gate.passed else '❌'} `{gate.name}`: {said(gate.value)} (limit {said(gate.limit)})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *sides: str) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, sides, *rows)]


def _changes(previous: Previous | None) -> list[str]:
    if not previous:
        return []
    rows = [
        (safe(one.name), *("-" if number is None else f"{number:,}" for number in (one.before, one.now)), one.change,
         one.share)
        for one in previous.changes
    ]  # fmt: skip
    lines = _table(("", "before", "now", "change", ""), rows, ":--", "--:", "--:", "--:", "--:")
    return [f"### Against the run of {safe(previous.started)}", "", *lines, ""]


def _findings(alerts: Sequence[Alert]) -> list[str]:
    if not alerts:
        return []
    lines = ["### Worth a look", ""]
    for alert in alerts:
        lines.append(f"- **{_WORDS[alert.level]}**: {safe(alert.title)}")
        if alert.command:  # indented, since nothing in a command can end that as it could end a fence
            lines += ["", f"      {' '.join(printable(alert.command).split())}", ""]
    return [*lines, ""]
