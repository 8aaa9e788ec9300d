"""What the user should know of the files before the first document is read: passed over, empty, not as named."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePosixPath

from curate.corpus.input import InputFile, Skipped
from curate.events import Warned

_ABOUT_A_FOLDER = ("README", "LICENSE", "NOTICE")
"""Files of other formats that nobody expects to be read; the report lists them all the same."""


def notices(files: Sequence[InputFile], skipped: Sequence[Skipped]) -> list[Warned]:
    """One warning for each kind of thing, with an example of it; all of them are in ``run.json``.

    Args:
        files: as inspected.
        skipped: what was found and not taken.

    Example:
        >>> [notice.message for notice in notices((), [Skipped(".git", "hidden", "hidden")])]
        ['1 hidden file or folder was skipped: `.git`']
    """
    return [*map(Warned, _passed_over(skipped)), *map(Warned, _of_files(files))]


def _passed_over(skipped: Sequence[Skipped]) -> Iterator[str]:
    unread = [
        entry
        for entry in skipped
        if entry.kind not in {"sidecar", "empty", "excluded"} and not is_about_a_folder(entry.path)
    ]
    for kind, entries in groupby(sorted(unread, key=lambda entry: entry.kind), key=lambda entry: entry.kind):
        first, *more = entries
        if kind == "hidden" and more:
            yield f"{len(more) + 1:,} hidden files or folders were skipped, such as `{first.path}`"
        elif kind == "hidden":
            yield f"1 hidden file or folder was skipped: `{first.path}`"
        else:
            yield f"skipped `{first.path}`{_others(len(more))}: {first.why}"


def is_about_a_folder(path: str) -> bool:
    """Whether a file describes its neighbours, so that nobody expects it to be read.

    Example:
        >>> is_about_a_folder("books/README.rst"), is_about_a_folder("books/one.rst")
        (True, False)
    """
    return PurePosixPath(path).name.upper().startswith(_ABOUT_A_FOLDER)


def _of_files(files: Sequence[InputFile]) -> Iterator[str]:
    empty = [file for file in files if file.empty]
    if empty:
        yield f"`{empty[0].name}`{_others(len(empty) - 1)} is empty"
    noted = sorted((file for file in files if file.note), key=lambda file: file.note)  # stable: files keep their order
    for note, alike in groupby(noted, key=lambda file: file.note):
        first, *more = alike
        also = f", and so {'is' if len(more) == 1 else 'are'} {len(more):,} more" if more else ""
        yield f"`{first.name}` {note}{also}"


def _others(count: int) -> str:
    return f" and {count:,} more" if count else ""
