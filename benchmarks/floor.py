"""The least a tokenizing job must do, by the fastest maintained readers: no cleaning, no filter, no duplicates.

    python floor.py read|encode SHARDS OUT TOKENIZER

``read``: decompress, parse, write texts as Parquet.
``encode``: decompress, parse, encode every text, write ids as Parquet.
"""

import json
import sys
from pathlib import Path

import fastokens
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from isal import igzip


def main() -> None:
    kind, shards, out, tokenizer = sys.argv[1], *map(Path, sys.argv[2:])
    out.mkdir(parents=True, exist_ok=True)
    encoder = load(tokenizer) if kind == "encode" else None
    documents = tokens = 0
    for shard in sorted(shards.glob("*.jsonl.gz")):
        rows = [orjson.loads(line) for line in igzip.decompress(shard.read_bytes()).splitlines()]
        texts = [row["text"] for row in rows]
        columns = {"id": pa.array([row["id"] for row in rows])}
        documents += len(rows)
        if encoder:
            ids, offsets = encoder.encode_batch_flat(texts, False, True)
            flat = np.frombuffer(ids, np.uint32)
            columns["input_ids"] = pa.LargeListArray.from_arrays(np.frombuffer(offsets, np.int64), flat)
            tokens += len(flat)
        else:
            columns["text"] = pa.array(texts, pa.large_string())
        pq.write_table(pa.table(columns), out / f"{shard.name[:4]}.parquet", compression="zstd", compression_level=1)
    (out / "counts.json").write_text(json.dumps({"read": documents, "kept": documents, "tokens": tokens}))


def load(path: Path) -> fastokens.Tokenizer:
    """The tokenizer with control tokens taken out: in a corpus they are text."""
    content = json.loads(path.read_text())
    return fastokens.Tokenizer.from_json_str(json.dumps({**content, "added_tokens": []}))


if __name__ == "__main__":
    main()
