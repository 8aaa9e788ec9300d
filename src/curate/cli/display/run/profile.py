"""The table of ``curate run --profile``: what every step and phase cost."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from curate.cli.display.format import size
from curate.cli.display.notes import printable
from curate.store.cost_entries import Breakdown, Node


def show_profile(console: Console, profile: Breakdown) -> None:
    """Print the breakdown of a run.

    Args:
        console: where to.
        profile: ``profile`` of ``run.json``.
    """
    table = Table(box=None, header_style="dim", padding=(0, 2), pad_edge=True)
    table.add_column("step")
    for heading in ("CPU s", "wall s", "read", "MB/CPU-s", "busy", "waiting s"):
        table.add_column(heading, justify="right")
    for step in profile.steps:
        busy = "" if step.utilisation is None else f"{step.utilisation:.0%}"
        table.add_row(
            step.name,
            f"{step.cpu_seconds:.2f}",
            f"{step.wall_seconds:.2f}",
            "",
            "",
            busy,
            f"{step.waiting_seconds:.2f}",
        )
        for phase in step.phases:
            speed = "" if phase.mb_per_cpu_second is None else f"{phase.mb_per_cpu_second:,.0f}"
            table.add_row(
                f"  {phase.name}",
                f"{phase.cpu_seconds:.2f}",
                f"{phase.wall_seconds:.2f}",
                size(phase.bytes) if phase.bytes else "",
                speed,
                style="dim",
            )
    console.print()
    console.print(table)
    if nodes := profile.nodes:
        console.print()
        console.print(_nodes(nodes))


def _nodes(nodes: Sequence[Node]) -> Table:
    """What each node of a cluster did."""
    table = Table(box=None, header_style="dim", padding=(0, 2), pad_edge=True)
    table.add_column("node")
    for heading in ("tasks", "CPU s", "read", "MB/CPU-s", "sent"):
        table.add_column(heading, justify="right")
    for node in nodes:
        seconds, read = node.cpu_seconds, node.input_bytes
        speed = f"{read / 1e6 / seconds:,.1f}" if read and seconds else ""
        name, sent = printable(node.name), size(node.sent_bytes)
        table.add_row(name, f"{node.tasks:,}", f"{seconds:.2f}", size(read), speed, sent)
    return table
