"""Paths as the report shows them: a page may be sent around, and whole paths tell of machines, people and projects."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Self, TypeVar

import msgspec

from curate.report.alerts.alert import run_of
from curate.store.manifest_entries import Manifest

Struct = TypeVar("Struct", bound=msgspec.Struct)

_NAMED = {"inputs", "parts", "passed_over", "work"}
"""What of ``run.json`` has names, relative to the paths that were given or to the run; there may be very many."""
_PATH = re.compile(r"(?<![\w.~…/:@<-])(?:/[\w.@+~-]+){2,}/?")
"""An absolute path of names without blanks, for those in what libraries say."""


class ShownPaths:
    """Shortens the absolute paths of one run: of each only the last name is left.

    Args:
        named: what may be a path, and is found in every text: see `of_run`.
        run: name of the run directory in its command.

    Example:
        >>> shown = ShownPaths(["/home/ada/my corpus", "/tmp/out"], "/tmp/out")
        >>> shown("curate sample /tmp/out"), shown("`/home/ada/my corpus/a.docx`: no reader"), shown("rate 3/s")
        ('curate sample out', '`…/my corpus/a.docx`: no reader', 'rate 3/s')
    """

    def __init__(self, named: Iterable[str], run: str) -> None:
        known = {path.rstrip("/"): f"…/{PurePosixPath(path).name}" for path in named if path[:1] == "/"}
        if run.startswith("/"):
            known[run.rstrip("/")] = PurePosixPath(run).name
        self._known = {path: known[path] for path in sorted(known, key=len, reverse=True) if path}

    @classmethod
    def of_run(cls, manifest: Manifest) -> Self:
        """Of what the command and the settings of a run name."""
        return cls(_named(manifest), run_of(manifest))

    def __call__(self, text: str) -> str:
        """The text with shortened paths."""
        if "/" not in text:
            return text
        for path, shown in self._known.items():
            text = re.sub(rf"{re.escape(path)}(?=$|[^\w.-])", lambda _, shown=shown: shown, text)  # type: ignore[misc]
        return _PATH.sub(lambda found: f"…/{PurePosixPath(found[0]).name}", text)

    def of_manifest(self, manifest: Manifest) -> Manifest:
        """``run.json`` as the page shows it."""
        names = [name for name in manifest.__struct_fields__ if name not in _NAMED]
        return msgspec.structs.replace(manifest, **{name: self._of(getattr(manifest, name)) for name in names})

    def of_struct(self, found: Struct) -> Struct:
        """A struct of the report with shortened texts."""
        return type(found)(**{name: self._of(getattr(found, name)) for name in found.__struct_fields__})

    def _of(self, value: Any) -> Any:
        if isinstance(value, str):
            return self(value)
        if isinstance(value, msgspec.Struct):
            return self.of_struct(value)
        if isinstance(value, Mapping):
            return {key: self._of(one) for key, one in value.items()}
        return type(value)(map(self._of, value)) if isinstance(value, list | tuple) else value


def _named(manifest: Manifest) -> Iterator[str]:
    """Everything in the command and the settings that may be a path."""
    for word in shlex.split(manifest.command):
        yield from (word, word.partition("=")[2].strip("\"'"))
    yield from (one.path for entries in (manifest.skipped, manifest.against) for one in entries)
    yield from _texts(manifest.config)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(one)
