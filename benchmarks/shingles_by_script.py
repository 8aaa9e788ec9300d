"""Whether shingles mean the same in every script: similarity by share of words edited, and pages in translation.

Usage: python -m benchmarks.shingles_by_script CORPORA [--copies FOLDER]

Needs the segmenters jieba (Chinese), janome (Japanese), pythainlp (Thai) and laonlp (Lao), as nothing else here does.

1. Sentences of a language are joined to pages of 200 words, words being those of the segmenter. A share of the words is
   replaced by others of the language, drawn by frequency, and the page compared with its copy.
2. A manual in English, Japanese and Chinese: which pairs of pages are alike should not depend on the language.
3. ``--copies`` only writes documents of scripts without spaces, with a copy of each in which some of the characters are
   replaced, one Parquet file a language: input for `benchmarks.near_dup_recall`.
"""

import argparse
import itertools
import logging
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from curate.text.dedup.shingle_words import CHARACTER, LETTER, WORD
from curate.text.dedup.shingles import letters

SIZE = 5
PAGE_WORDS = 200
DOCUMENTS = 3000
SHARES = (0.01, 0.02, 0.04, 0.08)
ALIKE = 0.4
"""Similarity of pages compared in translation; only two pairs of the manual reach 0.8."""
ALONE, ALPHABETIC = 1 << 31, 1 << 30


class Rule(NamedTuple):
    """What a code point of a script without spaces counts, in eighths of a word."""

    name: str
    character: int
    letter: int


