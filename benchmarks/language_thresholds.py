"""Both errors of `language.min_score`: wanted documents that it removes, foreign ones that it lets in.

    python benchmarks/language_thresholds.py CORPORA [--raw] [--languages en,de,…] [--set NAME]

Every set of labelled text in turn, as Markdown: of the documents in a language (gold label *strong*), the share kept
when that language alone is wanted; of all others in the set, the share let in. Short and technical texts are the hard
ones: manual pages, a reference manual and command examples are half code, sentences and messages are short.
"""

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from curate.stages.language import Language, LanguageSettings

THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9)
FEW = 20
CLOSE = "pt,gl,no,nn,da,sr,hr,bs,id,ms,cs,sk,ca,uk,be,bg,mk"
LANGUAGES = f"en,de,fr,es,ru,zh,ja,{CLOSE}"
LABELLED = ("manpages", "php_manual", "react_dev", "tldr", "lingua_sentences")


class Judged(NamedTuple):
    """A set of texts with the label and the score that each got."""

    name: str
    gold: npt.NDArray[np.str_]
    label: npt.NDArray[np.str_]
    score: npt.NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--raw", action="store_true", help="the text as it stands: language.fold = false")
    parser.add_argument("--languages", default=LANGUAGES)
    parser.add_argument("--set", action="append", help="only this set; may be given again")
    options = parser.parse_args()
    print("| set | language | documents | | " + " | ".join(f"{t:g}" for t in THRESHOLDS) + " |")
    print("| --- | --- | ---: | --- |" + " ---: |" * len(THRESHOLDS))
    for name, gold, texts in sets(options.corpora, options.set):
        judged = judge(name, gold, texts, fold=not options.raw)
        for language in options.languages.split(","):
            for line in lines(judged, language):
                print(line, flush=True)


def sets(corpora: Path, only: list[str] | None) -> Iterator[tuple[str, npt.NDArray[np.str_], list[str]]]:
    """Name, gold languages and texts of each set."""
    for name in LABELLED:
        if not only or name in only:
            rows = pl.read_parquet(corpora / "langid" / f"{name}.parquet").filter(label="strong")
            yield name, rows["lang"].replace({"nb": "no"}).to_numpy(), rows["text"].to_list()
    if not only or "eltec_chapters" in only:
        rows = pl.read_parquet(corpora / "prose" / "eltec_chapters.parquet")
        yield "eltec_chapters", rows["lang"].to_numpy(), rows["text"].to_list()
    for name in ("onestop", "sms_spam"):
        if not only or name in only:
            with gzip.open(corpora / "quality" / f"{name}.jsonl.gz", "rt") as file:
                texts = [json.loads(line)["text"] for line in file]
            yield name, np.full(len(texts), "en"), texts


def judge(name: str, gold: npt.NDArray[np.str_], texts: list[str], *, fold: bool) -> Judged:
    stage = Language(LanguageSettings(fold=fold))
    measures = stage.measure(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    return Judged(name, gold, np.array(measures["label"].to_pylist()), measures["score"].to_numpy())


def lines(judged: Judged, language: str) -> Iterator[str]:
    wanted = judged.gold == language
    if wanted.sum() < FEW:
        return
    for what, rows in (("kept", wanted), ("let in", ~wanted)):
        if rows.any():
            passing = [(judged.label == language) & (judged.score >= threshold) for threshold in THRESHOLDS]
            shares = " | ".join(f"{100 * mask[rows].mean():.{1 if what == 'kept' else 2}f}" for mask in passing)
            print_name = (judged.name, language) if what == "kept" else ("", "")
            yield f"| {print_name[0]} | {print_name[1]} | {rows.sum():,} | {what} | {shares} |"


if __name__ == "__main__":
    main()
