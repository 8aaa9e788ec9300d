"""text-dedup's near-duplicates alone: 14 bands of 8 rows on 5-word shingles, from Parquet; writes ids of the kept.

python text_dedup_job.py SHARDS OUT TOKENIZER
"""

import json
import os
import subprocess
import sys
from pathlib import Path

CONFIG = """
[input]
input_type = "local_files"
file_type = "parquet"
[input.read_arguments]
path = "parquet"
data_files = "{shards}/*.parquet"
split = "train"
[algorithm]
algorithm_name = "minhash"
text_column = "text"
num_perm = 112
threshold = 0.8
bands = 14
rows = 8
hash_bits = 64
ngram_size = 5
check_false_positive = true
num_proc = 1
[output]
output_dir = "{out}/result"
clean_cache = false
save_clusters = false
[debug]
enable_profiling = false
"""


def main() -> None:
    shards, out = (Path(path).resolve() for path in sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.toml").write_text(CONFIG.format(shards=shards, out=out))
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(out / "huggingface")}
    subprocess.run([sys.executable, "-m", "text_dedup.minhash"], cwd=out, env={**os.environ, **offline}, check=True)
    from datasets import load_from_disk

    kept = load_from_disk(str(out / "result"))["id"]
    (out / "kept.txt").write_text("\n".join(kept))
    (out / "counts.json").write_text(json.dumps({"kept": len(kept)}))


if __name__ == "__main__":
    main()
