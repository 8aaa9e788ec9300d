"""What a section of ``curate.toml`` is made of: settings that check themselves, and the reasons that rules give."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec


class Reason(NamedTuple):
    """Why a document was removed: a stable ``code`` (without the stage's prefix) and a sentence for people."""

    code: str
    sentence: str


Side = Literal["min", "max"]


class Limit(NamedTuple):
    """A threshold on one measure: who asks for documents of its reason is shown those nearest to it first."""

    key: str
    """Its setting, in the stage's section."""
    measure: str
    side: Side
    """``min``: a document below it gets the reason; ``max``: one above it."""
    value: float
    """NaN: only single languages have one."""
    reason: str
    at: bool = False
    """Whether a document at the very limit gets the reason, too."""
    languages: Mapping[str, float] = {}
    """Language → the limit that holds there instead; NaN: none."""
    decides: bool = True
    """Whether the measure alone decides who gets the reason; if not, who wants to know must ask the stage."""


class Unused(NamedTuple):
    """A setting that changes nothing, and why."""

    key: str
    """In its section, with dots for tables; empty: all of the section."""
    why: str
    """Goes on where ``… has no effect:`` ends."""
    hint: str = ""


class Mentions(NamedTuple):
    """What a setting names that the corpus must have: without it, the setting changes nothing."""

    key: str
    languages: tuple[str, ...] = ()
    """Labels of the language stage."""
    sources: tuple[str, ...] = ()
    field: str = ""
    """Of the metadata."""
    measure: str = ""
    """Of the stage: null, false or 0 for every document where nothing was found."""
    lacking: str = ""
    """What every document lacks then: ``no address``."""
    hint: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One section of ``curate.toml``. Subclasses validate themselves in ``__post_init__`` (``ValueError``)."""

    thresholds: ClassVar[frozenset[str]] = frozenset()
    """Fields that only ``judge`` reads. Changing one recomputes verdicts and leaves measures alone."""
    blank: ClassVar[Mapping[str, Any]] = {}
    """What a recipe starts from where that is not the defaults: rules that a recipe does not name are off."""

    def limits(self) -> Sequence[Limit]:
        """The thresholds among the settings that hold and compare one measure each."""
        return ()

    def unused(self, runs: Sequence[str]) -> Iterable[Unused]:  # noqa: ARG002
        """Settings that change nothing, whatever the corpus holds; given or not.

        Args:
            runs: names of the stages of the run, in order.
        """
        return ()

    def mentions(self) -> Iterable[Mentions]:
        """What settings name that may not be in the corpus."""
        return ()

    def completed(self, sections: "Mapping[str, Settings]") -> "Settings":  # noqa: ARG002
        """The same with what other sections say where this one leaves it to them."""
        return self

    def lacking(self) -> str:
        """What the settings do not name without which there is nothing to do: then a recipe's stage does not run.

        Empty where nothing is missing, else such as ``it has no list``.
        """
        return ""

    def effective(self) -> dict[str, Any]:
        """Every value that holds, as plain data; a section whose values come from elsewhere too says so here."""
        return {name: msgspec.to_builtins(getattr(self, name)) for name in self.__struct_fields__}
