"""``curate why``: the life of one document."""

from typing import Annotated

import typer

from curate.cli.options import ColorOption, JsonOption, RunArgument


def why(
    run: RunArgument,
    document: Annotated[str, typer.Argument(metavar="ID", help="Id of the document, as in the run.")],
    json: JsonOption = False,
    color: ColorOption = "auto",
) -> int:
    """Show what happened to one document, stage by stage.

    \b
    Examples:
      curate why curated 8f3a2c
      curate why curated 'forum/a.jsonl#17' --json
    """
    from curate.cli.display.questions.why import show_life

    return show_life(run, document, json=json, color=color)
