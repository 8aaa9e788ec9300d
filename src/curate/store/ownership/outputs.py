"""Files and folders that a user names to be written: none of them may be somebody else's, a run's least of all.

A run keeps its files by itself; what else lies among them would be taken for its own, or be in the way of a stage.
"""

from contextlib import suppress
from pathlib import Path

from curate.errors import UserError
from curate.store.files import require_folder, require_no_folder
from curate.store.objects.store_path import StorePath
from curate.store.ownership.claim import is_run_directory
from curate.store.run_directory import LOCK, MANIFEST


def require_absent(path: Path, *, force: bool, hint: str = "", elsewhere: str = "") -> None:
    """See that no file is lost to one that is about to be written, and that no run has it among its own.

    Args:
        path: of the file.
        force: whether a file that is there may be replaced.
        hint: what to type where it is there; empty: --force, or another -o.
        elsewhere: what to type where no file can be made there; empty: another -o.

    Raises:
        UserError: a file is there, and ``force`` is not given; a run keeps its files there; or none can be made there.
    """
    require_outside_runs(path)
    if not force and path.exists() and not path.is_dir():
        raise UserError(f"`{path}` is there already", hint=hint or "replace it with --force, or name another with -o")
    if not isinstance(path, StorePath):
        require_no_folder(path, hint=elsewhere)
        require_folder(path.parent, writable=True, hint=elsewhere)


def require_output_folder(path: Path) -> None:
    """See that a folder is there, or can be made, and that no run keeps its files there.

    Raises:
        UserError: a file is in its place, a run's folder is around it, or no file can be made in it.
    """
    require_outside_runs(path)
    require_folder(path, writable=not isinstance(path, StorePath))


def require_outside_runs(path: Path, *, new_run: bool = False) -> None:
    """See that a path is neither a run directory nor in one, by whatever links it is reached.

    Args:
        path: of a file or folder.
        new_run: whether it is for a run, which goes on where a run is.

    Raises:
        UserError: it is.
    """
    inside = path if isinstance(path, StorePath) else path.absolute().resolve()
    if new_run and is_run_directory(inside):
        return
    for folder in (inside, *inside.parents):
        if _has_manifest(inside, folder) if isinstance(inside, StorePath) else is_run_directory(folder):
            beside = folder.with_name(f"{folder.name}-{inside.name}" if folder != inside else f"{folder.name}-2")
            raise UserError(
                f"`{path}` lies in `{folder}`, where a run of curate keeps its files", hint=f"name another: {beside}"
            )


def _has_manifest(path: StorePath, folder: Path) -> bool:
    """Whether a store has what every run writes to a folder: asked for by name, as it may hold millions of objects."""
    for key in filter(None, (StorePath(folder / name).key for name in (LOCK, MANIFEST))):  # none above a bucket
        with suppress(FileNotFoundError):
            path.tree.store.facts(key)
            return True
    return False
