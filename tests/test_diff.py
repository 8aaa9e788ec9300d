"""`curate diff`, `curate history`, and what the page says of the run before."""

import json
import shutil

import msgspec
import pytest

import curate
from corpus_maker import make_corpus
from curate.cli import command
from curate.events import Warned
from curate.runs.diff import diff
from curate.store.checked_json import with_checksum
from curate.store.history import History, entry_of, made_at

QUICK = {
    "pipeline": {"stages": ["normalize", "near_dup", "quality", "tokenize"]},
    "tokenize": {"tokenizer": "bytes"},
    "report": {"samples": 0},
    "gates": {"max_quarantined": 1.0},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diff")
    corpus = make_corpus(folder / "in", 60)
    a = curate.run(corpus, folder / "a", config=QUICK, input={"part_bytes": 30_000})
    shutil.copytree(a.path, folder / "b")
    b = curate.run(corpus, folder / "b", config=QUICK, input={"part_bytes": 30_000}, quality={"min_words": 165})
    return a, b


def test_it_counts_who_changed_sides(runs):
    a, b = runs
    found = diff(a.path, b.path)
    kept = [set(run.documents().select("file", "position").collect().rows()) for run in runs]
    assert found.to_removed == len(kept[0] - kept[1]) > 0
    assert found.to_kept == len(kept[1] - kept[0])
    assert (found.only_a, found.only_b, found.inputs) == (0, 0, ())
    assert [(one.name, one.b) for one in found.settings] == [("quality.min_words", 165)]
    assert found.number("kept").b == b.counts.kept
    assert any(not moved.a and moved.b == ("quality.too_few_words",) for moved in found.examples)


def test_a_run_does_not_differ_from_itself_made_elsewhere(runs, tmp_path, capsys):
    a, _ = runs
    corpus = a.path.parent / "in"
    again = curate.run(corpus, tmp_path / "again", config=QUICK, input={"part_bytes": 30_000}, run={"workers": 1})
    found = diff(a.path, again.path)
    assert not found.differs
    assert [one.name for one in found.settings] == ["run.workers"]
    assert command(["diff", str(a.path), str(again.path)]) == 0
    assert "do not differ" in capsys.readouterr().out


def test_another_seed_is_a_difference_where_it_draws_something(runs, tmp_path):
    a, _ = runs
    made = []
    for order in ("input", "shuffle"):
        for seed in (1, 2):
            shutil.copytree(a.path, tmp_path / f"{order}{seed}")
            again = {"config": QUICK, "input": {"part_bytes": 30_000}, "shards": {"order": order}}
            made.append(curate.run(a.path.parent / "in", tmp_path / f"{order}{seed}", run={"seed": seed}, **again).path)
    found = [diff(*made[:2]), diff(*made[2:])]
    assert [one.differs for one in found] == [False, True]
    assert [[each.name for each in one.settings] for one in found] == [["run.seed"], ["run.seed"]]


def test_other_versions_are_told(runs, tmp_path):
    a, _ = runs
    shutil.copytree(a.path, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "run.json").read_text())
    manifest["curate"], manifest["stages"][0]["version"] = "0.1.0", 1
    (tmp_path / "out" / "run.json").write_text(json.dumps(with_checksum(manifest)))
    found = diff(tmp_path / "out", a.path)
    assert [(one.name, one.a) for one in found.versions] == [("curate", "0.1.0"), ("normalize", 1)]
    assert not found.differs


def test_other_input_is_told_by_file_and_by_document(runs, tmp_path):
    a, _ = runs
    corpus = tmp_path / "in"
    shutil.copytree(a.path.parent / "in", corpus)
    (corpus / "new.txt").write_text("Something new. " * 80)
    found = diff(a.path, curate.run(corpus, tmp_path / "out", config=QUICK, input={"part_bytes": 30_000}).path)
    assert [(one.name, one.a) for one in found.inputs] == [("new.txt", None)]
    assert (found.only_a, found.only_b, found.to_removed, found.to_kept) == (0, 1, 0, 0)
    assert [moved.a for moved in found.examples if moved.id == "new.txt#1"] == [None]


