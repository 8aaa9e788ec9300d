"""Libraries that read the text of a page. They are called in child processes alone (`curate.html.serving`)."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple


class Extracted(NamedTuple):
    """Text and title of a page; empty if there is none."""

    text: str
    title: str


Extractor = Callable[[str], Extracted]

LIBRARIES: Mapping[str, str] = {"resiliparse": "resiliparse", "trafilatura": "trafilatura", "none": "resiliparse"}
"""Extractor → the library that does it."""


def library(extractor: str) -> str:
    """The library of an extractor and its version.

    Example:
        >>> library("none").partition(" ")[0]
        'resiliparse'
    """
    name = LIBRARIES[extractor]
    return f"{name} {version(name)}"


def make(extractor: str, options: Mapping[str, Any]) -> Extractor:
    """What reads pages, with the library's own options.

    Args:
        extractor: a key of `LIBRARIES`.
        options: of ``resiliparse.extract.html2text.extract_plain_text``, or of ``trafilatura.extract``.

    Example:
        >>> make("none", {})("<title>A page</title><p>Some <b>text</b>.")
        Extracted(text='Some text.', title='A page')
    """
    from resiliparse.parse.html import HTMLTree

    if extractor == "trafilatura":
        import trafilatura

        def by_trafilatura(page: str) -> Extracted:
            return Extracted(trafilatura.extract(page, **options) or "", HTMLTree.parse(page).title or "")

        return by_trafilatura

    from resiliparse.extract.html2text import extract_plain_text

    def by_resiliparse(page: str) -> Extracted:
        tree = HTMLTree.parse(page)
        return Extracted(extract_plain_text(tree, **options), tree.title or "")

    return by_resiliparse
