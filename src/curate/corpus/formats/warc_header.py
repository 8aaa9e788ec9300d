"""The header of a WARC record, and of what the server sent: fields by name, and where they end."""

import functools
import re
from typing import NamedTuple

MOST_HEADER = 1 << 20
"""Bytes of a header."""
_FOLDED = re.compile(rb"\r?\n[ \t]+")
_MOST_DIGITS = 18

Headers = dict[bytes, bytes]
"""Values by name, names in lower case; of several of a name the first."""


class Header(NamedTuple):
    """What is wanted of the header of a record."""

    length: int | None
    """Bytes after the header; None where it does not say, or says no number."""
    kind: str
    """Its type, in lower case; empty where it has none."""
    identity: bytes
    """What tells the record from others: its id, else all of its header."""
    fields: Headers


def end_of_header(held: bytes, start: int = 0, stop: int | None = None) -> slice | None:
    """Where the empty line behind a header lies, with the line end before it."""
    most = start + MOST_HEADER if stop is None else min(stop, start + MOST_HEADER)
    stop = held.find(b"\n\r\n", start, most)
    bare = held.find(b"\n\n", start, most if stop < 0 else stop + 1)
    at = bare if bare >= 0 else stop
    if at < 0:
        return None
    return slice(at - (held[at - 1 : at] == b"\r"), at + (2 if bare >= 0 else 3))


def headers(block: bytes) -> Headers:
    r"""The fields of a header, without its end. A line that begins with white space goes on with the one before.

    Example:
        >>> headers(b"HTTP/1.1 200 OK\r\nServer: a\r\n b\r\nServer: c\r\nAge:")
        {b'server': b'a b', b'age': b''}
    """
    if b"\n " in block or b"\n\t" in block:
        block = _FOLDED.sub(b" ", block)
    found: Headers = {}
    for line in block.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def header_of(block: bytes) -> Header:
    """What is wanted of a header, without its end."""
    found = headers(block)
    told = found.get(b"content-length", b"")
    length = int(told) if told.isdigit() and len(told) <= _MOST_DIGITS else None
    return Header(length, _kind(found.get(b"warc-type", b"")), found.get(b"warc-record-id") or block, found)


@functools.lru_cache(maxsize=64)
def _kind(told: bytes) -> str:
    return told.decode("utf-8", "replace").lower()
