"""Numbers, sizes and times on a terminal, where room is scarce; `curate.report.quantities` has those of a page."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from curate.report import quantities

if TYPE_CHECKING:
    from curate.pipeline.planning.extrapolation import Guess


def share(part: float, whole: float) -> str:
    """A percentage that never rounds something to nothing, or not quite all to all.

    Example:
        >>> share(1, 3), share(1, 10_000), share(9_999, 10_000), share(0, 5), share(0, 0)
        ('33.3 %', '< 0.1 %', '> 99.9 %', '0 %', '0 %')
    """
    return quantities.share(part / whole if whole else 0.0).replace(quantities.NARROW, " ")


def size(number: float) -> str:
    """Bytes in decimal units: ``3.21 GB``.

    Example:
        >>> size(999), size(3_210_000_000)
        ('999 B', '3.21 GB')
    """
    return f"{number:,.0f} B" if number < 1000 else _scaled(number / 1000, ("kB", "MB", "GB", "TB", "PB"))


def count(number: float) -> str:
    """Large counts in words: ``580 M``.

    Example:
        >>> count(950), count(12_300), count(579_800_000)
        ('950', '12,300', '580 M')
    """
    return f"{number:,.0f}" if number < 1_000_000 else _scaled(number / 1_000_000, ("M", "B", "T"))


def duration(seconds: float) -> str:
    """A length of time: ``6m 41s``.

    Example:
        >>> duration(0.4), duration(9.96), duration(401), duration(7322)
        ('0.4s', '10s', '6m 41s', '2h 02m')
    """
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02}m"


def _scaled(number: float, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if number < 999.5:
            return f"{number:.3g} {unit}" if number < 99.95 else f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:,.1f} {units[-1]}"


def about(guess: "Guess", shown: Callable[[float], str]) -> str:
    """An estimate with its error, in whole per cent rounded up: an error is itself an estimate.

    Example:
        >>> from curate.pipeline.planning.extrapolation import Guess
        >>> about(Guess(20.0, 5.0), duration), about(Guess(20.0, None), duration)
        ('about 20s (± 25 %)', 'perhaps 20s')
    """
    if guess.error is None:
        return f"perhaps {shown(guess.value)}"
    if not guess.error:
        return shown(guess.value)
    if not guess.value:
        return f"about {shown(guess.value)}"
    return f"about {shown(guess.value)} (± {math.ceil(100 * guess.error / guess.value)} %)"
