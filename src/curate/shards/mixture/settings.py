"""Section ``[mix]`` of the configuration."""

from collections.abc import Iterator, Sequence

import msgspec

from curate.settings.base import Settings, Unused

OTHERS = "*"
"""Name that stands for all groups that are not named."""
_PLANS = ("weights", "tokens", "epochs")


class MixSettings(Settings, frozen=True):
    """How often documents of each group go into the shards; nothing given: each kept document once.

    Attributes:
        by: what makes a group: ``source``, ``language``, ``metadata.FIELD``, or a label that a stage gives, such as
            ``classify.label``.
        weights: group → its share of the tokens, relative to the others.
        total_tokens: of the mixture by weights; 0: as many as there are without repeating a document.
        tokens: group → its tokens.
        epochs: group → how often its documents are seen: 0.5 takes half of the tokens, 2 takes all twice.
        copies: least number of near-duplicates that a document stands for (itself included) → how often it is taken.
        max_epochs: most times that a group may be repeated.
    """

    by: str = "source"
    weights: dict[str, float] = msgspec.field(default_factory=dict)
    total_tokens: float = 0.0
    tokens: dict[str, float] = msgspec.field(default_factory=dict)
    epochs: dict[str, float] = msgspec.field(default_factory=dict)
    copies: dict[str, float] = msgspec.field(default_factory=dict)
    max_epochs: float = 4.0

    def __post_init__(self) -> None:
        if not self.by or self.by in {"metadata", "metadata."}:
            raise ValueError(f"`mix.by` must be source, language or metadata.FIELD, but is {self.by}")
        given = [name for name in _PLANS if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"`mix.{given[0]}` and `mix.{given[1]}` say the same thing in two ways; give one of them")
        for name in (*_PLANS, "copies"):
            for key, value in getattr(self, name).items():
                if not 0 <= value < float("inf"):
                    raise ValueError(f"`mix.{name}` must hold numbers from 0, but `{key}` is {value}")
        for key in self.copies:
            if not key.isdecimal() or int(key) < 1:
                raise ValueError(f"the keys of `mix.copies` must be numbers of copies, 1 or more, but it has `{key}`")
        if self.weights and not any(self.weights.values()):
            raise ValueError("`mix.weights` must hold a number above 0, but holds none")
        for name in ("total_tokens", "max_epochs"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"`mix.{name}` must be 0 or more, but is {getattr(self, name)}")

    @property
    def active(self) -> bool:
        """Whether the shards are anything but each kept document once."""
        return any(getattr(self, name) for name in (*_PLANS, "copies"))

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:
        """What has no effect."""
        if "tokenize" not in runs:
            yield Unused("", "without the stage `tokenize` there are no shards")
        elif not any(getattr(self, name) for name in _PLANS):
            hint = "--set mix.weights.NAME=1"
            yield Unused("by", "there are no `mix.weights`, `mix.tokens` or `mix.epochs`", hint=hint)
        if not self.weights:
            yield Unused("total_tokens", "there are no `mix.weights`")
        if not self.active:
            yield Unused("max_epochs", "each kept document goes into the shards once")
