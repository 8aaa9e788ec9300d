"""``curate doctor``: is this machine ready, is that run whole."""

from typing import Annotated

import typer

from curate.cli import completion
from curate.cli.options import JsonOption
from curate.errors import UserError


def doctor(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Run directory to examine instead of the machine.", show_default=False),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            envvar="CURATE_ENGINE",
            metavar="ENGINE",
            help="What is examined: local, or ray.",
            autocompletion=completion.engines,
        ),
    ] = "local",
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="DIR", help="With --engine ray: folder that all nodes must share."),
    ] = ".",
    json: JsonOption = False,
) -> int:
    """Check the machine (versions, memory, disk, models, compiled kernels), or every file of a run.

    With --engine ray, every node of the cluster: packages, models and files as on this machine, kernels, storage.

    Each problem comes with its remedy. Exit code 1: the run has problems. Exit code 2: the machine has, or the folder
    is not a finished run.

    \b
    Examples:
      curate doctor
      curate doctor curated
      curate doctor --engine ray -o /shared/curated
    """
    if run is not None:
        from curate.cli.display.examination import show_examination

        return show_examination(run, json=json)
    if engine == "ray":
        from curate.cli.display.cluster import show_cluster

        return show_cluster(output, json=json)
    if engine != "local":
        raise UserError(f"there is no engine `{engine}`", hint="--engine local, or --engine ray")
    from curate.cli.display.doctor import show_checkup

    return show_checkup(json=json)
