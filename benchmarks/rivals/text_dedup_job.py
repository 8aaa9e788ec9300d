"""text-dedup's near-duplicates alone: 14 bands of 8 rows on 5-word shingles, from Parquet; writes ids of the kept.

python text_dedup_job.py SHARDS OUT TOKENIZER
"""

import json
import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    shards, out = (Path(path).resolve() for path in sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    flags = {
        "path": "parquet",
        "data_files": f"{shards}/*.parquet",
        "split": "train",
        "column": "text",
        "ngram": 5,
        "min_length": 1,  # its default removes all but one of the documents under five words
        "num_perm": 112,
        "threshold": 0.8,
        "b": 14,
        "r": 8,
        "num_proc": 1,
        "output": out / "result",
        "cache_dir": out / "cache",
    }
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(out / "huggingface")}
    command = [sys.executable, "-m", "text_dedup.minhash", *words]
    subprocess.run(command, cwd=out, env={**os.environ, **offline}, check=True)
    from datasets import load_from_disk

    kept = list(load_from_disk(str(out / "result"))["id"])
    (out / "kept.txt").write_text("\n".join(kept))
    (out / "counts.json").write_text(json.dumps({"kept": len(kept)}))


if __name__ == "__main__":
    main()
