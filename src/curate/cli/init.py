"""``curate init``: a commented settings file."""

import shlex
from pathlib import Path
from typing import Annotated

import typer


def init(
    path: Annotated[str, typer.Argument(metavar="FILE", help="Where to write it.")] = "curate.toml",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> int:
    """Write curate.toml: every setting with its default and what it does.

    \b
    Examples:
      curate init
      curate init settings/web.toml
    """
    from curate.errors import ExitCode
    from curate.pipeline.planning.config import default_file
    from curate.store.files import write_whole
    from curate.store.ownership.outputs import require_absent

    target = Path(path)
    require_absent(
        target, force=force, hint=f"curate init {shlex.quote(path)} --force", elsewhere="curate init ~/curate.toml"
    )
    write_whole(target, default_file().encode())
    typer.echo(path)
    return ExitCode.DONE
