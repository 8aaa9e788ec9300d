"""The command that made a run, where its folder has another name by now."""

import shlex
from pathlib import Path

from curate.store.objects.bucket import is_url


def command_here(command: str, run: Path, made_by: str = "") -> str:
    """A command about a run, which names the folder that the run is in now, wherever it was made.

    Args:
        command: to type.
        run: the folder.
        made_by: the command that made the run; empty: it is ``command``.

    Example:
        >>> command_here("curate run in/ -o old --set quality.min_words=30", Path("new"))
        'curate run in/ -o new --set quality.min_words=30'
        >>> command_here("curate sample old --kept", Path("new"), "curate run in/ -o old")
        'curate sample new --kept'
    """
    try:
        words, made = shlex.split(command), shlex.split(made_by or command)
        folder = made[made.index("-o") + 1]
    except (ValueError, IndexError):
        return command
    here = str(run)
    if folder.rstrip("/") == here or (not is_url(folder + here) and Path(folder).resolve() == run.resolve()):
        return command
    return shlex.join(here if word == folder else word for word in words)
