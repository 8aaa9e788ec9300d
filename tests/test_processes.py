"""Several processes of one machine: the same bytes as one, and none of them outlives its run."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from corpus_maker import make_corpus
from curate.engine.base import Alone, Interrupted, Worker, in_order
from curate.engine.child_worker import Setting
from curate.engine.computing import Computing
from curate.engine.local import LocalEngine
from curate.engine.processes import ProcessEngine
from curate.engine.turns import Turns
from curate.errors import ExitCode, Stopped
from curate.pipeline.planning import engines
from curate.pipeline.planning.config import Config, load
from curate.stages.contract import addressed
from small_run import contents, manifest, run

SCHEMA = pa.schema([("n", pa.int64()), ("pid", pa.int64())])
RECEIVERS = 3


def new_engine(folder: Path) -> ProcessEngine:
    turns = Turns.new()
    here = LocalEngine(1, 1, 2, turns=turns)
    engine = ProcessEngine(here, [Setting(str(folder), 1, 1, 2, 50_000_000, 700)], "again", turns)
    assert list(engine.map(begin, [0])) == [0]  # whatever it needs is loaded: others may begin
    return engine


def begin(item: int, worker: Worker) -> int:
    worker.tell("begun")
    return item


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[ProcessEngine]:
    made = new_engine(tmp_path_factory.mktemp("folder"))
    yield made
    made.close()
    assert all(not psutil.pid_exists(other._process.pid) for other in made._others)


def slowly(number: int) -> tuple[int, int, str]:
    time.sleep(0.02)
    return number * number, os.getpid(), str(Path.cwd())


def test_results_come_in_order_from_all_processes(engine):
    found = list(in_order(engine, slowly, range(60)))
    assert [square for square, *_ in found] == [number * number for number in range(60)]
    assert len({pid for _, pid, _ in found}) == 2
    assert engine.workers == 2


def spread(item: int, worker: Worker) -> tuple[int, int]:
    for done in worker.spread(slowly, range(item)):
        worker.tell(done[0])
    return item, os.getpid()


def test_news_of_a_task_arrive_once_wherever_it_runs(engine):
    heard: list[int] = []
    found = list(engine.map(spread, [3] * 20, heard.append))
    assert len({pid for _, pid in found}) == 2
    assert sorted(heard) == sorted([0, 1, 4] * 20)
    assert engine.cpu_elsewhere > 0


def working(place: Path, item: int, worker: Worker) -> int:
    list(worker.spread(partial(at_work, place), [(item, number) for number in range(6)], takes_much))
    return item


def takes_much(named: tuple[int, int]) -> int:
    return 10**9 if named[1] % 3 == 0 else 1


def at_work(place: Path, named: tuple[int, int]) -> None:
    large = takes_much(named) > 1
    mark = place / f"{'large' if large else 'usual'}-{named[0]}-{named[1]}"
    mark.touch()
    time.sleep(0.02)
    beside = [file for file in place.iterdir() if file != mark]
    assert not beside if large else not any(file.name.startswith("large") for file in beside)
    mark.unlink()


def test_what_takes_more_than_its_share_has_the_memory_of_all_processes_to_itself(engine, tmp_path):
    assert sorted(engine.map(partial(working, tmp_path), range(8))) == list(range(8))


def sent(sender: int) -> Iterator[pa.RecordBatch]:
    time.sleep(0.02)
    for first in range(0, 1000, 250):
        numbers = pa.array(range(first, first + 250)).to_numpy() + 1000 * sender
        yield addressed(numbers % RECEIVERS, n=numbers, pid=pa.array([os.getpid()] * 250))


def received(receiver: int, rows: pa.Table) -> pa.Table:
    assert {n % RECEIVERS for n in rows.column("n").to_pylist()} <= {receiver}
    return rows.sort_by("n")


def test_rows_are_exchanged_between_processes_through_files_that_go(engine, tmp_path):
    got = engine.exchange(sent, 20, received, RECEIVERS, SCHEMA, tmp_path)
    tables = [got[receiver] for receiver in range(RECEIVERS)]
    assert [table.column("n").to_pylist() for table in tables] == [list(range(n, 20_000, 3)) for n in range(3)]
    assert len({pid for table in tables for pid in table.column("pid").to_pylist()}) == 2
    assert all(".received" in file.name for file in tmp_path.iterdir())  # what was sent is no more


def failing(number: int) -> int:
    if number == 7:
        raise ValueError("seven")
    return number


def test_an_error_is_raised_here(engine):
    with pytest.raises(ValueError, match="seven"):
        list(in_order(engine, failing, range(40)))
    assert list(in_order(engine, failing, range(5))) == list(range(5))


def dying(home: int, number: int) -> int:
    time.sleep(0.02)
    if os.getpid() != home:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def lasting(item: int, worker: Worker) -> int:
    for _ in worker.spread(slowly, range(10_000)):
        worker.tell(item)
    return item


def test_a_process_that_is_killed_stops_the_run_and_a_stop_ends_them_all(tmp_path):
    engine = new_engine(tmp_path)
    with pytest.raises(Stopped, match="ended by the system"):
        list(engine.map(Alone(partial(dying, os.getpid())), enumerate(range(100))))
    engine.close()
    engine = new_engine(tmp_path)
    heard: list[int] = []
    with pytest.raises(Interrupted):
        for _ in engine.map(lasting, range(2), lambda item: (heard.append(item), {*heard} == {0, 1} and engine.stop())):
            pass
    engine.close()
    assert all(not psutil.pid_exists(other._process.pid) for other in engine._others)


def test_bytes_do_not_depend_on_processes(tmp_path):
    corpus = make_corpus(tmp_path / "in", documents=40)
    for number in (1, 2):
        assert run(corpus, tmp_path / f"{number}", "run.workers=2", f"run.processes={number}") == ExitCode.DONE
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert {step["name"] for step in manifest(tmp_path / "2")["profile"]["steps"]} >= {"pass 1", "near_dup"}


def config(**settings: object) -> Config:
    return load(None, {}, [f"run.{name}={value}" for name, value in settings.items()], in_folder=False)


class Large:
    """A plan of so many parts, each a strand."""

    def __init__(self, parts: int) -> None:
        self.parts = self.strands = range(parts)


@pytest.mark.parametrize(
    ("settings", "cores", "parts", "threads"),
    [
        ({}, 2, 1000, (2,)),
        ({}, 8, 1000, (4, 4)),
        ({}, 8, 3, (8,)),
        ({}, 64, 1600, (4,) * 16),
        ({"workers": 2, "processes": 2}, 64, 2, (1, 1)),
        ({"processes": 1}, 64, 1600, (64,)),
        ({}, 7, 1600, (4, 3)),
    ],
)
def test_the_layout_follows_cores_and_input(settings, cores, parts, threads):
    spread = engines.layout(config(memory="30GB", **settings), Large(parts), cores)
    assert spread.threads == threads
    taken = engines.BASE_BYTES + (len(threads) - 1) * engines.PROCESS_BYTES + sum(spread.memory)
    assert taken <= 30_000_000_000


def test_what_a_file_waits_for_is_computed_before_everything_else():
    computing, busy, order = Computing(1), threading.Event(), list[str]()
    computing.submit(busy.wait, for_file=False)
    futures = [computing.submit(order.append, name, for_file=name[0] == "f") for name in ("1", "f1", "2", "f2", "3")]
    futures[2].cancel()
    busy.set()
    futures[-1].result()
    with pytest.raises(CancelledError):
        futures[2].result()
    assert order == ["f1", "f2", "1", "3"]
    failing = computing.submit(divmod, 1, 0, for_file=True)
    with pytest.raises(ZeroDivisionError):
        failing.result()
    computing.close()


def test_while_a_lane_works_one_thread_less_takes_what_no_file_waits_for():
    computing, together = Computing(2), threading.Barrier(2, timeout=60)
    with computing.lane():
        futures = [computing.submit(together.wait, for_file=False) for _ in range(2)]
        assert computing.submit(max, 1, 2, for_file=True).result(60) == 2
        assert together.n_waiting <= 1
        with computing.lane(-1):  # it waits meanwhile
            assert {future.result(60) for future in futures} == {0, 1}
        futures = [computing.submit(together.wait, for_file=False) for _ in range(2)]
    assert {future.result(60) for future in futures} == {0, 1}
    computing.close()
