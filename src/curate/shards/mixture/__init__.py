"""How often documents go into shards."""

from curate.shards.mixture.shares import Draw, Lengths, Share, mixed, steps_of

__all__ = ["Draw", "Lengths", "Share", "mixed", "steps_of"]
