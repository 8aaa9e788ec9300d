"""From a folder of raw text to token shards, with a reason for every document left out."""

__version__ = "0.1.0"
