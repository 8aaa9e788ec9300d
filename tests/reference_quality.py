"""The quality signals, written for reading: what the one-pass kernel is tested against.

Definitions: Gopher (arXiv:2112.11446), A1.1 and Table A1, in the sense of datatrove where the paper leaves
a choice. Slow.
"""

import math
import re
import unicodedata
from collections import Counter

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
BULLETS = set("•‣▶◀◦■□▪▫\N{EN DASH}-*")
UNSPACED = re.compile(
    r"CJK (UNIFIED|COMPATIBILITY) IDEOGRAPH|IDEOGRAPHIC ITERATION MARK|HIRAGANA|(HALFWIDTH )?KATAKANA"
    r"|(THAI|LAO|KHMER|MYANMAR|TIBETAN|TAI|NEW TAI) "
)


def signals(text: str, *, english: bool) -> dict[str, float]:
    cut = _words(text)
    words = [word for word, _ in cut]
    worded = [word for word in words if not all(map(_is_symbol, word))]
    spaced = [word for word in worded if not any(map(_is_unspaced, word))]
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    paragraphs = _paragraphs(text)
    size = len(text) if words else 0  # text without a word has nothing that could repeat
    found = {
        "characters": len(text),
        "words": len(worded),
        "lines": len(lines),
        "paragraphs": len(paragraphs),
        "mean_word_length": _ratio(sum(map(len, spaced)), len(spaced)),
        "symbol_ratio": _ratio(text.count("#"), len(words)),
        "ellipsis_ratio": _ratio(text.count("...") + text.count("…"), len(words)),
        "bullet_lines": _ratio(sum(line.lstrip()[0] in BULLETS for line in lines), len(lines)),
        "ellipsis_lines": _ratio(sum(line.endswith(("...", "…")) for line in lines), len(lines)),
        "alphabetic_words": _ratio(sum(any(map(str.isalpha, word)) for word in words), len(words)),
        "stop_words": len({_core(word) for word in words} & STOP_WORDS) if english else math.nan,
        "duplicate_lines": _ratio(len(_copies(lines)), len(lines)),
        "duplicate_paragraphs": _ratio(len(_copies(paragraphs)), len(paragraphs)),
        "duplicate_line_characters": _ratio(sum(map(len, _copies(lines))), size),
        "duplicate_paragraph_characters": _ratio(sum(map(len, _copies(paragraphs))), size),
        **{f"top_{n}gram": _ratio(_most_frequent(cut, n), size) for n in (2, 3, 4)},
        **{f"duplicate_{n}gram": _ratio(_repeated(words, n), size) for n in range(5, 11)},
    }
    if len(spaced) <= len(worded) - len(spaced):
        found["mean_word_length"] = math.nan
    return found


def _ratio(part: float, whole: int) -> float:
    return part / whole if whole else math.nan


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character)[0] in "PSC"


def _is_unspaced(character: str) -> bool:
    return character.isalpha() and bool(UNSPACED.match(unicodedata.name(character, "")))


def _words(text: str) -> list[tuple[str, bool]]:
    """Words, and whether white space comes before each."""
    words: list[tuple[str, bool]] = []
    for run in text.split():
        pieces: list[str] = []
        unspaced = False  # whether the last piece is a letter of a script without spaces
        for character in run:
            is_mark = unicodedata.category(character)[0] == "M"
            if pieces and (is_mark or not (unspaced or _is_unspaced(character))):
                pieces[-1] += character
            else:
                pieces.append(character)
                unspaced = _is_unspaced(character)
        words += [(piece, i == 0) for i, piece in enumerate(pieces)]
    return words


def _core(word: str) -> str:
    inner = [i for i, character in enumerate(word) if not _is_symbol(character)]
    core = word[inner[0] : inner[-1] + 1] if inner else ""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in core)


def _paragraphs(text: str) -> list[str]:
    """Paragraphs without the white space at the ends of their lines."""
    paragraphs: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            paragraphs[-1].append(line.rstrip())
        else:
            paragraphs.append([])
    return ["\n".join(lines) for lines in paragraphs if lines]


def _copies(elements: list[str]) -> list[str]:
    """Those that are equal to one before them."""
    seen: set[str] = set()
    copies = []
    for element in elements:
        if element in seen:
            copies.append(element)
        seen.add(element)
    return copies


def _most_frequent(cut: list[tuple[str, bool]], n: int) -> int:
    """Characters of the most frequent n-gram times its occurrences; the first one's spaces count."""
    counts = Counter(tuple(word for word, _ in cut[i : i + n]) for i in range(len(cut) - n + 1))
    if not counts:
        return 0
    ngram, count = counts.most_common(1)[0]
    if count == 1:
        return 0
    begin = next(i for i in range(len(cut)) if tuple(word for word, _ in cut[i : i + n]) == ngram)
    return count * (sum(map(len, ngram)) + sum(spaced for _, spaced in cut[begin + 1 : begin + n]))


def _repeated(words: list[str], n: int) -> int:
    """datatrove's ``find_all_duplicate``, with words kept apart."""
    seen: set[tuple[str, ...]] = set()
    characters = begin = 0
    while begin <= len(words) - n:
        ngram = tuple(words[begin : begin + n])
        if ngram in seen:
            characters += sum(map(len, ngram))
            begin += n
        else:
            seen.add(ngram)
            begin += 1
    return characters
