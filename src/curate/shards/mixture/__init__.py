"""How often documents go into shards."""

from curate.shards.mixture.shares import Share, mixed

__all__ = ["Share", "mixed"]
