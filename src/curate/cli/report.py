"""``curate report``: draw the page of a finished run again."""

from typing import Annotated, Literal

import typer

from curate.cli.options import ConfigOption, JsonOption, RunArgument, SetOption
from curate.errors import UserError


def report(
    run: RunArgument,
    config: ConfigOption = None,
    assignments: SetOption = None,
    no_samples: Annotated[bool, typer.Option("--no-samples", help="Put no text of documents in the page.")] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    form: Annotated[
        Literal["page", "markdown"],
        typer.Option("--format", help="Draw the page, or print a summary in Markdown and write nothing."),
    ] = "page",
    json: JsonOption = False,
) -> int:
    """Build report.html and report.json again, with other prices or without samples; or summarise in Markdown.

    With 100,000 documents or more, and in Markdown, the figures come from report.json and the files that they were
    counted in are not read again; `curate doctor` checks every file.

    \b
    Examples:
      curate report curated --open
      curate report curated --set report.price_per_gpu_hour=2.1 --open
      curate report curated --format markdown >> "$GITHUB_STEP_SUMMARY"
    """
    if form == "markdown":
        from curate.cli.display.run.markdown import show_markdown

        if config or assignments or no_samples or open_page or json:
            raise UserError(
                "`--format markdown` says what the report says, and takes no other flag",
                hint=f"first `curate report {run}` with the other flags, then `curate report {run} --format markdown`",
            )
        return show_markdown(run)
    from curate.cli.session import redraw

    return redraw(run, config, assignments or [], no_samples=no_samples, open_page=open_page, json=json)
