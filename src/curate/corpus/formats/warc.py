"""WARC and WET files of web crawls: captured pages, or their text, are documents.

Responses (HTTP 200), resources and conversions that hold HTML or text are read. All other records are passed over by
their nature, and counted by reason: no document is lost with them.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple

from fastwarc.warc import WarcRecord
from zlib_ng import zlib_ng

from curate.corpus.documents import Rows
from curate.corpus.encoding import decoded
from curate.corpus.formats.format import Format, Looked, Span, Step, span
from curate.corpus.formats.line_file import stored_spans
from curate.corpus.formats.warc_records import RawRecord, WarcReader
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.memory import too_large
from curate.corpus.quarantine import Quarantined
from curate.html.declared import as_browsers_read, charset, declared
from curate.html.pages import CONTENT_TYPE

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_READ = _HTML | {"text/plain"}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_SAID = {
    "url": "warc-target-uri",
    "date": "warc-date",
    "digest": "warc-payload-digest",
    "truncated": "warc-truncated",
    "language": "warc-identified-content-language",
}
"""Field of the metadata → header of the record."""
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
    mends: ClassVar[bool] = True

    def recognizes(self, head: bytes) -> bool:
        """It begins with a record."""
        return re.match(rb"WARC/[01]\.\d", head) is not None

    def inspect(self, file: InputFile, head: bytes, settings: InputSettings) -> Looked:  # noqa: ARG002
        """Records are found to be none when they are read."""
        return Looked(file)

    def split(self, file: InputFile, part_bytes: int) -> Iterator[tuple[Span, ...]]:
        """One strand of all parts: records are found one after another."""
        if file.compression:
            yield tuple(stored_spans(file, part_bytes))
        else:
            starts = range(0, file.size, part_bytes)
            yield tuple(
                span(file, at, min(at + part_bytes, file.size), 1, min(part_bytes, file.size - at)) for at in starts
            )

    def read(self, span: Span, chunk_bytes: int) -> Iterator[Step]:  # noqa: ARG002
        """Records that may be documents, and entries for all others."""
        yield from WarcReader(span.file).steps()

    def parse(self, piece: RawRecord, rows: Rows) -> None:
        """The page or text of a record, with what the record and the page say of it."""
        try:
            found = _document(piece, rows)
        except OSError as error:
            found = _refused(piece, "bad_record", str(error))
        if found:
            rows.quarantined.append(found)


class _Capture(NamedTuple):
    """A record with its headers as dictionaries; names in lower case."""

    piece: RawRecord
    record: WarcRecord
    headers: Mapping[str, str]
    http: Mapping[str, str]

    @property
    def content_type(self) -> str:
        """What the server said, or the record where there is no server."""
        return (self.http if self.piece.kind == "response" else self.headers).get("content-type", "")

    @property
    def declared_type(self) -> str:
        """What the crawler found the payload to be, else what the server said."""
        told = self.headers.get("warc-identified-payload-type") or self.content_type
        return told.partition(";")[0].strip().lower()


def _document(piece: RawRecord, rows: Rows) -> Quarantined | None:
    """Add the document of a record; else its entry."""
    record = WarcRecord.from_bytes(piece.data)
    capture = _Capture(piece, record, _lowered(record.headers), {})
    if piece.kind == "response":
        if not record.is_http:
            return _passed_over(piece, "not_text", capture.content_type or "no HTTP response")
        record.parse_http(auto_decode="none", quirks_mode=True)
        status = record.http_headers.status_code if record.http_headers else None
        if status != 200:
            return _passed_over(piece, "no_success", f"HTTP status {status}" if status else "no HTTP status")
        capture = capture._replace(http=_lowered(record.http_headers))
    kind = capture.declared_type
    if kind not in _READ and not _is_vague(kind):
        return _passed_over(piece, "not_text", kind)
    payload = _payload(capture)
    if len(payload) > piece.file.longest_document:
        return too_large(piece.file, piece.position, None, len(payload), payload)
    if not payload:
        return _passed_over(piece, "not_text", "no content")
    if kind not in _READ:
        if not _LOOKS_LIKE_HTML.match(payload[:8192]):
            return _passed_over(piece, "not_text", kind or "unknown")
        kind = "text/html"
    page = decoded(payload, _charset(capture, payload, kind))
    if page is None:
        return _refused(piece, "undecodable", "the bytes are no text in any encoding")
    said = declared(page.text)._asdict() if kind in _HTML else {}
    rows.add(
        piece.file.name,
        piece.position,
        page.text,
        piece.file.default_source,
        own_id=capture.headers.get("warc-record-id", "").strip(" <>"),
        **{**said, **_said(capture.headers), CONTENT_TYPE: kind, "encoding": page.encoding or None},
    )
    return None


def _lowered(headers: Any) -> dict[str, str]:
    """Headers by name; of several of a name the first."""
    return {name.lower(): value for name, value in reversed(headers.astuples())}


def _payload(capture: _Capture) -> bytes:
    """The body as the server meant it, up to what a document may have and one byte more.

    Many archives hold bodies that were taken apart or unpacked before, under headers that still speak of chunks or of
    gzip: where the body is not as its header says, it is taken as the header's other half has it, then as it is.
    """
    most = capture.piece.file.longest_document + 1
    body = bytes(capture.record.reader.read())  # no more than the record
    http = capture.http
    if not body or not ("transfer-encoding" in http or "content-encoding" in http):
        return body
    for decode in ("all", "content", "transfer") if not _is_broken_gzip(body, http, most) else ():
        whole = WarcRecord.from_bytes(capture.piece.data)
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


def _is_broken_gzip(body: bytes, http: Mapping[str, str], most: int) -> bool:
    """Whether a body is gzip that contradicts itself, of which FastWARC gives what comes before that."""
    if not body.startswith(_PACKED[0]) or "transfer-encoding" in http:
        return False
    try:
        zlib_ng.decompressobj(31).decompress(body, most)
    except zlib_ng.error:  # type: ignore[misc]
        return True
    return False


def _is_vague(kind: str) -> bool:
    return "/" not in kind or kind in {"application/octet-stream", "unknown/unknown"}


def _charset(capture: _Capture, payload: bytes, kind: str) -> str:
    """The encoding that the header names, else the page."""
    named = _CHARSET.search(capture.content_type)
    return (as_browsers_read(named[1]) if named else "") or (charset(payload) if kind in _HTML else "")


def _said(headers: Mapping[str, str]) -> dict[str, Any]:
    """What the record says of the page; the address and date of the capture win over the page's own."""
    return {key: told.strip(" <>") for key, name in _SAID.items() if (told := headers.get(name))}


def _passed_over(piece: RawRecord, reason: str, detail: str) -> Quarantined:
    return Quarantined(piece.file.name, piece.position, None, reason, detail, lost_documents=0)


def _refused(piece: RawRecord, reason: str, detail: str) -> Quarantined:
    return Quarantined(piece.file.name, piece.position, None, reason, detail, piece.data)
