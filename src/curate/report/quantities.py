"""Numbers as people read them: one way of writing counts, shares, sizes and times on the whole page."""

import math

MISSING = "n/a"
NARROW, _WIDE = "\u202f", "\u00a0"


def count(value: float | None) -> str:
    """Whole number with thousands separators.

    Example:
        >>> count(1210422)
        '1,210,422'
    """
    return MISSING if value is None else f"{round(value):,}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    Example:
        >>> counted(1, "file"), counted(2_000, "pass", "passes")
        ('1 file', '2,000 passes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def share(value: float | None) -> str:
    r"""A share of 1 as a percentage with one decimal; tiny ones are not rounded to nothing.

    Example:
        >>> [share(x).replace("\u202f", " ") for x in (0, 0.0004, 0.1234, 0.9999, 1)]
        ['0 %', '< 0.1 %', '12.3 %', '> 99.9 %', '100 %']
    """
    if value is None or math.isnan(value):
        return MISSING
    if value in {0, 1}:
        return f"{value * 100:.0f}{NARROW}%"
    if 0 < value < 0.001:
        return f"<{NARROW}0.1{NARROW}%"
    if 0.999 < value < 1:
        return f">{NARROW}99.9{NARROW}%"
    return f"{value * 100:.1f}{NARROW}%"


def short(value: float | None) -> str:
    r"""Three significant digits with the words people use for large numbers.

    Example:
        >>> [short(x).replace("\u00a0", " ") for x in (0, 12.3456, 999, 580_123_456, 7e9, 2.7e19, -0.00123)]
        ['0', '12.3', '999', '580 million', '7 billion', '2.7e19', '-0.00123']
    """
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if size <= abs(value) < 1e15:
            return f"{_digits(value / size)}{_WIDE}{name}"
    if abs(value) >= 1e15:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{round(value):,}" if abs(value) >= 1000 else _digits(value)


def amount(value: float) -> str:
    """Like `short`, but what is too small to mean anything is only said to be so.

    Example:
        >>> amount(0.0535), amount(2.46e-06), amount(0)
        ('0.0535', '< 0.0001', '0')
    """
    if not 0 < abs(value) < 0.0001:
        return short(value).replace("-", "\N{MINUS SIGN}", value < 0)
    return "< 0.0001" if value > 0 else "> \N{MINUS SIGN}0.0001"


def rough(value: float) -> str:
    """An estimate: three digits, and no part of one.

    Example:
        >>> rough(19_897.3), rough(2.05), rough(345.6)
        ('19,900', '2', '346')
    """
    return short(float(f"{value:.3g}") if value >= 100 else float(round(value)))


def digits(value: float) -> str:
    """A value of a measure, with four digits or as many as a whole number has.

    Example:
        >>> digits(40_960.0), digits(8e6), digits(0.29943)
        ('40,960', '8,000,000', '0.2994')
    """
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"


def size(value: float | None) -> str:
    r"""Bytes in decimal units.

    Example:
        >>> [size(x).replace("\u00a0", " ") for x in (17, 64_000_000, 3_210_000_000)]
        ['17 B', '64.0 MB', '3.21 GB']
    """
    if value is None:
        return MISSING
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit:
            return f"{f'{value / unit:#.3g}'.rstrip('.')}{_WIDE}{name}"
    return f"{value:.0f}{_WIDE}B"


def duration(seconds: float | None) -> str:
    r"""Seconds as days, hours, minutes and seconds: the two largest that matter.

    Example:
        >>> [duration(x).replace("\u00a0", " ") for x in (0.0421, 4.2, 401, 7380, 200_000)]
        ['42 ms', '4.2 s', '6 min 41 s', '2 h 3 min', '2 d 7 h']
    """
    if seconds is None:
        return MISSING
    if seconds < 1:
        return f"{seconds * 1000:.0f}{_WIDE}ms"
    if seconds < 60:
        return f"{_digits(seconds)}{_WIDE}s"
    for unit, name, part, part_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit:
            whole, rest = divmod(round(seconds), unit)
            smaller = f" {rest // part}{_WIDE}{part_name}" if rest // part else ""
            return f"{whole}{_WIDE}{name}{smaller}"
    raise AssertionError(seconds)


def _digits(value: float) -> str:
    """Three significant digits without trailing zeros."""
    text = f"{value:.3g}"
    return f"{float(text):,.0f}" if "e+" in text else text


def beside(value: float, limit: float) -> str:
    """A value beside its limit, with as many digits as tell them apart.

    Example:
        >>> beside(49, 50), beside(0.29996, 0.3), beside(0.8, 0.8), beside(40_960, 8e6)
        ('49 < 50', '0.29996 < 0.3', '0.8 = 0.8', '40,960 < 8,000,000')
    """
    if value == limit:
        return f"{value:,.15g} = {limit:,.15g}"
    if float(value).is_integer() and float(limit).is_integer():
        return f"{value:,.0f} {'<' if value < limit else '>'} {limit:,.0f}"
    digits = next((n for n in range(4, 17) if f"{value:.{n}g}" != f"{limit:.{n}g}"), 17)
    sign = "<" if value < limit else ">"
    return f"{value:.{digits}g} {sign} {limit:.{digits}g}"
