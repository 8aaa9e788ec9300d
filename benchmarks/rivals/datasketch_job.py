"""datasketch's near-duplicates alone: 14 bands of 8 rows on 5-word shingles of raw text; writes ids of the kept.

python datasketch_job.py SHARDS OUT TOKENIZER
"""

import gzip
import json
import re
import sys
from pathlib import Path

import orjson
from datasketch import MinHash, MinHashLSH

PERMUTATIONS, BANDS, ROWS, SHINGLE = 112, 14, 8, 5
WORD = re.compile(r"\w+")


def main() -> None:
    shards, out = map(Path, sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    index = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
    ids: list[str] = []
    first: dict[int, int] = {}
    for shard in sorted(shards.glob("*.gz")):
        for line in gzip.decompress(shard.read_bytes()).splitlines():
            row = orjson.loads(line)
            signature = MinHash(num_perm=PERMUTATIONS)
            signature.update_batch([shingle.encode() for shingle in shingles(row["text"])])
            for other in index.query(signature):
                one, least = root(first, len(ids)), root(first, other)
                first[max(one, least)] = min(one, least)
            index.insert(len(ids), signature)
            ids.append(row["id"])
    kept = [name for number, name in enumerate(ids) if root(first, number) == number]
    (out / "kept.txt").write_text("\n".join(kept))
    (out / "counts.json").write_text(json.dumps({"read": len(ids), "kept": len(kept)}))


def shingles(text: str) -> set[str]:
    words = WORD.findall(text.lower())
    return {" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))}


def root(first: dict[int, int], one: int) -> int:
    while first.setdefault(one, one) != one:
        first[one] = one = first[first[one]]
    return one


if __name__ == "__main__":
    main()
