"""F1 of main text on a gold set, of each extractor alone and with what later stages take away.

    python -m benchmarks.extraction_f1 FOLDER

FOLDER is a checkout of https://github.com/scrapinghub/article-extraction-benchmark: ``ground-truth.json`` and
``html/*.html.gz``. The measure is that of its ``evaluate.py``: runs of four words, each page weighing the same. Where
rules remove pages, F1 of the pages that they keep is beside F1 of these pages without the rules.
"""

import argparse
import gzip
import json
import re
import statistics
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import curate

VARIANTS: dict[str, dict[str, Any]] = {
    "extract": {},
    "+ line_dup": {"stages": ["line_dup"]},
    "+ quality, default rules": {"stages": ["quality"]},
    "+ quality, rules of C4": {"stages": ["quality"], "recipe": "c4"},
    "+ quality, rules of FineWeb": {"stages": ["quality"], "recipe": "fineweb-paper"},
}
WORD = re.compile(r"\w+")
RUN = 4


def shingles(text: str) -> Counter[tuple[str, ...]]:
    words = WORD.findall(text)
    if len(words) < RUN:
        return Counter([tuple(words)] if words else [])
    return Counter(tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1))


def f1(gold: dict[str, str], found: dict[str, str]) -> float:
    precisions, recalls = [], []
    for page, text in found.items():
        true, told = shingles(gold[page]), shingles(text)
        both = (true & told).total()
        if told:
            precisions.append(both / told.total())
        if true:
            recalls.append(both / true.total())
    precision, recall = statistics.mean(precisions), statistics.mean(recalls)
    return 2 * precision * recall / (precision + recall)


def texts(pages: Path, extractor: str, out: Path, stages: list[str], recipe: str | None) -> dict[str, str]:
    """Texts of the pages that are kept, edits applied."""
    run = curate.run(
        pages,
        out,
        recipe=recipe,
        pipeline={"stages": ["extract", "normalize", *stages]},
        extract={"extractor": extractor},
        tokenize={"tokenizer": "bytes"},
    )
    kept = run.documents().select("id", "text").collect()
    return dict(zip(kept["id"], kept["text"], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    truth = json.loads((asked.folder / "ground-truth.json").read_text())
    gold = {page: one.get("articleBody", "") for page, one in truth.items()}
    with tempfile.TemporaryDirectory() as name:
        pages = Path(name) / "pages.jsonl"
        rows = ((page, gzip.decompress((asked.folder / "html" / f"{page}.html.gz").read_bytes())) for page in gold)
        lines = [json.dumps({"id": page, "text": html.decode(), "content_type": "text/html"}) for page, html in rows]
        pages.write_text("\n".join(lines))
        print("| | pages kept | F1 | of the same pages, `extract` alone |\n| --- | ---: | ---: | ---: |")
        for extractor in ("resiliparse", "trafilatura"):
            alone: dict[str, str] = {}
            for number, (variant, how) in enumerate(VARIANTS.items()):
                out = Path(name) / f"{extractor}-{number}"
                found = texts(pages, extractor, out, how.get("stages", []), how.get("recipe"))
                alone = alone or found
                before = f1(gold, {page: alone[page] for page in found})
                print(f"| {extractor} {variant} | {len(found)} | {f1(gold, found):.3f} | {before:.3f} |", flush=True)


if __name__ == "__main__":
    main()
