"""``curate measure``: what curation is worth on this corpus, on a small model."""

from typing import Annotated

import typer

from curate.cli.options import JsonOption, RunArgument
from curate.settings.evidence import LEAST_TOKENS


def measure(
    run: RunArgument,
    proxy: Annotated[
        str | None,
        typer.Option("--proxy", metavar="NAME", help="What to train: ngram (minutes) or transformer (torch)."),
    ] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", min=2, max=64, help="Trainings per arm.")] = None,
    tokens: Annotated[
        int | None,
        typer.Option("--tokens", min=LEAST_TOKENS, help="Most kept tokens in a training; fewer are faster."),
    ] = None,
    evaluations: Annotated[
        list[str] | None,
        typer.Option(
            "--eval",
            metavar="NAME=PATH",
            help="Good text that the run never saw, to measure on; repeatable, the first is the headline.",
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="KIND", help="What each stage, or each rule, contributes: stage or rule."),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Train the same small model on raw and on kept text, and say how much compute curation saves, or costs.

    Without a flag, the section [evidence] of the run's settings decides (ngram, 8 seeds).
    Writes evidence.json to the run directory and draws the report again with it.

    \b
    Examples:
      curate measure curated
      curate measure curated --eval manuals=manuals/ --eval novels=novels.jsonl
      curate measure curated --by rule
      curate measure curated --proxy transformer --seeds 4 --json
    """
    from curate.cli.display.measuring import show_measuring

    return show_measuring(
        run, proxy=proxy, seeds=seeds, tokens=tokens, evaluations=evaluations or [], by=by or [], json=json
    )
