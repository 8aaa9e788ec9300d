"""From a folder of raw text to token shards, with a reason for every document removed."""

__version__ = "0.2.0"


def __getattr__(name: str) -> object:
    """What is loaded when it is first asked for, so that importing curate costs nothing."""
    if name == "load":
        from curate.shards.loading import load

        return load
    raise AttributeError(f"module 'curate' has no attribute '{name}'")
