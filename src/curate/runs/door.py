"""The functions for Python programs: `run`, `open` and `plan`. They print nothing and install no signal handlers."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from curate.errors import ConfigError, CurateError, Stopped
from curate.events import Emit, Event
from curate.process.address_space import more_memory, out_of_memory
from curate.process.forked import require_threads
from curate.runs.finished import Run
from curate.store.files import place

if TYPE_CHECKING:
    from curate.runs.job import Job
    from curate.runs.planned import Planned

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Settings = str | os.PathLike[str] | Mapping[str, Any]
"""A settings file, or section → settings."""


def run(
    paths: Paths,
    output: str | os.PathLike[str],
    *,
    config: Settings | None = None,
    recipe: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    fresh: bool = False,
    on_event: Emit | None = None,
    **sections: Mapping[str, Any],
) -> Run:
    """Turn raw text into token shards and a report, as ``curate run`` does.

    Running it again continues an interrupted run, and redoes only what changed settings affect. Settings come only from
    the arguments: ``curate.toml`` in the current folder and ``CURATE_*`` variables are ignored.

    Args:
        paths: one or several folders, files or globs.
        output: the run directory; created if it does not exist.
        config: a settings file, or a dictionary of sections like those in the file.
        recipe: a published recipe, or the path of a recipe file; see ``curate recipes``.
        limit: read at most this many documents.
        only: run only these stages.
        skip: run all stages except these.
        fresh: start over, discarding what the run directory holds.
        on_event: called with each event (`curate.events`), from several threads. An exception that it raises ends the
            run and is raised here unchanged; the same call continues.
        **sections: settings by section, ``near_dup={"similarity": 0.7}``; they override ``config``.

    Returns:
        The finished run. If it fails a gate, ``ok`` is False.

    Raises:
        UserError: the input or a setting is wrong; found before work begins. The command's exit code is 2.
        Stopped: the disk is full; the same call continues. The command's exit code is 4.
        CurateError: a fault in curate; its cause is chained. The command's exit code is 3.

    Example:
        >>> import curate, pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.txt").write_text("Too short to keep.")
        >>> run = curate.run(folder / "a.txt", folder / "out", only=["quality"], quality={"min_words": 10})
        >>> run.ok, run.counts.kept, run.counts.reasons["quality.too_few_words"]
        (False, 0, 1)
    """
    job = _job(paths, output, config, recipe, limit, only, skip, sections)
    hear = _Listener(on_event or _nobody)
    with _faults(hear):
        job.carried_out(job.prepared(fresh=fresh), hear, fresh=fresh)
        return Run(place(job.output))


def open(output: str | os.PathLike[str]) -> Run:  # noqa: A001  (curate.open, as in gzip.open)
    """A finished run.

    Args:
        output: the folder that was given to `run`, or to ``curate run -o``.

    Raises:
        InputError: the folder holds no finished run.
        DamagedFile: ``run.json`` has changed since it was written.
    """
    return Run(place(str(output)))


def plan(
    paths: Paths,
    output: str | os.PathLike[str] = "curated",
    *,
    config: Settings | None = None,
    recipe: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    **sections: Mapping[str, Any],
) -> "Planned":
    """What `run` would do with these arguments, and an estimate of time and disk; writes nothing.

    Args:
        paths: one or several folders, files or globs.
        output: the run directory; it is not read as input, even if it is inside a folder of the input.
        config: a settings file, or a dictionary of sections like those in the file.
        recipe: a published recipe, or the path of a recipe file.
        limit: read at most this many documents.
        only: run only these stages.
        skip: run all stages except these.
        **sections: settings by section; they override ``config``.

    Raises:
        UserError: the input or a setting is wrong.
    """
    with _faults():
        return _job(paths, output, config, recipe, limit, only, skip, sections).planned()


def _job(
    paths: Paths,
    output: str | os.PathLike[str],
    config: Settings | None,
    recipe: str | os.PathLike[str] | None,
    limit: int | None,
    only: Sequence[str],
    skip: Sequence[str],
    sections: Mapping[str, Any],
) -> "Job":
    from curate.runs.job import Job
    from curate.settings.file import merged

    require_threads()
    limit = _plain(limit)
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ConfigError(f"`limit` must be a whole number of at least 1, but is {limit!r}", hint="limit=1000")
    for name, section in sections.items():
        if not isinstance(section, Mapping):
            raise ConfigError(
                f"`{name}` is given as {section!r}, and a section is a dictionary of settings", hint=f"{name}={{…}}"
            )
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    tables = config if isinstance(config, Mapping) else {}
    return Job(
        paths=[os.fspath(path) for path in several],
        output=os.fspath(output),
        config_file=None if config is None or isinstance(config, Mapping) else os.fspath(config),
        arguments=_plain(merged(tables, sections)),
        flags={"pipeline.recipe": None if recipe is None else os.fspath(recipe)},
        limit=limit,
        only=[only] if isinstance(only, str) else only or (),
        skip=[skip] if isinstance(skip, str) else skip or (),
        in_folder=False,
    )


def _plain(value: Any) -> Any:
    """Settings as a file would say them: paths are text, tuples are lists, NumPy's numbers and arrays are Python's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.tolist() if type(value).__module__ == "numpy" and hasattr(value, "tolist") else value


class _Listener:
    """The caller's function; what it raised first is kept."""

    def __init__(self, hear: Emit) -> None:
        self.raised: BaseException | None = None
        self._hear = hear

    def __call__(self, event: Event) -> None:
        try:
            self._hear(event)
        except BaseException as error:
            self.raised = self.raised or error
            raise


@contextmanager
def _faults(listener: _Listener | None = None) -> Iterator[None]:
    """Turn any unexpected exception, except one of the caller's, into an error of curate with it as the cause."""
    try:
        yield
    except BaseException as error:
        if listener and listener.raised:
            raise listener.raised  # noqa: B904  (of another thread, or what became of it on its way)
        if isinstance(error, CurateError) or not isinstance(error, Exception):
            raise
        if short := out_of_memory(error):
            raise Stopped(short, hint=more_memory()) from error
        where = ", ".join(getattr(error, "__notes__", ())) or "something went wrong inside curate"
        raise CurateError(
            f"{where}: {type(error).__name__}: {error}",
            hint="finished parts are safe; the traceback above says where it happened",
        ) from error
    if listener and listener.raised:  # whoever met it on its way went on
        raise listener.raised


def _nobody(_event: Event) -> None:
    """Hear nothing."""
