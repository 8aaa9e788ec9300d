"""The order of documents, and which of them are for validation: each a function of one document and the seed."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from curate.shards.permutation import Permutation

Int64 = npt.NDArray[np.int64]


def drawn_places(documents: int, seed: int) -> Permutation:
    """The place of each document in a drawn order, by its number in the order of the corpus."""
    # apart from other draws by the same seed: a loader that permutes with it must not put documents back
    return Permutation(documents, [seed, 2])


def is_held_out(clusters: Sequence[bytes], share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which documents are for validation: by the hash of their duplicate cluster, so copies go the same way.

    Args:
        clusters: 16 bytes that all copies of a document share.
        share: of the clusters, 0 to 1.
        seed: of the choice.
    """
    if not share or not clusters:
        return np.zeros(len(clusters), np.bool_)
    words = np.frombuffer(b"".join(clusters), np.uint64).reshape(-1, 2)
    key = np.random.default_rng(seed).integers(1, 2**63, 2, np.uint64) | np.uint64(1)
    mixed = (words[:, 0] ^ key[0]) * key[1] ^ words[:, 1]
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    chosen: npt.NDArray[np.bool_] = (mixed >> np.uint64(11)).astype(np.float64) / 2**53 < share
    return chosen


def pieces(tokens_of_shards: Iterable[int], size: int) -> Int64:
    """Where the pieces of each shard begin, counted over all shards; one more than there are shards.

    Example:
        >>> pieces([10, 3], 4).tolist()
        [0, 3, 4]
    """
    counts = [max(1, -(-tokens // size)) for tokens in tokens_of_shards]
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
