"""``curate measure`` on the terminal: progress while proxies train, then what was found with how sure it is."""

import json as jsonlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from curate.cli.display.console import console
from curate.cli.display.format import count, duration, share
from curate.errors import ExitCode, UserError, nearest
from curate.evidence.measuring import measure
from curate.evidence.proxies.proxy import proxy_named
from curate.evidence.question import question_of
from curate.pipeline.planning.lint import run_settings
from curate.report.html.page import ReportMaker
from curate.report.saved.measured import Contribution, Evidence, Measured, as_data, write_evidence
from curate.store.files import place


def show_measuring(
    run: str,
    *,
    proxy: str | None,
    seeds: int | None,
    tokens: int | None,
    evaluations: Sequence[str],
    by: Sequence[str],
    json: bool,
) -> int:
    """Measure, write ``evidence.json``, draw the report again, print what was found.

    What is not given is as the section ``[evidence]`` of the run says.

    Raises:
        UserError: a flag is wrong, or the run cannot be measured.
    """
    folder = place(run)
    model = proxy_named(proxy) if proxy else None
    for kind in by:
        if kind not in _KINDS:
            raise UserError(f"`--by {kind}` is neither a stage nor a rule", hint=nearest(kind, _KINDS))
    own = named_texts(evaluations)
    config = run_settings(folder)
    said = config.evidence
    model = model or proxy_named(said.proxy)
    most = said.tokens if tokens is None else tokens
    question = question_of(run, config, model.name, seeds or said.seeds, most, own or said.texts, tuple(by) or said.by)
    with bar(console()) as progress:
        found = measure(folder, model, question, progress)
    write_evidence(folder, found)
    with ReportMaker(folder, config.report) as maker:
        maker.make()
    if json:
        typer.echo(jsonlib.dumps(as_data(found), ensure_ascii=False))
    else:
        _show(console(stderr=False), found)
    return ExitCode.DONE


def named_texts(given: Sequence[str]) -> dict[str, str]:
    """Name → path of each ``--eval NAME=PATH``; raises UserError where one is not that, or two have a name."""
    found = dict[str, str]()
    for one in given:
        name, equals, path = one.partition("=")
        if not equals or not name or not path:
            raise UserError(f"`--eval {one}` has no name and path", hint="--eval NAME=PATH")
        if name in found:
            raise UserError(
                f"`--eval {one}`: `{name}` is the name of `{found[name]}` already", hint="--eval OTHER=PATH"
            )
        found[name] = path
    return found


class _Progress:
    """Sentences as notes, progress as a bar with the time left."""

    def __init__(self, err: Console, bar: Progress) -> None:
        self._err, self._bar, self._tasks = err, bar, dict[str, TaskID]()

    def say(self, what: str) -> None:
        self._err.print(Text(what, "dim"), soft_wrap=True)

    def advance(self, what: str, done: int, of: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(f"training: {what}", total=of)
        self._bar.update(self._tasks[what], completed=done)


@contextmanager
def bar(err: Console) -> Iterator[_Progress]:
    """Where somebody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown:
        yield _Progress(err, shown)


def _show(out: Console, found: Evidence) -> None:
    out.print(Text.assemble((found.sentence, "bold"), f"  [{found.multiplier.tag}]"), soft_wrap=True)
    lines = (
        ("compute multiplier", f"{_times(found.multiplier)}"),
        ("saving, equal tokens", _percent(found.saving)),
        ("saving, equal quality", _percent(found.saving_at_equal_quality)),
        (
            "a removed token",
            f"is worth {_number(found.value_of_removed_token)} of a kept one"
            if found.kept_share < 1
            else "there is none",
        ),
        ("control, raw and raw", f"{_times(found.control)}: 1 is right"),
        ("with scale", f"log m by log tokens {_number(found.slope)}"),
    )
    for label, text in (lines[0], *([("", found.caution)] if found.caution else []), *lines[1:]):
        out.print(Text.assemble((f"  {label:<22}", "dim"), text), soft_wrap=True)
    if found.duplicates and found.combined:
        bracket = f"{found.duplicates.low:.2f}x to {found.duplicates.high:.2f}x [{found.duplicates.tag}]"
        said = f"{bracket}, not measured; with the filters {_times(found.combined)}"
        out.print(Text.assemble((f"  {'duplicates':<22}", "dim"), said), soft_wrap=True)
    width = max(len(each.name) for each in found.evaluations)
    out.print(Text(f"  {'measured on':<{width + 2}}{'documents':>10}  multiplier", "dim"))
    for each in found.evaluations:
        line = f"  {each.name:<{width + 2}}{each.documents:>10,}  {_times(each.multiplier)}"
        out.print(Text(line + ("   raw and raw " + _times(each.control))), soft_wrap=True)
    for kind in _KINDS:
        _show_contributions(out, kind, [each for each in found.contributions if each.kind == kind])
    for remark in found.notes:
        out.print(Text(f"  {remark}"), soft_wrap=True)
    cost = f"{found.about}; {found.seeds} seeds, {count(found.budget)} tokens; {duration(found.cpu_seconds)} of CPU"
    out.print(Text(f"  {cost}", "dim"), soft_wrap=True)


def _show_contributions(out: Console, kind: str, found: Sequence[Contribution]) -> None:
    if not found:
        return
    width = max(len("without this ") + len(kind), *(len(each.name) for each in found))
    out.print(
        Text(
            f"  {'without this ' + kind:<{width + 2}}{'documents':>10} {'edited':>8} {'tokens':>8}  value of having it",
            "dim",
        ),
        soft_wrap=True,
    )
    for each in found:
        worth = f"{_finely(each.multiplier)}  {each.verdict}" if each.multiplier else each.verdict
        line = f"  {each.name:<{width + 2}}{each.documents:>10,} {each.edited:>8,} {share(each.share, 1):>8}  {worth}"
        out.print(Text(line), soft_wrap=True)


def _times(figure: Measured) -> str:
    return _ranged(figure, lambda value: f"{value:.2f}x")


def _finely(figure: Measured) -> str:
    return _ranged(figure, lambda value: f"{value:.3f}x")


def _percent(figure: Measured) -> str:
    return _ranged(figure, lambda value: f"{value * 100:.0f} %")


def _number(figure: Measured) -> str:
    return _ranged(figure, lambda value: f"{value:.2f}")


def _ranged(figure: Measured, write: Callable[[float], str]) -> str:
    if figure.value is None:
        return "not known: outside the measured curve"
    if figure.bound:
        return f"{figure.bound} {write(figure.value)}"
    ends = [write(end) if end is not None else "beyond the curve" for end in (figure.low, figure.high)]
    return f"{write(figure.value)} [{ends[0]} to {ends[1]}]"


_KINDS = ("stage", "rule")
