"""The encoding of text: byte order mark, then what is declared, then strict UTF-8, then detection.

Bytes that are no text in any of them stay bytes, for quarantine. UTF-8 with some damage is no other encoding, although
others can read it: complete multi-byte characters show that it is UTF-8.
"""

import codecs
import functools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from curate.corpus.quarantine import Damaged

UTF8 = ""
"""How UTF-8 is called where an encoding is noted: it is the usual one."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ANY_MARK = tuple(mark for mark, _ in _MARKS)
_WIDE = ("utf-16", "utf-32")
_LIKE_ASCII = frozenset({"windows-1252", "iso8859-15", "cp1250", "cp1251", "koi8-r"})
"""Encodings that Python reads by a table, in which ASCII is itself."""
_ZEROS = (
    ("utf-32-le", 4, (1, 2, 3), 0),
    ("utf-32-be", 4, (0, 1, 2), 3),
    ("utf-16-le", 2, (1,), 0),
    ("utf-16-be", 2, (0,), 1),
)
"""Bytes of a character, those of them that are zero in Latin text, and one that is not."""
_LOOKED_AT = 1 << 20  # bytes of a text; detection slows down on long ones and gets no surer
_ODD_LINES = 3  # with bytes that are no UTF-8: fewer are damage of these lines
_CONTROLS = dict.fromkeys([*range(9), 14, 15, *range(16, 27), *range(28, 32), *range(0x7F, 0xA0)])
_FEW_CONTROLS = 1000  # characters, of which one may be a control character that no text has


class Decoded(NamedTuple):
    """A text, and the encoding that held; `UTF8` for UTF-8."""

    text: str
    encoding: str


def decoded(data: bytes, declared: str = "") -> Decoded | None:
    r"""The text that bytes are; None where they are text in no encoding.

    Args:
        data: all bytes of a text.
        declared: what its source says of the encoding; empty: nothing.

    Example:
        >>> decoded(b"\xff\xfeh\0i\0"), decoded("Gr\xfc\xdfe aus K\xf6ln".encode("cp1252")), decoded(b"\x89PNG\0\0")
        (Decoded(text='hi', encoding='utf-16-le'), Decoded(text='Grüße aus Köln', encoding='windows-1252'), None)
    """
    if data.startswith(_ANY_MARK):
        mark, named = next((mark, name) for mark, name in _MARKS if data.startswith(mark))
        text = _tried(data.removeprefix(mark), "utf-8" if named == "utf-8-sig" else named)
        if text is not None:
            return Decoded(text, UTF8 if named == "utf-8-sig" else named)
    told = _known(declared)
    if told.startswith(_WIDE) and b"\0" not in data:  # many pages in UTF-8 say so of themselves
        told = ""
    for name in (told, "utf-8"):
        text = _tried(data, name) if name else None
        if text is not None:
            return Decoded(text, UTF8 if name == "utf-8" else name)
    name = _wide(data) or _detected(data)
    text = _tried(data, name) if name else None
    return Decoded(text, name) if text is not None and is_clean(text) else None


def encoding_of_lines(head: bytes) -> str:
    """The encoding of a file of lines that begins like this, where it is certainly not UTF-8; else `UTF8`.

    A line or two with odd bytes are damage of these lines, not the encoding of the file.
    """
    mark = next((name for mark, name in _MARKS if head.startswith(mark)), "")
    if mark:
        return UTF8 if mark == "utf-8-sig" else mark
    if wide := _wide(head):
        return wide
    lines = head.split(b"\n")[: None if len(head) < 1 << 16 else -1]
    if sum(_tried(line, "utf-8") is None for line in lines) < _ODD_LINES:
        return UTF8
    name = _detected(head)
    text = head.decode(name, "replace") if name else ""
    return name if name and is_clean(text) else UTF8


def transcoded(source: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    r"""The same text in UTF-8, without its byte order mark; as many pieces as came.

    Bytes that the encoding does not have stay as they are, so that they cost their line alone.

    Raises:
        Damaged: it is not of that encoding.

    Example:
        >>> list(transcoded([b"caf\xe9\n", b"\x81\n"], "windows-1252"))
        [b'caf\xc3\xa9\n', b'\x81\n']
    """
    decoder, begun = codecs.getincrementaldecoder(encoding)("surrogateescape"), False
    try:
        for data in source:
            text = decoder.decode(data)
            if text and not begun:
                text, begun = text.removeprefix("\ufeff"), True
            yield text.encode(errors="surrogateescape")
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise Damaged("corrupt_file", f"not {encoding}: {error}") from error


def is_clean(text: str) -> bool:
    """Whether a text is free of the control characters that decoding with a wrong encoding makes, but for a few."""
    if not text:
        return False
    found = len(text) - len(text.translate(_CONTROLS))
    return "\0" not in text and found * _FEW_CONTROLS <= len(text)


def _tried(data: bytes, name: str) -> str | None:
    try:
        return data.decode("ascii" if name in _LIKE_ASCII and data.isascii() else name)
    except (UnicodeError, LookupError):
        return None


@functools.lru_cache(maxsize=256)
def _known(declared: str) -> str:
    """The name of an encoding of text that is declared; empty where Python knows none."""
    try:
        found = codecs.lookup(declared.strip().strip("\"'"))
    except (LookupError, ValueError):
        return ""
    name = {"cp1252": "windows-1252"}.get(found.name, found.name)
    return name if getattr(found, "_is_text_encoding", True) else ""


def _wide(data: bytes) -> str:
    """UTF-16 or UTF-32 without a mark: in Latin text the same bytes of nearly every character are zero."""
    head = data[:4096]
    for name, width, zero, other in _ZEROS:
        count = len(head) // width
        zeros = [head[place : count * width : width].count(0) for place in range(width)]
        if count > 3 and all(zeros[place] > count * 0.8 for place in zero) and zeros[other] < count * 0.1:
            return name
    return ""


def _detected(data: bytes) -> str:
    """What resiliparse takes the bytes for, unless they are UTF-8 with some damage; empty: nothing."""
    from resiliparse.parse.encoding import detect_encoding

    head = data[:_LOOKED_AT]
    read = head.decode(errors="replace")
    odd = read.count("\N{REPLACEMENT CHARACTER}")
    if sum(ord(letter) > 127 for letter in read) - odd > odd or b"\0" in head:
        return ""
    name = _known(detect_encoding(head) or "")
    return name if name not in {"utf-8", "ascii"} else ""
