"""Where documents lie in shards: cut by size, laid into sequences, cut again."""

from curate.shards.packing.packed import Laid, Packing, best_fitted, by_themselves

__all__ = ["Laid", "Packing", "best_fitted", "by_themselves"]
