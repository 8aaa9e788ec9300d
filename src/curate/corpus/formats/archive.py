"""Zip and tar: their members are the files of the corpus (`curate.corpus.archives.members`); what is here is an archive
that could not be looked into, as a whole or from some place on.
"""

from collections.abc import Iterator
from typing import ClassVar

from curate.corpus.archives.archive_file import archive
from curate.corpus.documents import Rows
from curate.corpus.formats.format import Format, Looked, Piece, Span, Step
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.quarantine import Damaged

_TAR_MAGIC = b"ustar"
_TAR_MAGIC_AT = 257
_DOCUMENTS = (b"[Content_Types].xml", b"mimetype", b"META-INF/", b"_rels/", b"docProps/", b"word/")
"""Names with which zips begin that are documents of other programs."""


class ArchiveFormat(Format):
    """An archive of which some or all members cannot be reached."""

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """Why not.

        Raises:
            Damaged: always.
        """
        damage = archive(file).damage if file.outer_size else None
        raise damage or Damaged(
            "other_format", f"this is {self.about}; give it a name that ends with {self.suffixes[0]}"
        )

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:  # noqa: ARG002
        """Nothing: its members are files of their own."""
        yield from ()

    def parse(self, piece: Piece, rows: Rows) -> None:
        """Nothing."""


class Zip(ArchiveFormat):
    """A zip."""

    name: ClassVar[str] = "zip"
    about: ClassVar[str] = "a zip archive"
    suffixes: ClassVar[tuple[str, ...]] = (".zip",)
    packable: ClassVar[bool] = False

    def recognizes(self, head: bytes) -> bool:
        """By its first member, unless that is one of a document."""
        return head.startswith(b"PK\x03\x04") and not head[30:].startswith(_DOCUMENTS)

    def lacks(self, head: bytes) -> str:
        """The first bytes."""
        return "" if head.startswith(b"PK") else "not readable as zip: its first bytes are not PK"


class Tar(ArchiveFormat):
    """A tar, plain or compressed."""

    name: ClassVar[str] = "tar"
    about: ClassVar[str] = "a tar archive"
    suffixes: ClassVar[tuple[str, ...]] = (".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst")

    def recognizes(self, head: bytes) -> bool:
        """By the magic in its first header."""
        return head.startswith(_TAR_MAGIC, _TAR_MAGIC_AT)
