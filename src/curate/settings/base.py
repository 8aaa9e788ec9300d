"""The building blocks of a section of ``curate.toml``: settings that check themselves, and reasons that rules give."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec


class Reason(NamedTuple):
    """Why a document was removed: a stable ``code`` (without the stage's prefix) and a sentence that explains it."""

    code: str
    sentence: str


Side = Literal["min", "max"]


class Limit(NamedTuple):
    """A threshold on one measure: documents with its reason are shown nearest to it first."""

    key: str
    """Its setting, in the stage's section."""
    measure: str
    side: Side
    """``min``: a document below it gets the reason; ``max``: one above it."""
    value: float
    """NaN: only single languages have one."""
    reason: str
    at: bool = False
    """Whether a document exactly at the limit gets the reason, too."""
    languages: Mapping[str, float] = {}
    """Language → the limit that holds for it instead; NaN: none."""
    decides: bool = True
    """Whether only the measure decides which documents get the reason; if not, only the stage knows."""


class Unused(NamedTuple):
    """A setting that changes nothing, and why."""

    key: str
    """In its section, with dots for tables; empty: all of the section."""
    why: str
    """Continues the sentence ``… has no effect:``."""
    hint: str = ""


class Mentions(NamedTuple):
    """What a setting names that the corpus must have, because otherwise the setting has no effect."""

    key: str
    languages: tuple[str, ...] = ()
    """Labels of the language stage."""
    sources: tuple[str, ...] = ()
    field: str = ""
    """Of the metadata."""
    measure: str = ""
    """Of the stage: null, false or 0 for every document where nothing was found."""
    lacking: str = ""
    """What every document lacks in that case: ``no address``."""
    hint: str = ""


def same_value(a: object, b: object) -> bool:
    """Whether two values of a setting say the same: 0 and ``false`` do not, although Python has them equal.

    Example:
        >>> same_value(50, 50.0), same_value(0, False), same_value([{"max_words": 0}], [{"max_words": False}])
        (True, False, False)
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same_value(value, b[key]) for key, value in a.items())
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same_value, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and a == b


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One section of ``curate.toml``. Subclasses validate themselves in ``__post_init__`` (``ValueError``)."""

    thresholds: ClassVar[frozenset[str]] = frozenset()
    """Fields that only ``judge`` reads. Changing one recomputes verdicts but no measures."""
    blank: ClassVar[Mapping[str, Any]] = {}
    """What a recipe starts from instead of the defaults: rules that a recipe does not name are off."""

    def __eq__(self, other: object) -> bool:
        """Whether every field says the same."""
        if type(self) is not type(other):
            return False
        return all(same_value(getattr(self, name), getattr(other, name)) for name in self.__struct_fields__)

    def __hash__(self) -> int:
        """Of the fields."""
        return hash(msgspec.structs.astuple(self))

    def limits(self) -> Sequence[Limit]:
        """The thresholds in force that compare one measure each."""
        return ()

    def unused(self, runs: Sequence[str]) -> Iterable[Unused]:  # noqa: ARG002
        """Settings that have no effect, whatever the corpus holds, whether or not they were given.

        Args:
            runs: names of the stages of the run, in order.
        """
        return ()

    def mentions(self) -> Iterable[Mentions]:
        """What settings name that may not be in the corpus."""
        return ()

    def completed(self, sections: "Mapping[str, Settings]") -> "Settings":  # noqa: ARG002
        """The same settings, completed from other sections where this one refers to them."""
        return self

    def lacking(self) -> str:
        """What must be set for the stage to have something to do; while it is missing, a recipe's stage does not run.

        Empty if nothing is missing, else for example ``it has no list``.
        """
        return ""

    def effective(self) -> dict[str, Any]:
        """Every value in force, as plain data, including values that come from elsewhere."""
        return {name: msgspec.to_builtins(getattr(self, name)) for name in self.__struct_fields__}
