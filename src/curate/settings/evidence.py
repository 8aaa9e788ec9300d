"""The ``[evidence]`` section: whether and how it is measured what curation is worth."""

from collections.abc import Mapping
from typing import Literal

from curate.settings.base import Settings

LEAST_TOKENS = 10_000


class EvidenceSettings(Settings, frozen=True):
    """How small models are trained on raw and on kept text, for ``curate measure`` and at the end of a run.

    Example:
        >>> EvidenceSettings(measure=True, texts={"manuals": "good/manuals/"}).seeds
        8
    """

    measure: bool = False
    """Whether ``curate run`` measures at its end."""
    proxy: Literal["ngram", "transformer"] = "ngram"
    """What is trained: a 5-gram model, or a small transformer (needs the extra ``torch``)."""
    seeds: int = 8
    """Trainings per arm."""
    tokens: int = 0
    """Most kept tokens that a model is trained on; 0: as many as the proxy and the text allow."""
    by: tuple[Literal["stage", "rule"], ...] = ()
    """Whose part in it is measured: each stage's, each rule's."""
    texts: Mapping[str, str] = {}
    """Name → path of good text that the corpus does not have, to measure on; the first is the headline's."""

    def __post_init__(self) -> None:
        if not 2 <= self.seeds <= 64:
            raise ValueError(f"`evidence.seeds` must be 2 to 64, but is {self.seeds}")
        if self.tokens and self.tokens < LEAST_TOKENS:
            raise ValueError(f"`evidence.tokens` must be 0 or {LEAST_TOKENS:,} and more, but is {self.tokens}")
        for name, path in self.texts.items():
            if not name or not path:
                raise ValueError(f"`evidence.texts` needs a name and a path, but has `{name} = {path}`")
