"""WARC and WET files of web crawls: captured pages, or their text, are documents.

Responses (HTTP 200), resources and conversions that hold HTML or text are read. All other records are passed over by
their nature, and counted by reason: no document is lost with them.
"""

import functools
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar

from fastwarc.warc import WarcRecord
from zlib_ng import zlib_ng

from curate.corpus.documents import Rows
from curate.corpus.encoding import UTF8, Decoded, decoded
from curate.corpus.formats.format import Format, Looked, Span, Step
from curate.corpus.formats.line_file import stored_spans
from curate.corpus.formats.warc_header import Headers, headers
from curate.corpus.formats.warc_records import RawRecord, Records, WarcReader
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.lines import BOM
from curate.corpus.memory import too_large
from curate.corpus.quarantine import Quarantined
from curate.html.declared import HEAD, as_browsers_read, charset, declared
from curate.html.pages import CONTENT_TYPE

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_READ = _HTML | {"text/plain"}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_SAID = {
    "url": b"warc-target-uri",
    "date": b"warc-date",
    "digest": b"warc-payload-digest",
    "truncated": b"warc-truncated",
    "language": b"warc-identified-content-language",
}
"""Field of the metadata → header of the record."""
_PLAIN = frozenset({"", "utf-8"})
"""Encodings that text in ASCII need not be decoded from."""
_STATUS = re.compile(rb"HTTP/[^ \n]* (\d{1,5})(?![^ \r\n])")
_STEP = 256 * 1024
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
"""How bodies begin that are packed still: gzip, zstd."""
_LOOKS_LIKE_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?><!--.{0,4000}?-->\s*)*<(?:!doctype|html|head|body|title)\b",
    re.IGNORECASE | re.DOTALL,
)


class Warc(Format):
    """WARC and WET files, each record with a page or a text being a document."""

    name: ClassVar[str] = "warc"
    about: ClassVar[str] = "WARC (web archive)"
    suffixes: ClassVar[tuple[str, ...]] = (".warc", ".wet")
    version: ClassVar[int] = 2
    mends: ClassVar[bool] = True

    def recognizes(self, head: bytes) -> bool:
        """It begins with a record."""
        return re.match(rb"WARC/[01]\.\d", head) is not None

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """Records are found to be none when they are read."""
        return Looked(file)

    def split(self, file: InputFile, part_bytes: int) -> Iterator[tuple[Span, ...]]:
        """One strand of all parts: records are found one after another."""
        yield tuple(stored_spans(file, part_bytes))

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:  # noqa: ARG002
        """Records that may be documents, and entries for all others."""
        yield from WarcReader(span.file).steps()

    def parse(self, piece: Records, rows: Rows) -> None:
        """The page or text of each record, with what the record and the page say of it."""
        for record in piece.found:
            if isinstance(record, Quarantined):
                rows.quarantined.append(record)
                continue
            try:
                found = _document(record, rows)
            except OSError as error:
                found = _refused(record, "bad_record", str(error))
            if found:
                rows.quarantined.append(found)


