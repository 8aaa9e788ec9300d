"""The front door: `curate.run`, `curate.open`, `curate.plan` and what a `Run` says."""

import doctest
import json
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import curate
from corpus_maker import make_corpus, prose
from curate.cli import command
from curate.errors import ConfigError, CurateError, DamagedFile, InputError, MissingExtra, UserError
from curate.events import Warned
from curate.runs.door import _faults, _Listener

ROOT = Path(__file__).parent.parent
QUICK = {"tokenize": {"tokenizer": "bytes"}, "report": {"samples": 0}, "gates": {"max_quarantined": 1.0}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("door")
    return curate.run(make_corpus(folder / "in", 120), folder / "out", config=QUICK, input={"part_bytes": 9000})


def test_the_page_for_python_says_what_happens(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "sample_data" / "etcd", tmp_path / "sample_data" / "etcd")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "python.md").read_text("utf-8")
    code = "\n".join(re.findall(r"```pycon\n(.*?)```", page, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(code, {}, "python.md", "docs/python.md", 0)
    said = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert "".join(said) == ""


def test_importing_it_loads_nothing():
    code = "import curate, sys; print([m for m in ('polars', 'pyarrow', 'numba', 'rich', 'typer') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_it_is_the_command_line_without_its_voice(run, tmp_path, capfd):
    corpus = make_corpus(tmp_path / "in", 120)
    heard = []
    mine = curate.run([corpus], tmp_path / "out", config=QUICK, input={"part_bytes": 9000}, on_event=heard.append)
    assert capfd.readouterr() == ("", "")
    assert heard
    assert mine.id == run.id
    assert [path.read_bytes() for path in mine.shards()] == [path.read_bytes() for path in run.shards()]
    typed = shlex.split(mine.manifest.command)[1:]
    assert command([*typed, "-qq", "--fresh"]) == 0
    assert curate.open(tmp_path / "out").manifest.config == mine.manifest.config
    assert curate.open(tmp_path / "out").id == mine.id


def test_it_works_in_a_thread_beside_another_one(tmp_path):
    corpus, runs = make_corpus(tmp_path / "in", 40), {}

    def work(number):
        runs[number] = curate.run(corpus, tmp_path / f"out-{number}", config=QUICK, run={"workers": 1})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs[0].counts == runs[1].counts
    assert [p.read_bytes() for p in runs[0].shards()] == [p.read_bytes() for p in runs[1].shards()]


def test_counts_and_tables_balance(run):
    counts = run.counts
    assert counts.read == counts.kept + counts.removed + counts.quarantined
    assert run.documents().select(pl.len()).collect().item() == counts.kept
    assert run.documents(kept=False).select(pl.len()).collect().item() == counts.kept + counts.removed
    removed = run.removed().select("id", "reasons").collect()
    assert len(removed) == counts.removed
    for reason, documents in counts.reasons.items():
        assert removed["reasons"].list.contains(reason).sum() == documents
        assert run.removed(reason).select(pl.len()).collect().item() == documents
    assert run.documents().select(pl.col("tokenize.n_tokens").sum()).collect().item() == run.tokens.kept


def test_tables_agree_with_what_is_exported(run, tmp_path):
    for flags, table in (([], run.documents()), (["--removed"], run.removed())):
        file = tmp_path / "out.jsonl"
        command(["export", str(run.path), "-o", str(file), "--columns", "id,text,metadata,file", "--force", *flags])
        exported = [json.loads(line) for line in file.read_text().splitlines()]
        assert table.select("id", "text", "metadata", "file").collect().to_dicts() == exported
        assert table.head(3).select("id").collect()["id"].to_list() == [one["id"] for one in exported[:3]]
        some = table.filter(pl.col("id") == exported[-1]["id"]).select("text")
        assert some.collect(engine="streaming")["text"].to_list()[-1] == exported[-1]["text"]


def test_a_run_opened_again_says_the_same(run):
    again = curate.open(run.path)
    assert repr(again) == repr(run)
    assert (again.counts, again.tokens, again.gates, again.report) == (run.counts, run.tokens, run.gates, run.report)
    assert again.report.summary.kept == run.counts.kept
    shown = again._repr_html_()
    assert f"{run.counts.kept:,}" in shown
    assert "<script" not in shown


def test_the_report_is_made_again_where_its_file_is_gone(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "copy")
    (tmp_path / "copy" / "report.json").unlink()
    assert curate.open(tmp_path / "copy").report.summary == run.report.summary


def test_documents_to_read_have_their_edits_once(tmp_path):
    (tmp_path / "a.txt").write_text(f"{prose(1, 80)} Write to ann@mail.example or bob@mail.example.")
    run = curate.run(tmp_path / "a.txt", tmp_path / "out", config=QUICK, pipeline={"stages": ["normalize", "redact"]})
    (life,) = run.why("a.txt#1")
    assert life.text == run.documents().collect()["text"].item()
    assert life.text.endswith("Write to <EMAIL> or <EMAIL>.\n" if life.text.endswith("\n") else "<EMAIL>.")
    assert run.sample(kept=True)[0].text == life.text


def test_mistakes_are_exceptions(run, tmp_path):
    corpus = make_corpus(tmp_path / "in", 5)
    (tmp_path / "other.txt").write_text("Another corpus.")
    for problem, kind, said in (
        (lambda: curate.run(tmp_path / "nothing", tmp_path / "o"), InputError, "nothing"),
        (lambda: curate.run(corpus, tmp_path / "o", quality={"min_wrods": 3}), ConfigError, "min_wrods"),
        (lambda: curate.run(corpus, tmp_path / "o", qualty={"min_words": 3}), ConfigError, "qualty"),
        (lambda: curate.run(corpus, tmp_path / "o", quality=3), ConfigError, "quality"),
        (lambda: curate.run(corpus, tmp_path / "o", limit=0), ConfigError, "limit"),
        (lambda: curate.run(corpus, tmp_path / "o", limit=1.5), ConfigError, "limit"),
        (lambda: curate.run([], tmp_path / "o"), InputError, "no path is given"),
        (
            lambda: curate.run(corpus, tmp_path / "o", quality=None, only=None),
            ConfigError,
            "`quality` is given as None",
        ),
        (lambda: curate.run(corpus, tmp_path / "o", near_dup={"similarity": np.float32(2)}), ConfigError, "is 2"),
        (lambda: curate.run(tmp_path / "other.txt", run.path), UserError, "over other files"),
        (lambda: curate.open(tmp_path), InputError, "no finished run"),
        (lambda: curate.plan(corpus, config=tmp_path / "no.toml"), ConfigError, "no.toml"),
        (lambda: run.why("nobody"), InputError, "nobody"),
        (lambda: run.removed("nothing"), InputError, "nothing"),
        (lambda: run.sample("too_few_words", kept=True), UserError, "kept"),
    ):
        with pytest.raises(kind, match=said) as caught:
            problem()
        assert caught.value.exit_code == 2
    assert not (tmp_path / "o").exists()


def test_faults_of_ours_are_exceptions_too(tmp_path, monkeypatch):
    def broken(*_args, **_named):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("curate.runs.job.execute", broken)
    with pytest.raises(CurateError, match="ZeroDivisionError") as caught:
        curate.run(make_corpus(tmp_path / "in", 5), tmp_path / "o", config=QUICK)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("number", [1, 4])
def test_what_a_listener_raises_comes_out_as_it_is(number, run, tmp_path):
    class Enough(Exception):  # noqa: N818
        pass

    heard = []

    def listen(event):
        heard.append(event)
        if len(heard) == number:
            raise Enough

    with pytest.raises(Enough):
        curate.run(run.path.parent / "in", tmp_path / "o", config=QUICK, on_event=listen)
    assert curate.run(run.path.parent / "in", tmp_path / "o", config=QUICK).counts == run.counts


def test_what_a_listener_raises_comes_out_though_somebody_went_on_without_it():
    def listen(event):
        raise InputError(str(event))

    heard = _Listener(listen)
    with pytest.raises(InputError, match="enough"), _faults(heard), suppress(UserError):
        heard("enough")


def test_errors_travel_between_processes():
    for error in (
        MissingExtra("`a` has `b`", "package", "extra"),
        InputError("a message", where="a place", hint="a hint"),
        DamagedFile("a message"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.where, again.hint) == (type(error), str(error), error.where, error.hint)


def test_arguments_alone_are_settings(tmp_path, monkeypatch):
    corpus = make_corpus(tmp_path / "in", 5)
    monkeypatch.chdir(tmp_path)
    Path("curate.toml").write_text("[quality]\nmin_words = 7\n")
    monkeypatch.setenv("CURATE_SEED", "7")
    planned = curate.plan(corpus, config={"quality": {"min_words": 9, "max_words": 900}}, quality={"min_words": 11})
    config = planned.plan.config.resolved()
    assert (config["quality"]["min_words"], config["quality"]["max_words"], config["run"]["seed"]) == (11, 900, 42)
    assert planned.plan.config.origin("quality.min_words") == "argument"
    planned = curate.plan(corpus, limit=np.int64(3), language={"keep": np.array(["fr", "en"])})
    assert planned.plan.config.resolved()["language"]["keep"] in (["fr", "en"], ("fr", "en"))
    assert curate.plan(corpus, config="curate.toml").plan.config.resolved()["quality"]["min_words"] == 7
    assert all(isinstance(warning, Warned) for warning in planned.warnings)


@pytest.mark.skipif(sys.platform != "linux", reason="where processes are forked")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_without_the_threads_of_polars_is_refused_and_does_not_wait_for_ever(run, tmp_path):
    assert run.documents().collect().height
    shutil.copytree(run.path, tmp_path / "out")
    (tmp_path / "out" / "report.json").unlink()  # the report is made again, from tables
    again = curate.open(tmp_path / "out")
    reads, writes = os.pipe()
    if not (child := os.fork()):
        try:
            asked = (lambda: curate.run("in", "out"), lambda: curate.plan("in"), lambda: again.report)
            for ask in (*asked, run.documents, run.sample):
                with pytest.raises(UserError, match="was forked"):
                    ask()
            os.write(writes, str(run.counts.read).encode())
        finally:
            os._exit(0)
    os.close(writes)
    os.waitpid(child, 0)
    assert int(os.read(reads, 99)) == run.counts.read
    os.close(reads)
