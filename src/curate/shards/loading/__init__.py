"""Tokens for a trainer."""

from curate.shards.loading.loader import Loader, load

__all__ = ["Loader", "load"]
