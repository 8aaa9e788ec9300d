"""Plain text and Markdown: a file is one document, or each of its lines is."""

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import msgspec

from curate.corpus.compression import blocks
from curate.corpus.documents import Rows
from curate.corpus.formats.format import Format, Looked, Span, Step
from curate.corpus.formats.line_file import LineFormat
from curate.corpus.input import InputFile, InputSettings, Problem
from curate.corpus.lines import BOM, Lines, split
from curate.corpus.memory import too_large
from curate.corpus.quarantine import KEPT_BYTES, Damaged, Quarantined

_READ = 1024 * 1024


class FileContent(NamedTuple):
    """The whole content of one file."""

    file: InputFile
    data: bytes

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        return len(self.data)


class WholeFileFormat(Format):
    """A file is one document; subclasses parse `FileContent`."""

    one_document: ClassVar[bool] = True

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:  # noqa: ARG002
        """The content, or why it cannot be had."""
        yield Step(0, content(span.file), span.bytes)


class TextDocument(WholeFileFormat):
    """A file of text is one document."""

    name: ClassVar[str] = "text"
    about: ClassVar[str] = "plain text and Markdown"
    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".text", ".md", ".markdown")

    def variant(self, settings: InputSettings) -> str:
        """Files of text can be read line by line."""
        return TextLines.name if settings.text_files == "lines" else self.name

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """Whether it may be text."""
        return Looked(msgspec.structs.replace(file, problem=wide_characters(head)))

    def parse(self, piece: FileContent, rows: Rows) -> None:
        """The one document."""
        _append(piece.file, 1, 0, piece.data.removeprefix(BOM), rows)


class TextLines(LineFormat):
    """Each line of a file of text is a document."""

    name: ClassVar[str] = "lines"
    about: ClassVar[str] = "plain text and Markdown, a document a line"

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """Whether it may be text."""
        return Looked(msgspec.structs.replace(file, problem=wide_characters(head)))

    def parse(self, piece: Lines, rows: Rows) -> None:
        """Each line that is not blank, without its line end."""
        file = piece.file
        for position, (start, line) in enumerate(split(piece), piece.first_line):
            if len(line) > file.longest_document:
                rows.quarantined.append(too_large(file, position, start, len(line), bytes(line[:KEPT_BYTES])))
            elif (data := bytes(line)) and not data.isspace():
                _append(file, position, start, data.removesuffix(b"\r"), rows)


def content(file: InputFile) -> FileContent | Quarantined | None:
    """The content of ``file``, or why it cannot be had; None when it holds nothing at all."""
    pieces: list[bytes] = []
    length = 0
    try:
        for block in blocks(file, 0, file.size, _READ):
            length += len(block.data)
            pieces.append(block.data)
            if length > file.longest_document:
                pieces = [b"".join(pieces)[:KEPT_BYTES]]
    except Damaged as damage:
        return Quarantined(file.name, 1, 0, damage.reason, damage.detail, b"".join(pieces)[:KEPT_BYTES])
    if length > file.longest_document:
        return too_large(file, 1, 0, length, b"".join(pieces))
    return FileContent(file, b"".join(pieces)) if length else None


def wide_characters(head: bytes) -> Problem | None:
    """UTF-16 or UTF-32, by its byte order mark or by its many zero bytes."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head.count(0) * 4 > len(head):
        hint = "convert it with `iconv -f UTF-16 -t UTF-8`"
        return Problem("undecodable", f"the file looks like UTF-16 or UTF-32, not UTF-8; {hint}")
    return None


def _append(file: InputFile, position: int, start: int, data: bytes, rows: Rows) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        detail = f"not UTF-8: {error.reason} at byte {start + error.start}"
        rows.quarantined.append(Quarantined(file.name, position, start, "undecodable", detail, data))
        return
    rows.add(file.name, position, text, file.default_source)
