"""Everything that can go wrong, and the exit code each ends the command with.

::

    CurateError                      3   a fault in curate
     ├─ UserError                    2   a mistake in the input: flags, config, files
     │   ├─ ConfigError                  a setting that is unknown or out of range
     │   ├─ InputError                   a path, a pattern or a field that does not exist
     │   ├─ PlanError                    a problem that shows only when the run is planned
     │   │   └─ MissingExtra             a package that an extra installs
     │   └─ DamagedFile                  a file of a run has changed since it was written
     ├─ BooksDoNotBalance            3   documents read ≠ kept + removed + quarantined
     ├─ BrokenStage                  3   a stage of another package answers otherwise than it declares
     └─ Stopped                      4   stopped part-way (disk full, …); the same command continues

A message is one sentence in the user's terms that contains the value; ``where`` names the file and line; ``hint`` is
something to type.
"""

import difflib
import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

DISTRIBUTION = "curate-corpus"
"""What ``pip install`` calls curate."""


class ExitCode(IntEnum):
    """What the command's exit status means to a script."""

    DONE = 0
    GATE_FAILED = 1
    USER_ERROR = 2
    OUR_FAULT = 3
    STOPPED = 4
    INTERRUPTED = 130


class CurateError(Exception):
    """Base of all errors raised on purpose."""

    exit_code: ExitCode = ExitCode.OUR_FAULT

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint


class UserError(CurateError):
    """Something in the flags, the config or the files must be changed."""

    exit_code = ExitCode.USER_ERROR


class ConfigError(UserError):
    """A setting is unknown, misspelt or out of range; if several are, ``problems`` has one error for each."""

    def __init__(
        self, message: str, *, where: str = "", hint: str = "", problems: Sequence["ConfigError"] = ()
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.problems = tuple(problems)


class InputError(UserError):
    """A path, a pattern or a field of the input does not exist."""


class PlanError(UserError):
    """The run cannot work as configured; noticed before the first document is read."""


class MissingExtra(PlanError):  # noqa: N818  (named for what it is)
    """A package is needed that only an extra of curate installs.

    Example:
        >>> missing = MissingExtra("`redact.kinds` has `phone`", "phonenumbers", "redact")
        >>> print(missing.message, "|", missing.hint)
        `redact.kinds` has `phone`, which needs the package `phonenumbers` | pip install 'curate-corpus[redact]'
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what}, which needs the package `{package}`", hint=f"pip install '{DISTRIBUTION}[{extra}]'")
        self._made_of = (what, package, extra)

    def __reduce__(self) -> tuple[Any, ...]:
        """Made again of what it was made of: an error that cannot be pickled hangs the pool that it is raised in."""
        return type(self), self._made_of


class DamagedFile(UserError):  # noqa: N818  (named for what it is)
    """A file of a finished run is missing or has changed since it was written; the same run makes it again."""


class BooksDoNotBalance(CurateError):  # noqa: N818  (named for what happened)
    """Documents read are not the sum of kept, removed and quarantined ones."""


class BrokenStage(CurateError):  # noqa: N818  (named for what it is)
    """A stage of another package answers otherwise than it declares."""


class Stopped(CurateError):  # noqa: N818
    """The run stopped part-way; what is finished is safe and the same command continues."""

    exit_code = ExitCode.STOPPED


def refused_plugin(entry: "EntryPoint", kind: str, what: str, contract: str) -> PlanError:
    """For something of another package that is installed and cannot be used.

    Args:
        entry: where the package says what it has.
        kind: what it is to be: ``stage``.
        what: is wrong with it.
        contract: where the documentation says what it must do.
    """
    package = entry.dist.name if entry.dist else entry.value.partition(":")[0].partition(".")[0]
    return PlanError(
        f"{kind} `{entry.name}` from `{entry.value}` {what}",
        hint=f"pip uninstall {package}, until it is mended; {contract}",
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those it came from."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        yield current
        seen.add(id(current))
        current = current.__cause__ or current.__context__


def require(package: str, extra: str, what: str) -> None:
    """Check that ``package`` can be imported, without importing it.

    Args:
        package: the name to import.
        extra: the extra of curate that installs it.
        what: what needs it, as the beginning of a sentence.

    Raises:
        MissingExtra: it is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise MissingExtra(what, package, extra)


LISTED = 16
"""Names that a hint lists if there are very many."""
MEANT = 3
"""Names that begin like a misspelt one, beside the one that is most like it."""


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean `x`?`` for a misspelt name, and others that begin still more like it; else all known ones.

    Example:
        >>> nearest("langage", ["language", "quality"])
        'did you mean `language`?'
        >>> nearest("finewb", ["c4", "fineweb2", "fineweb-code", "fineweb-paper"])
        'did you mean `fineweb2`, `fineweb-code` or `fineweb-paper`?'
        >>> nearest("zzz", ["b", "a"])
        'known: a, b'
    """
    names = sorted(known)
    if best := next(iter(difflib.get_close_matches(word, names, n=1, cutoff=0.6)), None):
        least = _likeness(word, best)
        others = [name for name in names if name != best and _likeness(word, name[: len(word) + 1]) > least]
        *first, last = [f"`{name}`" for name in (best, *others[:MEANT])]
        return f"did you mean {', '.join(first)}{' or ' if first else ''}{last}?"
    more = f" and {len(names) - LISTED} more" if len(names) > 2 * LISTED else ""
    return f"known: {', '.join(names[: LISTED if more else None])}{more}"


def _likeness(word: str, name: str) -> float:
    return difflib.SequenceMatcher(None, name, word).ratio()  # in the order in which `get_close_matches` has them


def listed(names: Sequence[str], most: int = 5) -> str:
    """Some names in backticks, and the number of the others.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        '`a`, `b` and 1 more'
    """
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")
