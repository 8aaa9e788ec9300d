"""The words of the command, the report and the documentation: one list for all of them."""

import functools
import tomllib

import msgspec

from curate.cache.tables import shipped


class Term(msgspec.Struct, frozen=True):
    """A word, or several of one entry, and what it means."""

    name: str
    text: str
    page: bool = False
    """Also in the glossary of a report."""
    see: str = ""
    """Where the documentation says more, in Markdown."""


@functools.cache
def glossary() -> tuple[Term, ...]:
    """All terms, by name.

    Example:
        >>> [term.name for term in glossary()][:2]
        ['Alert', 'Band, row']
    """
    return tuple(msgspec.convert(tomllib.loads(shipped("curate.report", "glossary.toml"))["terms"], list[Term]))


def term(word: str) -> Term | None:
    """The entry of a word, in any case, singular or plural.

    Example:
        >>> term("survivors").name, term("lsh").name, term("nothing")
        ('Survivor', 'MinHash, LSH', None)
    """
    asked = word.lower()
    names = {asked, asked.removesuffix("s"), f"{asked.removesuffix('ies')}y"}
    return next((one for one in glossary() if names & set(one.name.lower().split(", "))), None)
