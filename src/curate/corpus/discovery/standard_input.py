"""Standard input as a file of the corpus: it is written down first, so that a run that was stopped can go on."""

import shutil
import sys
import tempfile
from pathlib import Path

from curate.errors import InputError
from curate.store.files import whole_file
from curate.store.run_directory import CACHE, LOCK, STANDARD_INPUT

STANDARD = "-"
"""The path that stands for standard input."""
NAME = "stdin.jsonl"
"""What it is called in the corpus."""
_BLOCK = 1 << 20


def spooled(output: Path) -> str:
    """The file that holds what came in; what an earlier command wrote down where nothing comes in now.

    Args:
        output: the run directory, which a run may write to.

    Raises:
        InputError: nothing comes in, and nothing did before.
    """
    final = output / CACHE / STANDARD_INPUT / NAME
    first = _first_bytes()
    if not first and final.is_file():
        return str(final)
    _require(first)
    output.mkdir(parents=True, exist_ok=True)
    (output / LOCK).touch()  # whoever looks knows whose folder this is
    with whole_file(final) as temporary, temporary.open("wb") as file:
        file.write(first)
        shutil.copyfileobj(sys.stdin.buffer, file, _BLOCK)
    return str(final)


def spooled_for_now() -> tuple[str, "tempfile.TemporaryDirectory[str]"]:
    """The same in a folder that goes with the second value, for who may write nothing."""
    first = _first_bytes()
    _require(first)
    folder = tempfile.TemporaryDirectory(prefix="curate-")
    path = Path(folder.name) / NAME
    with path.open("wb") as file:
        file.write(first)
        shutil.copyfileobj(sys.stdin.buffer, file, _BLOCK)
    return str(path), folder


def _first_bytes() -> bytes:
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return b""
    return sys.stdin.buffer.read(_BLOCK)


def _require(first: bytes) -> None:
    if not first:
        raise InputError("`-` reads JSON lines from standard input, which is empty", hint="cat a.jsonl | curate run -")
