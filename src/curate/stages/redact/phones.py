"""Phone numbers, as phonenumbers judges them, after a look at their digits and groups, which costs far less."""

import functools
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from curate.stages.redact.numbers import Span, as_ascii, with_edge

_INTERNATIONAL = re.compile(rb"\+ ?\(?\d(?:[ .()/-]{0,3}\d){6,16}")
_GROUPS = re.compile(rb"(?:(?<![\w.,:/-])|(?=\())(?=(\(?\d{1,5}\)?(?:[ .()/-]{1,3}\d{2,8}){1,5}))")
"""At every group of digits: it and up to five that follow."""
_FEWEST_DIGITS, _MOST_DIGITS = 8, 15  # of a whole number; E.164
_ANYWHERE = "ZZ"
_BLANKS = (b" ", b"\t", b"\n")
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}".encode()


def phones(text: bytes, start: int, stop: int, regions: tuple[str, ...]) -> Iterator[Span]:
    """Phone numbers: with ``+`` and country code, or in groups as ``regions`` write them.

    Valid numbers only, by the numbering plans of phonenumbers; without ``+`` also grouped as is usual there.
    Some of what is found may lie in something longer that is found, too.

    Example:
        >>> list(phones(b"call (201) 555-0123 or +44 20 7031 3000", 6, 39, ("US",)))
        [(23, 39), (5, 19), (6, 19)]
    """
    start = max(0, start - 2)  # "+(" stands before the first digit
    window = text[start : with_edge(text, stop)].replace(_NO_BREAK_SPACE, b"  ")
    for match in _INTERNATIONAL.finditer(window):
        yield from _judged(window, start, match.span(), _ANYWHERE)
    if regions:
        for match in _GROUPS.finditer(window):
            for first, last, region in _national(match, regions):
                # Digits that follow make it another number, unless they are one themselves.
                behind = _GROUPS.match(window, last + 1) if window[last : last + 1] in _BLANKS else None
                alone = behind and next(_national(behind, (region,)), None)
                yield from _judged(window, start, (first, last), region, behind=0 if alone else 2)


def _judged(window: bytes, offset: int, span: Span, region: str, *, behind: int = 2) -> Iterator[Span]:
    """Numbers in a span; some bytes ``behind`` it may say that it is none."""
    from phonenumbers import Leniency, PhoneNumberMatcher

    leniency = Leniency.VALID if region == _ANYWHERE else Leniency.STRICT_GROUPING
    first, last = span
    for found in PhoneNumberMatcher(as_ascii(window[first : last + behind]), region, leniency):
        yield offset + first + found.start, offset + first + found.end


def _national(match: re.Match[bytes], regions: tuple[str, ...]) -> Iterator[tuple[int, int, str]]:
    """The longest beginning of a row of groups that may be a number of a region: first byte, end, region."""
    groups = list(re.finditer(rb"\d+", match[1]))
    cuts = list(accumulate(len(group[0]) for group in groups))
    for number in range(len(groups), 1, -1):
        if _FEWEST_DIGITS <= cuts[number - 1] <= _MOST_DIGITS:
            digits = b"".join(group[0] for group in groups[:number]).decode()
            for region in regions:
                if _numbering(region).may_be(digits, frozenset(cuts[: number - 1])):
                    yield match.start(1), match.start(1) + groups[number - 1].end(), region
                    return


class _Numbering(NamedTuple):
    """How a country numbers its phones, out of the metadata of phonenumbers."""

    prefix: str
    """Dialled before numbers within the country."""
    numbers: re.Pattern[str]
    formats: tuple[re.Pattern[str], ...]
    """Each with a group for each group of digits."""

    def may_be(self, digits: str, cuts: frozenset[int]) -> bool:
        """Whether they are as many and begin as they should, and are cut (after so many digits) at groups only."""
        for prefix in {"", self.prefix}:
            national = digits.removeprefix(prefix)
            if not digits.startswith(prefix) or not self.numbers.fullmatch(national):
                continue
            for written in self.formats:
                match = written.fullmatch(national)
                ends = [match.end(group) + len(prefix) for group in range(1, written.groups + 1)] if match else []
                if ends and cuts <= {len(prefix), *ends}:
                    return True
        return False


@functools.cache
def _numbering(region: str) -> _Numbering:
    from phonenumbers import PhoneMetadata

    plan: Any = PhoneMetadata.metadata_for_region(region)
    formats = tuple(re.compile(one.pattern) for one in plan.number_format)
    return _Numbering(plan.national_prefix or "", re.compile(plan.general_desc.national_number_pattern), formats)
