"""What datatrove's filters decide, rule by rule.

    python datatrove_rules_job.py DOCUMENTS.jsonl OUT.jsonl

A filter gives only its first reason, so each rule has a filter of its own, all other rules off; rules are named after
our settings. FineWeb's rules see the text that C4's rules for lines leave, as in datatrove's FineWeb pipeline. For each
document: the rules that remove it, the whole filters that remove it, where words begin, and words and text that C4
leaves.
"""

import json
import sys
import warnings
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import datatrove.utils.text as text_tools
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import split_into_words

NO_QUALITY = dict.fromkeys(
    (
        *("min_doc_words", "max_doc_words", "min_avg_word_length", "max_avg_word_length", "max_symbol_word_ratio"),
        *("max_bullet_lines_ratio", "max_ellipsis_lines_ratio", "max_non_alpha_words_ratio", "min_stop_words"),
    )
)
NO_REPETITION = {
    **dict.fromkeys(("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac")),
    "top_n_grams": (),
    "dup_n_grams": (),
}
NO_FINEWEB = {"line_punct_thr": 0, "short_line_thr": 2, "char_duplicates_ratio": 2, "new_line_ratio": 1e9}
NO_C4 = {"min_num_sentences": -1, "filter_lorem_ipsum": False, "filter_curly_bracket": False}

QUALITY = {
    "min_words": {"min_doc_words": 50},
    "max_words": {"max_doc_words": 100000},
    "min_mean_word_length": {"min_avg_word_length": 3},
    "max_mean_word_length": {"max_avg_word_length": 10},
    "max_symbol_ratio": {"max_symbol_word_ratio": 0.1},
    "max_all_bullet_lines": {"max_bullet_lines_ratio": 0.9},
    "max_all_ellipsis_lines": {"max_ellipsis_lines_ratio": 0.3},
    "min_alphabetic_words": {"max_non_alpha_words_ratio": 0.8},
    "min_exact_stop_words": {"min_stop_words": 2},
}
REPETITION = {
    "max_duplicate_lines": {"dup_line_frac": 0.3},
    "max_duplicate_paragraphs": {"dup_para_frac": 0.3},
    "max_duplicate_line_characters": {"dup_line_char_frac": 0.2},
    "max_duplicate_paragraph_characters": {"dup_para_char_frac": 0.2},
    **{f"max_most_common_{n}gram": {"top_n_grams": ((n, limit),)} for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16))},
    **{f"max_duplicate_{n}gram": {"dup_n_grams": ((n, (20 - n) / 100),)} for n in range(5, 11)},
}
C4 = {
    "min_sentences": {"min_num_sentences": 5},
    "max_lorem_ipsum_lines": {"filter_lorem_ipsum": True},
    "max_curly_bracket_lines": {"filter_curly_bracket": True},
}
FINEWEB = {
    "min_terminal_lines": {"line_punct_thr": 0.12},
    "max_short_lines": {"short_line_thr": 0.67},
    "max_repeated_line_characters": {"char_duplicates_ratio": 0.01},
    "max_newlines_per_word": {"new_line_ratio": 0.3},
}

anyend = partial(C4QualityFilter, filter_no_terminal_punct=False)
RULES = {
    "GopherQualityFilter": {key: GopherQualityFilter(**NO_QUALITY | one) for key, one in QUALITY.items()},
    "GopherRepetitionFilter": {key: GopherRepetitionFilter(**NO_REPETITION | one) for key, one in REPETITION.items()},
    "C4QualityFilter": {key: C4QualityFilter(**NO_C4 | one) for key, one in C4.items()},
    "C4QualityFilter, any line end": {key: anyend(**NO_C4 | one) for key, one in C4.items()},
}
FINEWEB_RULES = {key: FineWebQualityFilter(**NO_FINEWEB | one) for key, one in FINEWEB.items()}
WHOLE = {
    "GopherQualityFilter": GopherQualityFilter(),
    "GopherRepetitionFilter": GopherRepetitionFilter(),
    "C4QualityFilter": C4QualityFilter(),
    "C4QualityFilter, any line end": anyend(),
}


def main() -> None:
    warnings.filterwarnings("ignore", "Mean of empty slice|invalid value")
    documents, out = sys.argv[1:]
    # Its own cache of five texts would split a document again for every rule.
    text_tools.split_into_parts = lru_cache(2048)(text_tools.split_into_parts.__wrapped__)
    with Path(documents).open() as lines, Path(out).open("w") as written:
        written.writelines(json.dumps(decisions(json.loads(line)["text"])) + "\n" for line in lines)


def decisions(text: str) -> dict:
    fails = {}
    left = {}
    for name, rules in RULES.items():
        fails[name] = [key for key, one in rules.items() if removes(one, text)]
    for name in ("C4QualityFilter", "C4QualityFilter, any line end"):
        document = Document(text=text, id="")
        cut = C4QualityFilter(**NO_C4) if name == "C4QualityFilter" else anyend(**NO_C4)
        cut.filter(document)
        left[name] = document.text
    after = left["C4QualityFilter, any line end"]
    fails["FineWebQualityFilter"] = [key for key, one in FINEWEB_RULES.items() if after and removes(one, after)]
    whole = [name for name, one in WHOLE.items() if removes(one, text)]
    if after and removes(FineWebQualityFilter(), after):
        whole.append("FineWebQualityFilter")
    return {"fails": fails, "whole": whole, "left": left, "words_left": len(split_into_words(after)),
            "words": list(starts(text, split_into_words(text)))}  # fmt: skip


def removes(one: object, text: str) -> bool:
    return one.filter(Document(text=text, id="")) is not True


def starts(text: str, words: list[str]) -> Iterator[int]:
    """Where each word begins, in code points."""
    end = 0
    for word in words:
        begin = text.index(word, end)
        end = begin + len(word)
        yield begin


if __name__ == "__main__":
    main()