def test_conditions_decide_the_exit_code(runs, capsys):
    a, b = map(str, (run.path for run in runs))
    assert command(["diff", a, b]) == 1
    for text, code in (("kept<-1%", 1), ("kept<-99%", 0), ("kept>0", 0), ("quality>=1", 1), ("tokens<-1e0", 1),
                       ("kept<=-.1%", 1), ("kept<1e", 2),
                       ("kept", 2), ("kepd<-1%", 2)):  # fmt: skip
        assert command(["diff", a, b, "--fail-on", text]) == code, text
    capsys.readouterr()
    assert command(["diff", a, b, "--json", "--fail-on", "kept<-1%"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["differs"], told["failed"]) == (True, ["kept<-1%"])
    assert command(["diff", a, b, "--format", "markdown"]) == 1
    page = capsys.readouterr().out
    assert "| `kept` |" in page
    assert "`quality.min_words`: `50 → 165`" in page


def test_history_has_a_line_for_each_run_that_made_something(runs, tmp_path, capsys):
    a, b = runs
    assert [len(History(run.path).runs) for run in runs] == [1, 2]
    assert History(b.path).runs[0] == History(a.path).runs[0]
    files = {name: (b.path / name).read_bytes() for name in ("history.jsonl", "report.json", "report.html")}
    corpus = a.path.parent / "in"
    curate.run(corpus, b.path, config=QUICK, input={"part_bytes": 30_000}, quality={"min_words": 165})
    assert {name: (b.path / name).read_bytes() for name in files} == files
    assert command(["history", str(a.path), str(b.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["runs"]
    assert [one["kept"] for one in told] == [a.counts.kept, a.counts.kept, b.counts.kept]
    assert command(["history", str(b.path)]) == 0
    assert "█" in capsys.readouterr().out
    assert command(["history", str(b.path), "--format", "markdown"]) == 0
    shutil.copytree(b.path, tmp_path / "b")
    capsys.readouterr()
    heard: list = []
    lines = (tmp_path / "b" / "history.jsonl").read_text().splitlines()
    (tmp_path / "b" / "history.jsonl").write_text(f"{lines[0][:-9]}\n{lines[1]}\n")
    assert command(["history", str(tmp_path / "b")]) == 0
    assert "has 1 damaged line" in capsys.readouterr().err
    again = {"config": QUICK, "input": {"part_bytes": 30_000}, "on_event": heard.append}
    curate.run(corpus, tmp_path / "b", quality={"min_words": 60}, **again)
    assert [one.message for one in heard if isinstance(one, Warned) and "history" in one.message] == [
        "`history.jsonl` has 1 damaged line: its content is lost"
    ]
    assert [one["kept"] for one in History(tmp_path / "b").runs][:1] == [b.counts.kept]
    (tmp_path / "b" / "history.jsonl").write_text("somebody's notes\n")
    curate.run(corpus, tmp_path / "b", config=QUICK, input={"part_bytes": 30_000}, quality={"min_words": 70})
    assert (tmp_path / "b" / "history.jsonl").read_text() == "somebody's notes\n"
    assert command(["history", str(tmp_path)]) == 2


def test_a_run_is_as_old_as_what_it_made_last(runs):
    manifest = runs[1].manifest
    first, *others = manifest.work
    later = msgspec.structs.replace(first, started="2099-01-01T00:00:00+00:00")
    made = entry_of(msgspec.structs.replace(manifest, work=(*others, later)))
    assert (made["started"], made_at(made)) == (manifest.timings.started, later.started)
    assert made_at({"started": "2020"}) == "2020"  # a line of an earlier version


def test_the_page_has_the_run_before(runs):
    a, b = runs
    assert a.report.previous is None
    changes = {one.name: (one.before, one.now) for one in b.report.previous.changes}
    assert changes["kept"] == (a.counts.kept, b.counts.kept)
    assert 'id="previous"' in b.page.read_text()
    assert b.report.previous.trend["kept"] == tuple(one["kept"] for one in History(b.path).runs)
    assert b.page.read_text().count('class="trend"') == 4
    assert 'id="previous"' not in a.page.read_text()
