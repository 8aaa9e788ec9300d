"""The benchmark's own instruments: a corpus made twice is the same, children are counted, ratios mean what they say."""

import json
import sys
from pathlib import Path

import polars as pl
import pytest
from benchmarks import corpus
from benchmarks.measuring import measure
from benchmarks.results import Results, ratios, summary, worse
from benchmarks.table import markdown

from reference_shingles import jaccard, shingle_set

TEXT = " ".join(f"word{number}" for number in range(400))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_corpus_is_a_function_of_its_input(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "TRAINING_MB", 0.1)
    monkeypatch.setattr(corpus, "VOCABULARY", 300)
    rows = pl.DataFrame({"id": [f"d{number}" for number in range(90)], "text": [f"{TEXT} {n}" for n in range(90)]})
    rows.write_parquet(tmp_path / "in.parquet")
    shuffled = tmp_path / "shuffled"
    shuffled.mkdir()
    rows.sample(60, seed=1).write_ndjson(shuffled / "a.jsonl")
    rows.join(pl.read_ndjson(shuffled / "a.jsonl"), on="id", how="anti").write_parquet(shuffled / "b.parquet")
    one, other = corpus.read(tmp_path / "in.parquet"), corpus.read(shuffled)
    corpus.make(one, tmp_path / "one", [1])
    corpus.make(other, tmp_path / "two", [1])
    assert corpus.fingerprint(one) == corpus.fingerprint(other)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    done = json.loads((tmp_path / "one" / "s1" / "done.json").read_text())
    assert done["text_mb"] == pytest.approx(1, rel=0.01)
    again = pl.read_parquet(tmp_path / "one" / "s1" / "parquet")
    assert len(again) == again["text"].n_unique() == again["id"].n_unique() == done["documents"]
    with pytest.raises(SystemExit, match="another input"):
        corpus.make(corpus.read(shuffled / "a.jsonl"), tmp_path / "one", [1])


def test_copies_are_no_near_duplicates():
    first, second, third = (shingle_set(corpus.salted(TEXT, copy), 5) for copy in range(3))
    assert max(jaccard(first, second), jaccard(second, third), jaccard(first, third)) < 0.4


def test_children_are_counted_even_when_nobody_waits_for_them(tmp_path):
    burn = "import time; [None for _ in iter(time.process_time, -1) if time.process_time() < {0} or exit()]"
    child = burn.format(0.4)
    start = f"subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)"
    parent = f"import subprocess, sys, time; {start}; time.sleep(1.5)"
    found = measure([sys.executable, "-c", parent], log=tmp_path / "log")
    assert found.status == "done"
    assert found.cpu_seconds >= 0.35
    assert found.peak_mb > 8


def test_a_command_over_its_time_or_in_error_says_so(tmp_path):
    assert (
        measure([sys.executable, "-c", "import time; time.sleep(30)"], log=tmp_path / "a", timeout=0.5).status
        == "timeout"
    )
    assert measure([sys.executable, "-c", "print(1); raise SystemExit(3)"], log=tmp_path / "b").status == "failed"
    assert (tmp_path / "b").read_text() == "1\n"


def measurement(job, size, cpu, run=0, **more):
    figures = {"cpu_seconds": cpu, "wall_seconds": cpu, "peak_mb": 100.0, "text_mb": float(size)}
    return {"job": job, "size": size, "run": run, "status": "done", "read": 9, "kept": 5, **figures, **more}


def test_ratios_are_costs_of_medians():
    found = [measurement("curate", 10, cpu, run) for run, cpu in enumerate([9.0, 2.0, 3.0])]
    found += [measurement("curate-2", 10, 4.0, wall_seconds=1.5), measurement("floor", 10, 1.0)]
    found += [measurement("curate", 40, 24.0), measurement("datatrove", 10, 300.0)]
    found += [{"job": "dolma", "size": 10, "run": 0, "status": "not installed"}]
    assert ratios(summary(found)) == {
        "s10 curate/floor cpu": 3.0,
        "s10 2 workers/1 wall": 0.5,
        "s10 curate/datatrove cpu": 0.01,
        "s10-s40 curate growth cpu": 2.0,
    }


def test_only_a_ratio_beyond_the_tolerance_is_worse():
    old = {"a": 1.0, "b": 1.0, "c": 1.0, "gone": 1.0}
    assert worse({"a": 1.14, "b": 1.16, "c": 0.2, "new": 9.0}, old, 0.15) == ["b: 1.000 → 1.160, 16 % worse"]


def test_a_result_file_goes_on_where_it_was(tmp_path):
    about = {
        "corpus": "x",
        "date": "2026-01-01",
        "version": "1",
        "recipe": "gopher",
        "machine": {"cpu": "c", "cores": 2},
    }
    first = Results(tmp_path / "r.json", about)
    first.add(measurement("curate", 10, 3.0, stages={"normalize": [1.0, 10_000_000]}))
    first.add({"job": "dolma", "size": 10, "run": 0, "status": "not installed"})
    second = Results(tmp_path / "r.json", about)
    assert second.has("curate", 10, 0)
    assert not second.has("curate", 10, 1)
    assert not second.has("dolma", 10, 0)  # it may be installed by now
    page = markdown(second.content)
    assert "| dolma |" in page
    assert "| normalize | 10.0 | 1.00 | 10 |" in page
    second.forget({"curate"}, [40])
    assert second.has("curate", 10, 0)
    second.forget({"curate"}, [10, 40])
    assert not second.has("curate", 10, 0)
    with pytest.raises(SystemExit, match="another corpus"):
        Results(tmp_path / "r.json", {**about, "corpus": "y"})
