"""Numbers, sizes and times as people read them."""


def share(part: float, whole: float) -> str:
    """A percentage that never rounds something to nothing, or not quite all to all.

    Example:
        >>> share(1, 3), share(1, 10_000), share(9_999, 10_000), share(0, 5), share(0, 0)
        ('33.3 %', '< 0.1 %', '> 99.9 %', '0 %', '0 %')
    """
    if not part or not whole:
        return "0 %"
    percent = 100 * part / whole
    if part == whole:
        return "100 %"
    if percent < 0.1:
        return "< 0.1 %"
    return "> 99.9 %" if percent > 99.9 else f"{percent:.1f} %"


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


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: ``1 file``, ``3 passes``.

    Example:
        >>> counted(1, "file"), counted(2_000, "pass", "passes")
        ('1 file', '2,000 passes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


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
