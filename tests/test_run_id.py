"""The id of a run stands for its input and for settings that change what comes out, and for nothing else."""

import pytest

from corpus_maker import make_corpus
from curate.cli.session import Session


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus") / "in", documents=10)


def run_id(corpus, *assignments, output="out", limit=None, skip=(), **flags):
    named = {f"run.{name}": value for name, value in flags.items()}
    settings = ["tokenize.tokenizer=bytes", *assignments]
    session = Session([str(corpus)], output, assignments=settings, flags=named, limit=limit, skip=skip)
    config = session.config()
    return session.plan(config, session.stages(config)).run_id


@pytest.mark.parametrize(
    "other",
    [
        {"workers": 1},
        {"workers": 7, "memory": "3GB"},
        {"seed": 7},
        {"output": "elsewhere"},
        {"settings": ["report.samples=0", "report.epochs=3"]},
        {"settings": ["gates.max_quarantined=1", "gates.min_kept=0.5"]},
        {"settings": ["decontaminate.ngram_words=5"]},
        {"settings": ["quality.min_words=50"]},
    ],
    ids=str,
)
def test_what_changes_no_result_changes_no_id(corpus, other):
    assert run_id(corpus, *other.pop("settings", ()), **other) == run_id(corpus)


@pytest.mark.parametrize(
    "other",
    [
        {"settings": ["quality.min_words=51"]},
        {"settings": ["quality.signals=all"]},
        {"settings": ["near_dup.similarity=0.7"]},
        {"settings": ["near_dup.seed=2"]},
        {"settings": ["tokenize.tokenizer=cl100k_base"]},
        {"settings": ["shards.format=bin"]},
        {"settings": ["shards.shard_tokens=999"]},
        {"settings": ["input.part_bytes=9000"]},
        {"settings": ["input.max_document_bytes=900"]},
        {"settings": ["normalize.max_blank_lines=1"]},
        {"settings": ['pipeline.stages=["normalize","near_dup","language","quality","tokenize"]']},
        {"limit": 5},
        {"skip": ["quality"]},
    ],
    ids=str,
)
def test_what_changes_a_result_changes_the_id(corpus, other):
    assert run_id(corpus, *other.pop("settings", ()), **other) != run_id(corpus)


def test_another_input_has_another_id(corpus, tmp_path):
    assert run_id(make_corpus(tmp_path / "in", documents=10)) == run_id(corpus)
    (tmp_path / "in" / "a.jsonl").write_text('{"text": "something else"}\n')
    assert run_id(tmp_path / "in") != run_id(corpus)
