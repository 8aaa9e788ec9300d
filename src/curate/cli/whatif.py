"""``curate whatif``: what other settings would do to a finished run."""

from typing import Annotated

import typer

from curate.cli.options import ColorOption, JsonOption, RunArgument, SetOption


def whatif(
    run: RunArgument,
    assignments: SetOption = None,
    number: Annotated[
        int, typer.Option("--number", "-n", min=0, max=100, help="Documents to name in each direction.")
    ] = 3,
    json: JsonOption = False,
    color: ColorOption = "auto",
) -> int:
    """Say what a finished run would have kept under other settings, without running it.

    Exact if the measures and pairs that it stored suffice, else a range. Nothing is written.

    \b
    Examples:
      curate whatif curated --set quality.min_words=80
      curate whatif curated --set quality.min_words=80 --set near_dup.similarity=1
      curate whatif curated --set quality.max_symbol_ratio=false -n 10 --json
    """
    from curate.cli.display.questions.whatif import show_whatif

    return show_whatif(run, assignments or [], number, json=json, color=color)
