"""Where documents lie in shards: cut by size, laid into sequences, cut again."""

from curate.shards.packing.packed import Packed, Packing, best_fitted, concatenated

__all__ = ["Packed", "Packing", "best_fitted", "concatenated"]
