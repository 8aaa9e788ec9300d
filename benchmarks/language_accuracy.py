"""Accuracy and speed of both language identifiers on labelled text, folded and raw, at several lengths of excerpt.

    python benchmarks/language_accuracy.py CORPORA [--sample N] [--max-bytes N,N,…]
    python benchmarks/language_accuracy.py CORPORA --written      # the same text in capitals, with other spaces …
    python benchmarks/language_accuracy.py CORPORA --languages    # by language, folded and raw

``CORPORA`` holds ``langid/*.parquet`` with the columns ``text``, ``lang`` and ``label``; only rows labelled
``strong`` count. Gold ``nb`` counts as ``no``. *all* judges every row, *known* only the rows whose language
the identifier has; *macro* is the mean accuracy over the known languages with at least 20 rows; *kept* is the
share of English rows that the default settings keep. langdetect is judged on a sample: it reads about 1 MB a
second.
"""

import argparse
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from curate.models.langid import LANGDETECT_CODES, LID176_CODES
from curate.stages.language import Language, LanguageSettings

SETS = ("manpages", "php_manual", "react_dev", "tldr", "lingua_sentences")
KNOWN = {"lid176": LID176_CODES, "langdetect": LANGDETECT_CODES}
ROW = "{:18}{:>11}{:>6}{:>10}{:>8}{:>8}{:>8}{:>8}{:>8}{:>10}{:>11}"
FEW = 20  # rows of a language that say nothing
WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "CAPITALS": str.upper,
    "Title Case": str.title,
    "aLtErNaTiNg": lambda text: "".join(char.upper() if at % 2 else char for at, char in enumerate(text)),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "em spaces": lambda text: text.replace(" ", "\u2003"),
    "decomposed (NFD)": lambda text: unicodedata.normalize("NFD", text),
    "full width": lambda text: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text),
    "soft hyphens": "\u00ad".join,
    "s p a c e d  o u t": lambda text: "  ".join(" ".join(word) for word in text.split()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--sample", type=int, default=1000, help="rows of each set for langdetect")
    parser.add_argument("--max-bytes", default="0,1000,4000", help="excerpt lengths; 0 is the whole document")
    parser.add_argument("--written", action="store_true", help="the same text, written in other ways")
    parser.add_argument("--languages", action="store_true", help="accuracy by language")
    options = parser.parse_args()
    sets = {name: strong(options.corpora / "langid" / f"{name}.parquet") for name in SETS}
    if options.written:
        show_written(sets, options.sample)
    elif options.languages:
        show_languages(sets)
    else:
        show_sets(sets, options.sample, [int(length) for length in options.max_bytes.split(",")])


def strong(file: Path) -> pl.DataFrame:
    """Rows whose language is certain, with it as ``gold``."""
    rows = pl.read_parquet(file, columns=["text", "lang", "label"]).filter(label="strong")
    return rows.with_columns(gold=pl.col("lang").replace({"nb": "no"}))


def show_sets(sets: dict[str, pl.DataFrame], sample: int, lengths: list[int]) -> None:
    header = "set", "backend", "fold", "max_bytes", "rows", "all", "known", "macro", "kept", "MB/CPU-s", "docs/CPU-s"
    print(ROW.format(*header))
    for name, rows in sets.items():
        some = rows.sample(min(sample, len(rows)), seed=0)
        for backend, judged_rows in (("lid176", rows), ("langdetect", some)):
            for fold in (False, True):
                for line in judged(judged_rows, backend, lengths, fold=fold):
                    print(ROW.format(name, backend, "yes" if fold else "no", *line), flush=True)


def show_written(sets: dict[str, pl.DataFrame], sample: int) -> None:
    print("| written | " + " | ".join(f"{name}: raw | folded" for name in sets) + " |")
    for how, change in WRITTEN.items():
        found = []
        for rows in sets.values():
            some = rows.sample(min(sample, len(rows)), seed=0)
            texts = [change(text) for text in some["text"]]
            found += [percent(labels(texts, fold=fold) == some["gold"].to_numpy()) for fold in (False, True)]
        print(f"| {how} | " + " | ".join(found) + " |", flush=True)


def show_languages(sets: dict[str, pl.DataFrame]) -> None:
    print("| set | language | rows | raw | folded |")
    for name, rows in sets.items():
        gold = rows["gold"].to_numpy()
        raw, folded = (labels(rows["text"].to_list(), fold=fold) == gold for fold in (False, True))
        for code in np.unique(gold[np.isin(gold, list(LID176_CODES))]):
            own = gold == code
            if own.sum() >= FEW:
                print(f"| {name} | {code} | {own.sum()} | {percent(raw[own])} | {percent(folded[own])} |")


def labels(texts: list[str], *, fold: bool) -> np.ndarray:
    stage = Language(LanguageSettings(fold=fold))
    measures = stage.measure(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    return measures["label"].to_numpy(zero_copy_only=False)


def judged(rows: pl.DataFrame, backend: str, lengths: list[int], *, fold: bool) -> Iterator[tuple[str, ...]]:
    gold = rows["gold"].to_numpy()
    batch = pa.record_batch({"text": rows["text"].to_arrow().cast(pa.large_string())})
    known = np.isin(gold, list(KNOWN[backend]))
    megabytes = rows["text"].str.len_bytes().sum() / 1e6
    for length in lengths:
        stage = Language(LanguageSettings(backend=backend, max_bytes=length, fold=fold))
        stage.measure(batch.slice(0, 5))
        started = time.process_time()
        measures = stage.measure(batch)
        seconds = time.process_time() - started
        right = measures["label"].to_numpy(zero_copy_only=False) == gold
        kept = np.array([not reasons for reasons in stage.judge(measures).to_pylist()])
        english = gold == "en"
        yield (
            str(length or "whole"),
            str(len(rows)),
            percent(right),
            percent(right[known]),
            percent(means_by_language(right[known], gold[known])),
            percent(kept[english]),
            f"{megabytes / seconds:.1f}",
            f"{len(rows) / seconds:.0f}",
        )


def means_by_language(right: np.ndarray, gold: np.ndarray) -> np.ndarray:
    codes, counts = np.unique(gold, return_counts=True)
    return np.array([right[gold == code].mean() for code in codes[counts >= FEW]])


def percent(shares: np.ndarray) -> str:
    return f"{100 * shares.mean():.2f}" if len(shares) else "-"


if __name__ == "__main__":
    main()
