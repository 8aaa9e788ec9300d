"""CPU of the stage ``extract`` beside the libraries called directly, on one core.

    python -m benchmarks.web_speed PAGES.parquet [--extractor trafilatura]

PAGES has a column ``html`` (bytes or text). Each library is called on the same pages in the same run, in turns.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate.corpus.encoding import decoded
from curate.html.declared import charset
from curate.html.extractors import make
from curate.process.child import spent
from curate.stages.extract import Extract, ExtractSettings

BATCH = 100


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process and of children that work for it."""
    began = time.process_time() + spent.seconds
    work()
    return time.process_time() + spent.seconds - began


def extraction(pages: list[str], extractor: str, rounds: int) -> None:
    settings = ExtractSettings(extractor=extractor)
    stage, library = Extract(settings), make(extractor, settings.options)
    batches = [
        pa.record_batch({"text": pa.array(pages[at : at + BATCH], pa.large_string())})
        for at in range(0, len(pages), BATCH)
    ]
    stage.rewrite(batches[0])
    texts: list[str] = []
    taken = {"library": 0.0, "stage": 0.0}
    for _ in range(rounds):
        taken["library"] += cpu(lambda: texts.extend(library(page).text for page in pages))
        taken["stage"] += cpu(lambda: [stage.rewrite(batch) for batch in batches])
    rewritten = [text for batch in batches for text in stage.rewrite(batch)[0].to_pylist()]
    same = sum(a == b or not a.strip() for a, b in zip(texts[: len(pages)], rewritten, strict=True))
    size = rounds * sum(map(len, pages)) / 1e6
    for name, seconds in taken.items():
        print(
            f"{extractor:<12} {name:<8} {rounds * len(pages) / seconds:8.0f} pages/CPU-s {size / seconds:7.1f} MB/CPU-s"
        )
    print(
        f"{extractor:<12} stage / library: {taken['library'] / taken['stage']:.2f}; same text: {same} of {len(pages)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--extractor", default="resiliparse")
    parser.add_argument("--number", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    column = pq.read_table(given.pages, columns=["html"])["html"].slice(0, given.number).to_pylist()
    found = [one if isinstance(one, str) else decoded(one, charset(one)) for one in column]
    pages = [one if isinstance(one, str) else one.text for one in found if one is not None]
    pages = [
        page if page.lstrip()[:9].lower().startswith(("<!doctype", "<html")) else f"<html>{page}" for page in pages
    ]
    extraction(pages, given.extractor, given.rounds)


if __name__ == "__main__":
    main()
