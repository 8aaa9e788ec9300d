"""``curate diff``: what differs between two runs."""

from typing import Annotated, Literal

import typer

from curate.cli import completion
from curate.cli.options import ColorOption, JsonOption


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="Folder of a finished run.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Folder of another finished run.")],
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="CONDITION",
            help="Exit with 1 only if this holds, such as 'kept<-1%'; repeatable.",
            autocompletion=completion.numbers,
        ),
    ] = None,
    number: Annotated[int, typer.Option("--number", "-n", min=0, max=100, help="Documents to name of each kind.")] = 3,
    form: Annotated[
        Literal["text", "markdown"], typer.Option("--format", help="text, or markdown for a page of a CI job.")
    ] = "text",
    json: JsonOption = False,
    color: ColorOption = "auto",
) -> int:
    """Compare two runs: settings, inputs, counts, tokens, reasons, and documents that changed sides.

    Exit code 1: they differ, or a condition of --fail-on holds. A condition is a number (kept, removed, read,
    quarantined, tokens, STAGE or STAGE.REASON), < or >, and the change from A to B.

    \b
    Examples:
      curate diff may june
      curate diff curated curated-new --fail-on 'kept<-1%' --fail-on 'near_dup>5%'
      curate diff main pull-request --format markdown >> "$GITHUB_STEP_SUMMARY"
    """
    from curate.cli.display.questions.diff import show_diff

    return show_diff(a, b, fail_on or [], number, form=form, json=json, color=color)
