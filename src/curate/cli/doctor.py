"""``curate doctor``: is this machine ready, is that run whole."""

from typing import Annotated

import typer

from curate.cli.options import JsonOption


def doctor(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Run directory to examine instead of the machine.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Check the machine (versions, memory, disk, models, compiled kernels), or every file of a run.

    Each problem comes with its remedy. Exit code 1: the run has problems. Exit code 2: the machine has, or the folder
    is no finished run.
    """
    if run is not None:
        from curate.cli.display.examination import show_examination

        return show_examination(run, json=json)
    from curate.cli.display.doctor import show_checkup

    return show_checkup(json=json)
