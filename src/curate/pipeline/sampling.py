"""A share of the documents, drawn by what they say: the same ones in any order, and copies of a text all or none."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from curate.corpus.documents import Parsed

_SEED = 0x5A3B1E
"""So that no other draw by the hash of a text takes the same ones."""


def sampled(parsed: Parsed, share: float) -> Parsed:
    """The documents and entries of a chunk that are in the sample.

    Entries of the quarantine that stand for one document, or for none, are drawn by their place; those of whole files
    all stay.

    Args:
        parsed: what a chunk holds.
        share: from 0 to 1, of the documents.
    """
    if share >= 1:
        return parsed
    documents, quarantined = parsed
    texts = (text.as_buffer() for text in documents["text"])
    single = [lost is not None and lost <= 1 for lost in quarantined["lost_documents"].to_pylist()]
    places = zip(quarantined["file"].to_pylist(), quarantined["position"].to_pylist(), strict=True)
    entries = _drawn((f"{file}#{position}".encode() for file, position in places), len(quarantined), share)
    return Parsed(
        documents.filter(pa.array(_drawn(texts, len(documents), share))),
        quarantined.filter(pa.array(entries | ~np.array(single, np.bool_))),
    )


def _drawn(values: Iterable[Any], rows: int, share: float) -> npt.NDArray[np.bool_]:
    hashes = np.fromiter((xxhash.xxh3_64_intdigest(value, _SEED) for value in values), np.uint64, rows)
    return hashes < np.uint64(int(share * 2**64))
