"""What a run that stops part-way says: why, what is safe, and how to go on."""

from collections.abc import Iterator
from contextlib import contextmanager

from curate.engine.base import Engine, Interrupted
from curate.errors import CurateError, Stopped
from curate.process.address_space import more_memory, out_of_memory
from curate.process.stopping import exit_code
from curate.runs.progress import Progress
from curate.store.disk import full_disk, unwritable
from curate.store.run_directory import DOCUMENTS, RunDirectory


@contextmanager
def explained(directory: RunDirectory, progress: Progress, command: str, engine: Engine) -> Iterator[None]:
    """Turn a stop or a disk that takes no more into an error that says what is safe and how to go on."""
    try:
        yield
    except Interrupted:
        error = stopped(directory, progress, engine.stopped, command)
        error.exit_code = exit_code()
        raise error from None
    except Exception as problem:
        why = full_disk(problem, directory.path)
        if not why and not isinstance(problem, CurateError):
            why = unwritable(problem, directory.path)
        if short := out_of_memory(problem):
            raise stopped(directory, progress, short, more_memory(command)) from problem
        if not why:
            raise
        raise stopped(directory, progress, why, command) from problem


def stopped(directory: RunDirectory, progress: Progress, why: str, command: str) -> Stopped:
    """The error of a run that stopped, with how far it came and the command that goes on."""
    current = progress.current
    place = f" at {progress.fraction:.0%} of pass {current.number}/{current.of}" if current else ""
    safe = sum(file.exists() for file in directory.parts(DOCUMENTS))
    return Stopped(
        f"{why}{place}; {safe:,} part{'s' * (safe != 1)} of documents {'are' if safe != 1 else 'is'} safe,"
        " and the same command continues",
        hint=command,
    )
