"""What users can set about near-duplicates: the ``[near_dup]`` section."""

from collections.abc import Iterator, Sequence
from typing import Literal

from curate.settings.base import Limit, Mentions, Settings, Unused
from curate.text.dedup.bands import Banding, choose_banding

METADATA = "metadata."
"""Before the name of a metadata field in ``scope``."""


class NearDupSettings(Settings, frozen=True):
    """When two documents count as the same, and which of them stays."""

    similarity: float = 0.8
    """Exact Jaccard similarity of word shingles from which a document is a near-duplicate of a kept one."""
    shingle_words: int = 5
    """Consecutive words in a shingle."""
    recall: float = 0.99
    """Share of the pairs lying exactly at ``similarity`` that the bands must find; closer pairs are found
    more often."""
    permutations: int = 112
    """Most MinHash permutations to spend on that."""
    bands: int = 0
    """Bands to use instead of the derived ones (with ``rows``), as in a published recipe; 0 derives them."""
    rows: int = 0
    """Rows in each of ``bands``."""
    survivor: Literal["longest", "first", "newest", "best", "source_priority"] = "longest"
    """Which of the copies stays: the longest, the first in the input, the newest by ``newest_by``, the best by
    ``best_by``, or the one from the foremost source of ``source_priority``. Of equals, the one with the lowest id."""
    newest_by: str = "date"
    """Metadata field with the date or time: ISO 8601, or a number. Documents without one come last."""
    best_by: str = "language.score"
    """Measure of an earlier stage, higher is better. Documents without one come last."""
    source_priority: tuple[str, ...] = ()
    """Sources in order of preference; those not named come last."""
    scope: str = "corpus"
    """Documents are compared within the ``corpus``, each ``source``, each ``language``, or each value of a
    ``metadata.FIELD``. Those without a value are compared with each other."""
    exempt_sources: tuple[str, ...] = ()
    """Sources that take no part: none of their documents is removed, nor stands for another."""
    conversation: Literal["whole", "prompt"] = "whole"
    """What of conversations is compared: all of it, or what comes before the first answer."""
    seed: int = 1
    """Draws the permutations."""
    backend: Literal["fast", "datasketch"] = "fast"
    """What computes signatures: compiled kernels, or the reference library (same result, many times
    slower)."""

    def __post_init__(self) -> None:
        """Check every value, and that the bands can be derived."""
        _require(0 < self.similarity <= 1, "similarity", "above 0 and at most 1", self.similarity)
        _require(self.shingle_words >= 1, "shingle_words", "at least 1", self.shingle_words)
        _require(0 < self.recall < 1, "recall", "between 0 and 1", self.recall)
        _require(1 <= self.permutations <= 1024, "permutations", "between 1 and 1024", self.permutations)
        _require(0 <= self.bands <= 1024, "bands", "between 0 and 1024", self.bands)
        _require(0 <= self.rows <= 1024, "rows", "between 0 and 1024", self.rows)
        _require(0 <= self.seed < 2**32, "seed", "between 0 and 4294967295", self.seed)
        if not (
            self.scope in ("corpus", "source", "language") or self.scope.removeprefix(METADATA) not in ("", self.scope)
        ):
            raise ValueError(
                f"`near_dup.scope` must be corpus, source, language or metadata.FIELD, but is {self.scope}"
            )
        if self.survivor == "source_priority" and not self.source_priority:
            raise ValueError("`near_dup.source_priority` must list sources where `survivor` is source_priority")
        if self.survivor == "best" and "." not in self.best_by:
            raise ValueError(f"`near_dup.best_by` must be a measure such as quality.score, but is {self.best_by}")
        if bool(self.bands) != bool(self.rows):
            raise ValueError(
                f"`near_dup.bands` and `near_dup.rows` must be set together, but are {self.bands} and {self.rows}"
            )
        try:
            _ = self.banding
        except ValueError as unreachable:
            raise ValueError(
                f"`near_dup.permutations` must be larger to find {self.recall:.1%} of the pairs "
                f"at `similarity` {self.similarity}, but is {self.permutations}"
            ) from unreachable

    def limits(self) -> tuple[Limit, ...]:
        """The similarity, which counts as reached at the very value."""
        return (Limit("similarity", "jaccard", "max", self.similarity, "near_duplicate", at=True),)

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:  # noqa: ARG002
        """Settings of another way to choose survivors, and what bands are derived from where they are set."""
        asked_for = {"newest_by": "newest", "best_by": "best", "source_priority": "source_priority"}
        for key, survivor in asked_for.items():
            if self.survivor != survivor:
                hint = f'near_dup.survivor = "{survivor}"'
                yield Unused(key, f"`near_dup.survivor` is `{self.survivor}`", hint)
        if self.bands:
            for key in ("recall", "permutations"):
                yield Unused(key, f"`near_dup.bands` and `near_dup.rows` are set ({self.bands} × {self.rows})")

    def mentions(self) -> Iterator[Mentions]:
        """Sources and metadata fields."""
        yield Mentions("exempt_sources", sources=self.exempt_sources)
        if self.survivor == "source_priority":
            yield Mentions("source_priority", sources=self.source_priority)
        if self.survivor == "newest":
            yield Mentions("newest_by", field=self.newest_by)
        if self.scope.startswith(METADATA):
            yield Mentions("scope", field=self.scope.removeprefix(METADATA))

    @property
    def by_id(self) -> bool:
        """Whether ids decide between equals; only where the first in the input stays does its order decide."""
        return self.survivor != "first"

    @property
    def banding(self) -> Banding:
        """Bands × rows, as set or as derived.

        Example:
            >>> NearDupSettings(similarity=0.8).banding
            Banding(bands=16, rows=6)
        """
        if self.bands:
            return Banding(self.bands, self.rows)
        return choose_banding(self.similarity, self.permutations, self.recall)


def _require(holds: bool, key: str, must_be: str, value: object) -> None:
    if not holds:
        raise ValueError(f"`near_dup.{key}` must be {must_be}, but is {value}")
