"""``curate explain``: what a reason, a stage or a setting means."""

from typing import Annotated

import typer

from curate.cli import completion
from curate.cli.options import JsonOption


def explain(
    code: Annotated[
        str,
        typer.Argument(
            metavar="CODE",
            help="A reason, a stage, SECTION.KEY of the settings, or config.SECTION.",
            autocompletion=completion.explained,
        ),
    ],
    every: Annotated[bool, typer.Option("--all", help="Also reasons that are off by default.")] = False,
    json: JsonOption = False,
) -> int:
    """Say what a reason, a stage or a setting means, with its default, source and an example.

    \b
    Examples:
      curate explain quality.too_few_words
      curate explain too_few_words
      curate explain near_dup
      curate explain near_dup.similarity
      curate explain config.language
    """
    from curate.cli.display.questions.explanation import show_explanation

    return show_explanation(code, json=json, every=every)
