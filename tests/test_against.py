"""A run against an earlier one: together they decide as one run over both does, and what does not fit is refused."""

import json
import re
import shutil

import polars as pl
import pytest

from corpus_maker import prose
from curate.cli import command
from curate.cli.session import Session
from curate.errors import ExitCode, PlanError, UserError
from curate.runs.whatif import whatif
from fake_run import files_of

EARLIER = [prose(at) for at in range(40)]
LATER = [
    *EARLIER[:5],
    *(text + " And then they said no more." for text in EARLIER[5:10]),
    *(prose(at) for at in range(100, 120)),
    prose(100),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("against")
    for name, texts in (("1-may", EARLIER), ("2-june", LATER)):
        (folder / name).mkdir()
        rows = [json.dumps({"id": f"{name[2:]}-{at}", "text": text}) for at, text in enumerate(texts)]
        (folder / name / "all.jsonl").write_text("\n".join(rows))
    assert run([folder / "1-may"], folder / "may-run") == ExitCode.DONE
    assert run([folder / "2-june"], folder / "june-run", folder / "may-run") == ExitCode.DONE
    return folder


def run(corpus, out, *against, settings=()):
    assignments = ["near_dup.survivor=first", "input.part_bytes=9000", *settings]
    flags = {"input.against": [str(path) for path in against] or None}
    return Session([str(path) for path in corpus], str(out), flags=flags, assignments=assignments).work(quiet=2)


def judged(out):
    columns = ["survivor", "survivor_run", "jaccard", "exact", "reasons"]
    ids = pl.concat([pl.read_parquet(file, columns=["id"]) for file in files_of(out, "documents")])
    rows = pl.concat([pl.read_parquet(file, columns=columns) for file in files_of(out, "near_dup")])
    return pl.concat([ids, rows], how="horizontal")


def test_together_they_decide_as_one_run_over_both(folder, tmp_path):
    assert run([folder / "1-may", folder / "2-june"], tmp_path / "both") == ExitCode.DONE
    one = judged(tmp_path / "both").drop("survivor_run").sort("id")
    two = pl.concat([judged(folder / "may-run"), judged(folder / "june-run")])
    assert one.equals(two.drop("survivor_run").sort("id"))
    may = json.loads((folder / "may-run" / "run.json").read_text())["run_id"]
    from_may = two.filter(pl.col("survivor_run") == may)["id"].to_list()
    assert sorted(from_may) == sorted(f"june-{at}" for at in range(10))


def test_a_third_run_sees_through_both(folder, tmp_path):
    assert run([folder / "1-may"], tmp_path / "third", folder / "may-run", folder / "june-run") == ExitCode.DONE
    assert (judged(tmp_path / "third")["exact"]).all()


def test_an_earlier_run_that_was_made_again_is_read_again(folder, tmp_path):
    """In one process: what the first attempt removed is there after the second."""
    may, removed = tmp_path / "may", []
    for attempt, (least, code) in enumerate([(100_000, ExitCode.GATE_FAILED), (0, ExitCode.DONE)]):
        assert run([folder / "1-may"], may, settings=[f"quality.min_words={least}"]) == code
        assert run([folder / "2-june"], tmp_path / f"june-{attempt}", may) == ExitCode.DONE
        removed.append(judged(tmp_path / f"june-{attempt}")["survivor_run"].count())
    assert removed == [0, 10]


def test_the_same_command_again_redoes_nothing(folder):
    files = sorted((folder / "june-run" / "near_dup").iterdir())
    before = [file.stat().st_mtime_ns for file in files]
    assert run([folder / "2-june"], folder / "june-run", folder / "may-run") == ExitCode.DONE
    assert [file.stat().st_mtime_ns for file in files] == before


def test_the_removed_document_shows_its_survivor_of_the_earlier_run(folder, capsys):
    assert command(["why", str(folder / "june-run"), "june-7"]) == ExitCode.DONE
    assert "may-7" in capsys.readouterr().out
    page = (folder / "june-run" / "report.html").read_text()
    assert re.search(r"<bdi>may-\d</bdi> in the earlier run <code>…/may-run</code>, Jaccard", page)
    assert "Documents of <code>…/may-run</code> counted as kept, too" in page


def refusal(folder, *against, settings=(), out=None):
    with pytest.raises(PlanError) as refused:
        run([folder / "2-june"], out or folder / "new", *against, settings=settings)
    assert not (folder / "new").exists()
    return refused.value.message.replace(f"{folder}/", ""), refused.value.hint.replace(f"{folder}/", "")


def test_what_cannot_be_compared_is_refused_before_anything_is_read(folder, tmp_path):
    may, june = folder / "may-run", folder / "june-run"
    assert refusal(folder, may, settings=["near_dup.shingle_words=3"]) == (
        "`may-run` cannot be used with --against: `near_dup.shingle_words` was 5 there and is 3 here",
        "--set near_dup.shingle_words=5",
    )
    assert refusal(folder, may, settings=["near_dup.bands=14", "near_dup.rows=8"]) == (
        "`may-run` cannot be used with --against: it has 16 bands × 6 rows, and here it would be 14 × 8",
        "--set near_dup.bands=16 --set near_dup.rows=6",
    )
    assert refusal(folder, june) == (
        "`june-run` was itself run against `may-run`, which is not given",
        "--against may-run --against june-run",
    )
    assert refusal(folder, may, may)[0] == "`--against may-run` is given twice"
    assert refusal(folder, may, out=may)[0] == "`may-run` cannot be compared with itself"
    shutil.copytree(may, folder / "copy")
    shutil.rmtree(folder / "copy" / ".cache")
    message, hint = refusal(folder, folder / "copy")
    assert message.startswith("`copy` cannot be used with --against: `copy/.cache/near_dup/part-")
    assert hint.startswith("make it again: curate run")


def test_whatif_refuses_what_a_rerun_would(folder):
    with pytest.raises(UserError, match="bands") as refused:
        whatif(folder / "june-run", ["near_dup.similarity=0.9"])
    bands = refused.value.hint.replace("--set ", "").split()
    assert whatif(folder / "june-run", ["near_dup.similarity=0.9", *bands]).changes
