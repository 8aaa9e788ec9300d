"""The lasting record of a run in the terminal: the table that stays when the live lines are gone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from curate.cli.display.format import count, counted, duration, share, size
from curate.cli.display.notes import printable

KINDS_SHOWN = 5
"""Kinds of records that are no pages, named in one line."""


def show_record(
    console: Console,
    manifest: Mapping[str, Any],
    report: Path | None,
    summary: Mapping[str, Any],
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
    if mix := (manifest["shards"] or {}).get("mix"):
        console.print()
        console.print(_mixture(mix, manifest["config"]["mix"]["by"]))
    console.print()
    for line in [*totals(manifest, summary), _times(manifest, spent, reused)]:
        console.print(Text(f"  {line}"), soft_wrap=True, highlight=False)
    if report:
        console.print()
        console.print(Text.assemble("  Report   ", (printable(str(report)), "cyan")), soft_wrap=True, no_wrap=True)
        console.print(
            Text.assemble("  Next     ", (f"curate report {printable(str(report.parent))} --open", "cyan")),
            soft_wrap=True,
            no_wrap=True,
        )


def _stages(manifest: Mapping[str, Any], width: int) -> list[Text]:
    """The table of stages; lines end where their text ends, and no name is broken."""
    rows = [("stage", "in", "kept", "removed", "", "main reason")]
    for step in manifest["flow"]:
        reasons = manifest["counts"]["removed"][step["stage"]]["reasons"]
        main = min(reasons, key=lambda reason: (-reasons[reason], reason)) if reasons else "—"
        counts = (f"{step[name]:,}" for name in ("in", "kept", "removed"))
        rows.append((step["stage"], *counts, share(step["removed"], step["in"]), main))
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    gap = "    " if sum(wide) + 5 * len("    ") + 2 <= width else "  "
    lines = []
    for number, (stage, *numbers, main) in enumerate(rows):
        cells = [f"{one:>{size}}" for one, size in zip(numbers, wide[1:], strict=False)]
        begins = gap.join([f"  {stage:<{wide[0]}}", *cells])
        lines.append(Text.assemble((begins, "dim" if not number else ""), gap, (main, "dim")))
    return lines


def _packing(shards: Mapping[str, Any]) -> str:
    """What training on packed shards pays for."""
    method = {"best_fit": "by best fit", "concatenate": "back to back"}[shards["packing"]]
    return (
        f"Packed {method} into sequences of {shards['sequence_length']:,}: of 100 tokens paid for,"
        f" {100 * (shards['trained'] or 0):.2f} are trained on · {shards['padding']:,} tokens of padding"
        f" · {counted(shards['divided'], 'document')} in more than one sequence"
    )


def _mixture(mix: Sequence[Mapping[str, Any]], by: str) -> Table:
    """Tokens of each group, and how often they are in the shards."""
    table = Table(box=None, header_style="dim", padding=(0, 2), pad_edge=True)
    table.add_column(by)
    for heading in ("kept tokens", "epochs", "in the shards", ""):
        table.add_column(heading, justify="right")
    for one in mix:
        table.add_row(
            Text(printable(one["group"])),
            f"{one['tokens']:,}",
            f"{one['epochs']:.2f}",
            f"{one['mixed_tokens']:,}",
            f"{100 * one['share']:.1f} %",
        )
    return table


def totals(manifest: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    """What was kept, removed, missed and saved: a sentence each.

    Args:
        manifest: content of ``run.json``.
        summary: ``summary`` of the report.
    """
    counts, tokens = manifest["counts"], manifest["tokens"]
    lines = [f"Kept {counts['kept']:,} of {counts['read']:,} documents ({share(counts['kept'], counts['read'])})"]
    if (drawn := manifest["config"]["input"].get("sample", 1)) < 1:
        lines[0] += f", a sample of {100 * drawn:.3g} %"
    if tokens:
        shards = manifest["shards"]
        lines[0] += f" · {count(tokens['kept'])} tokens · {counted(shards['files'], 'shard')}"
        if shards.get("sequence_length"):
            lines.append(_packing(shards))
        if "loss_tokens" in shards:
            learnt, there = shards["loss_tokens"], shards["tokens"] - shards.get("padding", 0)
            lines.append(f"Loss on {learnt:,} of {there:,} tokens ({share(learnt, there)}): what the assistant says")
    removed = sum(stage["documents"] for stage in counts["removed"].values())
    lines.append(f"Removed {removed:,}, each with its reason · quarantined {counts['quarantined']:,}")
    if over := manifest.get("passed_over"):
        what = ", ".join(f"{number:,} {name}" for name, number in _kinds(over))
        lines.append(
            f"Passed over {sum(one['records'] for one in over):,} records of archives that are no pages: {what}"
        )
    if (audit := manifest["audit"].get("near_dup")) and audit["twins"]:
        lines.append(
            f"Near-duplicates missed: about {100 * audit['share']:.1f} % of them, at most {100 * audit['upper']:.1f} % "
            f"(sample of {audit['documents']:,} documents)"
        )
    if tokens and counts["kept"] and summary.get("one_pass_costs_less") is not None:
        raw = tokens["raw"]
        bound = "" if raw["method"] == "counted" else f" (± {share((raw['high'] - raw['low']) / 2, raw['value'])})"
        less = summary["one_pass_costs_less"]
        lines.append(
            f"One training pass costs {share(less, 1)} less than over the raw {count(raw['value'])} tokens{bound}"
        )
    if summary.get("measured"):
        lines.append(f"{summary['measured']}  [{summary['compute_saved']['tag']}]")
    return lines


def _kinds(passed_over: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """What the records were, most frequent first."""
    found = [(str(name), int(number)) for one in passed_over for name, number in one["details"].items()]
    return sorted(found, key=lambda item: -item[1])[:KINDS_SHOWN]


def _times(manifest: Mapping[str, Any], spent: float, reused: int) -> str:
    """How long the work took, which is not how long this run of the command took where it found some of it done."""
    timings = manifest["timings"]
    took = duration(timings["wall_seconds"])
    if reused:
        known = f"the work took {took}" if timings["wall_seconds"] else "nobody knows how long the work took"
        work = [f"This time {duration(spent)}, {reused} of {counted(len(manifest['parts']), 'part')} reused · {known}"]
    else:
        work = [f"{duration(spent)}, of which {took} on the text"]
    if (timings["bytes_per_second"] or 0) >= 1:
        work.append(f"{size(timings['bytes_per_second'])}/s of text")
    return " · ".join([*work, f"peak {size(timings['peak_rss_bytes'])}"])
