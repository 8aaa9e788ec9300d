"""Places that stay empty when kept documents are packed into sequences of one length by best fit."""

import numpy as np
import numpy.typing as npt

PACKED = 200_000
"""Documents that are packed to find out; of more, as many with the same distribution of lengths."""


Numbers = npt.NDArray[np.int64]


def places_of(tokens: Numbers, documents: Numbers, length: int) -> float:
    """Places paid for by documents of these lengths, empty ones included.

    Args:
        tokens: different lengths.
        documents: that have each.
        length: of a sequence.
    """
    rest = np.where(tokens > length, -(tokens % length), tokens % length)
    rests, which = np.unique(rest, return_inverse=True)
    of_rest = np.bincount(which, documents, minlength=len(rests)).astype(np.int64)
    return places(rests, of_rest, int((tokens // length * documents).sum()), length)


def places(rest: Numbers, documents: Numbers, whole: int, length: int) -> float:
    """Places paid for, empty ones included; shards take equal rests in another order and may have a few more or less.

    Args:
        rest: the part of a document that does not fill a sequence, below 0 where whole sequences lie beside it.
        documents: that have each.
        whole: sequences that documents fill by themselves.
        length: of a sequence.

    Example:
        >>> places(np.array([6, 5, 4]), np.array([1, 2, 1]), whole=3, length=10)
        50.0
    """
    from curate.shards.packing.best_fit import best_fit

    rest, documents = rest[rest != 0], documents[rest != 0]
    many = int(documents.sum())
    share = min(1.0, PACKED / max(1, many))
    order = np.argsort(rest, kind="stable")
    ends = np.floor(np.cumsum(documents[order]) * share).astype(np.int64)
    sizes = np.repeat(rest[order], np.diff(ends, prepend=0))
    if not len(sizes):
        return float(whole * length)
    sequences = int(best_fit(np.abs(sizes).astype(np.int64), sizes < 0, length).max()) + 1
    return (whole + sequences / share) * length
