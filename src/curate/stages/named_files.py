"""Files that a setting names: lists of words or addresses, test sets. What is wrong with them is said beforehand."""

import difflib
import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import xxhash
import zstandard

from curate.errors import PlanError


def named_files(setting: str, patterns: Iterable[str], endings: tuple[str, ...] = ("",)) -> list[Path]:
    """The files that paths, folders and globs stand for, each once, in order.

    Args:
        setting: ``section.key`` that holds them.
        patterns: paths; a folder stands for the files in it.
        endings: of the files that count in a folder.

    Raises:
        PlanError: nothing is there.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        if not pattern.strip() or "\0" in pattern:
            raise PlanError(f"`{setting}` holds {pattern!r}, which is not a path", hint=f'{setting} = ["lists/"]')
        path = Path(pattern).expanduser()
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.is_file() and file.name.endswith(endings))
            if not files:
                raise PlanError(f"`{setting}` names the folder `{pattern}`, which holds no such file")
        elif path.is_file():
            files = [path]
        else:
            files = sorted(file for file in _globbed(path) if file.is_file())
        if not files:
            raise PlanError(f"`{setting}` names `{pattern}`, which is not there", hint=_hint(path))
        found |= dict.fromkeys(files)
    return list(found)


def text_of(setting: str, path: Path) -> str:
    """The text of a file, unpacked when it is gzip or zstd.

    Raises:
        PlanError: it cannot be read, is no text, or holds nothing.
    """
    try:
        text = _unpacked(path.read_bytes()).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise PlanError(f"`{setting}` names `{path}`, which cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise PlanError(
            f"`{setting}` names `{path}`, which is not text: byte {error.start:,} is not UTF-8",
            hint="a text file in UTF-8, or one packed by gzip or zstd",
        ) from error
    if "\0" in text:
        raise PlanError(f"`{setting}` names `{path}`, which is not text: it holds null bytes")
    if not text.strip():
        raise PlanError(f"`{setting}` names `{path}`, which is empty")
    return text


def lines_of(text: str) -> list[str]:
    r"""The lines of a text without their ends. A line feed ends a line, with or without a carriage return before it.

    Nothing else does: U+0085, U+2028, vertical tabs and lone carriage returns stand inside entries and JSON strings.

    Example:
        >>> lines_of("one\r\ntwo\u2028still two\n")
        ['one', 'two\u2028still two', '']
    """
    return [line.removesuffix("\r") for line in text.split("\n")]


def entries_of(setting: str, path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a list with their numbers, without surrounding space, blank lines and ``#`` comments.

    Raises:
        PlanError: as `text_of`, and when nothing but comments is there.
    """
    entries = [
        (number, entry)
        for number, line in enumerate(lines_of(text_of(setting, path)), 1)
        if (entry := line.strip()) and not entry.startswith("#")
    ]
    if not entries:
        raise PlanError(f"`{setting}` names `{path}`, which has no entry", hint="one entry on each line")
    yield from entries


def content_digest(paths: Iterable[Path]) -> str:
    """One digest of names and contents, so that a changed list is measured again."""
    running = xxhash.xxh3_128()
    for path in paths:
        running.update(path.name.encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                running.update(block)
        running.update(b"\0")
    return running.hexdigest()


def _unpacked(raw: bytes) -> bytes:
    if raw.startswith(b"\x1f\x8b"):
        return gzip.decompress(raw)
    if raw.startswith(b"\x28\xb5\x2f\xfd"):
        with zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(raw, read_across_frames=True) as stream:
            return stream.read()
    return raw


def _globbed(path: Path) -> list[Path]:
    folder = Path(path.anchor)
    try:
        return list(folder.glob(str(path.relative_to(folder))))
    except (ValueError, OSError):  # no pattern, such as `a**b`; or a name that is too long
        return []


def _hint(path: Path) -> str:
    """A name like it, else how to see which there are: a folder may hold thousands."""
    names = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean `{path.parent / close[0]}`?" if close else f"ls {path.parent}"
