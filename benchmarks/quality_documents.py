"""English documents of the quality benchmarks: documentation, simplified news, novels, each sampled by a hash."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import xxhash

DOCUMENTATION = 1500
CHAPTERS = 400


def sample(corpora: Path) -> Iterator[str]:
    """Texts of all three sets, a set after the other.

    Args:
        corpora: folder with ``neardup_truth/docs.parquet``, ``quality/onestop.jsonl.gz`` and
            ``prose/eltec_chapters.parquet``.
    """
    yield from hashed(english(corpora / "neardup_truth" / "docs.parquet"))[:DOCUMENTATION]
    yield from onestop(corpora)
    yield from hashed(english(corpora / "prose" / "eltec_chapters.parquet"))[:CHAPTERS]


def onestop(corpora: Path) -> list[str]:
    with gzip.open(corpora / "quality" / "onestop.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def english(file: Path) -> list[str]:
    return pl.read_parquet(file).filter((pl.col("lang") == "en") & (pl.col("text") != ""))["text"].to_list()


def hashed(texts: list[str]) -> list[str]:
    """In the order of a hash."""
    return sorted(texts, key=lambda text: (xxhash.xxh3_64_intdigest(text.encode()), text))


def write(texts: Iterator[str], file: Path) -> None:
    """JSON lines, for an environment that reads no Parquet."""
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
