"""datatrove's four steps of near-duplicates alone: 14 bands of 8 rows on 5-word shingles; writes ids of the kept.

python datatrove_near_dup_job.py SHARDS OUT TOKENIZER
"""

import gzip
import json
import sys
from pathlib import Path

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig

TASKS = 8


def main() -> None:
    shards, out = sys.argv[1:3]
    config = MinhashConfig(
        hash_config=HashConfig(hash_fc="sha1", precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5
    )
    signatures, buckets, remove = (f"{out}/{name}" for name in ("signatures", "buckets", "remove"))
    keep = [JsonlReader(shards), MinhashDedupFilter(input_folder=remove), JsonlWriter(f"{out}/kept")]
    steps = {
        "signatures": ([JsonlReader(shards), MinhashDedupSignature(signatures, config=config)], TASKS),
        "buckets": (
            [MinhashDedupBuckets(input_folder=signatures, output_folder=buckets, config=config)],
            config.num_buckets,
        ),
        "cluster": ([MinhashDedupCluster(input_folder=buckets, output_folder=remove, config=config)], 1),
        "remove": (keep, TASKS),
    }
    for name, (pipeline, tasks) in steps.items():
        LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, workers=1, logging_dir=f"{out}/logs/{name}").run()
    kept = [json.loads(line)["id"] for line in lines(Path(out, "kept"))]
    Path(out, "kept.txt").write_text("\n".join(kept))
    read = len(lines(Path(shards)))
    Path(out, "counts.json").write_text(json.dumps({"read": read, "kept": len(kept)}))


def lines(folder: Path) -> list[bytes]:
    return [line for file in folder.glob("*.gz") for line in gzip.decompress(file.read_bytes()).splitlines()]


if __name__ == "__main__":
    main()
