"""How fast JSON lines become documents: read together by the kernel, and one by one by msgspec.

Usage: python -m benchmarks.json_lines_speed [--mb 40]

Documents of the words of this page, short and long, with and without other fields; with *one odd line in 5 MB* that is
no JSON.
One thread, CPU seconds, least of three.
"""

import argparse
import json
import random
import time
from collections.abc import Callable
from typing import Any

from curate.corpus.documents import Rows
from curate.corpus.formats.json_records.jsonl import parse, parse_each
from curate.corpus.input import InputFile
from curate.corpus.lines import Lines

CHUNK = 5_000_000
FILE = InputFile(path="", name="a.jsonl", format="jsonl", text="text", id="id")
WORDS = (__doc__ or "").split()
KINDS: dict[str, tuple[int, int, bool]] = {
    "40 words, no other fields": (40, 0, False),
    "40 words, three other fields": (40, 3, False),
    "the same, one odd line in 5 MB": (40, 3, True),
    "1,000 words, three other fields": (1000, 3, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=40)
    options = parser.parse_args()
    print("| MB/CPU-s (µs a document) | one by one | together |\n| --- | ---: | ---: |")
    for kind, (words, fields, odd) in KINDS.items():
        chunks, documents = corpus(options.mb * 1_000_000, words, fields, odd=odd)
        cells = [cell(chunks, documents, read) for read in (parse_each, parse)]
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


def corpus(size: int, words: int, fields: int, *, odd: bool) -> tuple[list[Lines], int]:
    """Chunks of about 5 MB, and how many documents they hold."""
    draw, chunks, number = random.Random(42), list[Lines](), 0
    while sum(chunk.nbytes for chunk in chunks) < size:
        lines = [b'{"text": "torn'] if odd else []
        room = CHUNK
        while room > 0:
            record: dict[str, Any] = {"id": f"d{number}", "text": " ".join(draw.choices(WORDS, k=words))}
            record |= {f"field{k}": [number, number * 1.5] for k in range(fields)}
            lines.append(json.dumps(record).encode())
            number, room = number + 1, room - len(lines[-1]) - 1
        chunks.append(Lines(FILE, 1, 1, b"\n".join(lines) + b"\n"))
    return chunks, number


def cell(chunks: list[Lines], documents: int, read: Callable[[Lines, Rows], None]) -> str:
    seconds = min(once(chunks, read) for _ in range(3))
    return f"{sum(chunk.nbytes for chunk in chunks) / 1e6 / seconds:,.0f} ({seconds / documents * 1e6:.2f})"


def once(chunks: list[Lines], read: Callable[[Lines, Rows], None]) -> float:
    start = time.process_time()
    for chunk in chunks:
        rows = Rows()
        read(chunk, rows)
        rows.parsed()
    return time.process_time() - start


if __name__ == "__main__":
    main()
