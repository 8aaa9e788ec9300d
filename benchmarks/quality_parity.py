"""Rule by rule: do we remove the documents that datatrove's filters and Dolma's taggers remove?

    python benchmarks/quality_parity.py CORPORA [--keep FOLDER] [--show RULE]

``CORPORA`` is as `benchmarks.quality_documents.sample` says; the rivals come from ``python -m benchmarks rivals
datatrove dolma``. datatrove's rules are run by its own filters, one rule at a time; Dolma's are limits on the values of
its taggers. *their words*: our signals with the words of datatrove's splitter (spaCy), or cut at white space for Dolma;
*our words*: as a run measures; *of long ones*: with their words, documents of 50 words and more. ``--keep`` keeps what
the rivals said, and takes it from there the next time; ``--show`` prints begins of the documents on which a rule
differs.
"""

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks import environments
from benchmarks.quality_documents import sample, write
from curate.pipeline.planning.config import load
from curate.stages.quality.settings import SIGNAL_OF, QualitySettings
from curate.stages.quality.stage import Quality, numbers
from curate.text.core.arrow import utf8_view
from curate.text.core.edits import edited
from curate.text.quality.bitmaps import splits_for
from curate.text.quality.document_signals import document_signals
from curate.text.quality.words.stop_words import StopWords

Mask = npt.NDArray[np.bool_]
Values = dict[str, npt.NDArray[np.float64]]
ENGLISH = StopWords({"en": ("the", "be", "to", "of", "and", "that", "have", "with")})
WORDS = 50
"""Shorter documents go by the rule on words, whatever the others say."""
LINES = re.compile("line|paragraph")
"""In the names of rules in which words play no part."""
ANY_END = "C4QualityFilter, any line end"
LIMITS = {
    "min_all_words": ("gopher_v1", "word_count", 50),
    "max_all_words": ("gopher_v1", "word_count", 100000),
    "min_median_word_length": ("gopher_v1", "median_word_length", 3),
    "max_median_word_length": ("gopher_v1", "median_word_length", 10),
    "max_marked_words": ("gopher_v1", "symbol_to_word_ratio", 0.1),
    "min_alphabetic_words": ("gopher_v1", "fraction_of_words_with_alpha_character", 0.8),
    "min_exact_stop_word_count": ("gopher_v1", "required_word_count", 2),
    "max_raw_bullet_lines": ("gopher_v1", "fraction_of_lines_starting_with_bullet_point", 0.9),
    "max_raw_ellipsis_lines": ("gopher_v1", "fraction_of_lines_ending_with_ellipsis", 0.3),
    "max_raw_recurring_lines": ("gopher_v1", "fraction_of_duplicate_lines", 0.3),
    "max_recurring_lines": ("gopher_v2", "fraction_of_duplicate_lines", 0.3),
    "max_raw_recurring_line_characters": ("gopher_v1", "fraction_of_characters_in_duplicate_lines", 0.3),
    **{
        f"max_most_common_{n}gram_words": ("gopher_v1", f"fraction_of_characters_in_most_common_{n}grams", limit)
        for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16))
    },
    **{
        f"max_recurring_{n}gram_weight": ("gopher_v1", f"fraction_of_characters_in_duplicate_{n}grams", (20 - n) / 100)
        for n in range(5, 11)
    },
}
"""Our setting → tagger, value, limit: cc-head.yaml of Dolma 1.6; n-grams also under the names that the tagger gives."""

C4 = ["min_sentences", "max_lorem_ipsum_lines", "max_curly_bracket_lines"]
FINEWEB = ["min_terminal_lines", "max_short_lines", "max_repeated_line_characters", "max_newlines_per_word"]
ELLIPSES = "max_ellipsis_ratio"
"""datatrove has one rule for number signs and ellipses."""


