"""However a run ends, killed at any write or out of disk, the same command ends it with the same bytes."""

import errno
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from corpus_maker import make_corpus
from curate.engine.base import Interrupted, in_order
from curate.engine.local import LocalEngine
from curate.errors import ExitCode, Stopped
from curate.pipeline.execute import _Run
from curate.store import files, row_file
from curate.store.files import allocate, is_unfinished
from small_run import contents, run
from thorough import THOROUGH

KILLED_RUN = Path(__file__).with_name("killed_run.py")


def kill_every(number: int, work: Path) -> None:
    words = [sys.executable, str(KILLED_RUN), str(work), str(number)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    *wrong, said = [json.loads(line) for line in done.stdout.split("\n") if line]
    assert wrong == []
    assert said["kills"] >= 300 // number


@pytest.mark.slow
def test_killed_at_writes_renames_and_removals(tmp_path):
    """Of each kind many, all over the run; `test_survivors` kills some in its own process, which is quick."""
    kill_every(7 if THOROUGH else 30, tmp_path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus") / "in", documents=20)


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "out"
    assert run(corpus, out) == ExitCode.DONE
    return out


def full(number: int):
    """What a disk says that is full from the ``number``-th time on."""
    times = itertools.count()

    def refusing(real):
        def method(*args, **named):
            if next(times) >= number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **named)

        return method

    return refusing


@pytest.mark.parametrize(
    ("owner", "name", "number"),
    [(files, "put", 0), (files, "put", 40), (Path, "write_bytes", 2), (row_file.RowFileWriter, "write", 9)],
    ids=["first file", "later file", "JSON", "rows"],
)
def test_a_full_disk_stops_the_run_which_continues(corpus, finished, tmp_path, monkeypatch, owner, name, number):
    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, full(number)(getattr(owner, name)))
        with pytest.raises(Stopped, match="the disk of `.*` is full") as stopped:
            run(corpus, out)
    assert stopped.value.exit_code == ExitCode.STOPPED
    assert [file for file in out.rglob("*") if is_unfinished(file.name)] == []
    assert run(corpus, out) == ExitCode.DONE
    assert contents(out) == contents(finished)


def test_a_library_that_gives_words_alone_is_understood(corpus, tmp_path, monkeypatch):
    def refuse(self, keys):
        raise OSError("Error writing bytes to file. Detail: [errno 28] No space left on device")

    monkeypatch.setattr(row_file.RowFileWriter, "finish", refuse)
    with pytest.raises(Stopped, match="is full"):
        run(corpus, tmp_path / "out")


def test_what_cannot_be_written_any_more_stops_the_run(corpus, tmp_path, monkeypatch):
    real = files.put

    def refuse(temporary, final):
        if final.name == "index.json":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(final))
        real(temporary, final)

    monkeypatch.setattr(files, "put", refuse)
    with pytest.raises(Stopped, match="index.json` cannot be read or written: Permission denied"):
        run(corpus, tmp_path / "out")


@pytest.mark.parametrize("number", [None, errno.EOPNOTSUPP])
def test_scratch_that_is_mapped_has_its_room_on_the_disk(tmp_path, monkeypatch, number):
    if number:

        def unknown(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "posix_fallocate", unknown)
    path = tmp_path / "array"
    with path.open("w+b") as file:
        allocate(file, 3_000_001)
        assert path.stat().st_blocks * 512 >= 3_000_001
        assert not np.memmap(file, np.uint8, "r+", shape=(3_000_001,)).any()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a small file system")
def test_no_room_for_scratch_is_an_error_and_no_signal(tmp_path):
    room = os.statvfs("/dev/shm")
    path = Path("/dev/shm") / f"curate-test-{os.getpid()}"
    try:
        with path.open("w+b") as file, pytest.raises(OSError, match="No space left on device"):
            allocate(file, 2 * room.f_frsize * room.f_blocks)
    finally:
        path.unlink(missing_ok=True)


def test_an_error_is_raised_and_not_the_interruption_of_others_that_it_causes():
    engine = LocalEngine(2, 2, 2)
    run = _Run.__new__(_Run)
    run.engine = engine

    def fail(item: int, _worker: object) -> None:
        if item == 0:
            raise ValueError("the cause")
        time.sleep(0.5)  # the error waits for the other lane, and what shares the engine ends before

    def share() -> None:
        for _ in in_order(engine, time.sleep, [0.01] * 200):
            pass

    with pytest.raises(ValueError, match="the cause"):
        run._side_by_side(lambda: list(engine.map(fail, range(2))), share)
    with pytest.raises(Interrupted):
        run._side_by_side(share, share)
