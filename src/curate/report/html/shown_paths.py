"""Paths as the report shows them: a page may be sent around, and whole paths tell of machines, people and projects."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import msgspec

_OF_MANIFEST = ("command", "skipped", "against", "warnings", "config", "losses", "recipe")
"""Where ``run.json`` may hold paths as the user gave them; inputs have names."""
_PATH = re.compile(r"(?<![\w.~…/:@<-])(?:/[\w.@+~-]+){2,}/?")
"""An absolute path of names without blanks, for those in what libraries say."""


class ShownPaths:
    """Shortens the absolute paths of one run: of each only the last name is left.

    Args:
        manifest: ``run.json``; what its command and settings name is found in every text.
        run: name of the run directory in its command.

    Example:
        >>> shown = ShownPaths({"command": "curate run '/home/ada/my corpus' -o /tmp/out"}, "/tmp/out")
        >>> shown("curate sample /tmp/out"), shown("`/home/ada/my corpus/a.docx`: no reader"), shown("rate 3/s")
        ('curate sample out', '`…/my corpus/a.docx`: no reader', 'rate 3/s')
    """

    def __init__(self, manifest: Mapping[str, Any], run: str) -> None:
        known = {path.rstrip("/"): f"…/{PurePosixPath(path).name}" for path in _named(manifest) if path[:1] == "/"}
        if run.startswith("/"):
            known[run.rstrip("/")] = PurePosixPath(run).name
        self._known = {path: known[path] for path in sorted(known, key=len, reverse=True) if path}

    def __call__(self, text: str) -> str:
        """The text with shortened paths."""
        if "/" not in text:
            return text
        for path, shown in self._known.items():
            text = re.sub(rf"{re.escape(path)}(?=$|[^\w.-])", lambda _, shown=shown: shown, text)  # type: ignore[misc]
        return _PATH.sub(lambda found: f"…/{PurePosixPath(found[0]).name}", text)

    def of_manifest(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """``run.json`` as the page shows it."""
        return {**manifest, **{name: self._within(manifest[name]) for name in _OF_MANIFEST if name in manifest}}

    def of_struct(self, found: Any) -> Any:
        """A struct of the report with shortened texts."""
        return msgspec.convert(self._within(msgspec.to_builtins(found)), type(found))

    def _within(self, value: Any) -> Any:
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {key: self._within(one) for key, one in value.items()}
        return [self._within(one) for one in value] if isinstance(value, list | tuple) else value


def _named(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Everything in the command and the settings that may be a path."""
    for word in shlex.split(manifest.get("command", "")):
        yield from (word, word.partition("=")[2].strip("\"'"))
    yield from (one.get("path", "") for one in (*manifest.get("skipped", ()), *manifest.get("against", ())))
    yield from _texts(manifest.get("config", {}))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(one)
