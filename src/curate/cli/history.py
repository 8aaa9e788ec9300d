"""``curate history``: how runs have changed."""

from typing import Annotated, Literal

import typer

from curate.cli.options import ColorOption, JsonOption


def history(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Folders of runs.", show_default=False)],
    form: Annotated[
        Literal["text", "markdown"], typer.Option("--format", help="text, or markdown for a page of a CI job.")
    ] = "text",
    json: JsonOption = False,
    color: ColorOption = "auto",
) -> int:
    """Show what each run of a folder read, kept and removed, the oldest first, as a table and a chart.

    Running the same command again, which does nothing, adds no line.

    \b
    Examples:
      curate history curated
      curate history may june july
      curate history curated --json
    """
    from curate.cli.display.questions.history import show_history

    return show_history(runs, form=form, json=json, color=color)
