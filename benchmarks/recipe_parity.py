"""Do whole recipes remove the documents that the code which they follow removes?

    python -m benchmarks.recipe_parity CORPORA [--recipes NAME …] [--most 60] [--more SET=NUMBER …] [--keep FOLDER]
                                       [--dclm CHECKOUT] [--causes]

For each recipe and each set of ``CORPORA`` that has its language: the recipe's rules of quality against all filters of
the original in a row, on the same text: kept or removed. The rivals come from ``python -m benchmarks rivals datatrove
dolma nemo dclm resiliparse``; DCLM's code from a checkout of mlfoundations/dclm. Of a set and language at most
``--most`` documents are taken, of some sets ``--more``, by a hash. ``--keep`` keeps what the rivals said, and takes it
from there the next time. ``--causes`` lists why decisions differ.
"""

import argparse
import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from benchmarks import environments
from benchmarks.fineweb2 import NAMES, configuration
from benchmarks.quality_documents import Document, documents
from curate.pipeline.planning.config import load
from curate.stages.quality.stage import Quality

BATCH = 500
DOLMA = (
    ("gopher_v1", "word_count", 50, 100000),
    ("gopher_v1", "median_word_length", 3, 10),
    ("gopher_v1", "symbol_to_word_ratio", None, 0.1),
    ("gopher_v1", "fraction_of_words_with_alpha_character", 0.8, None),
    ("gopher_v1", "required_word_count", 2, None),
    ("gopher_v1", "fraction_of_lines_starting_with_bullet_point", None, 0.9),
    ("gopher_v1", "fraction_of_lines_ending_with_ellipsis", None, 0.3),
    ("gopher_v2", "fraction_of_duplicate_lines", None, 0.3),
    ("gopher_v1", "fraction_of_characters_in_duplicate_lines", None, 0.3),
    *(("gopher_v1", f"fraction_of_characters_in_duplicate_{n}grams", None, (20 - n) / 100) for n in range(5, 11)),
)
"""Tagger, value, least and highest: cc-head.yaml of Dolma 1.6, lines by gopher_v2 as text has blank ones."""

Reasons = list[str] | None
"""Why an original removes a document, empty where it keeps it; None where it does not say."""


class Original(NamedTuple):
    """A code that a recipe follows."""

    recipe: str
    rival: str
    job: str
    reasons: Callable[[Any], Reasons]
    """From what the job says of a document."""
    languages: frozenset[str] = frozenset({"en"})


def of_filters(*filters: str) -> Callable[[Any], Reasons]:
    """The reasons of some of datatrove's filters."""
    return lambda said: said and [f"{name}: {said[name]}" for name in filters if name in said]


def of_dolma(said: Any) -> Reasons:
    """The limits that a document's values are beyond."""
    found = []
    for tagger, name, least, most in DOLMA:
        value = said[tagger].get(name, 0.0)
        if (least is not None and value < least) or (most is not None and value > most):
            found.append(name)
    return found


