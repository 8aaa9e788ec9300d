"""What a page says of itself in its first bytes: encoding, language, title, address, date."""

import codecs
import functools
import html
import re
from typing import NamedTuple

HEAD = 16 * 1024
"""Bytes of a page in which it is looked for; characters, of its text."""
_CHARSET = re.compile(rb"""<meta\b[^>]{0,500}?\bcharset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_XML = re.compile(rb"""\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([\w.:-]{1,40})""", re.IGNORECASE)
_LANGUAGE = re.compile(
    r"""<html\b[^>]{0,1000}?\blang\s*=\s*["']?([A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3})""", re.IGNORECASE
)
_TITLE = re.compile(r"<title\b[^>]{0,200}>(.{0,2000}?)</title", re.IGNORECASE | re.DOTALL)
_ADDRESS = re.compile(r"<link\b([^>]{0,1000})>", re.IGNORECASE)
_CANONICAL = re.compile(r"""\brel\s*=\s*["']?canonical\b""", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s*=\s*["']?([^"'\s>]{1,2000})""", re.IGNORECASE)
_META = re.compile(r"<meta\b([^>]{0,1000})>", re.IGNORECASE)
_DATE = re.compile(
    r"""\b(?:name|property|itemprop)\s*=\s*["']?(?:article:published_time|datePublished|date|dc\.date)\b""",
    re.IGNORECASE,
)
_END = re.compile("</(?:head|HEAD)|<(?:body|BODY)")
_DATE_WORDS = ("published_time", "datePublished", 'date"', "date'", "dc.date", "DC.date")
_CONTENT = re.compile(r"""\bcontent\s*=\s*(?:"([^"]{1,200})"|'([^']{1,200})')""", re.IGNORECASE)
_NO_CHARSETS = frozenset({"undefined", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7"})
"""Names that Python knows as encodings and browsers do not; scripts that fail write ``undefined``."""


class Declared(NamedTuple):
    """What a page declares; None where it does not."""

    title: str | None
    language: str | None
    url: str | None
    date: str | None


@functools.lru_cache(maxsize=256)
def as_browsers_read(name: str) -> str:
    """Python's name of an encoding that is named on the web, where Latin-1 is Windows-1252; empty: nobody knows it.

    Example:
        >>> as_browsers_read("latin1"), as_browsers_read("UTF8"), as_browsers_read("no-such-thing")
        ('windows-1252', 'utf-8', '')
    """
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    if found in _NO_CHARSETS:
        return ""
    return "windows-1252" if found in {"iso8859-1", "ascii", "cp1252"} else found


def charset(data: bytes) -> str:
    """The encoding that a page declares in a ``meta`` element or as XML; empty where it does not.

    Example:
        >>> charset(b'<html><meta http-equiv=x content="text/html; charset=koi8-r">')
        'koi8-r'
    """
    head = data[:HEAD]
    found = _XML.match(head) or _CHARSET.search(head)
    return as_browsers_read(found[1].decode("ascii", "replace")) if found else ""


def declared(page: str) -> Declared:
    """What a page says of itself.

    Example:
        >>> declared('<html lang=de><title>Gr&uuml;n</title><link rel=canonical href="https://x.example/a">')
        Declared(title='Grün', language='de', url='https://x.example/a', date=None)
    """
    end = _END.search(page, 1, HEAD)
    head = page[: end.start() if end else HEAD]
    title, language, url, date = _TITLE.search(head), _LANGUAGE.search(head), None, None
    if "canonical" in head:
        links = (link for link in _ADDRESS.findall(head) if _CANONICAL.search(link))
        url = next((href[1] for link in links if (href := _HREF.search(link))), None)
    if ("date" in head or "published_time" in head) and any(word in head for word in _DATE_WORDS):
        metas = (meta for meta in _META.findall(head) if _DATE.search(meta))
        date = next((found[1] or found[2] for meta in metas if (found := _CONTENT.search(meta))), None)
    return Declared(
        (title and " ".join(html.unescape(title[1]).split())) or None,
        language and language[1],
        url and html.unescape(url),
        date and html.unescape(date),
    )
