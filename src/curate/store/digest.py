"""One digest for everything that says whether a file is still what it should be."""

import json
from typing import Any

import xxhash


def digest(*ingredients: Any) -> str:
    """128-bit hex digest of plain data (JSON types and bytes), independent of the order of mapping keys.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1})
        True
    """
    text = json.dumps(ingredients, sort_keys=True, default=_plain, ensure_ascii=True, separators=(",", ":"))
    return xxhash.xxh3_128_hexdigest(text.encode())


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return xxhash.xxh3_128_hexdigest(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no digest")
