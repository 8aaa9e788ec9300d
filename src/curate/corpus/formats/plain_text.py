"""Plain text and Markdown: a file is one document, or each of its lines is."""

from typing import NamedTuple

from curate.corpus.compression import blocks
from curate.corpus.documents import Rows
from curate.corpus.input import InputFile
from curate.corpus.lines import BOM, Lines, split
from curate.corpus.memory import too_large
from curate.corpus.quarantine import KEPT_BYTES, Damaged, Quarantined

_READ = 1024 * 1024


class TextFile(NamedTuple):
    """The whole content of one file."""

    file: InputFile
    data: bytes

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        return len(self.data)


def read(file: InputFile) -> TextFile | Quarantined | None:
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
    return TextFile(file, b"".join(pieces)) if length else None


def parse_file(whole: TextFile, rows: Rows) -> None:
    """Append the one document of a text file to ``rows``."""
    _append(whole.file, 1, 0, whole.data.removeprefix(BOM), rows)


def parse_lines(lines: Lines, rows: Rows) -> None:
    """Append each line that is not blank to ``rows``, without its line end."""
    file = lines.file
    for position, (start, line) in enumerate(split(lines), lines.first_line):
        if len(line) > file.longest_document:
            rows.quarantined.append(too_large(file, position, start, len(line), bytes(line[:KEPT_BYTES])))
        elif (data := bytes(line)) and not data.isspace():
            _append(file, position, start, data.removesuffix(b"\r"), rows)


def _append(file: InputFile, position: int, start: int, data: bytes, rows: Rows) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        detail = f"not UTF-8: {error.reason} at byte {start + error.start}"
        rows.quarantined.append(Quarantined(file.name, position, start, "undecodable", detail, data))
        return
    rows.add(file.name, position, text, file.default_source)
