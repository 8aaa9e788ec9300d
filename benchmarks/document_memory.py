"""What one document takes in memory in a stage, for each byte of its text. Linux only.

Usage: python -m benchmarks.document_memory STAGE KIND [MB] [section.key=value …]

STAGE is "parse" or a stage of curate; KIND is one of words, short, lines, zh, mojibake, crlf, nospace. Prints bytes at
the peak and afterwards beside what `curate.corpus.memory.needed` says of the whole of the work.
"""

import gc
import json
import random
import re
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.corpus.documents import Rows
from curate.corpus.formats.json_records.jsonl import parse
from curate.corpus.input import InputFile
from curate.corpus.lines import Lines
from curate.corpus.memory import needed
from curate.pipeline.planning.config import load
from curate.pipeline.planning.plan import make_stages

_WARM = "The quick brown fox jumps over the lazy dog. " * 50
_PIECES = {
    "short": "a b ",
    "mojibake": "cafÃ© â€œokâ€\u009d ",
    "crlf": "some words here\r\n",
    "nospace": "abcdefghij",
}


def main() -> int:
    name, kind, *rest = sys.argv[1:]
    size = int(rest.pop(0)) if rest and rest[0].isdigit() else 12
    _work(name, _WARM, rest)
    document = _text(kind, size * 1_000_000)
    before, bytes_ = _resident("VmRSS"), len(document.encode())
    Path("/proc/self/clear_refs").write_text("5")
    kept = _work(name, document, rest)
    peak, after = ((_resident(key) - before) / bytes_ for key in ("VmHWM", "VmRSS"))
    said = needed(document.encode()) / bytes_
    sys.stdout.write(
        f"{name} {kind}: {bytes_ / 1e6:.0f} MB, {peak:.1f} at the peak, {after:.1f} after, {said:.1f} said\n"
    )
    del kept
    return 0


def _work(name: str, document: str, assignments: list[str]) -> Any:
    if name == "parse":
        rows, file = Rows(), InputFile(path="", name="a.jsonl", format="jsonl", text="text")
        parse(Lines(file, 1, 0, json.dumps({"text": document}, ensure_ascii=False).encode()), rows)
        return rows.parsed()
    config = load(assignments=assignments, in_folder=False)
    (stage,) = make_stages(config, only=[name])
    columns = {"text": pa.array([document], pa.large_string()), "id": ["a"], "source": ["s"]}
    batch = pa.record_batch(
        {
            **columns,
            "metadata": pa.nulls(1, pa.large_string()),
            "raw_bytes": [len(document)],
            "language.label": ["en"],
            "language.score": [0.9],
        }
    )
    gc.collect()
    for method in ("rewrite", "observe", "measure"):
        if hasattr(stage, method):
            return getattr(stage, method)(batch)
    return stage.encode(batch.column("text"))  # type: ignore[attr-defined]


def _text(kind: str, size: int) -> str:
    rng = random.Random(1)
    if kind == "words":
        words = ["".join(rng.choices("abcdefghij", k=5)) for _ in range(9999)]
        return " ".join(rng.choices(words, k=size // 6))
    if kind == "lines":
        lines = [" ".join("".join(rng.choices("abcdefghij", k=5)) for _ in range(8)) for _ in range(2000)]
        return "\n".join(lines) * (size // 96_000 + 1)
    if kind == "zh":
        return "".join(chr(0x4E00 + rng.randrange(5000)) for _ in range(10_000)) * (size // 30_000)
    piece = _PIECES[kind]
    return piece * (size // len(piece.encode()))


def _resident(key: str) -> int:
    return int(re.findall(rf"{key}:\s+(\d+)", Path("/proc/self/status").read_text())[0]) * 1024


if __name__ == "__main__":
    sys.exit(main())
