"""Input files by folder: a corpus may have very many files, and few folders."""

from collections.abc import Iterable

import msgspec

from curate.store.manifest_entries import Input

FOLDERS = 6
"""Folders that have a row of their own; the others are one row."""


class InputFolder(msgspec.Struct, frozen=True, kw_only=True):
    """What was read from one folder."""

    name: str
    files: int = 0
    bytes: int = 0
    documents: int = 0
    quarantined: int = 0
    formats: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """That held the text."""

    def with_file(self, file: Input) -> "InputFolder":
        """The folder and one file more."""
        field = file.text_field or ""
        return InputFolder(
            name=self.name,
            files=self.files + 1,
            bytes=self.bytes + file.bytes,
            documents=self.documents + file.documents,
            quarantined=self.quarantined + file.quarantined,
            formats=tuple(dict.fromkeys((*self.formats, file.format))),
            fields=tuple(dict.fromkeys((*self.fields, field))) if field else self.fields,
        )


def input_folders(inputs: Iterable[Input]) -> list[InputFolder]:
    """The folders of a run's inputs, largest first.

    Example:
        >>> files = [
        ...     Input(name=name, format="text", bytes=5, fingerprint="5f0c", documents=1, quarantined=0)
        ...     for name in ("a/1.txt", "2.txt")
        ... ]
        >>> [(one.name, one.files) for one in input_folders(files)]
        [('.', 1), ('a', 1)]
    """
    found: dict[str, InputFolder] = {}
    for file in inputs:
        name = file.name.rpartition("/")[0] or "."
        found[name] = found.get(name, InputFolder(name=name)).with_file(file)
    ordered = sorted(found.values(), key=lambda one: (-one.bytes, one.name))
    if len(ordered) <= FOLDERS:
        return ordered
    rest = ordered[FOLDERS - 1 :]
    together = InputFolder(
        name=f"({len(rest):,} others)",
        files=sum(one.files for one in rest),
        bytes=sum(one.bytes for one in rest),
        documents=sum(one.documents for one in rest),
        quarantined=sum(one.quarantined for one in rest),
        formats=tuple(dict.fromkeys(kind for one in rest for kind in one.formats)),
        fields=tuple(dict.fromkeys(field for one in rest for field in one.fields)),
    )
    return [*ordered[: FOLDERS - 1], together]
