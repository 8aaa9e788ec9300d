"""``curate report``: draw the page of a finished run again."""

from typing import Annotated

import typer

from curate.cli.options import ConfigOption, JsonOption, RunArgument, SetOption


def report(
    run: RunArgument,
    config: ConfigOption = None,
    assignments: SetOption = None,
    no_samples: Annotated[bool, typer.Option("--no-samples", help="Put no document text in the page.")] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    json: JsonOption = False,
) -> int:
    """Build report.html and report.json again, with other prices or without samples.

    \b
    Examples:
      curate report curated --open
      curate report curated --set report.model_parameters=70e9 --set report.price_per_gpu_hour=2.1
    """
    from curate.cli.session import redraw

    return redraw(run, config, assignments or [], no_samples=no_samples, open_page=open_page, json=json)
