"""``curate history`` on the terminal, and as Markdown: one line a run, kept documents as a bar."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from curate.cli.display.console import Color, console
from curate.cli.display.format import count, duration, share
from curate.cli.display.notes import note, printable
from curate.errors import ExitCode, InputError
from curate.store.files import place
from curate.store.history import History, entry_of, made_at
from curate.store.manifest import find_manifest, read_manifest
from curate.store.run_directory import HISTORY

_BAR = 20
_LEAST, _NUMBERS = 12, 66
"""Columns for the name of a run at least, and those that the rest takes."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def show_history(runs: Sequence[str], *, form: Literal["text", "markdown"], json: bool, color: Color) -> int:
    """Print what each run counted.

    Raises:
        InputError: a folder is no run.
    """
    told = [entry | {"run": run} for run in runs for entry in _entries(run)]
    if json:
        typer.echo(msgspec.json.encode({"runs": told}).decode())
    elif form == "markdown":
        typer.echo("\n".join(_markdown(told)))
    else:
        _show(console(color, stderr=False), told, several=len(runs) > 1)
    return ExitCode.DONE


def _entries(run: str) -> list[dict[str, Any]]:
    """The runs of a folder; of one made before there was a history, the last."""
    folder = place(run)
    history = History(folder)
    found = history.runs
    if history.damage:
        note(console(), "warning", f"`{HISTORY}` of `{printable(run)}` {history.damage}; its content is not shown")
    if found:
        return found
    if find_manifest(folder).state == "whole":
        return [entry_of(read_manifest(folder))]
    read_manifest(folder)  # says what is wrong
    raise InputError(f"`{run}` holds no finished run", hint="name the folder given to `curate run … -o`")


def _show(out: Console, told: Sequence[Mapping[str, Any]], *, several: bool) -> None:
    table = Table.grid(padding=(0, 2))
    for _ in range(2 if several else 1):
        table.add_column(no_wrap=True)
    for _ in range(5):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    headers = [*(["run"] if several else []), "made", "read", "kept", "", "tokens", "time", ""]
    table.add_row(*(Text(header, "dim") for header in headers))
    for one in told:
        name = printable(one["run"])
        folder = [_short(name, max(_LEAST, out.width - _NUMBERS)) if out.is_terminal else name] if several else []
        row = [*folder, _made(one), *_numbers(one)]
        table.add_row(*row, Text.assemble((_bar(one), "cyan"), ("" if one["gates_passed"] else "  gate failed", "red")))
    out.print(table)


def _short(path: str, most: int) -> str:
    """The end of a path that is too long.

    Example:
        >>> _short("corpora/2026/november/curated", 20)
        '…26/november/curated'
    """
    return path if len(path) <= most else f"…{path[1 - most :]}"


def _markdown(told: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| run | made | read | kept | | tokens | time | |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for one in told:
        run = printable(one["run"]).replace("|", "¦").replace("`", "'")
        gate = "" if one["gates_passed"] else "**gate failed**"
        yield f"| `{run}` | {_made(one)} | {' | '.join(_numbers(one))} | {gate} |"


def _made(one: Mapping[str, Any]) -> str:
    return made_at(one)[:16].replace("T", " ")


def _numbers(one: Mapping[str, Any]) -> list[str]:
    tokens = "-" if one["tokens"] is None else count(one["tokens"])
    kept = share(one["kept"], one["read"])
    return [f"{one['read']:,}", f"{one['kept']:,}", kept, tokens, duration(one["wall_seconds"])]


def _bar(one: Mapping[str, Any]) -> str:
    """Share of the documents read that were kept.

    Example:
        >>> _bar({"kept": 1, "read": 8}), _bar({"kept": 0, "read": 0})
        ('██▌', '')
    """
    eighths = round(8 * _BAR * one["kept"] / one["read"]) if one["read"] else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
