"""`ulimit -v`: said as what it is, before the run or as a stop that continues."""

import resource

import pytest

import curate
from corpus_maker import make_corpus
from curate.cli import command
from curate.errors import ExitCode, Stopped, UserError
from curate.process.address_space import out_of_memory

SHORT = OSError("libllvmlite.so: failed to map segment from shared object")


@pytest.fixture
def limited(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_500_000_000, resource.RLIM_INFINITY))


def test_a_limit_below_what_any_run_takes_is_refused(limited, tmp_path, capsys):
    assert command(["run", str(make_corpus(tmp_path / "in", documents=5)), "-o", str(tmp_path / "out")]) == 2
    *_, error, hint = capsys.readouterr().err.splitlines()
    assert error.endswith("a run needs 3 GB of address space, and `ulimit -v` allows it 1.5 GB")
    assert hint == "hint: ulimit -v unlimited"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("met", [MemoryError(), SHORT, RuntimeError("can't start new thread")])
def test_memory_that_cannot_be_had_stops_the_run_which_continues(tmp_path, monkeypatch, capsys, met):
    corpus = make_corpus(tmp_path / "in", documents=5)

    def failing(*_, **__):
        raise OSError("LLVM's words") from met

    with monkeypatch.context() as broken:
        broken.setattr("curate.runs.job.execute", failing)
        with pytest.raises(Stopped, match=r"there is no memory left for this process; 0 parts .* command continues"):
            curate.run(corpus, tmp_path / "out")
    with monkeypatch.context() as broken:
        broken.setattr("curate.runs.job.Job.config", failing)
        with pytest.raises(Stopped, match="no memory left"):
            curate.run(corpus, tmp_path / "out")
        assert command(["run", str(corpus), "-o", str(tmp_path / "out")]) == ExitCode.STOPPED
    assert "LLVM" not in capsys.readouterr().err


def test_other_errors_are_not_of_memory(limited):
    assert out_of_memory(SHORT).endswith("left for this process: `ulimit -v` allows it 1.5 GB")
    assert not out_of_memory(UserError("no such file"))
