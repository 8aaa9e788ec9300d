"""`curate run --sample` and `curate demo`: a look at what a run would be."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import curate
from corpus_maker import prose
from curate.cli import app
from curate.corpus.documents import Rows
from curate.corpus.quarantine import Quarantined
from curate.pipeline.sampling import sampled
from fake_run import files_of


def parsed(texts):
    rows = Rows()
    for number, text in enumerate(texts, 1):
        rows.add("a.txt", number, text, "a")
    for number in range(1000):
        rows.quarantined.append(Quarantined("a.txt", number, None, "bad_json", ""))
    rows.quarantined.append(Quarantined("b.gz", None, None, "truncated_file", "", lost_documents=None))
    return rows.parsed()


def test_a_sample_is_a_share_and_does_not_depend_on_order():
    texts = [f"document {n // 2}" for n in range(20_000)]
    drawn = sampled(parsed(texts), 0.1)
    kept = drawn.documents["text"].to_pylist()
    assert abs(len(kept) - 2000) < 5 * np.sqrt(2 * 2000)
    assert all(kept.count(text) == 2 for text in kept[:40])
    assert set(sampled(parsed(texts[::-1]), 0.1).documents["text"].to_pylist()) == set(kept)
    assert set(kept) <= set(sampled(parsed(texts), 0.2).documents["text"].to_pylist())
    assert 60 < len(drawn.quarantined) < 140
    assert drawn.quarantined["reason"].to_pylist()[-1] == "truncated_file"
    assert sampled(parsed(texts), 1.0) == parsed(texts)


def test_near_duplicates_are_mostly_drawn_together():
    texts = [prose(number, 200) for number in range(1500)]
    edited = [" ".join(["other", *text.split()[:-8]]) for text in texts]
    assert 0.9 < jaccard(texts[0], edited[0]) < 0.98
    kept = set(sampled(parsed([*texts, *edited]), 0.1).documents["text"].to_pylist())
    drawn = [(text in kept, other in kept) for text, other in zip(texts, edited, strict=True)]
    assert 90 < sum(a for a, _ in drawn) < 220
    assert sum(a and b for a, b in drawn) > 0.85 * sum(a or b for a, b in drawn)


def test_pages_that_share_their_markup_are_not_drawn_together():
    pages = [f"<html>{'<p>the menu that every page of this site has' * 40}<p>{number}" for number in range(2000)]
    assert 130 < len(sampled(parsed(pages), 0.1).documents) < 270


def jaccard(one, other):
    sets = [{tuple(words[at : at + 5]) for at in range(len(words) - 4)} for words in (one.split(), other.split())]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_a_run_over_a_sample_says_so(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(120):
        (tmp_path / "in" / f"{number}.txt").write_text(prose(number))
    out = tmp_path / "out"
    words = ["run", str(tmp_path / "in"), "-o", str(out), "--sample", "25%"]
    words += ["--set", 'pipeline.stages=["normalize"]', "--set", "tokenize.tokenizer=bytes"]
    result = CliRunner().invoke(app, words, standalone_mode=False)
    manifest = json.loads((out / "run.json").read_text())
    assert result.return_value == 0, result.stderr
    assert 10 < manifest["counts"]["read"] < 60
    assert manifest["config"]["input"]["sample"] == 0.25
    assert sum(len(pq.read_table(file)) for file in files_of(out, "documents")) == manifest["counts"]["read"]
    assert "a sample of 25 %" in " ".join(result.stderr.split())
    assert "This run is a preview of a sample: 25 %" in (out / "report.html").read_text()
    assert "--sample 0.25" in manifest["command"]


@pytest.mark.parametrize("share", ["0", "101%", "-1%", "some"])
def test_a_share_that_is_none_is_refused(share, tmp_path):
    (tmp_path / "a.txt").write_text("text")
    result = CliRunner().invoke(app, ["run", str(tmp_path), "-o", str(tmp_path / "out"), "--sample", share])
    assert result.exit_code != 0
    assert not (tmp_path / "out").exists()


def test_the_demo_runs_and_says_how_to_open_the_report(tmp_path):
    out = tmp_path / "demo"
    result = CliRunner().invoke(app, ["demo", "-o", str(out)], standalone_mode=False)
    assert result.return_value == 0, result.stderr
    manifest = json.loads((out / "run.json").read_text())
    removed = {stage: one["documents"] for stage, one in manifest["counts"]["removed"].items()}
    assert manifest["counts"]["read"] == 195
    assert all(removed[stage] for stage in ("language", "quality", "near_dup"))
    assert f"curate report {out} --open" in result.stderr
    assert (Path(curate.__file__).parent / "runs" / "demo" / "ATTRIBUTION.txt").exists()
