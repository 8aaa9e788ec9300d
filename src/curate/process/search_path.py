"""Where Python looks for modules: never in the current folder, which is often a corpus.

This is loaded before everything else, so it imports only what Python itself has loaded.
"""

import os
import sys

_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def leave_current_folder(*, by_module: bool) -> None:
    """Take off the search path what Python put there because of the current folder.

    That is the current folder itself under ``python -m``, and blank and relative entries of ``PYTHONPATH``, such as the
    blank one of ``PYTHONPATH=$PYTHONPATH:/opt/lib`` where it was not set before. Absolute entries are the user's word.

    Args:
        by_module: whether this process was started by ``python -m``.
    """
    if by_module and not sys.flags.safe_path:
        _remove(sys.path[0])
    if not sys.flags.ignore_environment:
        for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep):
            if not os.path.isabs(entry):
                _remove(entry)


def search_path() -> list[str]:
    """The absolute entries of the search path, without the current folder: what a child process receives.

    Example:
        >>> all(map(os.path.isabs, search_path()))
        True
    """
    return [entry for entry in sys.path if os.path.isabs(entry) and (not _is_here(entry) or _is_home(entry))]


def _remove(entry: str) -> None:
    """Remove an entry as it was given and as Python made it absolute, but not where curate itself is."""
    try:
        forms = {entry, os.path.abspath(entry)}
    except OSError:  # the current folder is not there any more
        forms = {entry}
    for form in forms:
        if form in sys.path and not _is_home(form):
            sys.path.remove(form)


def _is_home(folder: str) -> bool:
    return os.path.realpath(folder) == os.path.realpath(_HOME)


def _is_here(folder: str) -> bool:
    try:
        return os.path.samefile(folder, os.getcwd())
    except OSError:  # one of the two is not there (any more)
        return False