class Row(NamedTuple):
    """One line of the table."""

    filter: str
    rule: str
    theirs: Mask
    same_words: Mask | None
    """Ours with their words; None where words play no part."""
    ours: Mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--show")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.keep or Path(folder)
        texts = list(sample(options.corpora))
        rows = [*datatrove_rows(texts, said("datatrove", texts, home)), *dolma_rows(texts, said("dolma", texts, home))]
    print(f"{len(texts):,} documents, {sum(len(text.encode()) for text in texts) / 1e6:.1f} MB\n")
    print(
        "| filter or tagger | rule | they remove | same, their words | more / fewer | of long ones | same, our words |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    long = np.array([len(text.split()) >= WORDS for text in texts])
    for row in rows:
        print(cells(row, long))
        if options.show == row.rule:
            show(row, texts)


def said(name: str, texts: list[str], home: Path) -> list[dict[str, Any]]:
    """What a rival says of each document."""
    out = home / f"{name}_rules.jsonl"
    if not out.exists():
        python = environments.python(name)
        if python is None:
            raise SystemExit(f"{name} is not installed: python -m benchmarks rivals {name}")
        write(iter(texts), home / "documents.jsonl")
        job = environments.REQUIREMENTS / f"{name}_rules_job.py"
        subprocess.run([python, job, home / "documents.jsonl", out], check=True)
    return [json.loads(line) for line in out.read_text().splitlines()]


def cells(row: Row, long: Mask) -> str:
    """A line of the table; ``long``: the documents of `WORDS` words and more."""
    mine = row.ours if row.same_words is None else row.same_words
    more, fewer = (mine & ~row.theirs).sum(), (row.theirs & ~mine).sum()
    same, of_long = (mine == row.theirs).mean(), (mine == row.theirs)[long].mean()
    own = "" if row.same_words is None else f"{(row.ours == row.theirs).mean():.2%}"
    shares = f"{same:.2%} | {more} / {fewer} | {of_long:.2%}"
    return f"| {row.filter} | {row.rule} | {row.theirs.sum():,} | {shares} | {own} |"


def show(row: Row, texts: list[str]) -> None:
    mine = row.ours if row.same_words is None else row.same_words
    for index in np.flatnonzero(mine != row.theirs)[:20]:
        print(f"    {index} {'we' if mine[index] else 'they'} remove: {texts[index][:300]!r}")


def datatrove_rows(texts: list[str], found: list[dict[str, Any]]) -> Iterator[Row]:
    splits = mask_of_words(texts, [one["words"] for one in found])
    strict, loose = measured("c4-datatrove", texts), measured("fineweb-code", texts)
    same = loose | signals(texts, splits)
    with np.errstate(divide="ignore", invalid="ignore"):
        feeds = loose["newlines_per_word"] * loose["words_left"] / np.array([one["words_left"] for one in found])
    limits = settings("fineweb-code")
    for name, keys in filters(list(limits)).items():
        ours = strict if name == "C4QualityFilter" else loose
        for key in keys:
            theirs = np.array([key in one["fails"][name] for one in found])
            with_words = None
            if name.startswith("Gopher") and not LINES.search(key):
                with_words = fails(key, limits, same)
            if key == "max_newlines_per_word":
                with_words = fails(key, limits, ours | {"newlines_per_word": feeds})
            yield Row(name, key, theirs, with_words, fails(key, limits, ours))
        theirs = np.array([name in one["whole"] for one in found])
        yield Row(
            f"**{name}**",
            "all",
            theirs,
            any_of(keys, limits, same) if name.startswith("Gopher") else None,
            any_of(keys, limits, ours),
        )
    for name, recipe in (("C4QualityFilter", "c4-datatrove"), (ANY_END, "fineweb-code")):
        theirs_left = np.array([one["left"][name] for one in found], object)
        differs = np.array(left(recipe, texts), object) != theirs_left
        yield Row(name, "text left", np.zeros(len(texts), bool), None, differs)


def filters(keys: list[str]) -> dict[str, list[str]]:
    """datatrove's filters, each with those of our settings that it has."""
    gopher = [key for key in keys if key not in {*C4, *FINEWEB, ELLIPSES}]
    repetition = [key for key in gopher if re.search("duplicate|gram", key)]
    quality = [key for key in gopher if key not in repetition]
    return {
        "GopherQualityFilter": quality,
        "GopherRepetitionFilter": repetition,
        "C4QualityFilter": C4,
        ANY_END: C4,
        "FineWebQualityFilter": FINEWEB,
    }


def any_of(keys: list[str], limits: dict[str, float], values: Values) -> Mask:
    return np.any([fails(key, limits, values) for key in keys], axis=0)


def fails(key: str, limits: dict[str, float], values: Values) -> Mask:
    """Which documents a rule removes; datatrove has one rule for number signs and ellipses."""
    signal, side = SIGNAL_OF[key]
    found = values[signal.name]
    beyond = found < limits[key] if side == "min" else found > limits[key]
    if key == "max_symbol_ratio":
        beyond |= values["ellipsis_ratio"] > limits[ELLIPSES]
    return beyond


def settings(recipe: str) -> dict[str, float]:
    return {one.key: one.limit for one in rules_of(recipe).rules()}


def rules_of(recipe: str) -> QualitySettings:
    found = load(flags={"pipeline.recipe": recipe}).stage("quality")
    assert isinstance(found, QualitySettings)
    return found


def measured(recipe: str, texts: list[str], **changes: object) -> Values:
    """Every signal as a run of the recipe measures it."""
    stage = Quality(msgspec.structs.replace(rules_of(recipe), signals="all", **changes))
    measures = stage.measure(batch(texts))
    return {name: numbers(measures[name]) for name, kind in stage.adds.items() if pa.types.is_primitive(kind)}


def left(recipe: str, texts: list[str]) -> list[str]:
    """What the recipe's rules for lines leave of each text."""
    one = batch(texts)
    return edited(one["text"], Quality(rules_of(recipe)).measure(one)["edits"]).to_pylist()


def batch(texts: list[str]) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string()), "language.label": ["en"] * len(texts)})


