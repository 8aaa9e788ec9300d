"""From n-grams found in a document to the item that it holds, and how much of it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.stages.decontaminate.benchmarks import ItemText
from curate.text.search.grams import Grams, Hits, collection, covered_words, hits_by_row, text_grams

Numbers = npt.NDArray[np.int64]


class Match(NamedTuple):
    """The item of which a document holds most."""

    overlap: float
    """Share of the document's words that lie in n-grams of any item."""
    item_overlap: float
    """Share of the text's n-grams that the document holds."""
    text: int
    """Which text of the benchmarks."""
    start: int
    """First byte of the longest run of its n-grams."""
    stop: int
    """The byte behind it."""


class Index(NamedTuple):
    """The n-grams of all texts of benchmarks, and which text each belongs to."""

    grams: Grams
    firsts: Numbers
    """The texts of gram ``g`` are ``texts[firsts[g]:firsts[g + 1]]``."""
    texts: Numbers
    sizes: Numbers
    """For each text its number of n-grams."""
    names: tuple[tuple[str, str], ...]
    """For each text its benchmark and item."""
    unsearched: int
    """Items without a text long enough."""


def build_index(items: list[ItemText], ngram_words: int, min_words: int, max_items: int) -> Index:
    """Index of the texts; n-grams that more than ``max_items`` items share are ignored, unless none would remain."""
    found = text_grams(pa.array([item.text for item in items], pa.large_string()), ngram_words, min_words)
    texts = np.repeat(np.arange(len(items)), [len(grams) for _, grams in found])
    grams = np.concatenate([np.empty(0, np.uint64), *(grams for _, grams in found)])
    order = np.argsort(grams, kind="stable")
    grams, texts = grams[order], texts[order]
    owners = np.unique([f"{item.benchmark}\0{item.item}" for item in items], return_inverse=True)[1]
    distinct, firsts, counts = np.unique(grams, return_index=True, return_counts=True)
    shared = np.array(
        [len(set(owners[texts[f : f + c]])) if c > max_items else 1 for f, c in zip(firsts, counts, strict=True)]
    )
    kept = shared <= max_items
    texts = texts[np.repeat(kept, counts)]
    sizes = [words for words, grams in found if len(grams)]
    searched = {owners[number] for number, (_, grams) in enumerate(found) if len(grams)}
    return Index(
        collection(sizes, distinct[kept]),
        np.concatenate([[0], np.cumsum(counts[kept])]),
        texts,
        np.bincount(texts, minlength=len(items)),
        tuple((item.benchmark, item.item) for item in items),
        len(set(owners)) - len(searched),
    )


def matches(index: Index, words: Numbers, hits: Hits) -> dict[int, Match]:
    """Row → match, for documents with any."""
    return {row: _match(index, int(words[row]), of_row) for row, of_row in hits_by_row(hits)}


def _match(index: Index, words: int, hits: Hits) -> Match:
    found = np.unique(hits.places)
    held = np.bincount(np.concatenate([_texts_of(index, place) for place in found]), minlength=len(index.sizes))
    shares = held / np.maximum(index.sizes, 1)
    best = int(np.lexsort((-held, -shares))[0])
    own = np.isin(hits.places, [place for place in found if best in _texts_of(index, place)])
    start, stop = _longest_run(Hits(*(column[own] for column in hits)))
    return Match(covered_words(hits) / words, float(shares[best]), best, start, stop)


def _texts_of(index: Index, place: int) -> Numbers:
    return index.texts[index.firsts[place] : index.firsts[place + 1]]


def _longest_run(hits: Hits) -> tuple[int, int]:
    """Bytes of the longest stretch of n-grams that overlap or follow each other."""
    begins = np.ones(len(hits.words), np.bool_)
    begins[1:] = (hits.words - hits.sizes)[1:] > hits.words[:-1]
    starts = hits.starts[begins]
    stops = hits.stops[np.append(begins[1:], True)]
    longest = int(np.argmax(stops - starts))
    return int(starts[longest]), int(stops[longest])
