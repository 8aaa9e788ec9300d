"""What hostile texts cost `normalize`, beside prose.

Usage: python -m benchmarks.normalize_cliffs PROSE [--kb 128] [--set mojibake=ftfy ...] [--worst 20]

PROSE is a Parquet or JSONL file with a column `text`. Every text of `benchmarks.hostile_texts` is cleaned as one
document, at the size asked for and at eight times that. *Times prose* is CPU seconds a byte at the larger size over
those of prose in the same run; *growth* is the seconds of both sizes, 8 being linear. CPU seconds, least of two.
"""

import argparse
import time
from pathlib import Path

import msgspec
import pyarrow as pa

from benchmarks import corpus
from benchmarks.hostile_texts import HOSTILE_TEXTS
from curate.stages.normalize import Normalize, NormalizeSettings
from curate.text.repair.mojibake import _remembered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prose", type=Path)
    parser.add_argument("--kb", type=int, default=128)
    parser.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE")
    parser.add_argument("--worst", type=int, default=20)
    options = parser.parse_args()
    settings = msgspec.convert(dict(one.split("=", 1) for one in options.set), NormalizeSettings, strict=False)
    stage = Normalize(settings)
    prose = "\n".join(corpus.read(options.prose)["text"].head(500))[: options.kb * 8000]
    seconds(stage, prose), seconds(stage, "Ã© \x92 \x1b[0m e\u0301 &amp;\r\x01")  # compiles
    ordinary = seconds(stage, prose) / len(prose.encode())
    print(f"prose: {1 / ordinary / 1e6:.0f} MB/CPU-s\n")
    print("| text | MB/CPU-s | times prose | growth |\n| --- | ---: | ---: | ---: |")
    rows = []
    for kind, make in HOSTILE_TEXTS.items():
        short, long = make(options.kb * 1000), make(options.kb * 8000)
        spent = seconds(stage, long)
        per_byte = spent / len(long.encode())
        rows.append((per_byte / ordinary, kind, per_byte, spent / seconds(stage, short)))
    for times, kind, per_byte, growth in sorted(rows, reverse=True)[: options.worst]:
        print(f"| {kind} | {1 / per_byte / 1e6:,.2f} | {times:,.0f} | {growth:.1f} |")


def seconds(stage: Normalize, text: str) -> float:
    batch = pa.record_batch({"text": pa.array([text], pa.large_string())})
    spent = []
    for _ in range(2):
        _remembered.cache_clear()  # or the second time would say how fast lines are that were seen before
        start = time.process_time()
        stage.rewrite(batch)
        spent.append(time.process_time() - start)
    return min(spent)


if __name__ == "__main__":
    main()
