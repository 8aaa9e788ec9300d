"""Which of datatrove's filters remove a document.

    python datatrove_decisions_job.py DOCUMENTS.jsonl OUT.jsonl

A line of ``DOCUMENTS.jsonl`` has ``text``, and may have ``fineweb2``: what FineWeb2's configuration of its language
says, with ``name`` for the language and script. For each document the filters that remove it, each by itself, with the
reason that it gives: Gopher's two, C4's with and without the rule on line ends, FineWeb's on what the latter leaves;
with ``fineweb2`` those of FineWeb2's pipeline. ``words`` has the number of words and the CRC-32 of them with line feeds
between. A line is ``null`` where the words of the language need a library that is not installed.
"""

import json
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import split_into_words
from datatrove.utils.word_tokenizers import load_word_tokenizer

ENGLISH = {
    "GopherRepetitionFilter": GopherRepetitionFilter(),
    "GopherQualityFilter": GopherQualityFilter(),
    "C4QualityFilter": C4QualityFilter(),
    "C4QualityFilter, any line end": C4QualityFilter(filter_no_terminal_punct=False),
}
FINEWEB = FineWebQualityFilter()


def main() -> None:
    warnings.filterwarnings("ignore", "Mean of empty slice|invalid value")
    documents, out = sys.argv[1:]
    filters: dict[str, dict[str, Any] | None] = {}
    with Path(documents).open() as lines, Path(out).open("w") as written:
        for line in lines:
            one = json.loads(line)
            found: dict[str, Any] | None
            if config := one.get("fineweb2"):
                name = config["name"]
                if name not in filters:
                    filters[name] = fineweb2(config)
                of_language = filters[name]
                found = of_language and {key: reason(each, one["text"]) for key, each in of_language.items()}
            else:
                found = english(one["text"])
            if found is None:
                written.write("null\n")
                continue
            words = split_into_words(one["text"], config["name"] if config else "en")
            removed = {key: value for key, value in found.items() if value}
            written.write(json.dumps(removed | {"words": [len(words), zlib.crc32("\n".join(words).encode())]}) + "\n")


def english(text: str) -> dict[str, str]:
    found = {name: reason(each, text) for name, each in ENGLISH.items()}
    left = Document(text=text, id="")
    if ENGLISH["C4QualityFilter, any line end"].filter(left) is True:
        found["FineWebQualityFilter"] = reason(FINEWEB, left.text)
    return found


def fineweb2(config: dict[str, Any]) -> dict[str, Any] | None:
    """The filters of fineweb-2-pipeline.py; None without the library for the language's words."""
    language = config["name"]
    try:
        load_word_tokenizer(language).word_tokenize("a b")
    except (ImportError, OSError, LookupError):
        return None
    return {
        "GopherRepetitionFilter": GopherRepetitionFilter(
            language=language,
            dup_para_frac=0,
            dup_line_char_frac=0,
            dup_para_char_frac=0,
            dup_line_frac=config["dup_line_frac"],
            top_n_grams=config["top_n_grams"],
            dup_n_grams=config["dup_n_grams"],
        ),
        "FineWebQualityFilter": FineWebQualityFilter(
            language=language,
            short_line_thr=999,
            char_duplicates_ratio=0.1,
            line_punct_thr=config["line_punct_thr"],
            new_line_ratio=config["new_line_ratio"],
        ),
        "GopherQualityFilter": GopherQualityFilter(
            language=language,
            max_avg_word_length=config["max_avg_word_length"],
            min_avg_word_length=config["min_avg_word_length"],
            stop_words=config["stopwords"],
            max_non_alpha_words_ratio=config["max_non_alpha_words_ratio"],
            min_stop_words=2,
        ),
    }


def reason(one: Any, text: str) -> str:
    """Why a filter removes a document, empty where it does not."""
    try:
        said = one.filter(Document(text=text, id=""))
    except ZeroDivisionError:  # no word or no line is left
        return "error"
    return "" if said is True else str(said[1] if isinstance(said, tuple) else "removed")


if __name__ == "__main__":
    main()
