"""``curate whatif`` on the terminal: counts of now beside counts of then, and documents that change sides."""

import shlex
from collections.abc import Iterator

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from curate.cli.display.console import Color, console
from curate.cli.display.format import duration
from curate.cli.display.notes import printable
from curate.errors import ExitCode, UserError
from curate.pipeline.planning.config import FIXED
from curate.runs.outlook import Side, Span, WhatIf
from curate.runs.whatif import whatif
from curate.settings.file import as_toml
from curate.store.files import place
from curate.store.manifest import read_manifest
from curate.store.recorded_command import command_here

MOST_REASONS = 12


def show_whatif(run: str, assignments: list[str], number: int, *, json: bool, color: Color) -> int:
    """Print what the settings would do.

    Raises:
        UserError: no setting was given, or only a rerun can tell.
    """
    if not assignments:
        raise UserError("`curate whatif` needs a setting to change", hint="--set quality.min_words=80")
    found = whatif(place(run), assignments, examples=number)
    if json:
        typer.echo(msgspec.json.encode(found).decode())
        return ExitCode.DONE
    out = console(color, stderr=False)
    if not found.changes:
        out.print(Text("The run has these settings already."))
        return ExitCode.DONE
    _show(out, found)
    command = command_here(read_manifest(place(run)).command, place(run))
    added = shlex.join(word for assignment in assignments for word in ("--set", assignment))
    out.print(Text(f"A rerun takes about {duration(found.rerun_seconds)}:", "dim"))
    out.print(Text(printable(f"  {command} {added}"), "dim"), soft_wrap=True)
    return ExitCode.DONE


def _show(out: Console, found: WhatIf) -> None:
    for change in found.changes:
        out.print(Text.assemble((change.setting, "bold"), f"  {_value(change.was)} → {_value(change.now)}"))
    out.print()
    table = Table.grid(padding=(0, 2))
    table.add_column()
    for _ in range(3):
        table.add_column(justify="right")
    table.add_row("", Text("run", "dim"), Text("what if", "dim"), "")
    table.add_row(
        Text("kept", "bold"), f"{found.kept_before:,}", _span(found.kept), _change(found.kept_before, found.kept)
    )
    if found.tokens and found.tokens_before is not None:
        table.add_row(
            Text("tokens", "bold"),
            f"{found.tokens_before:,}",
            _span(found.tokens, "" if found.tokens_exact else "about "),
            _change(found.tokens_before, found.tokens),
        )
    for stage, removed in found.removed.items():
        before = found.removed_before.get(stage, 0)
        if removed != before:
            table.add_row(f"{stage} removes", f"{before:,}", f"{removed:,}", _change(before, Span(removed, removed)))
    out.print(table)
    _show_reasons(out, found)
    told = [side for side in found.examples if not side.untold]
    _show_sides(out, "Kept in the run, and would be removed", found.to_removed, [s for s in told if not s.before])
    _show_sides(out, "Removed in the run, and would be kept", found.to_kept, [s for s in told if s.before])
    for stage, count in found.untold.items():
        sides = [side for side in found.examples if side.untold == stage]
        _show_sides(out, f"Would reach {stage}, which never saw them", count, sides)
    out.print()
    for change in found.changes:
        if change.setting.partition(".")[0] in FIXED:
            out.print(Text(f"{change.setting} does not affect which documents are kept."))
    if found.exact:
        out.print(Text("Exact: a rerun would count the same documents and reasons.", "green"))
    for why in found.why_not:
        out.print(Text.assemble(("Not exact: ", "yellow"), why), soft_wrap=True)


def _show_reasons(out: Console, found: WhatIf) -> None:
    moved = sorted(found.reasons, key=lambda code: -abs(found.reasons[code] - found.reasons_before[code]))
    if not moved:
        return
    out.print()
    table = Table.grid(padding=(0, 2))
    for code in moved[:MOST_REASONS]:
        table.add_row(f"  {code}", f"{found.reasons_before[code]:,} → {found.reasons[code]:,}")
    out.print(table)
    if len(moved) > MOST_REASONS:
        out.print(Text(f"  and {len(moved) - MOST_REASONS} more reasons; --json has all of them", "dim"))


def _show_sides(out: Console, title: str, count: int, sides: list[Side]) -> None:
    if not count:
        return
    out.print()
    out.print(Text(f"{title}: {count:,}", "bold"))
    for side in sides:
        out.print(Text.assemble(f"  {printable(side.id)}", (f"  {_reasons(side)}", "dim")), soft_wrap=True)


def _reasons(side: Side) -> str:
    return ", ".join(_pieces(side))


def _pieces(side: Side) -> Iterator[str]:
    yield from side.now or side.before


def _value(value: object) -> str:
    return "none" if value is None else as_toml(value)


def _span(span: Span, about: str = "") -> str:
    if span.exact:
        return f"{about}{span.low:,}"
    return f"up to {about}{span.high:,}" if not span.low else f"{about}{span.low:,} to {span.high:,}"


def _change(before: int, span: Span) -> str:
    if not before or span.low == before == span.high:
        return ""
    low, high = (100 * (value - before) / before for value in (span.low, span.high))
    if span.exact:
        return f"{high:+.1f} %"
    if not span.low:
        return f"up to {high:+.1f} %" if span.high != before else "or fewer"
    return f"{low:+.1f} to {high:+.1f} %"
