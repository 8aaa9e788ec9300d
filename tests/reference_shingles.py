"""Words and shingles once more, in plain Python, by the definition and not by the code under test."""

import re
import unicodedata
from fractions import Fraction

UNSPACED = (
    "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U000323af"
)


def is_word_character(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character).startswith(("M", "N"))


def words(text: str) -> list[str]:
    spaced = "".join(
        f" {c} " if re.match(f"[{UNSPACED}]", c) and is_word_character(c) else c if is_word_character(c) else " "
        for c in text.replace("İ", "i")
    )
    return spaced.lower().replace(*"\u03c2\u03c3").split()


def weight(word: str) -> Fraction:
    """How much of a word it is."""
    if not re.fullmatch(f"[{UNSPACED}]", word):
        return Fraction(1)
    return Fraction(1, 4) if "\u0e00" <= word < "\u1800" else Fraction(5, 8)


def shingle_set(text: str, size: int = 5) -> frozenset[tuple[str, ...]]:
    found = words(text)
    shingles = set()
    for first in range(len(found)):
        behind, total = first, Fraction(0)
        while behind < len(found) and total < size:
            total += weight(found[behind])
            behind += 1
        if total >= size:
            shingles.add(tuple(found[first:behind]))
    return frozenset(shingles or {tuple(found)} if found else ())


def jaccard(one: frozenset, other: frozenset) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0
