"""A share of the documents, drawn by what they say: the same ones in any order, and copies of a text all or none.

Texts are drawn by their lowest shingle, on which two agree with probability equal to their similarity: near-duplicates
mostly come together, so that a sample has as many of them as its corpus. HTML pages share markup whatever they say:
they are drawn by all of their bytes.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from curate.corpus.documents import Parsed
from curate.html.pages import are_pages
from curate.text.dedup.minhash import NO_SHINGLE, permutations, signatures

_SHINGLE_WORDS = 5
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
    single = [lost is not None and lost <= 1 for lost in quarantined["lost_documents"].to_pylist()]
    places = zip(quarantined["file"].to_pylist(), quarantined["position"].to_pylist(), strict=True)
    entries = _drawn((f"{file}#{position}".encode() for file, position in places), len(quarantined), share)
    return Parsed(
        documents.filter(pa.array(_drawn(_keys(documents), len(documents), share))),
        quarantined.filter(pa.array(entries | ~np.array(single, np.bool_))),
    )


def _keys(documents: pa.RecordBatch) -> Iterator[Any]:
    """What each document is drawn by."""
    texts = documents["text"]
    lowest = signatures(texts, _SHINGLE_WORDS, permutations(1, _SEED)).signatures[:, 0]
    pages = are_pages(texts, documents["metadata"]).to_numpy(zero_copy_only=False)
    for text, shingle, page in zip(texts, lowest, pages, strict=True):
        yield text.as_buffer() if page or shingle == NO_SHINGLE else shingle.tobytes()


def _drawn(values: Iterable[Any], rows: int, share: float) -> npt.NDArray[np.bool_]:
    hashes = np.fromiter((xxhash.xxh3_64_intdigest(value, _SEED) for value in values), np.uint64, rows)
    return hashes < np.uint64(int(share * 2**64))
