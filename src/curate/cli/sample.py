"""``curate sample``: documents to read, for a reason."""

from typing import Annotated

import typer

from curate.cli import completion
from curate.cli.options import ColorOption, JsonOption, RunArgument


def sample(
    run: RunArgument,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="CODE",
            help="Removed for this reason: near_dup.near_duplicate.",
            autocompletion=completion.reasons,
        ),
    ] = "",
    stage: Annotated[
        str,
        typer.Option("--stage", metavar="STAGE", help="Removed by this stage.", autocompletion=completion.stages),
    ] = "",
    kept: Annotated[bool, typer.Option("--kept", help="Documents that were kept.")] = False,
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Only from this source.", autocompletion=completion.sources)
    ] = "",
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=1000, help="How many.")] = 5,
    random: Annotated[bool, typer.Option("--random", help="Choose at random, not nearest to the limit first.")] = False,
    seed: Annotated[int, typer.Option("--seed", envvar="CURATE_SEED", help="Seed of the random choice.")] = 0,
    json: JsonOption = False,
    color: ColorOption = "auto",
) -> int:
    """Show documents that were removed or kept, those nearest to the limit first.

    \b
    Examples:
      curate sample curated --reason near_dup.near_duplicate
      curate sample curated --reason quality.too_few_words --source forum -n 20
      curate sample curated --kept --json
    """
    from curate.cli.display.questions.sample import show_sample
    from curate.report.choice import Question

    question = Question(reason, stage, kept, source, number, seed, random)
    return show_sample(run, question, json=json, color=color)
