"""A run that keeps nothing is no success, but where that was asked for, or where everything new was there already."""

import json

import pytest

from corpus_maker import prose
from curate.cli import command
from curate.errors import ExitCode
from small_run import manifest, run

NONE = "quality.min_words=90000"


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "in").mkdir()
    rows = [json.dumps({"text": prose(at)}) for at in range(40)]
    (tmp_path / "in" / "all.jsonl").write_text("\n".join(rows))
    return tmp_path / "in"


def alerts(out):
    return json.loads((out / "report.json").read_text())["alerts"]


def test_nothing_kept_fails_and_says_what_removed_it(corpus, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["run", str(corpus), "-o", str(out), "--skip", "language", "--skip", "tokenize", "-q", "--set", NONE]
    assert command(words) == ExitCode.GATE_FAILED
    said = capsys.readouterr().err
    assert "error: No document was kept: the gate `min_documents` failed, limit 1" in said
    assert f"hint: curate sample {out} --reason quality.too_few_words" in said
    assert "Most were removed for `quality.too_few_words`: 40 documents" in alerts(out)[0]["detail"]
    assert "failed</b> min_documents: 0 documents, limit 1 document" in (out / "report.html").read_text()


@pytest.mark.parametrize(("limit", "code"), [(0, ExitCode.DONE), (1, ExitCode.GATE_FAILED), (40, ExitCode.GATE_FAILED)])
def test_a_setting_says_how_many_documents_must_stay(corpus, tmp_path, limit, code):
    assert run(corpus, tmp_path / "out", NONE, f"gates.min_documents={limit}", skip=["tokenize"]) == code
    assert any(alert["level"] == "problem" for alert in alerts(tmp_path / "out")) == (code != ExitCode.DONE)


def test_what_is_kept_counts(corpus, tmp_path):
    assert run(corpus, tmp_path / "all", "gates.min_documents=40", skip=["quality", "tokenize"]) == ExitCode.DONE
    assert run(corpus, tmp_path / "all", "gates.min_documents=41", skip=["quality", "tokenize"]) == ExitCode.GATE_FAILED
    assert alerts(tmp_path / "all")[0]["title"].startswith("Only 40 documents of 40 were kept")


def test_nothing_new_beside_an_earlier_run_is_a_success(corpus, tmp_path):
    only_duplicates = {"skip": ["quality", "tokenize"]}
    assert run(corpus, tmp_path / "may", **only_duplicates) == ExitCode.DONE
    against = f'input.against=["{tmp_path / "may"}"]'
    assert run(corpus, tmp_path / "june", against, **only_duplicates) == ExitCode.DONE
    assert manifest(tmp_path / "june")["counts"]["kept"] == 0
    titles = {alert["title"]: alert["level"] for alert in alerts(tmp_path / "june")}
    assert titles["Nothing new: 40 documents in an earlier run"] == "note"
