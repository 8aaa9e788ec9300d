"""What users can set about repeated passages: the ``[line_dup]`` section."""

from typing import ClassVar, Literal

from curate.settings.base import Limit, Settings


class LineDupSettings(Settings, frozen=True):
    """Which passages are boilerplate, and what must be left of a document."""

    thresholds: ClassVar[frozenset[str]] = frozenset({"min_words_left"})

    unit: Literal["line", "paragraph"] = "line"
    """What is counted and cut; a paragraph is a run of lines that are not blank."""
    min_documents: int = 10
    """Documents that must hold a passage before it is cut. Templates reach it, quotations and versions seldom do."""
    scope: Literal["source", "corpus"] = "source"
    """Documents are counted within each ``source``, or within the whole ``corpus``."""
    min_characters: int = 20
    """Code points from which a passage counts, white space collapsed: headings and braces are structure."""
    min_words_left: int = 50
    """Words that must be left of a document out of which something was cut."""

    def __post_init__(self) -> None:
        """Check every value."""
        for key, least in (("min_documents", 2), ("min_characters", 1), ("min_words_left", 0)):
            if getattr(self, key) < least:
                raise ValueError(f"`line_dup.{key}` must be at least {least}, but is {getattr(self, key)}")

    def limits(self) -> tuple[Limit, ...]:
        """The words that must be left, of documents that had as many."""
        least = self.min_words_left
        return (Limit("min_words_left", "words_left", "min", least, "too_short_after_cutting", decides=False),)

    @property
    def paragraphs(self) -> bool:
        """Whether passages are paragraphs instead of lines."""
        return self.unit == "paragraph"
