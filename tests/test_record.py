"""The record is true: times and throughput are those of the work that made the files, however often the command ran."""

import errno
import itertools
import json
import os
import shutil
from pathlib import Path

import pytest

from corpus_maker import make_corpus, prose
from curate.cli import command
from curate.errors import ExitCode, Stopped
from curate.pipeline import execute
from curate.report.html import page
from curate.store import files
from small_run import HOLD_TIMES, SETTINGS, contents, manifest, run


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus") / "in", documents=40)


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "out"
    assert run(corpus, out) == ExitCode.DONE
    return out


@pytest.fixture
def out(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "out"))


def record(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in HOLD_TIMES}


def pieces(out: Path, step: str = "pass 1") -> dict[str, dict]:
    return {piece["piece"]: piece for piece in manifest(out)["work"] if piece["step"] == step}


def words(corpus: Path, out: Path, *flags: str) -> list[str]:
    return ["run", str(corpus), "-o", str(out), *(f"--set={setting}" for setting in SETTINGS), *flags]


@pytest.mark.parametrize("flags", [(), ("--profile",)])
def test_a_run_that_redoes_nothing_leaves_the_record_as_it_is(corpus, tmp_path, capsys, flags):
    out = tmp_path / "out"
    for _ in range(2):
        assert command(words(corpus, out, *flags, "--no-progress")) == ExitCode.DONE
        before = record(out)
        assert command(words(corpus, out, "--no-progress")) == ExitCode.DONE
        assert record(out) == before
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("parts reused · the work took") == 3


def test_what_would_be_the_same_is_neither_counted_nor_drawn_again(corpus, out, monkeypatch):
    assert run(corpus, out) == ExitCode.DONE  # it has another name now
    before, looked, real = record(out), [], page.findings_of
    monkeypatch.setattr(page, "findings_of", lambda *given: looked.append(1) or real(*given))
    counted, really = [], execute.raw_tokens
    monkeypatch.setattr(execute, "raw_tokens", lambda *given: counted.append(1) or really(*given))
    assert run(corpus, out) == ExitCode.DONE
    assert (looked, counted, record(out)) == ([], [], before)
    (out / "report.html").write_bytes(before["report.html"][:-9])
    assert run(corpus, out) == ExitCode.DONE
    assert (looked, record(out)) == ([1], before)
    assert run(corpus, out, "report.epochs=2") == ExitCode.DONE
    assert (len(looked), counted) == (2, [])
    assert (out / "report.html").read_bytes() != before["report.html"]
    told = manifest(out)["tokens"]
    next(out.glob("quality/part-*")).unlink()
    assert run(corpus, out) == ExitCode.DONE
    assert (counted, manifest(out)["tokens"]) == ([1], told)


def test_times_add_up(finished):
    timings, work = manifest(finished)["timings"], manifest(finished)["work"]
    assert timings["wall_seconds"] == pytest.approx(sum(timings["steps"].values()), abs=0.01)
    assert timings["wall_seconds"] == pytest.approx(sum(piece["wall_seconds"] for piece in work), abs=0.01)
    assert list(timings["steps"]) == ["pass 1", "near_dup", "pass 2", "shards"]
    assert set(pieces(finished)) == set(pieces(finished, "pass 2")) == {p["name"] for p in manifest(finished)["parts"]}
    raw = sum(part["raw_bytes"] for part in manifest(finished)["parts"])
    assert timings["bytes_per_second"] == pytest.approx(raw / timings["wall_seconds"], rel=0.01)


def interrupted(corpus: Path, out: Path, monkeypatch, number: int) -> None:
    """Stop a run when it gives the ``number``-th file its name."""
    times, real = itertools.count(), files.put

    def full(temporary, final):
        if next(times) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(temporary, final)

    with monkeypatch.context() as patched:
        patched.setattr(files, "put", full)
        with pytest.raises(Stopped):
            run(corpus, out)


def test_what_an_interrupted_run_did_counts(corpus, finished, tmp_path, monkeypatch):
    out = tmp_path / "out"
    for number in (12, 20, 9):
        interrupted(corpus, out, monkeypatch, number)
    kept = out / ".cache" / "efforts.jsonl"
    done = [json.loads(line.partition(" ")[2]) for line in kept.read_text().split("\n")[:-1]]
    with kept.open("a") as file:  # as a kill leaves it
        file.write('0123 {"step": "pa')
    assert run(corpus, out) == ExitCode.DONE
    assert contents(out) == contents(finished)
    measured = {name: stage["documents"] for name, stage in manifest(finished)["timings"]["stages"].items()}
    assert {name: stage["documents"] for name, stage in manifest(out)["timings"]["stages"].items()} == measured
    assert len(done) > 3
    assert all(piece in manifest(out)["work"] for piece in done)


def test_a_new_file_adds_what_it_costs(tmp_path):
    corpus, out = make_corpus(tmp_path / "in", documents=40), tmp_path / "out"
    run(corpus, out)
    before = pieces(out)
    (corpus / "z.jsonl").write_text(json.dumps({"text": prose(5)}) + "\n")
    assert run(corpus, out) == ExitCode.DONE
    same = before.keys() & pieces(out).keys()
    assert 0 < len(same) < len(pieces(out))
    assert all(pieces(out)[name] == before[name] for name in same)
    assert pieces(out).keys() == {part["name"] for part in manifest(out)["parts"]}


def test_what_is_made_again_counts_once(corpus, finished, out):
    part = manifest(out)["parts"][0]["name"]
    (out / "documents" / part).unlink()
    assert run(corpus, out) == ExitCode.DONE
    was, now = pieces(finished)[part], pieces(out)[part]
    assert {name: phase[2] for name, phase in now["phases"].items()} == {n: p[2] for n, p in was["phases"].items()}
    assert len(manifest(out)["work"]) == len(manifest(finished)["work"])


def test_work_that_nobody_knows_gives_no_throughput(corpus, out, capsys):
    (out / "run.json").unlink()
    assert command(words(corpus, out, "--no-progress")) == ExitCode.DONE
    timings = manifest(out)["timings"]
    assert (timings["wall_seconds"], timings["bytes_per_second"]) == (0, None)
    assert "how long the work took is not known" in capsys.readouterr().err
    before = record(out)
    assert run(corpus, out) == ExitCode.DONE
    assert manifest(out)["timings"] == timings
    assert record(out).keys() == before.keys()


def test_a_file_of_that_name_that_is_not_ours_stays(corpus, out):
    (out / ".cache" / "efforts.jsonl").write_text("mine\n")
    assert run(corpus, out, fresh=True) == ExitCode.DONE
    assert (out / ".cache" / "efforts.jsonl").read_text().startswith("mine\n")
