"""``curate tune``: thresholds and recipes searched by what they are worth."""

from typing import Annotated

import typer

from curate.cli.options import JsonOption, RunArgument


def tune(
    run: RunArgument,
    budget: Annotated[float, typer.Option("--budget", metavar="MINUTES", min=0.1, help="How long to search.")] = 5.0,
    tries: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            metavar="SECTION.KEY=V1,V2",
            help="Only these thresholds and values; repeatable. Default: all of them, and every recipe.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=2, max=64, help="Trainings per candidate.")] = 4,
    evaluations: Annotated[
        list[str] | None,
        typer.Option("--eval", metavar="NAME=PATH", help="Good text that the run never saw, to choose and confirm by."),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Search the thresholds of a finished run, choose on one half of a text and confirm on the other.

    Nothing is written. Source weights are left alone: small models cannot choose those.

    \b
    Examples:
      curate tune curated --budget 5
      curate tune curated --try language.min_score=0,0.3,0.65
      curate tune curated --budget 10 --eval manuals=good/manuals/ --json
    """
    from curate.cli.display.tuning import show_tuning

    return show_tuning(run, minutes=budget, tries=tries or [], seeds=seeds, evaluations=evaluations or [], json=json)
