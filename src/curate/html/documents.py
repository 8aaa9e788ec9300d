"""EPUB, DOCX and PDF: the text of a file that is one document, and what it says of itself.

Runs in a child process (`curate.html.serving`) only: PDFium is native code over whatever anyone wrote, and XML can
be made to grow without end. XML that declares entities is refused before it is parsed.
"""

import codecs
import io
import json
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from curate.html.declared import charset
from curate.html.extractors import Extracted

_MOST_BYTES = 1 << 29
"""Of what comes of the members of one document."""
_MOST_ELEMENTS = 2_000_000
"""Of XML in a DOCX. For each mammoth takes 0.8 kB of memory and 10 µs; a thousand pages have half a million."""
_HYPHEN = re.compile("[\ufffe\x02]\r?\n?")
"""How PDFium tells a hyphen at the end of a line that is none in the word."""
_LAID_OUT: dict[str, Any] = {
    "main_content": False,
    "alt_texts": False,
    "links": False,
    "form_fields": False,
    "noscript": False,
}
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_CONTAINER = "META-INF/container.xml"
_CORE = "docProps/core.xml"


class UnreadableError(Exception):
    """The document cannot be read; says why, in words for people."""


def reader(kind: str) -> Callable[[bytes], Extracted]:
    """What reads documents of a kind: their text, and a JSON object of what they say of themselves.

    Args:
        kind: ``epub``, ``docx`` or ``pdf``.
    """
    return {"epub": _epub, "docx": _docx, "pdf": _pdf}[kind]


def _text_of(html: str) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    return str(extract_plain_text(html, **_LAID_OUT))


def _epub(data: bytes) -> Extracted:
    """The chapters in the order of the spine."""
    book = _Zip(data)
    package = next((one.get("full-path", "") for one in _named(_xml(book.read(_CONTAINER)), "rootfile")), "")
    root = _xml(book.read(package))
    places = {one.get("id"): one.get("href", "") for one in _named(root, "item") if not _is_picture(one)}
    chapters = []
    for one in _named(root, "itemref"):
        href = unquote(places.get(one.get("idref"), "").partition("#")[0])
        if href and one.get("linear") != "no":
            page = book.read(posixpath.normpath(posixpath.join(posixpath.dirname(package), href)))
            chapters.append(_text_of(_decoded(page, href)))
    said = {key: next((one.text for one in _named(root, key) if one.text), None) for key in _SAID}
    return _extracted("\n\n".join(filter(None, chapters)), said)


def _is_picture(item: ET.Element) -> bool:
    return item.get("media-type", "").partition("/")[0] in {"image", "audio", "video"}


def _decoded(page: bytes, name: str) -> str:
    """A chapter by its byte order mark, as UTF-8, or by what it declares."""
    mark = next((name for mark, name in _MARKS.items() if page.startswith(mark)), "")
    for encoding in filter(None, (mark, "utf-8", charset(page))):
        with suppress(UnicodeError):
            return page.decode(encoding)
    raise UnreadableError(f"`{name}` is not text in UTF-8, nor in the encoding that it declares")


def _docx(data: bytes) -> Extracted:
    """The text as HTML would have it: headings, lists and tables; no pictures."""
    import mammoth

    document, elements = _Zip(data), 0
    for name in document.names:
        if name.endswith((".xml", ".rels")):
            part = document.read(name)
            _refuse_entities(part)
            elements += part.count(b"<") - part.count(b"</")
            if elements > _MOST_ELEMENTS:
                raise UnreadableError(f"it has more than {_MOST_ELEMENTS:,} elements of XML")
    made = mammoth.convert_to_html(io.BytesIO(data), convert_image=mammoth.images.img_element(lambda _: {"src": ""}))
    said: dict[str, str | None] = {}
    if _CORE in document.names:
        root = _xml(document.read(_CORE))
        said = {key: next((one.text for one in _named(root, key) if one.text), None) for key in _SAID}
        said["date"] = next((one.text for one in _named(root, "created")), None)
    return _extracted(_text_of(f"<body>{made.value}</body>"), said)


def _pdf(data: bytes) -> Extracted:
    """The text layer, page by page."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnreadableError("it is encrypted") from error
        raise
    pages, size = [], 0
    for page in document:
        text = page.get_textpage().get_text_bounded()
        pages.append(_HYPHEN.sub("", text).replace("\r\n", "\n").strip())
        size += len(pages[-1])
        if size > _MOST_BYTES:
            raise UnreadableError("its text grows without end")
    said = document.get_metadata_dict(skip_empty=True)
    known = {"title": said.get("Title"), "creator": said.get("Author"), "date": said.get("CreationDate")}
    return _extracted("\n\n".join(filter(None, pages)), known)


_SAID = ("title", "creator", "language", "date")


def _extracted(text: str, said: dict[str, str | None]) -> Extracted:
    clean = {key: " ".join(value.split()) for key, value in said.items() if value and value.strip()}
    return Extracted(text.strip(), json.dumps(clean, ensure_ascii=False))


class _Zip:
    """The members of a document, so many bytes of them in all and no more."""

    def __init__(self, data: bytes) -> None:
        self._file = zipfile.ZipFile(io.BytesIO(data))
        infos = self._file.infolist()
        if sum(info.file_size for info in infos) > _MOST_BYTES:
            raise UnreadableError(f"it expands to more than {_MOST_BYTES:,} bytes")
        if any(info.flag_bits & 1 for info in infos):
            raise UnreadableError("it is encrypted")
        self.names = frozenset(info.filename for info in infos)

    def read(self, name: str) -> bytes:
        if name not in self.names:
            raise UnreadableError(f"it has no `{name}`")
        return self._file.read(name)


def _refuse_entities(data: bytes) -> None:
    if b"<!ENTITY" in data or b"<!ENTITY".decode().encode("utf-16-le") in data:
        raise UnreadableError("its XML declares entities")


def _xml(data: bytes) -> ET.Element:
    _refuse_entities(data)
    return ET.fromstring(data)  # noqa: S314  (entities were refused)


def _named(root: ET.Element, name: str) -> Iterator[ET.Element]:
    """Elements by their name, whatever their namespace."""
    return (one for one in root.iter() if isinstance(one.tag, str) and one.tag.rpartition("}")[2] == name)
