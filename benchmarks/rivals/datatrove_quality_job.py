"""CPU seconds of datatrove's quality filters.

    python datatrove_quality_job.py DOCUMENTS.jsonl

Gopher's repetition and quality, C4 without the rule on final punctuation, FineWeb: once as its pipeline runs them,
where a document goes no further than the first filter that removes it, once all of them on every document. Reading,
imports and the loading of spaCy are outside the figures.
"""

import json
import sys
import time
from pathlib import Path

import datatrove.utils.text as text_tools
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)

FILTERS = [
    GopherRepetitionFilter(),
    GopherQualityFilter(),
    C4QualityFilter(filter_no_terminal_punct=False),
    FineWebQualityFilter(),
]


def main() -> None:
    texts = [json.loads(line)["text"] for line in Path(sys.argv[1]).read_text().splitlines()]
    filtered("Warm up.\n", stops=False)
    print(json.dumps({"pipeline": seconds(texts, stops=True), "all filters": seconds(texts, stops=False)}))


def seconds(texts: list[str], *, stops: bool) -> float:
    text_tools.split_into_parts.cache_clear()
    started = time.process_time()
    for text in texts:
        filtered(text, stops=stops)
    return time.process_time() - started


def filtered(text: str, *, stops: bool) -> None:
    document = Document(text=text, id="")
    for one in FILTERS:
        if one.filter(document) is not True and stops:
            return


if __name__ == "__main__":
    main()
