"""rensa's near-duplicates alone: 14 bands of 8 rows on 5-word shingles of raw text, ids of the kept written.

python rensa_job.py SHARDS OUT TOKENIZER
"""

import gzip
import json
import re
import sys
from pathlib import Path

import orjson
import rensa

PERMUTATIONS, BANDS, SHINGLE = 112, 14, 5
WORD = re.compile(r"\w+")


def main() -> None:
    shards, out = map(Path, sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    ids, signatures = [], []
    for shard in sorted(shards.glob("*.gz")):
        for line in gzip.decompress(shard.read_bytes()).splitlines():
            row = orjson.loads(line)
            signature = rensa.RMinHash(num_perm=PERMUTATIONS, seed=42)
            signature.update(shingles(row["text"]))
            ids.append(row["id"])
            signatures.append(signature)
    index = rensa.RMinHashLSH(threshold=0.8, num_perm=PERMUTATIONS, num_bands=BANDS)
    index.insert_pairs(enumerate(signatures))
    first = list(range(len(ids)))
    for one, candidates in enumerate(index.query_all(signatures)):
        for other in candidates:
            join(first, one, other)
    kept = [name for index, name in enumerate(ids) if root(first, index) == index]
    (out / "kept.txt").write_text("\n".join(kept))
    (out / "counts.json").write_text(json.dumps({"read": len(ids), "kept": len(kept)}))


def shingles(text: str) -> list[str]:
    words = WORD.findall(text.lower())
    return list({" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))})


def root(first: list[int], one: int) -> int:
    while first[one] != one:
        first[one] = one = first[first[one]]
    return one


def join(first: list[int], one: int, other: int) -> None:
    one, other = sorted((root(first, one), root(first, other)))
    first[other] = one


if __name__ == "__main__":
    main()
