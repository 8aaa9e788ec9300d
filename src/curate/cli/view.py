"""``curate view``: browse a run."""

from typing import Annotated

import typer

from curate.cli.options import RunArgument


def view(
    run: RunArgument,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on this machine; 0 takes a free one.")
    ] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open it in a browser.")] = False,
) -> int:
    """Browse the documents of a finished run on a local page, until Ctrl-C.

    Facets, text search, every document with its measures against their limits, thresholds to move, and marks. Only this
    machine can open the page, and only by its full address. Nothing is written but marks.csv in the run directory.

    \b
    Examples:
      curate view curated
      curate view curated --port 8123 --no-open
    """
    from curate.cli.display.viewing import serve

    return serve(run, port=port, open_page=not no_open)
