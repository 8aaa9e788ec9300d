"""docs/interop.md: every example runs on a run of several parts, and tools agree about it."""

import re
from pathlib import Path

import pytest

import curate
from corpus_maker import make_corpus
from curate.cli import command

PAGE = (Path(__file__).parent.parent / "docs" / "interop.md").read_text("utf-8")
QUICK = {"tokenize": {"tokenizer": "bytes"}, "report": {"samples": 0}, "quality": {"min_words": 60}}


def examples(heading: str, language: str = "python") -> list[str]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found
    return found


def executed(heading: str) -> dict[str, object]:
    names: dict[str, object] = {}
    for code in examples(heading):
        exec(compile(code, f"docs/interop.md, {heading}", "exec"), names)
    return names


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interop")
    run = curate.run(make_corpus(folder / "in", 120), folder / "curated", config=QUICK, input={"part_bytes": 9000})
    assert len(run.manifest.parts) > 1
    assert run.counts.removed_by["quality"]
    assert command(["export", str(run.path), "-o", str(folder / "kept.parquet")]) == 0
    assert command(["shards", "convert", str(run.path), "--to", "bin", "-o", str(folder / "flat")]) == 0
    return folder


@pytest.fixture
def run(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return curate.open("curated")


def test_polars(run):
    removed = executed("Polars")["removed"]
    ours = run.removed().filter().select("id", "quality.words").collect()
    assert set(removed["documents.id"]) <= set(ours["id"])
    assert len(removed) == run.counts.removed_by["quality"]


def test_duckdb_agrees_with_polars(run):
    duckdb = pytest.importorskip("duckdb")
    by_source, removed = (duckdb.sql(query).fetchall() for query in examples("DuckDB", "sql"))
    assert sum(documents for _, documents, _ in by_source) == run.counts.kept + run.counts.removed
    assert sum(tokens or 0 for *_, tokens in by_source) == run.tokens.kept
    assert removed == [tuple(row) for row in executed("Polars")["removed"].rows()]


@pytest.mark.filterwarnings("default")
def test_datasets(run, monkeypatch, tmp_path):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    names = executed("Hugging Face datasets")
    assert names["text"].num_rows == names["tokens"].num_rows == run.counts.kept
    assert names["text"]["text"][:] == run.documents().select("text").collect()["text"].to_list()


def test_numpy_and_torch(run):
    names = executed("NumPy")
    assert names["first"].shape == (4, 512)
    assert len(names["flat"]) == run.tokens.kept
    pytest.importorskip("torch")
    assert executed("PyTorch")["inputs"].shape == (4, 511)
