"""Daft's near-duplicates alone: 14 bands of 8 rows on 5-word shingles of raw text, from Parquet; writes ids.

python daft_job.py SHARDS OUT TOKENIZER
"""

import json
import os
import sys
from pathlib import Path

import daft
from daft import col
from daft.functions import monotonically_increasing_id

PERMUTATIONS, BANDS, ROWS, SHINGLE = 112, 14, 8, 5


@daft.func()
def positions(bands: list[list[int]]) -> list[int]:
    """0, 1, … for each band, so that bands meet only at their own position."""
    return list(range(min(len(bands), BANDS)))


def main() -> None:
    shards, out = map(Path, sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    documents = daft.read_parquet(f"{shards}/*.parquet").select("id", "text")
    documents = documents.with_column("node", monotonically_increasing_id())
    plain = col("text").normalize(remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    signature = plain.minhash(num_hashes=PERMUTATIONS, ngram_size=SHINGLE, seed=42, hash_function="xxhash")
    signed = documents.select("id", "node", signature.alias("signature")).collect()
    bands = signed.select("node", col("signature").chunk(ROWS).alias("bands"))
    bands = bands.with_column("position", positions(col("bands"))).explode("bands", "position")
    groups = bands.groupby("position", "bands").agg(col("node").list_agg().alias("nodes"))
    first: dict[int, int] = {}
    for nodes in groups.where(col("nodes").length() > 1).select("nodes").to_pydict()["nodes"]:
        for node in nodes[1:]:
            one, other = sorted((root(first, nodes[0]), root(first, node)))
            first[other] = one
    table = signed.select("id", "node").to_pydict()
    kept = [name for name, node in zip(table["id"], table["node"], strict=True) if root(first, node) == node]
    (out / "kept.txt").write_text("\n".join(kept))
    (out / "counts.json").write_text(json.dumps({"read": len(table["id"]), "kept": len(kept)}))
    os._exit(0)  # its threads sometimes crash the interpreter while it ends


def root(first: dict[int, int], one: int) -> int:
    while first.setdefault(one, one) != one:
        first[one] = one = first[first[one]]
    return one


if __name__ == "__main__":
    main()
