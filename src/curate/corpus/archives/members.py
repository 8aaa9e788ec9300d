"""The members of an archive as files of the corpus, named ``dump.zip!folder/file.jsonl``; archives in it, too, once."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

import msgspec

from curate.corpus.archives.archive_file import Archive, MemberBytes, Range, archive, limit_of
from curate.corpus.discovery.named import input_file
from curate.corpus.discovery.sidecars import sidecar
from curate.corpus.discovery.unknown import identified_by, note_of
from curate.corpus.formats.archive import ArchiveFormat
from curate.corpus.formats.registry import formats, recognized
from curate.corpus.input import InputFile, InputSettings, Skipped
from curate.corpus.quarantine import Damaged

DEEPEST = 2
"""An archive in an archive is read, and no deeper."""
_HEAD_BYTES = 64 * 1024


def expanded(file: InputFile, settings: InputSettings) -> tuple[list[InputFile], list[Skipped]]:
    """The files that come of one: itself, or the members of the archive that it is.

    An archive that is damaged is among them itself, so that what cannot be reached of it goes to quarantine.

    Args:
        file: as found.
        settings: the section ``[input]``.
    """
    if not is_archive(file):
        return [file], []
    try:
        file = msgspec.structs.replace(file, outer_size=file.size or os.stat(file.path).st_size)  # noqa: PTH116
    except OSError:
        return [file], []
    search = _Members(settings, limit_of(file))
    search.add(file)
    return search.files, search.skipped


def is_archive(file: InputFile) -> bool:
    """Whether a file is of a format that holds others."""
    return isinstance(formats()[file.format], ArchiveFormat)


class _Members:
    def __init__(self, settings: InputSettings, limit: int) -> None:
        self.files: list[InputFile] = []
        self.skipped: list[Skipped] = []
        self._settings = settings
        self._limit = self._left = limit

    def add(self, file: InputFile) -> None:
        try:
            found = archive(file)
        except Damaged:
            self.files.append(file)  # it goes to quarantine, where that is said
            return
        other = recognized(Range(found.descriptor, 0, found.size).read(_HEAD_BYTES))
        if other and not isinstance(other, ArchiveFormat):  # a document that is a zip inside
            self.files.append(msgspec.structs.replace(file, format=other.name, note=note_of(other.name)))
            return
        if found.damage:
            self.files.append(file)
        elif not found.entries:
            self.skipped.append(Skipped(file.name, "an empty archive", "empty"))
        for number, name in self._named(file, found):
            self._add_member(file, found, number, name)

    def _named(self, file: InputFile, found: Archive) -> Iterator[tuple[int, str]]:
        """Numbers and names of members, each its own."""
        times = Counter[str]()
        for number, entry in enumerate(found.entries):
            name = entry.name.encode(errors="backslashreplace").decode()
            times[name] += 1
            yield number, f"{file.name}!{name}" + (f" ({times[name]})" if times[name] > 1 else "")

    def _add_member(self, file: InputFile, found: Archive, number: int, name: str) -> None:
        entry, inside = found.entries[number], PurePosixPath(found.entries[number].name)
        if entry.why:
            self._skip(name, entry.why, "member")
            return
        if any(part.startswith(".") and part != ".." for part in inside.parts) or "__MACOSX" in inside.parts:
            self._skip(name, "hidden: its name begins with a dot", "hidden")
            return
        if why := sidecar(inside.name, frozenset()):
            self._skip(name, why, "sidecar")
            return
        self._left -= entry.size
        if self._left < 0:
            self._skip(name, f"the archive expands to more than {self._limit:,} bytes", "member")
            return
        place = {"member": (*file.member, number), "outer_size": file.outer_size, "size": entry.size, "tag": file.tag}
        one = input_file(file.path, name, self._settings)
        one = self._told(file, name, place) if one is None else msgspec.structs.replace(one, **place)
        if one is None:
            return
        if not is_archive(one):
            self.files.append(one)
        elif len(one.member) >= DEEPEST:
            self._skip(name, f"archives in archives are read {DEEPEST} deep", "member")
        else:
            self._left += entry.size  # what comes of it counts
            self.add(one)

    def _told(self, file: InputFile, name: str, place: dict[str, object]) -> InputFile | None:
        """A member whose name tells no format, by its content."""
        member = msgspec.structs.replace(file, name=name, format="text", compression="", **place)
        try:
            head = MemberBytes(member).at(0, _HEAD_BYTES)
        except Damaged as damage:
            self._skip(name, f"it cannot be read: {damage.detail}", "member")
            return None
        known = identified_by(head, name)
        if not known.format:
            self._skip(name, known.why, known.kind)
            return None
        return msgspec.structs.replace(
            member, format=known.format, compression=known.compression, note=note_of(known.format)
        )

    def _skip(self, name: str, why: str, kind: str) -> None:
        self.skipped.append(Skipped(name, why, kind))  # type: ignore[arg-type]
