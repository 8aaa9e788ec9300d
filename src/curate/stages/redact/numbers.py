"""Numbers that lead to a person: payment cards, bank accounts, national numbers, addresses of machines.

Each finder takes the bytes of a text and a span to look into, and gives spans of bytes. Check digits, formats and
reserved ranges are those of python-stdnum and ipaddress.
"""

import functools
import ipaddress
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from curate.stages.redact.national import ANY_CONTEXT, ANY_SHAPE, CONTEXT_BYTES, CONTEXTS, SHAPES

Span = tuple[int, int]

_CARD = re.compile(
    rb"(?<![\w.,-])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|3\d{3}([ -])\d{6}\2\d{4,5})(?![\w-]|[.,]\d)"
)
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}"  # Discover
    r"|3(?:0[0-5]|6\d|8\d)\d{11}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|62\d{14,17}"  # UnionPay
)
"""Prefixes and lengths of ISO/IEC 7812 issuers."""

_IBAN = re.compile(rb"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}")
_VERSION = re.compile(
    rb"(?:version|ver\.?|\bv|release|build|firmware|section|chapter|\xa7)[\s:=]*$|[^/]/$", re.IGNORECASE
)


def cards(text: bytes, start: int, stop: int) -> Iterator[Span]:
    """Payment cards: the prefix and length of an issuer, and a right check digit (Luhn).

    Example:
        >>> list(cards(b"card 4111 1111 1111 1111", 5, 24)), list(cards(b"4111111111111112", 0, 16))
        ([(5, 24)], [])
    """
    from stdnum import luhn

    for match in _CARD.finditer(text, start, with_edge(text, stop)):
        digits = digits_of(match.group())
        if _ISSUERS.fullmatch(digits) and luhn.is_valid(digits):
            yield match.span()


def ibans(text: bytes, start: int, stop: int) -> Iterator[Span]:
    """International bank account numbers with the length of their country and right check digits (ISO 13616)."""
    from stdnum import iban

    for match in _IBAN.finditer(text, start, with_edge(text, stop)):
        for end in range(match.end(), match.start() + 14, -1):  # words behind it may look like a part of it
            behind = text[end : end + 1]
            if (
                text[end - 1 : end] != b" "
                and not behind.isalnum()
                and iban.is_valid(text[match.start() : end].decode())
            ):
                yield match.start(), end
                break


def national_ids(text: bytes, start: int, stop: int, names: tuple[str, ...]) -> Iterator[Span]:
    """National numbers of the kinds ``names`` (see `curate.stages.redact.national`)."""
    around = text[max(0, start - CONTEXT_BYTES) : with_edge(text, stop)]
    if not ANY_SHAPE.search(around) and not ANY_CONTEXT.search(around):
        return
    for name in names:
        context = CONTEXTS.get(name)
        for match in SHAPES[name].finditer(text, start, with_edge(text, stop)):
            near = text[max(0, match.start() - CONTEXT_BYTES) : match.start()]
            if (not context or context.search(near)) and _stdnum(name).is_valid(match.group().decode()):
                yield match.span()


def ip_address(text: bytes, start: int, stop: int) -> Iterator[Span]:
    """The address at this span, if it is one that the whole Internet can reach.

    Private, loopback, documentation and other reserved ranges lead to nobody. IPv4 addresses of six digits or fewer
    (one in 700) and what stands behind a word such as *version* are taken for versions, sections or object identifiers;
    IPv6 addresses of fewer than three groups for the names of networks.
    """
    found = text[start:stop].decode()
    if "." in found:
        if len(found) < _LEAST_IPV4 or _VERSION.search(text[max(0, start - 16) : start]):
            return
    elif sum(map(bool, found.split(":"))) < _LEAST_GROUPS:
        return
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return
    if address.is_global and not address.is_multicast:
        yield start, stop


_LEAST_IPV4 = len("8.12.34.56")
_LEAST_GROUPS = 3


@functools.cache
def _stdnum(name: str) -> Any:
    return import_module(f"stdnum.{name}")


def as_ascii(text: bytes) -> str:
    """One character for each byte; those beyond ASCII become one that is neither a letter nor a digit."""
    return text.translate(_PLAIN).decode("ascii")


_PLAIN = bytes(range(128)) + b"\x01" * 128


def digits_of(text: bytes) -> str:
    """The digits of a text."""
    return re.sub(rb"\D", b"", text).decode()


def with_edge(text: bytes, stop: int) -> int:
    """A little beyond ``stop``: what follows decides whether a number ends there."""
    return min(len(text), stop + 2)