def signals(texts: list[str], splits: npt.NDArray[np.uint8]) -> Values:
    data, offsets = utf8_view(pa.array(texts, pa.large_string()))
    return document_signals(data, offsets, np.zeros(len(texts), np.int64), ENGLISH, splits=splits)


def mask_of_words(texts: list[str], words: list[list[int]]) -> npt.NDArray[np.uint8]:
    """For each byte of all texts whether a word begins there; words by code point."""
    masks = []
    for text, starts in zip(texts, words, strict=True):
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        widths = 1 + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000)
        mask = np.zeros(int(widths.sum()), np.uint8)
        mask[(np.cumsum(widths) - widths)[starts]] = 1
        masks.append(mask)
    return np.concatenate([*masks, splits_for(0)])


def dolma_rows(texts: list[str], found: list[dict[str, Any]]) -> Iterator[Row]:
    spaces, own = measured("dolma", texts, words="spaces"), measured("dolma", texts, words="unicode")
    for key, (tagger, name, limit) in LIMITS.items():
        values = np.array([one[tagger].get(name, 0.0) for one in found])
        theirs = values < limit if key.startswith("min_") else values > limit
        same, ours = (fails(key, {key: limit}, one) for one in (spaces, own))
        yield Row(tagger, key, theirs, None if LINES.search(key) else same, ours)
    kinds = [{kind for kind, _, _ in one["c4_v2"]} for one in found]
    plain = measured("none", texts)
    for tag, signal in (("has_curly_brace", "curly_bracket_lines"), ("has_lorem_ipsum", "lorem_ipsum_lines"),
                        ("has_javascript", "javascript_lines")):  # fmt: skip
        yield Row("c4_v2", f"max_{signal}", np.array([tag in one for one in kinds]), None, plain[signal] > 0)
    theirs_left = np.array([unpunctuated_cut(*one) for one in zip(texts, found, strict=True)], object)
    differs = np.array(left("dolma", texts), object) != theirs_left
    yield Row("c4_v2", "text left", np.zeros(len(texts), bool), None, differs)


def unpunctuated_cut(text: str, found: dict[str, Any]) -> str:
    """The text without the lines that Dolma finds unpunctuated; lines trimmed, blank ones dropped, as we leave them."""
    cut = {start for kind, start, _ in found["c4_v2"] if kind == "lines_with_no_ending_punctuation"}
    kept, start = [], 0
    for line in text.split("\n"):
        if start not in cut and line.strip():
            kept.append(line.strip())
        start += len(line) + 1
    return "\n".join(kept)


if __name__ == "__main__":
    main()