ORIGINALS = (
    Original(
        "fineweb-code",
        "datatrove",
        "datatrove_decisions_job.py",
        of_filters(
            "GopherRepetitionFilter", "GopherQualityFilter", "C4QualityFilter, any line end", "FineWebQualityFilter"
        ),
    ),
    Original("c4-datatrove", "datatrove", "datatrove_decisions_job.py", of_filters("C4QualityFilter")),
    Original(
        "fineweb2",
        "datatrove",
        "datatrove_decisions_job.py",
        of_filters("GopherRepetitionFilter", "FineWebQualityFilter", "GopherQualityFilter"),
        frozenset(NAMES),
    ),
    Original("dolma", "dolma", "dolma_rules_job.py", of_dolma),
    Original("nemotron", "nemo", "nemo_decisions_job.py", list),
    Original("dclm", "dclm", "dclm_decisions_job.py", list),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--recipes", nargs="*", default=[one.recipe for one in ORIGINALS])
    parser.add_argument("--most", type=int, default=60)
    parser.add_argument("--more", nargs="*", default=[])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--dclm", type=Path)
    parser.add_argument("--causes", action="store_true")
    options = parser.parse_args()
    more = {name: int(number) for name, number in (one.split("=") for one in options.more)}
    texts = list(documents(options.corpora, options.most, more))
    with tempfile.TemporaryDirectory() as folder:
        home = options.keep or Path(folder)
        home.mkdir(exist_ok=True)
        print("| recipe | corpus | documents | they remove | same | only we | only they |")
        print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
        causes: dict[str, Counter[str]] = {}
        for original in (one for one in ORIGINALS if one.recipe in options.recipes):
            of_language = [one for one in texts if one.language in original.languages]
            found = said(original, of_language, home, options.dclm)
            if found is not None:
                causes[original.recipe] = compare(original, of_language, found)
    for recipe, counts in causes.items() if options.causes else ():
        print(f"\n{recipe}\n")
        for cause, number in counts.most_common():
            print(f"{number:6} {cause}")


def compare(original: Original, texts: list[Document], found: list[Any]) -> Counter[str]:
    """Print a line for each set; why decisions differ."""
    ours = removed_by(original.recipe, texts)
    rows = [row for row in zip(texts, ours, map(original.reasons, found), strict=True) if row[2] is not None]
    causes: Counter[str] = Counter()
    for name, group in groupby(rows, lambda row: row[0].set):
        print_row(original.recipe, name, [(bool(we), bool(they)) for _, we, they in group])
    print_row(f"**{original.recipe}**", "all", [(bool(we), bool(they)) for _, we, they in rows])
    for text, we, they in rows:
        if bool(we) != bool(they):
            who = f"only we: {', '.join(we)}" if we else f"only they: {', '.join(they or [])}"
            causes[f"{text.set}, {text.language}: {who}"] += 1
    return causes


def print_row(recipe: str, name: str, pairs: list[tuple[bool, bool]]) -> None:
    same = sum(we == they for we, they in pairs) / len(pairs) if pairs else 1.0
    theirs, more, fewer = (
        sum(test) for test in zip(*((they, we and not they, they and not we) for we, they in pairs), strict=True)
    )
    print(f"| {recipe} | {name} | {len(pairs):,} | {theirs:,} | {same:.2%} | {more} | {fewer} |", flush=True)


def removed_by(recipe: str, texts: list[Document]) -> list[list[str]]:
    """Our reasons."""
    stage = Quality(load(flags={"pipeline.recipe": recipe}).stage("quality"))
    reasons: list[list[str]] = []
    for begin in range(0, len(texts), BATCH):
        part = texts[begin : begin + BATCH]
        columns = {
            "text": pa.array([one.text for one in part], pa.large_string()),
            "language.label": [one.language for one in part],
        }
        reasons += stage.judge(stage.measure(pa.record_batch(columns))).to_pylist()
    return reasons


def said(original: Original, texts: list[Document], home: Path, dclm: Path | None) -> list[Any] | None:
    """What the original says of each document; None where it is not installed."""
    kind = "fineweb2" if original.recipe == "fineweb2" else original.rival
    out = home / f"{kind}.jsonl"
    if not out.exists():
        python = environments.python(original.rival)
        if python is None or (original.rival == "dclm" and dclm is None):
            print(f"| {original.recipe} | not installed: python -m benchmarks rivals {original.rival} | | | | | |")
            return None
        source = home / f"{kind}_documents.jsonl"
        source.write_text("".join(json.dumps(one) + "\n" for one in asked(texts, kind)))
        checkout = [str(dclm)] if original.rival == "dclm" else []
        job = environments.REQUIREMENTS / original.job
        subprocess.run([python, job, source, f"{out}.part", *checkout], check=True)
        Path(f"{out}.part").rename(out)
    return [json.loads(line) for line in out.read_text().splitlines()]


def asked(texts: list[Document], kind: str) -> Iterator[dict[str, Any]]:
    """What a job is told of each document."""
    for one in texts:
        yield {"text": one.text} | ({"fineweb2": configuration(one.language)} if kind == "fineweb2" else {})


if __name__ == "__main__":
    main()
