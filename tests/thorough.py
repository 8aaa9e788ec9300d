"""How many examples are tried: a part of them, or with ``make test-all EXAMPLES=all`` all of them."""

import os
from typing import Any

import hypothesis

THOROUGH = bool(os.environ.get("CURATE_TEST_ALL"))
_SHARE, _LEAST = 3, 8


def examples(number: int, quick: int | None = None) -> int:
    """How many examples of a property are tried; ``quick`` where one of them costs more than milliseconds."""
    return number if THOROUGH else quick or max(min(number, _LEAST), number // _SHARE)


def settings(*parent: hypothesis.settings, max_examples: int = 100, quick: int | None = None, **more: Any) -> Any:
    """As `hypothesis.settings`; without a number of examples there are a hundred."""
    return hypothesis.settings(*parent, max_examples=examples(max_examples, quick), **more)
