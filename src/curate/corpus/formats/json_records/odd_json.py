"""Objects that are no strict JSON although their text is sound: NaN, bytes of another encoding, half a surrogate pair.

What stands beside the text costs no document. A value that JSON readers refuse is kept as near to what was written as
they allow: half a surrogate pair and bytes that are no UTF-8 become U+FFFD, NaN and infinities become strings, and what
is still none (nested too deeply, beyond every number) becomes one string of what was written.
"""

import re
from contextlib import suppress

import msgspec

_SPACE = re.compile(rb"[ \t\n\r]*")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_PLAIN_NAME = re.compile(rb'"[ !#-\[\]-~]*"')
_WORD = re.compile(rb'[^\s,:{}\[\]"]+')
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_NO_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*"|[+-]?\b(?:NaN|nan|Infinity|Inf|inf)\b', re.DOTALL)
_ESCAPE = re.compile(
    rb"\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|u)", re.DOTALL
)
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_DOUBTFUL = re.compile(rb"[0-9.]{200}|[0-9.][eE][+-]?[0-9]{3}|\\u[dD][89a-fA-F]")
_DEEP = 100  # brackets; some readers refuse values nested 128 deep
_CLOSING = {ord("}"): ord("{"), ord("]"): ord("[")}

Place = tuple[int, int]
"""First byte of a value, and the byte after it."""


def places_of(data: bytes, at: int = 0) -> dict[str, Place] | None:
    r"""Where the values of an object are, whatever they hold as long as brackets and quotation marks match.

    Args:
        data: bytes that hold the object and nothing else behind ``at``.
        at: where it begins.

    Example:
        >>> places_of(b'{"text": "a", "n": NaN}')
        {'text': (9, 12), 'n': (19, 22)}
        >>> places_of(b'{"text": "torn') is None
        True
    """
    found: dict[str, Place] = {}
    at = _after_space(data, at)
    if data[at : at + 1] != b"{":
        return None
    at = _after_space(data, at + 1)
    while data[at : at + 1] != b"}" or found:
        key = _STRING.match(data, at)
        if not key:
            return None
        at = _after_space(data, key.end())
        if data[at : at + 1] != b":":
            return None
        start = _after_space(data, at + 1)
        end = _after_value(data, start)
        if end < 0:
            return None
        found[_name(key[0])] = start, end
        at = _after_space(data, end)
        if data[at : at + 1] == b"}":
            break
        if data[at : at + 1] != b",":
            return None
        at = _after_space(data, at + 1)
    return found if _after_space(data, at + 1) == len(data) else None


def value_at(data: bytes, path: str) -> bytes | None:
    """What is written as the value under a name, else at a dotted path; None if there is none.

    Example:
        >>> value_at(b'{"page": {"body": "b", "n": NaN}}', "page.body")
        b'"b"'
    """
    first, dot, rest = path.partition(".")
    places = places_of(data) or {}
    if path in places or not dot:
        return data[slice(*places[path])] if path in places else None
    return value_at(data[slice(*places[first])], rest) if first in places else None


def is_doubtful(line: bytes) -> bool:
    """Whether there may be a value in a line that some readers of JSON refuse."""
    return bool(line.count(b"[") + line.count(b"{") > _DEEP or _DOUBTFUL.search(line))


def sound(written: bytes) -> bytes:
    r"""A value as all readers of JSON take it; the same bytes if they do already.

    Example:
        >>> sound(b"[1.10, NaN]"), sound(rb'"half \ud83d"'), sound(b"1e999"), sound(b"007")
        (b'[1.10, "NaN"]', b'"half \\ufffd"', b'"1e999"', b'"007"')
    """
    text = _ESCAPE.sub(lambda match: rb"\ufffd" if _HALF_PAIR.fullmatch(match[0]) else match[0], written)
    text = text.decode(errors="replace").encode()
    text = _NO_NUMBER.sub(lambda match: match[0] if match[0].startswith(b'"') else b'"%s"' % match[0], text)
    return text if _is_taken(text) else msgspec.json.encode(written.decode(errors="replace"))


def _is_taken(text: bytes) -> bool:
    """Whether a strict reader takes a value: the one that looks into metadata later. It is asked where there is doubt,
    as being asked costs it 0.1 ms.
    """
    if not is_doubtful(text):
        with suppress(ValueError, RecursionError):
            msgspec.json.decode(text)
            return True
    import polars as pl

    return pl.Series([text.decode()]).str.json_path_match("$").null_count() == 0 or text == b"null"


def _after_space(data: bytes, at: int) -> int:
    space = _SPACE.match(data, at)
    assert space is not None  # it may be empty
    return space.end()


def _after_value(data: bytes, at: int) -> int:
    """Behind a value; -1 if there is none, or brackets do not match."""
    first = data[at : at + 1]
    if first not in {b"{", b"["}:
        one = (_STRING if first == b'"' else _WORD).match(data, at)
        return one.end() if one else -1
    opened = bytearray()
    for match in _BRACKETS.finditer(data, at):
        sign = match[0][0]
        if sign in b"{[":
            opened.append(sign)
        elif sign in _CLOSING and (not opened or opened.pop() != _CLOSING[sign]):
            return -1
        if not opened:
            return match.end()
    return -1


def _name(written: bytes) -> str:
    if _PLAIN_NAME.fullmatch(written):
        return written[1:-1].decode()
    try:
        return str(msgspec.json.decode(sound(written)))
    except msgspec.DecodeError:
        return written[1:-1].decode(errors="replace")