RULES = (
    Rule("each a word", WORD, WORD),
    Rule("6 / 12 a shingle", 7, 4),
    Rule("8 / 20 a shingle", CHARACTER, LETTER),
    Rule("10 / 40 a shingle", 4, 1),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--copies", type=Path)
    options = parser.parse_args()
    langid = options.corpora / "langid"
    if options.copies:
        write_copies(langid, options.copies)
        return
    print("| language | code points a word | shingle |", " | ".join(f"{share:.0%}" for share in SHARES), "|")
    print("| --- | ---: | --- |", " ---: |" * len(SHARES), sep="")
    for language, segment in segmenters().items():
        for row in edited_pages(sentences(langid, language), segment):
            print(f"| {language} | {row}")
    print("\n| language | pages | shingle | pairs alike in English | in translation | in both |")
    print("| --- | ---: | --- | ---: | ---: | ---: |")
    for row in translated_pages(langid):
        print(row)


def segmenters() -> dict[str, Callable[[str], list[str]]]:
    import jieba
    from janome.tokenizer import Tokenizer
    from laonlp.tokenize import word_tokenize as lao
    from pythainlp.tokenize import word_tokenize as thai

    jieba.setLogLevel(logging.ERROR)
    japanese = Tokenizer(wakati=True)

    def spaced(text: str) -> list[str]:
        return re.findall(r"\w+|\W+", text)

    return {
        "en": spaced,
        "de": spaced,
        "zh": jieba.lcut,
        "ja": lambda text: list(japanese.tokenize(text)),
        "th": lambda text: thai(text, engine="newmm"),
        "lo": lao,
    }


def sentences(langid: Path, language: str) -> list[str]:
    """Of newspapers; of Lao the prose lines of short help pages, for lack of others."""
    file = "tldr" if language == "lo" else "lingua_sentences"
    texts = pl.read_parquet(langid / f"{file}.parquet").filter(pl.col("lang") == language)["text"].to_list()
    if language == "lo":
        lines = itertools.chain.from_iterable(text.splitlines() for text in texts)
        texts = [line for line in dict.fromkeys(lines) if sum("\u0e80" <= c < "\u0f00" for c in line) > len(line) / 2]
    random.Random(1).shuffle(texts)
    return texts


def edited_pages(texts: list[str], segment: Callable[[str], list[str]]) -> Iterator[str]:
    """For each rule the mean similarity of pages and their edited copies, by share of words replaced."""
    pieces = [segment(text) for text in texts]
    words = [piece for text in pieces for piece in text if is_word(piece)]
    pages = list(in_pages(pieces))
    length = np.mean([len(units(word)) for word in words if ALONE & int(letters()[ord(word[0])])] or [math.nan])
    rules = RULES if length > 0 else RULES[-2:-1]
    for rule in rules:
        random_words = random.Random(2)
        means = [
            np.mean(
                [
                    jaccard(shingles(units("".join(page)), rule), shingles(units("".join(copy)), rule))
                    for page in pages
                    for copy in [edited(page, words, share, random_words)]
                ]
            )
            for share in SHARES
        ]
        name = rule.name if length > 0 else "5 words"
        shown = f"{length:.2f}" if length > 0 else "spaced"
        yield f"{shown} | {name} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |"


def in_pages(texts: list[list[str]]) -> Iterator[list[str]]:
    page: list[str] = []
    for text in texts:
        page += [*text, "\n"]
        if sum(map(is_word, page)) >= PAGE_WORDS:
            yield page
            page = []


def edited(page: list[str], words: list[str], share: float, draw: random.Random) -> list[str]:
    return [draw.choice(words) if is_word(piece) and draw.random() < share else piece for piece in page]


def translated_pages(langid: Path) -> Iterator[str]:
    """Pairs of pages that reach `ALIKE` in English, in a translation and in both, for every rule."""
    manual = pl.read_parquet(langid / "php_manual.parquet").with_columns(page=pl.col("id").str.replace("php/../", ""))
    for language, rule in itertools.product(("ja", "zh"), RULES):
        pages = manual.filter(pl.col("lang").is_in(["en", language])).filter(pl.len().over("page") == 2).sort("page")
        english, translated = (
            set(similar_pairs([shingles(units(text), rule) for text in pages.filter(pl.col("lang") == name)["text"]]))
            for name in ("en", language)
        )
        yield (
            f"| {language} | {pages['page'].n_unique():,} | {rule.name} | {len(english)} | {len(translated)} | "
            f"{len(english & translated)} |"
        )


def write_copies(langid: Path, folder: Path) -> None:
    """At most `DOCUMENTS` of each language, with a copy that differs in up to 2 % of its characters."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = pl.concat(pl.read_parquet(file, columns=["id", "text", "lang"]) for file in sorted(langid.glob("*")))
    for language in ("zh", "ja", "th", "lo"):
        some = documents.filter(pl.col("lang") == language).unique("text", maintain_order=True)
        some = some.sample(min(DOCUMENTS, len(some)), seed=1)
        draw = random.Random(1)
        copies = []
        for text in some["text"]:
            share = draw.random() / 50
            copies.append("".join(draw.choice(text) if draw.random() < share else character for character in text))
        copied = some.with_columns(pl.col("id") + "#copy", text=pl.Series(copies, dtype=pl.String))
        pl.concat([some, copied]).select("id", "text").write_parquet(folder / f"{language}.parquet")


def units(text: str) -> list[int]:
    """Words by hash and code points that stand alone, each as the entry of `letters` that says what it is."""
    table, found, word = letters(), [], ""
    for character in f"{text} ":
        letter = int(table[ord(character)])
        if letter and not letter & ALONE:
            word += chr(letter)
            continue
        if word:
            found.append(hash(word) & (ALPHABETIC - 1))
            word = ""
        if letter:
            found.append(letter)
    return found


def is_word(piece: str) -> bool:
    return bool(units(piece))


def shingles(found: list[int], rule: Rule) -> frozenset[int]:
    weights = [WORD if not unit & ALONE else rule.letter if unit & ALPHABETIC else rule.character for unit in found]
    made, behind, weight = set(), 0, 0
    for first in range(len(found)):
        while weight < WORD * SIZE and behind < len(found):
            weight += weights[behind]
            behind += 1
        if weight < WORD * SIZE:
            break
        made.add(hash(tuple(found[first:behind])))
        weight -= weights[first]
    return frozenset(made or ({hash(tuple(found))} if found else ()))


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0


def similar_pairs(sets: list[frozenset[int]]) -> Iterator[tuple[int, int]]:
    """Pairs that reach `ALIKE`, by prefix filtering: such pairs share one of their rarest members."""
    frequency = Counter(itertools.chain.from_iterable(sets))
    holders: dict[int, list[int]] = defaultdict(list)
    for number, members in enumerate(sets):
        rare = sorted(members, key=lambda member: (frequency[member], member))
        prefix = rare[: len(rare) - math.ceil(ALIKE * len(rare)) + 1]
        candidates = {other for member in prefix for other in holders[member]}
        for other in candidates:
            if jaccard(members, sets[other]) >= ALIKE:
                yield other, number
        for member in prefix:
            holders[member].append(number)


if __name__ == "__main__":
    main()
