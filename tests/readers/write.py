"""The sample corpus curated once and converted to every format: what `read_back.py` reads."""

import shutil
import subprocess
import sys
from pathlib import Path

FORMATS = ("bin", "megatron", "olmo", "datatrove", "litdata", "mds", "parquet", "arrayrecord")


def curate(*words):
    subprocess.run([Path(sys.executable).with_name("curate"), *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def main(folder):
    shutil.rmtree(folder, ignore_errors=True)
    curate("run", "sample_data", "-o", folder / "run", "-qq", "--set", "pipeline.stages=['tokenize']")
    for name in FORMATS:
        out = folder / name
        masked = ["--set", "shards.loss_mask=true"] if name in {"olmo", "datatrove"} else []
        tokens = ["--set", "shards.shard_tokens=150000"]
        curate("shards", "convert", folder / "run", "--to", name, "-o", out, *tokens, *masked)
        curate("shards", "verify", out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
