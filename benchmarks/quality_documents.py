"""Documents of the quality benchmarks, each set sampled by a hash."""

import gzip
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl
import xxhash

from benchmarks import environments

DOCUMENTATION = 1500
CHAPTERS = 400


SETS = {
    "documentation": "neardup_truth/docs.parquet",
    "novels": "prose/eltec_chapters.parquet",
    "man pages": "langid/manpages.parquet",
    "PHP manual": "langid/php_manual.parquet",
    "react.dev": "langid/react_dev.parquet",
    "tldr pages": "langid/tldr.parquet",
    "sentences": "langid/lingua_sentences.parquet",
}
"""Sets with languages."""


class Document(NamedTuple):
    """A document of a set."""

    set: str
    language: str
    text: str


def documents(corpora: Path, most: int, more: Mapping[str, int]) -> Iterator[Document]:
    """Documents of all sets, at most ``most`` of a set and language.

    Args:
        corpora: folder with the files of `SETS`, ``quality/*.jsonl.gz`` and ``web_html/debian_docs_html.parquet``; the
            latter needs the environment ``resiliparse``.
        most: how many.
        more: set → how many of this one.
    """
    for name, file in SETS.items():
        rows = pl.read_parquet(corpora / file, columns=["text", "lang"]).filter(pl.col("text").str.strip_chars() != "")
        for (language,), group in sorted(rows.group_by("lang")):
            for text in hashed(group["text"].to_list())[: more.get(name, most)]:
                yield Document(name, str(language), text)
    for name, file in (("simplified news", "onestop"), ("text messages", "sms_spam")):
        with gzip.open(corpora / "quality" / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for text in hashed([json.loads(line)["text"] for line in lines])[: more.get(name, most)]:
                yield Document(name, "en", text)
    for text in hashed(web_pages(corpora, 2 * most))[:most]:
        yield Document("web pages", "en", text)


def web_pages(corpora: Path, most: int) -> list[str]:
    """Text of HTML pages as resiliparse extracts it; none where it is not installed."""
    python = environments.python("resiliparse")
    if python is None:
        return []
    pages = pl.read_parquet(corpora / "web_html" / "debian_docs_html.parquet", columns=["html"])["html"].to_list()
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "pages.jsonl", Path(folder) / "texts.jsonl"
        write(iter(hashed([page.decode("utf-8", "replace") for page in pages])[:most]), source)
        subprocess.run([python, environments.REQUIREMENTS / "resiliparse_job.py", source, out], check=True)
        texts = [json.loads(line) for line in out.read_text().splitlines()]
    return [text for text in texts if text.strip()]


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
