"""Recall, precision and cost of `near_dup` against known exact pairs.

Usage: python benchmarks/near_dup_recall.py FOLDER [--similarity 0.7 0.8 0.9] [--bands B --rows R]

FOLDER holds ``docs.parquet`` (id, text) and ``pairs.parquet`` (id_a, id_b, jaccard: every pair at 0.5 or more).
"""

import argparse
import re
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from curate.stages.near_dup import NearDup, NearDupSettings
from fake_corpus import FakeCorpus

PART_BYTES = 16 << 20
CHECKED = 2000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--similarity", type=float, nargs="+", default=[0.7, 0.8, 0.9])
    parser.add_argument("--bands", type=int, default=0)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--survivor", default="longest")
    options = parser.parse_args()
    docs = pl.read_parquet(options.folder / "docs.parquet")
    pairs = pl.read_parquet(options.folder / "pairs.parquet")
    for similarity in options.similarity:
        settings = NearDupSettings(
            similarity=similarity, bands=options.bands, rows=options.rows, survivor=options.survivor
        )
        report(docs, pairs, NearDup(settings))


def report(docs: pl.DataFrame, pairs: pl.DataFrame, stage: NearDup) -> None:
    similarity = stage.settings.similarity
    megabytes = docs["text"].str.len_bytes().sum() / 1e6
    parts = split(docs)
    warm = FakeCorpus(stage, [["a b c d e f g", "a b c d e f g h", "x"]])
    list(stage.resolve(warm))

    started = time.process_time()
    corpus = FakeCorpus(
        stage, [part["text"].to_list() for part in parts], [part["id"].to_list() for part in parts]
    )
    observed = time.process_time()
    judged = pl.concat([pl.from_arrow(pa.Table.from_batches([b])) for b in stage.resolve(corpus)])
    resolved = time.process_time()

    judged = judged.with_columns(id=docs["id"])
    kept = judged.filter(pl.col("survivor").is_null())["id"].implode()
    removed = judged.filter(pl.col("survivor").is_not_null())
    same = pairs.filter(pl.col("jaccard") >= similarity)
    both = pl.concat([same.select(id="id_a", twin="id_b"), same.select(id="id_b", twin="id_a")])
    has_kept_twin = both.filter(pl.col("twin").is_in(kept))["id"].unique()
    caught = has_kept_twin.is_in(removed["id"].implode()).sum()
    lost_pairs = same.filter(pl.col("id_a").is_in(kept) & pl.col("id_b").is_in(kept))
    wrong = verify(docs, removed, stage.settings)

    print(f"\nsimilarity {similarity}: {stage.describe()}")
    print(f"  removed {len(removed):,} of {len(docs):,} ({removed['exact'].sum():,} exact)")
    print(
        f"  recall  documents with a kept twin removed: {caught:,} of {len(has_kept_twin):,} = {caught / len(has_kept_twin):.2%}"
    )
    print(
        f"          pairs not left standing: {len(same) - len(lost_pairs):,} of {len(same):,} = {1 - len(lost_pairs) / len(same):.2%}"
    )
    print(f"  checked {min(CHECKED, len(removed)):,} removals in pure Python: {wrong} wrong")
    print(
        f"  observe {observed - started:.2f} CPU-s = {megabytes / (observed - started):.0f} MB/s (with conversion)"
    )
    print(
        f"  resolve {resolved - observed:.2f} CPU-s = {megabytes / (resolved - observed):.0f} MB/s; scratch {corpus.scratch_bytes / 1e6:.0f} MB"
    )


def split(docs: pl.DataFrame) -> list[pl.DataFrame]:
    part = docs["text"].str.len_bytes().cum_sum() // PART_BYTES
    return docs.with_columns(part=part).partition_by("part", maintain_order=True)


def verify(docs: pl.DataFrame, removed: pl.DataFrame, settings: NearDupSettings) -> int:
    """Removals of a sample whose stated Jaccard is not the one of plain Python sets, or below the threshold."""
    sample = removed.sample(min(CHECKED, len(removed)), seed=1)
    texts = dict(zip(docs["id"], docs["text"], strict=True))
    wrong = 0
    for name, survivor, stated in sample.select("id", "survivor", "jaccard").iter_rows():
        one, other = (
            shingles(texts[name], settings.shingle_words),
            shingles(texts[survivor], settings.shingle_words),
        )
        exact = len(one & other) / len(one | other) if one | other else float(texts[name] == texts[survivor])
        wrong += not (np.isclose(exact, stated, atol=1e-12) and exact >= settings.similarity)
    return wrong


WORD = re.compile(r"[぀-ヿ㐀-鿿豈-﫿々〇ｦ-ﾟ]|(?:(?![぀-ヿ㐀-鿿豈-﫿々〇ｦ-ﾟ])[\ẁ-ͯ])+")


def shingles(text: str, size: int) -> set[tuple[str, ...]]:
    """Shingles by regular expression: `\\w+` of the lower-cased text, Han and kana one by one."""
    words = WORD.findall(text.lower())
    return {tuple(words[at : at + size]) for at in range(max(1, len(words) - size + 1))} if words else set()


if __name__ == "__main__":
    main()