def _document(piece: RawRecord, rows: Rows) -> Quarantined | None:
    """Add the document of a record; else its entry."""
    told, served = piece.headers, piece.headers
    content_type = told.get(b"content-type", b"")
    if piece.kind == "response":
        if _media_type(content_type) != "application/http":
            return _passed_over(piece, "not_text", _text(content_type) or "no HTTP response")
        head = piece.served
        status = _STATUS.match(head)
        if status is None or status[1] != b"200":
            return _passed_over(piece, "no_success", f"HTTP status {int(status[1])}" if status else "no HTTP status")
        served = headers(head)
        content_type = served.get(b"content-type", b"")
    kind = _media_type(told.get(b"warc-identified-payload-type") or content_type)
    if kind not in _READ and not _is_vague(kind):
        return _passed_over(piece, "not_text", kind)
    payload = piece.body
    if payload and (b"transfer-encoding" in served or b"content-encoding" in served):
        payload = _unpacked(piece, served)
    if len(payload) > piece.file.longest_document:
        return too_large(piece.file, piece.position, None, len(payload), payload)
    if not payload:
        return _passed_over(piece, "not_text", "no content")
    if kind not in _READ:
        if not _LOOKS_LIKE_HTML.match(payload[:8192]):
            return _passed_over(piece, "not_text", kind or "unknown")
        kind = "text/html"
    named = _charset(content_type, payload, kind)
    if named in _PLAIN and payload.isascii():
        page = Decoded(payload[:HEAD].decode("ascii"), UTF8)
    elif (read := decoded(payload, named)) is None:
        return _refused(piece, "undecodable", "the bytes are not text in any known encoding")
    else:
        page = read
    said: dict[str, str | None] = declared(page.text)._asdict() if kind in _HTML else {}
    for key, name in _SAID.items():  # the address and date of the capture win over the page's own
        if value := told.get(name):
            said[key] = _text(value).strip(" <>")
    said[CONTENT_TYPE] = kind
    if page.encoding:
        said["encoding"] = page.encoding
    own_id = _text(told.get(b"warc-record-id", b"")).strip(" <>")
    text = page.text if page.encoding or payload.startswith(BOM) else payload
    rows.add(piece.file.name, piece.position, text, piece.file.default_source, own_id, **said)
    return None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


@functools.lru_cache(maxsize=256)
def _media_type(content_type: bytes) -> str:
    return _text(content_type.partition(b";")[0].strip().lower())


@functools.lru_cache(maxsize=256)
def _named(content_type: bytes) -> str:
    """The encoding that a header names."""
    named = _CHARSET.search(_text(content_type)) if b"=" in content_type else None
    return as_browsers_read(named[1]) if named else ""


def _unpacked(piece: RawRecord, served: Headers) -> bytes:
    """The body as the server meant it, up to what a document may have and one byte more.

    Many archives hold bodies that were taken apart or unpacked before, under headers that still speak of chunks or of
    gzip: where the body is not as its header says, it is taken as the header's other half has it, then as it is.
    """
    body, most = piece.body, piece.file.longest_document + 1
    content = piece.served + body
    record = b"WARC/1.1\r\nContent-Type: application/http\r\nContent-Length: %d\r\n\r\n" % len(content) + content
    for decode in ("all", "content", "transfer") if not _is_broken_gzip(body, served, most) else ():
        whole = WarcRecord.from_bytes(record)
        with suppress(OSError):
            whole.parse_http(auto_decode=decode, quirks_mode=True)
            if unpacked := _bounded(whole.reader, most):
                return unpacked
    if body.startswith(_PACKED):
        raise OSError("its body is damaged")
    return body


def _bounded(reader: Any, most: int) -> bytes:
    """What a reader gives, but for what is beyond ``most`` bytes."""
    pieces, left = list[bytes](), most
    while left and (piece := reader.read(min(left, _STEP))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _is_broken_gzip(body: bytes, served: Headers, most: int) -> bool:
    """Whether a body is gzip that contradicts itself, of which FastWARC gives what comes before that."""
    if not body.startswith(_PACKED[0]) or b"transfer-encoding" in served:
        return False
    try:
        zlib_ng.decompressobj(31).decompress(body, most)
    except zlib_ng.error:  # type: ignore[misc]
        return True
    return False


def _is_vague(kind: str) -> bool:
    return "/" not in kind or kind in {"application/octet-stream", "unknown/unknown"}


def _charset(content_type: bytes, payload: bytes, kind: str) -> str:
    """The encoding that the header names, else the page."""
    return _named(content_type) or (charset(payload) if kind in _HTML else "")


def _passed_over(piece: RawRecord, reason: str, detail: str) -> Quarantined:
    return Quarantined(piece.file.name, piece.position, None, reason, detail, lost_documents=0)


def _refused(piece: RawRecord, reason: str, detail: str) -> Quarantined:
    return Quarantined(piece.file.name, piece.position, None, reason, detail, piece.head + piece.body)
