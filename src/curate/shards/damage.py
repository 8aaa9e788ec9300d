"""A shard that contradicts itself or its index."""

from curate.errors import UserError


class DamagedShard(UserError):  # noqa: N818  (named for what it is)
    """The files in a folder of shards are not what was written."""
