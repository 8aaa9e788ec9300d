"""The laws of a run: books that balance, the same bytes every time, crashes that cost nothing, removals with proof."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from contrary_engine import ContraryEngine
from corpus_maker import make_corpus, prose
from curate.cli.session import Session
from curate.errors import BooksDoNotBalance, ExitCode, UserError
from curate.pipeline import passes as part_module
from curate.store.books import balance
from curate.store.manifest import read_manifest
from curate.store.run_directory import RunDirectory
from fake_run import files_of

STAGES = ["extract", "normalize", "language", "quality", "near_dup", "tokenize"]
SMALL_PARTS = ("input.part_bytes=20000", "shards.shard_tokens=4000", "gates.max_quarantined=0.2")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus") / "in")


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "out"
    assert run(corpus, out) == ExitCode.DONE
    return out


def run(corpus: Path, out: Path, *assignments: str, **flags: object) -> int:
    named = {f"run.{key}": value for key, value in flags.items()}
    return Session([str(corpus)], str(out), flags=named, assignments=[*SMALL_PARTS, *assignments]).work(quiet=2)


def copied(finished: Path, folder: Path) -> Path:
    """The finished run, in a folder of its own: as good as the same run made there."""
    return Path(shutil.copytree(finished, folder / "out"))


def contents(out: Path) -> dict[str, str]:
    """Digest of every file that must not depend on how the run went."""
    kept = [
        p
        for p in out.rglob("*")
        if p.is_file() and p.suffix not in {".html", ".jsonl"} and p.name not in {"run.json", "report.json"}
    ]
    return {
        str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept if ".cache" not in p.parts
    }


def modified(out: Path, folder: str) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (out / folder).glob("part-*.parquet")}


def manifest(out: Path) -> dict:
    return json.loads((out / "run.json").read_text())


# ---- conservation and quarantine ---------------------------------------------------------------------------------


def test_every_document_is_kept_removed_with_reasons_or_quarantined(finished):
    counts = manifest(finished)["counts"]
    removed = sum(stage["documents"] for stage in counts["removed"].values())
    assert counts["read"] == counts["kept"] + removed + counts["quarantined"]
    assert min(counts["kept"], removed, counts["quarantined"]) > 0
    verdicts = [pl.read_parquet(finished / s / "*.parquet", columns=["reasons"]).rename({"reasons": s}) for s in STAGES]
    rows = pl.concat(verdicts, how="horizontal")
    gone = pl.sum_horizontal((pl.col(s).list.len() > 0).fill_null(value=False) for s in STAGES)
    after = rows.select(gone.alias("gone"), pl.col("tokenize").is_not_null().alias("kept"))
    assert set(after.filter("kept")["gone"]) == {0}
    assert set(after.filter(~pl.col("kept"))["gone"]) == {1}


def test_the_books_notice_a_missing_row(finished, tmp_path):
    out = copied(finished, tmp_path)
    file = files_of(out, "quality")[0]
    pl.read_parquet(file)[1:].write_parquet(file)
    directory = RunDirectory.finished(out, read_manifest(finished))
    with pytest.raises(BooksDoNotBalance, match="rows for"):
        balance(directory, STAGES, len(directory.names))


def test_bad_input_is_quarantined_with_file_position_and_reason(finished):
    bad = pl.read_parquet(finished / "quarantine" / "*.parquet")
    found = dict(zip(bad["reason"], zip(bad["file"], bad["position"], strict=True), strict=True))
    assert found["bad_json"] == ("a.jsonl", 3)
    assert found["not_an_object"] == ("a.jsonl", 4)
    assert found["missing_text"] == ("a.jsonl", 5)
    assert found["text_not_a_string"] == ("a.jsonl", 6)
    assert found["undecodable"][0] == "a.jsonl"
    assert all(bad["bytes"].bin.size() > 0)


def test_too_much_quarantine_fails_the_gate(corpus, tmp_path):
    assert run(corpus, tmp_path / "out", "gates.max_quarantined=0.001") == ExitCode.GATE_FAILED


# ---- determinism -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("workers", "chunk"), [(1, 4_000_000), (3, 700)])
def test_bytes_do_not_depend_on_workers_or_chunks(corpus, finished, tmp_path, monkeypatch, workers, chunk):
    monkeypatch.setattr(part_module.PassTask.__init__, "__defaults__", (chunk,))
    assert run(corpus, tmp_path / "out", workers=workers) == ExitCode.DONE
    assert contents(tmp_path / "out") == contents(finished)


def test_bytes_do_not_depend_on_the_engine(corpus, finished, tmp_path, monkeypatch):
    monkeypatch.setattr("curate.runs.job.engine_for", lambda config, _plan: ContraryEngine(config.run.seed))
    assert run(corpus, tmp_path / "out") == ExitCode.DONE
    assert contents(tmp_path / "out") == contents(finished)


# ---- crash safety and resuming -----------------------------------------------------------------------------------


def test_a_second_run_redoes_nothing(corpus, finished):
    before = {folder: modified(finished, folder) for folder in ("documents", *STAGES)}
    bytes_before = contents(finished)
    assert run(corpus, finished) == ExitCode.DONE
    assert {folder: modified(finished, folder) for folder in before} == before
    assert contents(finished) == bytes_before
    assert manifest(finished)["timings"]["resumed_parts"] == 0


@pytest.mark.parametrize(
    "delay",
    [pytest.param(0.0, marks=pytest.mark.slow), 0.15, *(pytest.param(d, marks=pytest.mark.slow) for d in (0.4, 0.9))],
)
def test_killed_at_any_instant_it_continues_to_the_same_bytes(corpus, finished, tmp_path, delay):
    out = tmp_path / "out"
    words = [sys.executable, "-m", "curate", "run", str(corpus), "-o", str(out), "-qq"]
    for assignment in SMALL_PARTS:
        words += ["--set", assignment]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while process.poll() is None and not list(out.glob("documents/part-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    survivors = modified(out, "documents")
    assert run(corpus, out) == ExitCode.DONE
    assert contents(out) == contents(finished)
    again = modified(out, "documents")
    assert survivors.items() <= again.items()


def test_a_changed_threshold_redoes_verdicts_only(corpus, finished, tmp_path):
    out = copied(finished, tmp_path)
    before = {folder: modified(out, folder) for folder in ("documents", "normalize", "language", "near_dup")}
    cost = manifest(out)["timings"]["stages"]
    assert run(corpus, out, "quality.min_words=100") == ExitCode.DONE
    assert {folder: modified(out, folder) for folder in before} == before
    assert manifest(out)["timings"]["stages"]["quality"] == cost["quality"]
    fresh = tmp_path / "fresh"
    run(corpus, fresh, "quality.min_words=100")
    assert contents(out) == contents(fresh)


def test_a_loosened_threshold_measures_only_what_came_back(corpus, finished, tmp_path):
    out, fresh = copied(finished, tmp_path), tmp_path / "fresh"
    before = manifest(out)["timings"]["stages"]["quality"]["documents"]
    assert run(corpus, out, 'language.keep=["en","fr"]', "language.min_score=0.1") == ExitCode.DONE
    run(corpus, fresh, 'language.keep=["en","fr"]', "language.min_score=0.1")
    assert contents(out) == contents(fresh)
    measured = manifest(out)["timings"]["stages"]["quality"]["documents"] - before
    assert 0 < measured < manifest(fresh)["timings"]["stages"]["quality"]["documents"]


def test_a_changed_file_redoes_only_its_parts(tmp_path):
    corpus, out, fresh = make_corpus(tmp_path / "in"), tmp_path / "out", tmp_path / "fresh"
    run(corpus, out)
    before = set(modified(out, "documents").values())
    (corpus / "b.jsonl.gz").unlink()
    (corpus / "sub" / "000.txt").write_text(prose(999))
    assert run(corpus, out) == ExitCode.DONE
    assert before & set(modified(out, "documents").values())
    run(corpus, fresh)
    assert contents(out) == contents(fresh)


def test_a_stage_left_out_later_leaves_nothing_behind(corpus, finished, tmp_path):
    out, fresh = copied(finished, tmp_path), tmp_path / "fresh"
    for folder in (out, fresh):
        Session([str(corpus)], str(folder), assignments=SMALL_PARTS, skip=["near_dup", "tokenize"]).work(quiet=2)
    assert contents(out) == contents(fresh)


def test_fresh_removes_what_runs_write_and_nothing_else(corpus, finished, tmp_path):
    out = copied(finished, tmp_path)
    (out / "notes.md").write_text("mine")
    session = Session([str(corpus)], str(out), assignments=[*SMALL_PARTS, "input.part_bytes=90000"])
    assert session.work(quiet=2, fresh=True) == ExitCode.DONE
    assert (out / "notes.md").read_text() == "mine"
    assert manifest(out)["timings"]["resumed_parts"] == 0


def test_another_corpus_is_refused(finished, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "z.txt").write_text(prose(5))
    with pytest.raises(UserError, match="holds a run over other files"):
        run(tmp_path / "other", finished)


# ---- proof, limits, offline --------------------------------------------------------------------------------------


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))}


def test_every_near_dup_removal_is_proven(finished):
    documents = [pl.read_parquet(file) for file in files_of(finished, "documents")]
    judged = [pl.read_parquet(file) for file in files_of(finished, "near_dup")]
    proven = 0
    for part, rows in enumerate(judged):
        for row, verdict in enumerate(rows.iter_rows(named=True)):
            if not verdict["reasons"]:
                continue
            at = verdict["survivor_at"]
            kept = judged[at["part"]].row(at["row"], named=True)
            assert kept["reasons"] == []
            assert kept["copies"] >= 2
            assert documents[at["part"]]["id"][at["row"]] == verdict["survivor"]
            a, b = shingles(documents[part]["text"][row]), shingles(documents[at["part"]]["text"][at["row"]])
            exact = len(a & b) / len(a | b)
            assert exact >= 0.8
            assert verdict["jaccard"] == pytest.approx(exact)
            proven += 1
    assert proven >= 20


def test_a_limit_reads_the_first_documents_only(corpus, tmp_path):
    out = tmp_path / "out"
    Session([str(corpus)], str(out), limit=10, assignments=SMALL_PARTS).work(quiet=2)
    read = pl.read_parquet(out / "documents" / "*.parquet")
    assert len(read) == 10


def test_no_stage_needs_the_network(corpus, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert run(corpus, tmp_path / "out") == ExitCode.DONE


def test_stages_can_be_left_out(corpus, tmp_path):
    out = tmp_path / "out"
    Session([str(corpus)], str(out), assignments=SMALL_PARTS, skip=["near_dup", "tokenize"]).work(quiet=2)
    assert not (out / "shards").exists()
    assert set(manifest(out)["counts"]["removed"]) == {"extract", "normalize", "language", "quality"}
    assert os.path.exists(out / "report.html")
