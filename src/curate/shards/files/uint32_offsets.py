"""Files that keep places as uint32: litdata's chunks and MDS shards end below 4 GiB."""

from pathlib import Path

from curate.errors import UserError

MOST_BYTES = 2**32 - 1


def require_room(path: Path, size: int) -> None:
    """See that a file of so many bytes can be written.

    Raises:
        UserError: its places would not fit.
    """
    if size > MOST_BYTES:
        raise UserError(
            f"`{path.name}` would have {size:,} bytes, and its format holds less than 4 GiB in a file",
            hint="--set shards.shard_tokens=100000000, or a format without that limit",
        )
