"""Which lines `keep_code` takes for code, mathematics or verse, in text that is known to be code or prose.

    python benchmarks/verbatim_lines.py CORPORA [--verse FOLDER]

Code is Python's own library; prose is simplified news and chapters of novels; pages are documentation as text: HTML
without its tags (menus, lists of links), man pages, Markdown. ``FOLDER`` holds books of verse as Project Gutenberg's
plain text, one file each; what lies between four line feeds is a poem. *verse*: lines that are taken for verse.
"""

import argparse
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.quality_documents import english, hashed, onestop
from benchmarks.quality_score import plain
from curate.text.core.arrow import utf8_view
from curate.text.quality.lines.line_facts import line_tables
from curate.text.quality.lines.line_rules import line_signals
from curate.text.quality.lines.line_settings import LineRules
from curate.text.quality.lines.verbatim import VERSE, verbatim_lines, verbatim_tables

C4 = LineRules(3, 1000, terminal_punctuation=True, javascript=True, policy=True, citations=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--verse", type=Path)
    options = parser.parse_args()
    print("| text | documents | lines kept | verse | words C4 leaves | words C4 leaves with keep_code |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, texts in [*known(options.corpora), *(verse(options.verse) if options.verse else ())]:
        kept = np.nanmean(signals(texts, LineRules(keep_code=True))["verbatim_lines"])
        words = [1 - np.nanmean(signals(texts, C4._replace(keep_code=one))["removed_words"]) for one in (False, True)]
        share = np.mean([verse_share(text) for text in texts])
        print(f"| {name} | {len(texts):,} | {kept:.1%} | {share:.2%} | {words[0]:.1%} | {words[1]:.1%} |")


def known(corpora: Path) -> Iterator[tuple[str, list[str]]]:
    """Sets without verse."""
    yield "code: Python's library", list(sources(Path(sysconfig.get_path("stdlib"))))
    yield "prose: simplified news", onestop(corpora)
    yield "prose: chapters of novels", hashed(english(corpora / "prose" / "eltec_chapters.parquet"))[:400]
    html = pl.read_parquet(corpora / "web_html" / "debian_docs_html.parquet", columns=["html"])["html"].to_list()
    yield "pages: HTML without tags", hashed([plain(page.decode("utf-8", "replace")) for page in html[::3]])
    man = pl.read_parquet(corpora / "langid" / "manpages.parquet")
    yield "pages: man pages, German", man.filter(pl.col("lang") == "de")["text"].to_list()
    yield "pages: man pages, other", man.filter(pl.col("lang") != "de")["text"].to_list()
    yield "pages: technical documentation", hashed(english(corpora / "neardup_truth" / "docs.parquet"))[:3000]


def verse(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The poems of each book: no contents, notes or prose, which fills its lines."""
    for file in sorted(folder.glob("*.txt")):
        book = file.read_text("utf-8", errors="replace").split("*** START OF", 1)[-1].split("*** END OF", 1)[0]
        pieces = (piece.strip("\n") for piece in re.split(r"\n{4,}|\n\n +[IVXLC]+\n", book))
        yield f"verse: {file.stem}", [piece for piece in pieces if is_poem(piece)]


def is_poem(piece: str) -> bool:
    lengths = [len(line) for line in piece.split("\n") if line.strip()]
    about = re.search(r"(?i)gutenberg|contents|transcriber|produced by|copyright|index of", piece)
    return len(lengths) >= 6 and sum(length >= 62 for length in lengths) <= 0.35 * len(lengths) and not about


def verse_share(text: str) -> float:
    """Share of the lines that are not blank."""
    data = np.frombuffer(text.encode(), np.uint8)
    found = np.zeros(len(data) + 2, np.uint8)
    verbatim_lines(data, line_tables().classes, *verbatim_tables(), found)
    lines = sum(1 for line in text.split("\n") if line.strip())
    return float((found == VERSE).sum()) / lines if lines else 0.0


def sources(library: Path) -> Iterator[str]:
    for file in sorted(library.glob("*.py")):
        text = file.read_text("utf-8", errors="replace")
        if text.strip():
            yield text


def signals(texts: list[str], rules: LineRules) -> dict[str, np.ndarray]:
    data, offsets = utf8_view(pa.array(texts, pa.large_string()))
    return line_signals(data, offsets, rules)[0]


if __name__ == "__main__":
    main()
