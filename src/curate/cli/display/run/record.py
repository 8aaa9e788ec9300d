"""The lasting record of a run in the terminal: the table that stays when the live lines are gone."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from curate.cli.display.format import count, duration, share, size
from curate.cli.display.notes import printable
from curate.report.model import Summary
from curate.report.quantities import counted
from curate.store.manifest_entries import Manifest, MixShare, PassedOver, Shards

KINDS_SHOWN = 5
"""Kinds of records that are no pages, named in one line."""


def show_record(
    console: Console,
    manifest: Manifest,
    report: Path | None,
    summary: Summary,
    spent: float,
    reused: int,
) -> None:
    """Print what a finished run did.

    Args:
        console: where to.
        manifest: content of ``run.json``.
        report: the page, when there is one.
        summary: ``summary`` of the report.
        spent: seconds that this run of the command took.
        reused: parts that it found finished.
    """
    for row in _stages(manifest, console.width):
        console.print(row, soft_wrap=True, no_wrap=True)
    if mix := manifest.shards and manifest.shards.mix:
        console.print()
        console.print(_mixture(mix, manifest.section("mix")["by"]))
    console.print()
    for line in [*totals(manifest, summary), _times(manifest, spent, reused)]:
        console.print(Text(f"  {line}"), soft_wrap=True, highlight=False)
    if report:
        console.print()
        console.print(Text.assemble("  Report   ", (printable(str(report)), "cyan")), soft_wrap=True, no_wrap=True)
        console.print(
            Text.assemble("  Next     ", (f"curate report {printable(str(report.parent))} --open", "cyan")),
            soft_wrap=True,
        )


def _stages(manifest: Manifest, width: int) -> list[Text]:
    """The table of stages; lines end where their text ends, and no name is broken."""
    rows = [("stage", "in", "kept", "removed", "", "main reason")]
    for step in manifest.flow:
        reasons = manifest.counts.removed[step.stage].reasons
        main = min(reasons, key=lambda reason: (-reasons[reason], reason)) if reasons else "—"
        rows.append(
            (step.stage, f"{step.came:,}", f"{step.kept:,}", f"{step.removed:,}", share(step.removed, step.came), main)
        )
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    gap = "    " if sum(wide) + 5 * len("    ") + 2 <= width else "  "
    lines = []
    for number, (stage, *numbers, main) in enumerate(rows):
        cells = [f"{one:>{size}}" for one, size in zip(numbers, wide[1:], strict=False)]
        begins = gap.join([f"  {stage:<{wide[0]}}", *cells])
        lines.append(Text.assemble((begins, "dim" if not number else ""), gap, (main, "dim")))
    return lines


def _packing(shards: Shards) -> str:
    """What training on packed shards pays for."""
    method = {"best_fit": "by best fit", "concatenate": "back to back"}[shards.packing or ""]
    return (
        f"Packed {method} into sequences of {shards.sequence_length:,}: of 100 tokens paid for,"
        f" {100 * (shards.trained or 0):.2f} are trained on · {shards.padding or 0:,} tokens of padding"
        f" · {counted(shards.divided or 0, 'document')} in more than one sequence"
    )


def _mixture(mix: Sequence[MixShare], by: str) -> Table:
    """Tokens of each group, and how often they are in the shards."""
    table = Table(box=None, header_style="dim", padding=(0, 2), pad_edge=True)
    table.add_column(by)
    for heading in ("kept tokens", "epochs", "in the shards", ""):
        table.add_column(heading, justify="right")
    for one in mix:
        table.add_row(
            Text(printable(one.group)),
            f"{one.tokens:,}",
            f"{one.epochs:.2f}",
            f"{one.mixed_tokens:,}",
            f"{100 * one.share:.1f} %",
        )
    return table


def totals(manifest: Manifest, summary: Summary) -> list[str]:
    """What was kept, removed, missed and saved: a sentence each.

    Args:
        manifest: content of ``run.json``.
        summary: ``summary`` of the report.
    """
    counts, tokens = manifest.counts, manifest.tokens
    lines = [f"Kept {counts.kept:,} of {counts.read:,} documents ({share(counts.kept, counts.read)})"]
    if (drawn := manifest.section("input").get("sample", 1)) < 1:
        lines[0] += f", a sample of {100 * drawn:.3g} %"
    if tokens and (shards := manifest.shards):
        lines[0] += f" · {count(tokens.kept)} tokens · {counted(shards.files, 'shard')}"
        if shards.sequence_length:
            lines.append(_packing(shards))
        if (learnt := shards.loss_tokens) is not None:
            there = shards.tokens - (shards.padding or 0)
            lines.append(f"Loss on {learnt:,} of {there:,} tokens ({share(learnt, there)}): what the assistant says")
    removed = sum(counts.removed_by.values())
    lines.append(f"Removed {removed:,}, each with its reason · quarantined {counts.quarantined:,}")
    if over := manifest.passed_over:
        what = ", ".join(f"{number:,} {name}" for name, number in _kinds(over))
        lines.append(f"Passed over {sum(one.records for one in over):,} archive records that are not pages: {what}")
    if (audit := manifest.audit.get("near_dup")) and audit["twins"]:
        lines.append(
            f"Near-duplicates missed: about {100 * audit['share']:.1f} % of them, at most {100 * audit['upper']:.1f} % "
            f"(sample of {audit['documents']:,} documents)"
        )
    if tokens and counts.kept and summary.one_pass_costs_less is not None:
        raw = tokens.raw
        bound = "" if raw.method == "counted" else f" (± {share((raw.high - raw.low) / 2, raw.value)})"
        less = summary.one_pass_costs_less
        lines.append(
            f"One training pass costs {share(less, 1)} less than over the raw {count(raw.value)} tokens{bound}"
        )
    if summary.measured and summary.compute_saved:
        lines.append(f"{summary.measured}  [{summary.compute_saved.tag}]")
    return lines


def _kinds(passed_over: Sequence[PassedOver]) -> list[tuple[str, int]]:
    """What the records were, most frequent first."""
    found = [item for one in passed_over for item in one.details.items()]
    return sorted(found, key=lambda item: -item[1])[:KINDS_SHOWN]


def _times(manifest: Manifest, spent: float, reused: int) -> str:
    """How long the work took, which is not how long this run of the command took where it found some of it done."""
    timings = manifest.timings
    took = duration(timings.wall_seconds)
    if reused:
        known = f"the work took {took}" if timings.wall_seconds else "how long the work took is not known"
        work = [f"This time {duration(spent)}, {reused} of {counted(len(manifest.parts), 'part')} reused · {known}"]
    elif timings.wall_seconds > spent:  # a run that was stopped did some of it
        work = [f"This time {duration(spent)} · the work took {took}"]
    else:
        work = [f"{duration(spent)}, of which {took} on the text"]
    if (speed := timings.bytes_per_second or 0) >= 1:
        work.append(f"{size(speed)}/s of text")
    return " · ".join([*work, f"peak {size(timings.peak_rss_bytes)}"])
