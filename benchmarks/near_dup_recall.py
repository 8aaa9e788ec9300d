"""Recall and precision of `near_dup` against every exact pair of a corpus.

Usage: python -m benchmarks.near_dup_recall FILE… [--similarity 0.7 0.8 0.9] [--set near_dup.recall=0.99]…

FILE is Parquet with ``id`` and ``text``. All pairs at the lowest similarity or more are found by prefix filtering
(Chaudhuri, Ganti and Kaushik, ICDE 2006), every one verified; where a ``pairs.parquet`` (id_a, id_b, jaccard) lies
beside FILE, those are taken instead. Then `curate run --only near_dup` decides, and is judged by the pairs.
"""

import argparse
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from numba import njit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from curate.cli.session import Session
from curate.text.dedup.shingles import shingle_sets
from reference_shingles import jaccard, shingle_set

CHECKED = 500
SHINGLE_WORDS = 5
BATCH = 2000
SLACK = 1e-9  # 0.8 * 15 is a little more than 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--similarity", type=float, nargs="+", default=[0.7, 0.8, 0.9])
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    options = parser.parse_args()
    print(
        "| corpus | documents | similarity | pairs | with a kept twin | of them removed | all removed | wrong | audit |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for file in options.files:
        docs = pl.read_parquet(file, columns=["id", "text"]).with_row_index("row")
        pairs = true_pairs(file, docs, min(options.similarity))
        for similarity in options.similarity:
            print(
                judged_row(file, docs, pairs.filter(pl.col("jaccard") >= similarity), similarity, options.assignments)
            )


def judged_row(file: Path, docs: pl.DataFrame, pairs: pl.DataFrame, similarity: float, assignments: list[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        settings = [f"near_dup.similarity={similarity}", "report.samples=0", "gates.max_quarantined=1", *assignments]
        session = Session([str(file)], f"{folder}/run", assignments=settings, only=["near_dup"])
        session.work(quiet=2)
        out = Path(folder) / "run"
        judged = pl.read_parquet(out / "near_dup" / "*.parquet").with_columns(
            text=pl.read_parquet(out / "documents" / "*.parquet")["text"]
        )
        judged = judged.with_row_index("row")
        audit = pl.read_json(out / "run.json")["audit"].struct.field("near_dup")[0]
        places = np.cumsum(
            [0, *(len(pl.read_parquet(part, columns=["exact"])) for part in sorted((out / "near_dup").iterdir()))]
        )
    kept = judged.filter(pl.col("survivor").is_null())["row"].implode()
    removed = judged.filter(pl.col("survivor").is_not_null())
    both = pl.concat([pairs.select(row="a", twin="b"), pairs.select(row="b", twin="a")])
    with_kept_twin = both.filter(pl.col("twin").is_in(kept))["row"].unique()
    caught = with_kept_twin.is_in(removed["row"].implode()).sum()
    wrong = wrong_removals(judged, removed, places, similarity)
    return (
        f"| {file.stem} | {len(docs):,} | {similarity} | {len(pairs):,} | {len(with_kept_twin):,} | "
        f"{caught:,} = {caught / max(len(with_kept_twin), 1):.2%} | {len(removed):,} | "
        f"{wrong} of {min(CHECKED, len(removed))} | {audit['share']:.2%}, at most {audit['upper']:.2%} |"
    )


def wrong_removals(judged: pl.DataFrame, removed: pl.DataFrame, places: np.ndarray, similarity: float) -> int:
    """Removals of a sample that do not name a kept document with the stated Jaccard, by plain Python sets."""
    wrong = 0
    for row in removed.sample(min(CHECKED, len(removed)), seed=1).iter_rows(named=True):
        survivor = judged.row(int(places[row["survivor_at"]["part"]]) + row["survivor_at"]["row"], named=True)
        one, other = (shingle_set(which["text"], SHINGLE_WORDS) for which in (row, survivor))
        exact = jaccard(one, other) if one else float(row["text"] == survivor["text"])
        wrong += exact != row["jaccard"] or exact < similarity or survivor["survivor"] is not None
    return wrong


def true_pairs(file: Path, docs: pl.DataFrame, similarity: float) -> pl.DataFrame:
    """Rows ``a`` and ``b`` of every pair, and their ``jaccard``."""
    given = file.parent / "pairs.parquet"
    if given.exists():
        rows = docs.select("id", "row").unique("id")
        pairs = pl.read_parquet(given).join(rows.rename({"row": "a"}), left_on="id_a", right_on="id")
        return pairs.join(rows.rename({"row": "b"}), left_on="id_b", right_on="id").select("a", "b", "jaccard")
    hashes, offsets = shingle_sets(docs["text"].cast(pl.String).to_arrow().cast("large_string"), SHINGLE_WORDS)
    owners = np.repeat(np.arange(len(docs)), np.diff(offsets))
    order = np.lexsort((hashes, frequency(hashes), owners))  # rare shingles first
    hashes, sizes = hashes[order], np.diff(offsets)
    prefix = sizes - np.ceil(similarity * sizes - SLACK).astype(np.int64) + 1
    inside = np.arange(len(hashes)) - np.repeat(offsets[:-1], sizes) < np.repeat(prefix, sizes)
    index = pl.DataFrame({"shingle": hashes[inside], "row": owners[inside]}).with_columns(size=sizes[owners[inside]])
    found = []
    for first in range(0, len(docs), BATCH):
        some = index.filter(pl.col("row").is_between(first, first + BATCH - 1))
        joined = some.join(index, on="shingle").filter(
            (pl.col("row") < pl.col("row_right"))
            & (pl.min_horizontal("size", "size_right") >= similarity * pl.max_horizontal("size", "size_right") - SLACK)
        )
        found.append(joined.select(a="row", b="row_right").unique())
    candidates = pl.concat(found)
    sets = sorted_sets(hashes, offsets)
    values = np.empty(len(candidates))
    exact_jaccards(sets, offsets, candidates["a"].to_numpy(), candidates["b"].to_numpy(), values)
    return candidates.with_columns(jaccard=values).filter(pl.col("jaccard") >= similarity - math.ulp(1))


def frequency(hashes: np.ndarray) -> np.ndarray:
    _, places, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return counts[places]


def sorted_sets(hashes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    return hashes[np.lexsort((hashes, np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))))]


@njit
def exact_jaccards(hashes, offsets, first, second, values) -> None:
    for pair in range(len(first)):
        at, end = offsets[first[pair]], offsets[first[pair] + 1]
        other, other_end = offsets[second[pair]], offsets[second[pair] + 1]
        union, shared = (end - at) + (other_end - other), 0
        while at < end and other < other_end:
            if hashes[at] == hashes[other]:
                shared, at, other = shared + 1, at + 1, other + 1
            elif hashes[at] < hashes[other]:
                at += 1
            else:
                other += 1
        values[pair] = shared / (union - shared) if union > shared else 0.0


if __name__ == "__main__":
    main()
