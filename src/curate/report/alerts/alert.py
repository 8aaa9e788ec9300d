"""One finding that deserves a second look, and what commands about a run are made of."""

import shlex
from typing import Literal

import msgspec

from curate.store.manifest_entries import Manifest

Level = Literal["problem", "warning", "note"]

FEW = 30
"""Fewer documents of a source, or in a stage, say nothing."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One finding: a sentence, why it matters, something to type, and the section to read."""

    level: Level
    title: str
    detail: str = ""
    command: str = ""
    section: str = ""
    documents: int = 0
    """At stake, as far as the finding is about documents."""
    tokens: float | None = None
    """In them, as far as it is known."""


def sample_command(manifest: Manifest, reason: str, source: str = "") -> str:
    """Shows documents, of one source or all, that were removed for a reason."""
    of_source = f" --source {shlex.quote(source)}" if source else ""
    return f"curate sample {shlex.quote(run_of(manifest))} --reason {shlex.quote(reason)}{of_source}"


def run_of(manifest: Manifest) -> str:
    """The run directory as its command names it."""
    words = shlex.split(manifest.command)
    named = [words[at + 1] for at in range(len(words) - 1) if words[at] in ("-o", "--output")]
    named += [word.removeprefix("--output=") for word in words if word.startswith("--output=")]
    return named[0] if named else "RUN"
