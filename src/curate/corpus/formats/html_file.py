"""HTML files: a page is one document, its markup as it stands. The stage ``extract`` takes the text out of it."""

import re
from typing import ClassVar

from curate.corpus.documents import Rows
from curate.corpus.encoding import decoded
from curate.corpus.formats.format import Looked
from curate.corpus.formats.plain_text import FileContent, WholeFileFormat
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.quarantine import Quarantined
from curate.html.declared import charset, declared
from curate.html.pages import CONTENT_TYPE

_BEGINS = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?(?><!--.{0,4000}?-->\s*)*<(?:!doctype\s+html|html)[\s>]",
    re.IGNORECASE | re.DOTALL,
)


class HtmlFile(WholeFileFormat):
    """A file of HTML is one document."""

    name: ClassVar[str] = "html"
    about: ClassVar[str] = "HTML"
    suffixes: ClassVar[tuple[str, ...]] = (".html", ".htm", ".xhtml")

    def recognizes(self, head: bytes) -> bool:
        """It begins as pages do."""
        return _BEGINS.match(head) is not None

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """Pages are found to be none when they are read."""
        return Looked(file)

    def parse(self, piece: FileContent, rows: Rows) -> None:
        """The one document, with what it declares of itself as metadata."""
        file = piece.file
        page = decoded(piece.data, charset(piece.data))
        if page is None:
            detail = "the bytes are not text in any known encoding"
            rows.quarantined.append(Quarantined(file.name, 1, 0, "undecodable", detail, piece.data))
            return
        said = declared(page.text)
        known = {**said._asdict(), CONTENT_TYPE: "text/html", "encoding": page.encoding or None}
        rows.add(file.name, 1, page.text, file.default_source, **known)
