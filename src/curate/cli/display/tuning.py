"""``curate tune`` on the terminal: what was tried, the frontier, and the confirmed winner."""

import json as jsonlib
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.text import Text

from curate.cli.display.console import console
from curate.cli.display.format import duration, share
from curate.cli.display.measuring import bar, named_texts
from curate.errors import ExitCode, UserError
from curate.evidence.arms import CURATED_STEPS, HEADLINE
from curate.evidence.attribution import STEPS
from curate.evidence.held_out import own_text
from curate.evidence.multiplier import Interval, saving_of
from curate.evidence.tuning import CONFIRM, Search, Tuned, tune
from curate.pipeline.planning.lint import run_settings
from curate.settings.file import as_toml, toml_value
from curate.store.files import place


def show_tuning(
    run: str, *, minutes: float, tries: Sequence[str], seeds: int, evaluations: Sequence[str], json: bool
) -> int:
    """Search, then print what was tried and what won.

    Raises:
        UserError: a flag is wrong, or the run cannot be measured.
    """
    folder = place(run)
    config = run_settings(folder)
    texts = named_texts(evaluations) or config.evidence.texts
    own = tuple(own_text(name, path, config) for name, path in texts.items())
    search = Search(minutes, seeds, own, tuple(map(_tried, tries)))
    with bar(console()) as progress:
        found = tune(folder, search, progress)
    if json:
        typer.echo(jsonlib.dumps(_as_data(found, minutes), ensure_ascii=False))
    else:
        _show(console(stderr=False), found)
    return ExitCode.DONE


def _tried(given: str) -> tuple[str, tuple[Any, ...]]:
    key, equals, values = given.partition("=")
    if not equals or "." not in key or not values:
        raise UserError(f"`--try {given}` has no setting and values", hint="--try language.min_score=0,0.3,0.65")
    return key.strip(), tuple(toml_value(value.strip()) for value in values.split(","))


def _show(out: Console, found: Tuned) -> None:
    shown = [number for number in range(len(found.points)) if _is_worth_a_line(found, number)]
    shown.sort(key=lambda number: -found.points[number].tokens)
    width = max(len(_name(found, number)) for number in shown)
    number = len(found.points) - 1
    tried = f"{number} candidate{'s keep' if number != 1 else ' keeps'} other documents than the run"
    half = f"all figures are of the half of {found.evaluation} that nothing was chosen by"
    out.print(Text(f"{tried}; {half}", "bold"), soft_wrap=True)
    columns = f"{'documents':>12}  {'tokens':>7}  {'bits/byte':>9}  worth against the run's settings"
    header = f"  {'kept:':<{width + 2}}{columns}"
    out.print(Text(header, "dim"), soft_wrap=True)
    for number in shown:
        mark = "*" if number == found.winner else "+" if number in found.frontier else " "
        worth = _written(found.against[number][CONFIRM]) if number else ""
        documents = share(found.points[number].documents, found.raw_documents)
        tokens = share(found.points[number].tokens, found.raw_tokens)
        line = f"{mark} {_name(found, number):<{width + 2}}{documents:>12}  {tokens:>7}"
        line += f"  {_loss(found, number):>9.4f}  {worth}"
        out.print(Text(line, "bold" if mark == "*" else ""), soft_wrap=True)
    hidden = len(found.points) - len(shown)
    rest = f"; {hidden} more make no measurable difference (--json has them)" if hidden else ""
    out.print(Text(f"  + no other keeps more and is better   * chosen{rest}", "dim"), soft_wrap=True)
    if found.winner:
        name, interval = _name(found, found.winner), found.confirmed[CONFIRM]
        out.print(Text(f"{name}: with other seeds {_written(interval)}", "bold"), soft_wrap=True)
        if interval.low <= 1:
            out.print(
                Text("  not confirmed: keep the run's settings, or measure on more text (--eval)"), soft_wrap=True
            )
        for name, each in found.confirmed.items():
            if name != CONFIRM:
                out.print(Text(f"  on {name} {_written(each)}"), soft_wrap=True)
        if interval.low > 1:
            out.print(Text(f"  curate run … {_flags(found)}"), soft_wrap=True)
    else:
        out.print(Text("Nothing tried is better than the run's settings.", "bold"))
    for remark in found.notes:
        out.print(Text(f"  {remark}", "dim"), soft_wrap=True)
    again = f"measured again, in the sample: {', '.join(found.anew) or 'nothing'}"
    out.print(Text(f"  {again}; {duration(found.seconds)}", "dim"), soft_wrap=True)


