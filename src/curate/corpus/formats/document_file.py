"""EPUB, DOCX and PDF: a file is one document. Its text is taken out of it in a child process."""

import json
from typing import ClassVar

import msgspec

from curate.corpus.documents import Rows
from curate.corpus.formats.format import Looked
from curate.corpus.formats.plain_text import FileContent, WholeFileFormat
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.quarantine import Quarantined
from curate.html.children import Job, read_pages

CPU_SECONDS = 300.0
"""Of processor time for one document: fifty times what a book of a thousand pages takes."""
_ZIP = b"PK\x03\x04"
_FIRST_NAME = 30  # where the name of its first member stands in a zip


class DocumentFile(WholeFileFormat):
    """A document that a library reads."""

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """Nothing: whether it can be read is seen when it is read."""
        return Looked(file)

    def parse(self, piece: FileContent, rows: Rows) -> None:
        """The one document, with what it says of itself as metadata."""
        file, job = piece.file, Job(json.dumps([self.name, {}, CPU_SECONDS]))
        [answer] = read_pages([piece.data], job)
        text = answer.text.decode()
        if answer.outcome == "took_too_long":
            fault = "took_too_long", f"more than {CPU_SECONDS:g} s of processor time"
        elif answer.outcome == "failed":
            fault = "corrupt_file", f"not readable as {self.about}: {text or 'the library that reads it crashed'}"
        elif not text:
            fault = "no_text", "it may hold pictures of text" if self.name == "pdf" else "no text in it"
        else:
            rows.add(file.name, 1, text, file.default_source, **msgspec.json.decode(answer.title))
            return
        rows.quarantined.append(Quarantined(file.name, 1, None, *fault, piece.data))


class Epub(DocumentFile):
    """Books."""

    name: ClassVar[str] = "epub"
    about: ClassVar[str] = "EPUB"
    suffixes: ClassVar[tuple[str, ...]] = (".epub",)

    def admits(self, head: bytes) -> bool:
        """Any zip: many books have their members in another order, or compress the first one."""
        return head.startswith(_ZIP)

    def recognizes(self, head: bytes) -> bool:
        """Its first member says so."""
        return head.startswith(_ZIP) and b"mimetypeapplication/epub+zip" in head[_FIRST_NAME : _FIRST_NAME + 100]


class Docx(DocumentFile):
    """Documents of Word."""

    name: ClassVar[str] = "docx"
    about: ClassVar[str] = "DOCX"
    suffixes: ClassVar[tuple[str, ...]] = (".docx",)

    def admits(self, head: bytes) -> bool:
        """Any zip: members may be in any order."""
        return head.startswith(_ZIP)

    def recognizes(self, head: bytes) -> bool:
        """Its first members say so."""
        begins = head[_FIRST_NAME:].startswith((b"[Content_Types].xml", b"word/", b"_rels/", b"docProps/"))
        return head.startswith(_ZIP) and begins and b"word/" in head


class Pdf(DocumentFile):
    """The text layer of PDF."""

    name: ClassVar[str] = "pdf"
    about: ClassVar[str] = "PDF"
    suffixes: ClassVar[tuple[str, ...]] = (".pdf",)

    def recognizes(self, head: bytes) -> bool:
        """By its first bytes."""
        return head.startswith(b"%PDF-")
