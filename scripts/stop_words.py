"""Write stop words by language, counted in sentences of known language.

    python scripts/stop_words.py CORPORA/langid/lingua_sentences.parquet > src/curate/stages/quality/stop_words.toml

A stop word makes up 0.8 % or more of the words of its language, as in FineWeb2 (arXiv:2506.20920, appendix); where
fewer than
12 do, the 12 most frequent are taken. Words are the cores of `curate.text.core.words`, symbol words and numbers left
out; scripts without spaces have letters with their marks. English keeps the list of Gopher.
"""

import sys
import unicodedata
from collections import Counter

import polars as pl

from curate.text.core.words import MARK, SYMBOL, UNSPACED, characters

LEAST_SHARE = 0.008
LEAST, MOST = 12, 64
CODES = {"nb": "no"}  # as the language stage has them
ENGLISH = ["the", "be", "to", "of", "and", "that", "have", "with"]
GOPHER = "Gopher, arXiv:2112.11446, A1.1"
HEAD = """\
# Stop words by language (BCP 47 primary subtag), at most 64 each, in lower case, most frequent first. For other
# languages the
# signal `stop_words` is null and no rule on it applies. Made by scripts/stop_words.py: words that make up 0.8 % or
# more of
# the sentences of the Leipzig Corpora Collection (CC BY) in lingua-py's test data, at least 12; one letter in scripts
# without spaces. English is Gopher's list.
"""


def main() -> None:
    rows = pl.read_parquet(sys.argv[1], columns=["lang", "text"]).group_by("lang", maintain_order=True).all()
    print(HEAD)
    lists = {CODES.get(lang, lang): words(texts) for lang, texts in rows.iter_rows()}
    for lang in sorted({*lists, "en"}):
        chosen = ENGLISH if lang == "en" else lists[lang]
        print(f"[{lang}]")
        print("words = [" + ", ".join(f'"{word}"' for word in chosen) + "]")
        if lang == "en":
            print(f'source = "{GOPHER}"')
        print()


def words(texts: list[str]) -> list[str]:
    counts = Counter(core for text in texts for core in cores(unicodedata.normalize("NFC", text)))
    frequent = [word for word, count in counts.most_common(MOST) if count >= LEAST_SHARE * counts.total()]
    return frequent if len(frequent) >= LEAST else [word for word, _ in counts.most_common(LEAST)]


def cores(text: str) -> list[str]:
    classes = characters().classes
    found = []
    for run in text.split():
        pieces: list[str] = []
        alone = False
        for character in run:
            kind = classes[ord(character)]
            if pieces and (kind & MARK or not (alone or kind & UNSPACED)):
                pieces[-1] += character
            else:
                pieces.append(character)
                alone = bool(kind & UNSPACED)
        for piece in pieces:
            inner = [i for i, character in enumerate(piece) if not classes[ord(character)] & SYMBOL]
            if inner and not all(map(str.isnumeric, piece[inner[0] : inner[-1] + 1])):
                core = piece[inner[0] : inner[-1] + 1]
                found.append("".join(c.lower() if len(c.lower()) == 1 else c for c in core))
    return found


if __name__ == "__main__":
    main()
