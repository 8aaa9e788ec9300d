"""Recall, precision and cost of `near_dup` against known exact pairs.

Usage: python benchmarks/near_dup_recall.py FOLDER [--similarity 0.7 0.8 0.9]

FOLDER holds ``docs.parquet`` (id, text) and ``pairs.parquet`` (id_a, id_b, jaccard: every pair at 0.5 or more).
"""

import argparse
import sys
import time
from pathlib import Path

import polars as pl
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from curate.stages.near_dup import NearDup, NearDupSettings
from fake_corpus import FakeCorpus
from reference_shingles import jaccard, shingle_set

PART_BYTES = 16 << 20
CHECKED = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    corpus = FakeCorpus(stage, [part["text"].to_list() for part in parts], [part["id"].to_list() for part in parts])
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

    lines = [
        f"\nsimilarity {similarity}: {stage.describe()}",
        f"removed {len(removed):,} of {len(docs):,} documents ({removed['exact'].sum():,} exact)",
        f"documents with a kept twin that were removed: {share(caught, len(has_kept_twin))}",
        f"pairs not both kept: {share(len(same) - len(lost_pairs), len(same))}",
        f"removals checked in plain Python: {min(CHECKED, len(removed)):,}, of them wrong: {wrong}",
        f"observe {speed(megabytes, observed - started)}; resolve {speed(megabytes, resolved - observed)}",
        f"scratch files {corpus.scratch_bytes / 1e6:.0f} MB",
    ]
    print("\n  ".join(lines))


def share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} = {part / max(whole, 1):.2%}"


def speed(megabytes: float, seconds: float) -> str:
    return f"{seconds:.2f} CPU-s = {megabytes / seconds:.0f} MB/CPU-s"


def split(docs: pl.DataFrame) -> list[pl.DataFrame]:
    part = docs["text"].str.len_bytes().cum_sum() // PART_BYTES
    return docs.with_columns(part=part).partition_by("part", maintain_order=True)


def verify(docs: pl.DataFrame, removed: pl.DataFrame, settings: NearDupSettings) -> int:
    """Removals of a sample whose Jaccard by plain Python sets is not the stated one, or below the threshold."""
    sample = removed.sample(min(CHECKED, len(removed)), seed=1)
    texts = dict(docs.select("id", "text").iter_rows())
    wrong = 0
    for name, survivor, stated in sample.select("id", "survivor", "jaccard").iter_rows():
        one, other = (shingle_set(texts[which], settings.shingle_words) for which in (name, survivor))
        exact = jaccard(one, other) if one else float(texts[name] == texts[survivor])
        wrong += exact != stated or exact < settings.similarity
    return wrong


if __name__ == "__main__":
    main()
