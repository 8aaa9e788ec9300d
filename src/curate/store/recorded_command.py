"""The command that made a run, where its folder has another name by now."""

import shlex
from pathlib import Path

from curate.store.objects.bucket import is_url


def command_here(command: str, run: Path) -> str:
    """The command that made a run, with the folder that the run is in now as the one to write to.

    Args:
        command: as it was recorded.
        run: the folder.

    Example:
        >>> command_here("curate run in/ -o c4 --recipe c4", Path("new"))
        'curate run in/ -o new --recipe c4'
    """
    try:
        words = shlex.split(command)
        at = words.index("-o") + 1
        folder = words[at]
    except (ValueError, IndexError):
        return command
    here = str(run)
    if folder.rstrip("/") == here or (not is_url(folder + here) and Path(folder).resolve() == run.resolve()):
        return command
    return shlex.join([*words[:at], here, *words[at + 1 :]])
