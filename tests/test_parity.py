"""Recipes whose source is code decide as that code does: datatrove's decisions on ``sample_data`` are recorded."""

import json
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.sample_texts import sample_texts

from curate.pipeline.planning.config import load
from curate.stages.quality.stage import Quality
from curate.text.quality.words.word_cuts import word_cuts

RECORDED = [
    json.loads(line) for line in (Path(__file__).parent / "cases" / "datatrove.jsonl").read_text("utf-8").splitlines()
]
FILTERS = {
    "fineweb-code": {
        "GopherRepetitionFilter",
        "GopherQualityFilter",
        "C4QualityFilter, any line end",
        "FineWebQualityFilter",
    },
    "c4-datatrove": {"C4QualityFilter"},
    "fineweb2": {"GopherRepetitionFilter", "FineWebQualityFilter", "GopherQualityFilter"},
}


@pytest.fixture(scope="module")
def texts():
    found = list(sample_texts())
    assert [one.name for one in found] == [one["name"] for one in RECORDED]
    return found


@pytest.mark.parametrize("recipe", FILTERS)
def test_a_recipe_decides_as_datatrove(recipe, texts):
    english = recipe != "fineweb2"
    pairs = [pair for pair in zip(texts, RECORDED, strict=True) if (pair[0].language == "en") == english]
    removed = removed_by(recipe, [one for one, _ in pairs])
    theirs = [bool(FILTERS[recipe] & said.keys()) for _, said in pairs]
    other = [one.name for (one, _), ours, their in zip(pairs, removed, theirs, strict=True) if bool(ours) != their]
    assert len(other) <= len(pairs) // 1000, other
    assert 0.05 < np.mean(theirs) < 0.95


def test_words_are_those_of_spacy(texts):
    same = 0
    for one, said in zip(texts, RECORDED, strict=True):
        data = one.text.encode()
        array = np.frombuffer(data, np.uint8)
        cuts = word_cuts("spacy", array, np.array([0, len(data)]), [one.language])
        begins = [*np.flatnonzero(cuts.splits[: len(data)]).tolist(), len(data)]
        words = [data[begin:end].strip() for begin, end in pairwise(begins)]
        same += said["words"] == [len(words), zlib.crc32(b"\n".join(word.decode().strip().encode() for word in words))]
    assert same >= 0.98 * len(texts)


def removed_by(recipe, texts):
    stage = Quality(load(flags={"pipeline.recipe": recipe}).stage("quality"))
    batch = {
        "text": pa.array([one.text for one in texts], pa.large_string()),
        "language.label": [one.language for one in texts],
    }
    return stage.judge(stage.measure(pa.record_batch(batch))).to_pylist()
