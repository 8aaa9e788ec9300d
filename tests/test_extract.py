"""The rewriter `extract`: what is a page, what of it is text, and what a page can do to the run (nothing)."""

import json
import os
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from resiliparse.extract.html2text import extract_plain_text

from corpus_maker import prose
from curate.cli.session import Session
from curate.errors import MissingExtra
from curate.html import children
from curate.html.children import Answer, Job, read_pages
from curate.process.child import start_child
from curate.stages.extract import Extract, ExtractSettings
from curate.stages.extract import stage as extract_stage
from fake_run import files_of
from small_run import contents

PAGE = f"""<!DOCTYPE html>
<html><head><title> Fair   isle </title><script>var hidden = 1;</script></head><body>
<nav><ul><li><a href="/">Start</a></li><li><a href="/all">All pages</a></li></ul></nav>
<main><h1>Fair isle</h1><p>{prose(5)}</p>
<pre><code>def knit(rows):
    for row in rows:

        yield row
</code></pre>
<table><tr><th>yarn</th><th>metres</th></tr><tr><td>blue</td><td>40</td></tr></table>
<p>{prose(6)}</p></main>
<footer>Terms and conditions</footer></body></html>"""
NEST = "<html><body>" + "<div>" * 60_000 + "deep"


def batch(*texts: str) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


@pytest.mark.parametrize("extractor", ["resiliparse", "trafilatura"])
def test_main_text_is_taken_and_lines_of_code_and_tables_stay(extractor):
    text, measures = Extract(ExtractSettings(extractor=extractor)).rewrite(batch(PAGE))
    lines = text[0].as_py().split("\n")
    assert "def knit(rows):" in lines
    assert "    for row in rows:" in lines
    assert sum("yarn" in line and "metres" in line for line in lines) == 1
    assert sum("blue" in line and "40" in line for line in lines) == 1
    assert prose(6).split("\n")[0][:60] in text[0].as_py()
    assert not any(word in text[0].as_py() for word in ("All pages", "Terms and conditions", "hidden"))
    (row,) = measures.to_pylist()
    assert row["title"] == "Fair isle"
    assert (row["html_bytes"], row["text_bytes"]) == (len(PAGE.encode()), len(text[0].as_py().encode()))
    assert row["extractor"].startswith(extractor)


def test_text_is_the_librarys_own():
    text, _ = Extract(ExtractSettings()).rewrite(batch(PAGE))
    expected = extract_plain_text(PAGE, main_content=True, list_bullets=False, comments=False)
    assert text[0].as_py() == expected
    whole, _ = Extract(ExtractSettings(extractor="none")).rewrite(batch(PAGE))
    assert whole[0].as_py() == extract_plain_text(PAGE, main_content=False, list_bullets=False, comments=False)


def test_a_missing_extractor_is_said_before_the_run(monkeypatch):
    monkeypatch.setattr(extract_stage, "LIBRARIES", {"trafilatura": "no_such_package"})
    with pytest.raises(MissingExtra, match="`extract.extractor` is `trafilatura`"):
        Extract(ExtractSettings(extractor="trafilatura")).warnings()


@pytest.fixture
def hurting(monkeypatch):
    monkeypatch.setattr(
        children, "start_child", lambda _, stdout: start_child("hurting_extractor:serve", stdout=stdout)
    )
    yield partial(read_pages, job=Job(json.dumps(["resiliparse", {"of": "the test"}, 0.3])))
    children.stop()


@pytest.mark.parametrize(
    ("evil", "outcome"),
    [
        ("crash", "failed"),
        ("loop", "took_too_long"),
        ("explode", "failed"),
        ("raise", "failed"),
        ("tired", "extracted"),
    ],
)
def test_a_page_that_hurts_costs_itself_alone(hurting, evil, outcome):
    pages = [b"one", b"two", b"three", evil.encode(), b"four", evil.encode()]
    good = Answer("extracted", evil.upper().encode()) if outcome == "extracted" else Answer(outcome)
    expected = [good if page == evil.encode() else Answer("extracted", page.upper()) for page in pages]
    assert hurting(pages) == expected
    assert hurting([b"after"]) == [Answer("extracted", b"AFTER")]


def test_a_process_that_never_begins_is_no_fault_of_pages(monkeypatch):
    monkeypatch.setattr(children, "start_child", lambda _, stdout: start_child("hurting_extractor:none", stdout=stdout))
    with pytest.raises(OSError, match="ended before it began"):
        read_pages([b"page"], Job("[]"))


@pytest.fixture
def site(tmp_path):
    rows = [
        {"id": "page", "text": PAGE},
        {"id": "menu", "text": "<html><body><nav><a href=/>Start</a></nav></body></html>"},
        {"id": "nest", "text": NEST},
        {"id": "readme", "text": f"<div align=center>logo</div>\n\n{prose(7)}"},
        {"id": "piece", "text": f"<p>{prose(8)}</p>", "content_type": "text/html; charset=utf-8"},
        {"id": "source", "text": f"<!doctype html> begins a page. {prose(9)}", "content_type": "text/plain"},
    ]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def run(site: Path, out: Path, *assignments: str, fresh: bool = False) -> dict:
    asked = ('pipeline.stages=["extract","normalize","quality"]', "extract.max_seconds=0.3", "gates.min_kept=0")
    session = Session([str(site)], str(out), assignments=[*asked, *assignments])
    session.work(quiet=2, fresh=fresh)
    return json.loads((out / "run.json").read_text())


def rows(out: Path, folder: str) -> list[dict]:
    return [row for file in files_of(out, folder) for row in pq.read_table(file).to_pylist()]


def test_a_run_over_pages_balances_and_removed_ones_stay_as_they_came(site, tmp_path):
    out = tmp_path / "out"
    counts = run(site, out)["counts"]
    assert counts["removed"]["extract"] == {
        "documents": 2,
        "reasons": {"no_main_text": 1, "extractor_took_too_long": 1},
    }
    texts = {row["id"]: row["text"] for row in rows(out, "documents")}
    assert texts["nest"] == NEST
    assert texts["page"].startswith("Fair isle\n")
    assert texts["piece"].split() == prose(8).split()
    assert texts["readme"].startswith("<div")
    assert texts["source"].startswith("<!doctype")
    normalized = [row["reasons"] for row in rows(out, "normalize")]
    assert [reasons is None for reasons in normalized] == [False, True, True, False, False, False]
    before = contents(out)
    run(site, out)
    assert contents(out) == before
    assert run(site, out, "extract.extractor=none")["counts"]["removed"]["extract"]["documents"] == 0


def test_children_are_shared_and_end(site, tmp_path):
    run(site, tmp_path / "out")
    processes = [child._process for idle in children._idle.values() for child in idle]
    assert processes
    children.stop()
    assert all(process.poll() is not None for process in processes)
    with pytest.raises(ProcessLookupError):
        os.kill(processes[0].pid, 0)
