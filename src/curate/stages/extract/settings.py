"""The section ``[extract]``: which documents are pages, what reads them, and what of them counts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from curate.settings.base import Settings, Unused


class ResiliparseOptions(Settings, frozen=True):
    """``[extract.resiliparse]``, also of the extractor ``none``: options of resiliparse under its own names.

    The defaults are those that did best on Scrapinghub's pages (F1 0.927 where the library's own reach 0.916).
    """

    links: bool = False
    """Addresses of links, behind their text."""
    alt_texts: bool = False
    """What stands for an image that cannot be shown."""
    list_bullets: bool = False
    """A bullet or number before items of lists."""
    form_fields: bool = False
    noscript: bool = False
    """What is for browsers without scripts."""
    comments: bool = False
    """Comments of readers."""
    post_meta: bool = True
    """Author and date of a post."""
    hidden_elements: bool = False
    """Elements whose class names say that they are hidden."""
    skip_elements: tuple[str, ...] = ()
    """CSS selectors of elements to drop in any case."""

    def options(self, *, main_content: bool) -> dict[str, Any]:
        """The options for the library."""
        return {
            **msgspec.to_builtins(self),
            "skip_elements": list(self.skip_elements) or None,
            "main_content": main_content,
            "preserve_formatting": True,
        }


class TrafilaturaOptions(Settings, frozen=True):
    """``[extract.trafilatura]``: options of trafilatura under its own names."""

    favor: Literal["balance", "precision", "recall"] = "balance"
    """``precision`` prefers losing text to keeping a menu; ``recall`` the other way round."""
    fast: bool = False
    """Without the second opinion of other extractors: half the time."""
    include_comments: bool = False
    """Comments of readers."""
    include_tables: bool = True
    include_links: bool = False
    include_images: bool = False
    include_formatting: bool = False
    """Marks of Markdown for headings and emphasis."""
    deduplicate: bool = False
    """Drop text that occurs earlier on the page."""

    def options(self) -> dict[str, Any]:
        """The options for the library."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        favor = told.pop("favor")
        return {**told, "favor_precision": favor == "precision", "favor_recall": favor == "recall"}


class ExtractSettings(Settings, frozen=True):
    """``[extract]``: HTML pages become their text; all other documents pass as they are.

    Example:
        >>> ExtractSettings(extractor="none").options["main_content"]
        False
    """

    extractor: Literal["resiliparse", "trafilatura", "none"] = "resiliparse"
    """``resiliparse``: the main text, fast; ``trafilatura``: the main text, more precise at a tenth of the speed, with
    ``curate-corpus[trafilatura]``; ``none``: all text of the page, menus too."""
    html: Literal["auto", "all"] = "auto"
    """Which documents are pages: ``auto`` those declared to be (HTML files, WARC records, ``content_type`` in a row) or
    that begin as one; ``all`` takes every document for one."""
    max_seconds: float = 10.0
    """CPU seconds for one page. Hundreds of times what pages take, so that no page is near it."""
    resiliparse: ResiliparseOptions = ResiliparseOptions()
    trafilatura: TrafilaturaOptions = TrafilaturaOptions()

    def __post_init__(self) -> None:
        if not 0.01 <= self.max_seconds <= 3600:
            raise ValueError(f"`extract.max_seconds` must be between 0.01 and 3600, but is {self.max_seconds:g}")
        for selector in self.resiliparse.skip_elements:
            if not re.search(r"\w|\*", selector):
                raise ValueError(f"`extract.resiliparse.skip_elements` must hold CSS selectors, but has `{selector}`")

    @property
    def options(self) -> Mapping[str, Any]:
        """Of the extractor that is chosen."""
        if self.extractor == "trafilatura":
            return self.trafilatura.options()
        return self.resiliparse.options(main_content=self.extractor != "none")

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:  # noqa: ARG002
        """Options of the extractor that is not chosen."""
        for name in ("trafilatura",) if self.extractor != "trafilatura" else ("resiliparse",):
            yield Unused(name, f"`extract.extractor` is `{self.extractor}`", f"--set extract.extractor={name}")