def _name(found: Tuned, number: int) -> str:
    """Of several changes the last, and how many there are besides."""
    candidate = found.points[number].candidate
    more = len(candidate.changes) - 1
    if more < 1:
        return candidate.name
    return f"{candidate.name.rsplit(', ', 1)[1]}, and {more} more"


def _is_worth_a_line(found: Tuned, number: int) -> bool:
    """Whether people want to see it: the run's own, what was chosen, the frontier, what differs, or all of a few."""
    interval = found.against[number][CONFIRM]
    differs = interval.low > 1 or interval.high < 1
    return number in {0, found.winner, *found.frontier} or differs or len(found.points) <= _ALL_SHOWN


def _flags(found: Tuned) -> str:
    winner = found.points[found.winner].candidate
    words = ["--recipe", winner.recipe] if winner.recipe else []
    for key, value in winner.changes:
        words += ["--set", f"{key}={as_toml(value)}"]
    return shlex.join(words)


def _loss(found: Tuned, number: int) -> float:
    """Bits a byte on the half that nothing was chosen by."""
    point = found.points[number]
    at = STEPS.index(CURATED_STEPS[HEADLINE]) if number == 0 else HEADLINE
    return float(np.mean(point.losses[CONFIRM][:, at].sum(axis=1)) / found.sizes[CONFIRM])


def _as_data(found: Tuned, minutes: float) -> dict[str, Any]:
    points = [_point(found, number) for number in range(len(found.points))]
    winner = points[found.winner]
    return {
        "budget_minutes": minutes,
        "seconds": round(found.seconds, 1),
        "tried": len(points) - 1,
        "evaluation": found.evaluation,
        "current": points[0],
        "winner": {**winner, "flags": _flags(found)} if found.winner else None,
        "confirmed": {name: _figures(each) for name, each in found.confirmed.items()},
        "frontier": [points[number] for number in found.frontier],
        "points": points,
        "measured_anew": found.anew,
        "notes": found.notes,
    }


def _point(found: Tuned, number: int) -> dict[str, Any]:
    point = found.points[number]
    return {
        "name": point.candidate.name,
        "settings": dict(point.candidate.changes),
        "recipe": point.candidate.recipe or None,
        "kept_documents": point.documents,
        "kept_tokens": point.tokens,
        "kept_share": point.tokens / found.raw_tokens,
        "loss": _loss(found, number),
        "multiplier": _figure(found.against[number][CONFIRM], "x"),
    }


def _figures(interval: Interval) -> Mapping[str, Any]:
    ends = (interval.low, interval.value, interval.high)
    low, value, high = (saving_of(end) if 0 < end < math.inf else math.nan for end in ends)
    bound = "" if not interval.bound else interval.bound
    return {
        "multiplier": _figure(interval, "x"),
        "saving": _figure(Interval(value, low, high, bound), "share"),
    }


def _figure(interval: Interval, unit: str) -> dict[str, Any]:
    value, low, high = (end if math.isfinite(end) else None for end in interval[:3])
    low = None if unit == "x" and not low else low  # 0 is where the curve ends
    return {
        "value": value, "low": low, "high": high, "unit": unit, "tag": "MEASURED-ON-PROXY", "bound": interval.bound,
    }  # fmt: skip


def _written(interval: Interval) -> str:
    if interval.bound:
        return f"{interval.bound} {interval.value:.3f}x"
    low, high = (f"{end:.3f}x" if 0 < end < math.inf else "beyond the curve" for end in interval[1:3])
    verdict = "better" if interval.low > 1 else "worse" if interval.high < 1 else "no measurable difference"
    return f"{interval.value:.3f}x [{low} to {high}]  {verdict}"


_ALL_SHOWN = 12
