"""Plain text and Markdown: a file is one document, or each of its lines is."""

from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple

import msgspec

from curate.corpus.compression import STORED_STEP, Block, blocks
from curate.corpus.documents import Rows
from curate.corpus.encoding import decoded
from curate.corpus.formats.format import Format, Looked, Span, Step
from curate.corpus.formats.line_file import LineFormat, stored_spans
from curate.corpus.input import InputFile, InputSettings
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
        """Files of text can be read line by line, or up to a separator."""
        return {"file": self.name, "line": TextLines.name}.get(settings.split, SeparatedText.name)

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """Nothing: what its encoding is, the whole text tells."""
        return Looked(file)

    def parse(self, piece: FileContent, rows: Rows) -> None:
        """The one document."""
        found = decoded(piece.data)
        if found:
            rows.add(piece.file.name, 1, found.text, piece.file.default_source, encoding=found.encoding or None)
        else:
            rows.quarantined.append(_undecodable(piece.file, 1, 0, piece.data))


class TextLines(LineFormat):
    """Each line of a file of text is a document."""

    name: ClassVar[str] = "lines"
    about: ClassVar[str] = "plain text and Markdown, one document per line"
    encoded: ClassVar[bool] = True

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """Nothing more."""
        return Looked(file)

    def parse(self, piece: Lines, rows: Rows) -> None:
        """Each line that is not blank, without its line end."""
        file = piece.file
        for position, (start, line) in enumerate(split(piece), piece.first_line):
            if len(line) > file.longest_document:
                rows.quarantined.append(too_large(file, position, start, len(line), bytes(line[:KEPT_BYTES])))
            elif (data := bytes(line)) and not data.isspace():
                _append(file, position, start, data.removesuffix(b"\r"), rows)


class TextPiece(NamedTuple):
    """What stands between two separators."""

    file: InputFile
    position: int
    """Number of the piece, counted from 1."""
    first_byte: int
    data: bytes

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        return len(self.data)


class SeparatedText(Format):
    """Documents of a file of text with a separator between them."""

    name: ClassVar[str] = "pieces"
    about: ClassVar[str] = "plain text and Markdown, with a separator between documents"
    encoded: ClassVar[bool] = True

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """The separator is kept: reading needs it."""
        return Looked(msgspec.structs.replace(file, options=(settings.split,)))

    def split(self, file: InputFile, part_bytes: int) -> Iterator[tuple[Span, ...]]:
        """One strand: how many documents come before is known from what comes before alone."""
        yield tuple(stored_spans(file, part_bytes))

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:  # noqa: ARG002
        """A piece a document. Blocks have one size: which part it belongs to must not depend on chunks."""
        yield from pieces(span.file, blocks(span.file, 0, span.file.size, STORED_STEP), span.file.options[0].encode())

    def parse(self, piece: TextPiece, rows: Rows) -> None:
        """The document, without the line ends around it."""
        data = piece.data.removeprefix(BOM) if piece.position == 1 else piece.data
        if not data.isspace() and data:
            _append(piece.file, piece.position, piece.first_byte, data.strip(b"\r\n"), rows)


def pieces(file: InputFile, source: Iterable[Block], separator: bytes) -> Iterator[Step]:
    """What stands between separators; what is too long for a document is counted and let go."""
    held, dropped, position, byte, at, looked = bytearray(), 0, 1, 0, 0, 0
    head = b""

    def piece(data: bytes) -> TextPiece | Quarantined:
        if dropped or len(data) > file.longest_document:
            return too_large(file, position, byte, dropped + len(data), (head + data)[:KEPT_BYTES])
        return TextPiece(file, position, byte, data)

    try:
        for block in source:
            yield Step(block.at, None, block.stored)
            at = at if held or dropped else block.at
            held += block.data
            while (end := held.find(separator, looked)) >= 0:
                yield Step(at, piece(bytes(held[:end])))
                byte += dropped + end + len(separator)
                del held[: end + len(separator)]
                position, looked, dropped, at, head = position + 1, 0, 0, block.at, b""
            looked = max(0, len(held) - len(separator) + 1)
            if len(held) > file.longest_document + len(separator):
                head = head or bytes(held[:KEPT_BYTES])
                dropped += looked
                del held[:looked]
                looked = 0
    except Damaged as damage:
        torn = (head + held)[:KEPT_BYTES]
        yield Step(at, Quarantined(file.name, position, byte, damage.reason, damage.detail, torn, None))
    else:
        if held or dropped:
            yield Step(at, piece(bytes(held)))


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


def _append(file: InputFile, position: int, start: int, data: bytes, rows: Rows) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        rows.quarantined.append(_undecodable(file, position, start, data))
        return
    rows.add(file.name, position, text, file.default_source)


def _undecodable(file: InputFile, position: int, start: int, data: bytes) -> Quarantined:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        detail = f"not UTF-8: {error.reason} at byte {start + error.start}, nor clearly another encoding"
    else:  # a mark of another encoding stands before it
        detail = "not what its byte order mark says"
    return Quarantined(file.name, position, start, "undecodable", detail, data)
