"""What users can set about benchmarks: the ``[decontaminate]`` section."""

from typing import ClassVar

from curate.settings.base import Limit, Settings

_LONGEST = 63  # words in a gram that the kernel can look back to


class DecontaminateSettings(Settings, frozen=True):
    """Which test sets must not be in the corpus, and how much of an item is too much."""

    thresholds: ClassVar[frozenset[str]] = frozenset({"max_overlap", "max_item_overlap"})

    benchmarks: tuple[str, ...] = ()
    """Test sets: paths, folders or globs of JSON, JSON lines, CSV, TSV, Parquet or text files."""
    fields: tuple[str, ...] = ()
    """Fields of an item that are looked for, each by itself; none named: all that hold text."""
    ngram_words: int = 13
    """Consecutive words that make a match: 13 as in GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C)."""
    min_words: int = 8
    """Texts of benchmarks with fewer words than ``ngram_words`` are matched whole, down to this many; shorter ones are
    not looked for, as such words stand anywhere. 8 as in GPT-3."""
    max_items: int = 10
    """Sequences of words that more items than this share are the benchmark's own template, and no match."""
    max_item_overlap: float = 0.1
    """Largest share of an item's n-grams that a document may hold."""
    max_overlap: float = 1.0
    """Largest share of a document's words that may lie in such n-grams."""

    def __post_init__(self) -> None:
        if not 1 <= self.ngram_words <= _LONGEST:
            raise ValueError(f"`decontaminate.ngram_words` must be between 1 and {_LONGEST}, but is {self.ngram_words}")
        if self.min_words < 1:
            raise ValueError(f"`decontaminate.min_words` must be at least 1, but is {self.min_words}")
        if self.max_items < 1:
            raise ValueError(f"`decontaminate.max_items` must be at least 1, but is {self.max_items}")
        for key in ("max_item_overlap", "max_overlap"):
            if not 0 <= getattr(self, key) <= 1:
                raise ValueError(f"`decontaminate.{key}` must be between 0 and 1, but is {getattr(self, key):g}")

    def limits(self) -> tuple[Limit, ...]:
        """The largest shares: of an item, and of the document."""
        return (
            Limit("max_item_overlap", "item_overlap", "max", self.max_item_overlap, "benchmark_overlap"),
            Limit("max_overlap", "overlap", "max", self.max_overlap, "benchmark_overlap"),
        )
