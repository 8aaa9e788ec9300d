"""From a folder of raw text to token shards, with a reason for every document removed.

::

    run = curate.run("corpus/", "curated", near_dup={"similarity": 0.7})
    run.counts.kept, run.ok
    run.documents().filter(polars.col("quality.score") > 0.8).collect()

Importing it costs nothing: each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curate.runs.door import open as open  # noqa: A004
    from curate.runs.door import plan as plan
    from curate.runs.door import run as run
    from curate.runs.finished import Run as Run
    from curate.shards.loading import load as load

__version__ = "0.2.0"

_HOMES = {
    "Run": "curate.runs.finished",
    "load": "curate.shards.loading",
    "open": "curate.runs.door",
    "plan": "curate.runs.door",
    "run": "curate.runs.door",
}
"""Where each name that `import curate` offers is defined."""

__all__ = ["Run", "__version__", "load", "open", "plan", "run"]


def __getattr__(name: str) -> object:
    """A public name, loaded when it is first used, so that importing curate costs nothing."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'curate' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
