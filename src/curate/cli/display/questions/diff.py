"""``curate diff`` on the terminal, and as Markdown."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from curate.cli.display.console import Color, console
from curate.cli.display.notes import printable
from curate.errors import ExitCode
from curate.runs.diff import Changed, Condition, Diff, Moved, condition, diff, require_numbers
from curate.settings.file import as_toml
from curate.store.files import place

MOST_INPUTS = 10


def show_diff(
    a: str,
    b: str,
    conditions: Sequence[str],
    number: int,
    *,
    form: Literal["text", "markdown"],
    json: bool,
    color: Color,
) -> int:
    """Print what differs; returns the exit code.

    Raises:
        UserError: a condition is none, or the runs have no such number.
    """
    asked = [condition(text) for text in conditions]
    require_numbers((one.name for one in asked), place(a), place(b))
    found = diff(place(a), place(b), examples=number)
    held = [one for one in asked if one.holds(found)]
    if json:
        told = msgspec.to_builtins(found) | {"differs": found.differs, "failed": [one.text for one in held]}
        typer.echo(msgspec.json.encode(told).decode())
    elif form == "markdown":
        typer.echo("\n".join(_markdown(found, held)))
    else:
        _show(console(color, stderr=False), found, held)
    return ExitCode.GATE_FAILED if (held if asked else found.differs) else ExitCode.DONE


def _show(out: Console, found: Diff, held: Sequence[Condition]) -> None:
    if not found.differs:
        out.print(Text("The runs do not differ in any result.", "green"))
    for title, changes in _causes(found):
        if changes:
            out.print(Text(title, "bold"))
            for one in changes[:MOST_INPUTS]:
                out.print(Text(f"  {printable(one.name)}  {_values(one, title)}"), soft_wrap=True)
            if len(changes) > MOST_INPUTS:
                out.print(Text(f"  and {len(changes) - MOST_INPUTS:,} more; --json has all of them", "dim"))
            out.print()
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, overflow="fold")
    for _ in range(4):
        table.add_column(justify="right")
    table.add_row("", Text("A", "dim"), Text("B", "dim"), "", "")
    for one in _told(found.counts):
        table.add_row(_under(one.name), _count(one.a), _count(one.b), _change(one), _share(one))
    out.print(table)
    for title, count, moved in _sides(found):
        out.print()
        out.print(Text(f"{title}: {count:,}", "bold"))
        for each in moved:
            out.print(Text.assemble(f"  {printable(each.id)}", (f"  {_why(each)}", "dim")), soft_wrap=True)
    for failed in held:
        out.print(Text.assemble(("failed: ", "bold red"), failed.text))


def _markdown(found: Diff, held: Sequence[Condition]) -> Iterator[str]:
    yield f"### curate: {_code(found.a)} → {_code(found.b)}"
    yield ""
    for failed in held:
        yield f"- **failed** {_code(failed.text)}"
    if not found.differs:
        yield "The runs do not differ in any result."
        return
    for title, changes in _causes(found):
        if changes:
            yield f"**{title}**"
            yield ""
            for change in changes[:MOST_INPUTS]:
                yield f"- {_code(change.name)}: {_code(_values(change, title))}"
            if len(changes) > MOST_INPUTS:
                yield f"- and {len(changes) - MOST_INPUTS:,} more"
            yield ""
    yield "| | A | B | change | |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for one in _told(found.counts):
        yield f"| {_code(one.name)} | {_count(one.a)} | {_count(one.b)} | {_change(one)} | {_share(one)} |"
    for title, count, moved in _sides(found):
        yield ""
        yield f"**{title}: {count:,}**"
        yield ""
        for each in moved:
            yield f"- {_code(each.id)}: {_why(each)}"


def _causes(found: Diff) -> Iterator[tuple[str, Sequence[Changed]]]:
    yield "Settings", found.settings
    yield "Versions", found.versions
    yield "Inputs", found.inputs


def _told(counts: Sequence[Changed]) -> list[Changed]:
    """Numbers that are always shown, and others that differ."""
    always = {"read", "kept", "tokens"}
    return [one for one in counts if one.name in always or one.a != one.b]


def _sides(found: Diff) -> Iterator[tuple[str, int, list[Moved]]]:
    """Title, number and examples of each way in which documents moved, as far as there are any."""
    kinds: dict[str, tuple[int, Callable[[Moved], object]]] = {
        "Kept in A, removed in B": (found.to_removed, lambda m: m.a == () and m.b),
        "Removed in A, kept in B": (found.to_kept, lambda m: m.a and m.b == ()),
        "Removed in both, by another stage": (found.by_another_stage, lambda m: m.a and m.b),
        "Only in A": (found.only_a, lambda m: m.b is None),
        "Only in B": (found.only_b, lambda m: m.a is None),
    }
    for title, (count, belongs) in kinds.items():
        if count:
            yield title, count, [moved for moved in found.examples if belongs(moved)]


def _why(moved: Moved) -> str:
    """Its reasons; where both runs removed it, those of both."""
    a, b = (", ".join(side) if side else "" for side in (moved.a, moved.b))
    if moved.a is None or moved.b is None:
        return a or b or "kept"
    return f"{a} → {b}" if a and b else a or b


def _values(one: Changed, title: str) -> str:
    if title == "Inputs":
        return "only in B" if one.a is None else "only in A" if one.b is None else "changed"
    return " → ".join("none" if value is None else printable(as_toml(value)) for value in (one.a, one.b))


def _under(name: str) -> str:
    """A number's name in the table, where reasons stand under their stage: whole at 80 columns.

    Example:
        >>> _under("quality.too_few_words")
        '  too_few_words'
    """
    return f"  {name.partition('.')[2]}" if "." in name else name


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _change(one: Changed) -> str:
    change = (one.b or 0) - (one.a or 0)
    return f"{change:+,}" if change else ""


def _share(one: Changed) -> str:
    return f"{100 * (one.b - one.a) / one.a:+.1f} %" if one.a and one.b is not None and one.a != one.b else ""


def _code(text: str) -> str:
    """Text that Markdown shows as it is, on one line, also in a table."""
    plain = re.sub(r"\s+", " ", printable(text)).replace("|", "¦")
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", plain)), default=0))
    return f"{ticks} {plain} {ticks}" if "`" in plain else f"`{plain}`"
