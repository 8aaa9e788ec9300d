"""Accuracy and speed of both language identifiers on labelled text, at several lengths of excerpt.

    python benchmarks/language_accuracy.py CORPORA [--sample N] [--max-bytes N,N,…]

``CORPORA`` holds ``langid/*.parquet`` with the columns ``text``, ``lang`` and ``label``; only rows labelled
``strong`` count. Gold ``nb`` counts as ``no``. *all* judges every row, *known* only the rows whose language
the identifier has; *macro* is the mean accuracy over the known languages with at least 20 rows; *kept* is the
share of English rows that the default settings keep. langdetect is judged on a sample: it reads about 1 MB a
second.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from curate.stages.language import Language, LanguageSettings
from curate.text.langid import LANGDETECT_CODES, LID176_CODES

SETS = ("manpages", "php_manual", "react_dev", "tldr", "lingua_sentences")
KNOWN = {"lid176": LID176_CODES, "langdetect": LANGDETECT_CODES}
ROW = "{:18}{:>11}{:>10}{:>8}{:>8}{:>8}{:>8}{:>8}{:>10}{:>11}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--sample", type=int, default=1000, help="rows of each set for langdetect")
    parser.add_argument("--max-bytes", default="0,1000,4000", help="excerpt lengths; 0 is the whole document")
    options = parser.parse_args()
    lengths = [int(length) for length in options.max_bytes.split(",")]
    header = (
        "set",
        "backend",
        "max_bytes",
        "rows",
        "all",
        "known",
        "macro",
        "kept",
        "MB/CPU-s",
        "docs/CPU-s",
    )
    print(ROW.format(*header))
    for name in SETS:
        strong = pl.read_parquet(options.corpora / "langid" / f"{name}.parquet").filter(label="strong")
        sample = strong.sample(min(options.sample, len(strong)), seed=0)
        for backend, rows in (("lid176", strong), ("langdetect", sample)):
            for line in judged(rows, backend, lengths):
                print(ROW.format(name, backend, *line), flush=True)


def judged(rows: pl.DataFrame, backend: str, lengths: list[int]) -> Iterator[tuple[str, ...]]:
    gold = rows["lang"].replace({"nb": "no"}).to_numpy()
    batch = pa.record_batch({"text": rows["text"].to_arrow().cast(pa.large_string())})
    known = np.isin(gold, list(KNOWN[backend]))
    megabytes = rows["text"].str.len_bytes().sum() / 1e6
    for length in lengths:
        stage = Language(LanguageSettings(backend=backend, max_bytes=length))
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
    return np.array([right[gold == code].mean() for code in codes[counts >= 20]])


def percent(shares: np.ndarray) -> str:
    return f"{100 * shares.mean():.2f}" if len(shares) else "-"


if __name__ == "__main__":
    main()
