"""Which lines `keep_code` takes for code, mathematics or verse, in text that is known to be code or prose.

    python benchmarks/verbatim_lines.py CORPORA

Code is Python's own library; prose is simplified news and chapters of novels.
"""

import argparse
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.quality_documents import english, hashed, onestop
from curate.text.arrow import utf8_view
from curate.text.line_rules import LineRules
from curate.text.lines import line_signals

C4 = LineRules(3, 1000, terminal_punctuation=True, javascript=True, policy=True, citations=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    corpora = parser.parse_args().corpora
    library = Path(sysconfig.get_path("stdlib"))
    print("| text | documents | lines kept | words C4 leaves | words C4 leaves with keep_code |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, texts in (
        ("code: Python's library", list(sources(library))),
        ("prose: simplified news", onestop(corpora)),
        ("prose: chapters of novels", hashed(english(corpora / "prose" / "eltec_chapters.parquet"))[:400]),
    ):
        kept = np.nanmean(signals(texts, LineRules(keep_code=True))["verbatim_lines"])
        words = [1 - np.nanmean(signals(texts, C4._replace(keep_code=one))["removed_words"]) for one in (False, True)]
        print(f"| {name} | {len(texts):,} | {kept:.1%} | {words[0]:.1%} | {words[1]:.1%} |")


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
