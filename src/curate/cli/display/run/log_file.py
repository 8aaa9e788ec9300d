"""``--log-file``: what a run says, in a file, each line with its time; what goes wrong with where in the code."""

import io
import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from curate.cli.display.console import WordConsole
from curate.cli.display.notes import note, show_error
from curate.errors import CurateError, UserError
from curate.store.objects.bucket import is_url

_WIDTH = 160
"""Columns that tables may take."""


class _Stamped(io.TextIOBase):
    """Lines with the time in front, written to the file as soon as they are whole; blank ones are no news."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._begun = file, ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        self._file.write("".join(f"{now} {line.rstrip()}\n" for line in lines if line.strip()))
        self._file.flush()
        return len(text)


@contextmanager
def logged(path: str | None, command: str, inputs: Sequence[str], output: str) -> Iterator[WordConsole | None]:
    """A console that writes to the end of a file, None where there is no path; errors that pass are written, too.

    Args:
        path: of the file; it is made where it is not there, and what it holds stays.
        command: of the run, its first line.
        inputs: paths of the corpus, which a log must not become part of.
        output: the run directory, which holds only files of the run.

    Raises:
        UserError: the file cannot be written, or lies where it must not.
    """
    if not path:
        yield None
        return
    _require_apart(path, inputs, output)
    try:
        file = Path(path).open("a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115  (closed below)
    except OSError as error:
        raise UserError(
            f"`--log-file {path}` cannot be written: {os.strerror(error.errno or 0)}", hint="--log-file curate.log"
        ) from None
    with file:
        log = WordConsole(
            file=cast("IO[str]", _Stamped(file)),
            force_terminal=False,
            no_color=True,
            width=_WIDTH,
            highlight=False,
            markup=False,
        )
        log.print(command, soft_wrap=True)
        try:
            yield log
        except CurateError as error:
            show_error(log, error)
            raise
        except BaseException as error:
            note(log, "error", f"{type(error).__name__}: {error}")
            log.print("".join(traceback.format_exception(error)), soft_wrap=True)
            raise


def _require_apart(path: str, inputs: Sequence[str], output: str) -> None:
    if is_url(path):
        raise UserError(f"`--log-file {path}` is not a file on this machine", hint="--log-file curate.log")
    place = Path(path).resolve()
    for folder, why in [*((each, "and would be read as a text of the corpus") for each in inputs), (output, "")]:
        if (
            not is_url(folder)
            and Path(folder).is_dir() | (folder == output)
            and place.is_relative_to(Path(folder).resolve())
        ):
            message = f"`--log-file {path}` lies in `{folder}`" + (
                f" {why}" if why else ", which holds only files of the run"
            )
            raise UserError(message, hint="choose a place outside it: --log-file ../curate.log")
