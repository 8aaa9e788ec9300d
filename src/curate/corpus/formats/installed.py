"""Input formats of other packages: loaded, and held to what a format must do, so that no mistake there loses input."""

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from typing import Any

from curate.corpus.formats.format import Format, Looked, Span
from curate.corpus.input import InputFile
from curate.corpus.quarantine import Damaged
from curate.errors import CurateError, PlanError, refused_plugin

_NAME, _SUFFIX = re.compile(r"[a-z][a-z0-9_]*"), re.compile(r"\.[^./A-Z]+")


def loaded(entry: EntryPoint) -> Format:
    """The format that an entry point names; its errors say whose it is.

    Raises:
        PlanError: it does not load, or is no format.
    """
    try:
        found = entry.load()()
    except (Exception, SystemExit) as error:
        raise refused(entry, f"does not load: {error or type(error).__name__}") from error
    if not isinstance(found, Format):
        raise refused(entry, "is no class that inherits from curate.corpus.formats.format.Format")
    name, about = getattr(found, "name", None), getattr(found, "about", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise refused(entry, f"has `name` = {name!r}, and was to have one of a-z, 0-9 and _")
    if not isinstance(about, str):
        raise refused(entry, f"has `about` = {about!r}, and was to have a sentence")
    suffixes: Any = found.suffixes
    if not isinstance(suffixes, tuple | list) or not all(_SUFFIX.fullmatch(str(suffix)) for suffix in suffixes):
        raise refused(entry, f'has `suffixes` = {suffixes!r}, and was to have a tuple such as (".subs",)')
    checked: dict[str, Callable[..., Any]] = {"inspect": _inspected, "split": _cut, "read": _steps}
    for method, _ in inspect.getmembers(Format, inspect.isfunction):
        if not method.startswith("_"):
            vars(found)[method] = functools.partial(checked.get(method, _called), found, getattr(found, method))
    return found


def refused(entry: EntryPoint, what: str) -> PlanError:
    """For an installed format that cannot be used."""
    return refused_plugin(entry, "input format", what, "docs/inputs.md says what a format is")


def _called(of: Format, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    with _asked(of):
        return function(*given, **named)


def _inspected(of: Format, look: Callable[..., Any], *given: Any, **named: Any) -> Any:
    looked = _called(of, look, *given, **named)
    if not isinstance(looked, Looked):
        raise _broken(of, f"`inspect` gave a {type(looked).__name__} where a Looked was to come")
    return looked


def _cut(of: Format, split: Callable[..., Any], file: InputFile, part_bytes: int) -> Iterator[tuple[Span, ...]]:
    """Spans that hold all of the file, each place once: what lies between two would be lost unseen."""
    with _asked(of):
        strands = [tuple(strand) for strand in split(file, part_bytes)]
        whole = of.whole(file)
    at = whole.start
    for one in (span for strand in strands for span in strand):
        if one.start != at:
            raise _broken(of, f"`split` cut `{file.name}` at {at} and went on at {one.start}")
        at = one.stop
    if at != whole.stop:
        raise _broken(of, f"`split` ended at {at} of {whole.stop} of `{file.name}`")
    yield from strands


def _steps(of: Format, read: Callable[..., Any], *given: Any, **named: Any) -> Iterator[Any]:
    with _asked(of):
        yield from read(*given, **named)


@contextmanager
def _asked(of: Format) -> Iterator[None]:
    """What it raises has a note that says whose it is; asking Python to end is an error, too."""
    try:
        yield
    except (CurateError, Damaged, GeneratorExit):
        raise
    except (SystemExit, StopIteration) as error:
        raise _broken(of, f"it raised {type(error).__name__}({error})") from error
    except Exception as error:
        note = f"raised in the input format `{of.name}` of `{type(of).__module__}`"
        if note not in getattr(error, "__notes__", ()):  # one of its methods may have called another
            error.add_note(note)
        raise


def _broken(of: Format, what: str) -> CurateError:
    return CurateError(
        f"the input format `{of.name}` of `{type(of).__module__}` does not do what a format must: {what}",
        hint="docs/inputs.md says what a format is",
    )
