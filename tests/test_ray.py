"""A run on a Ray cluster of several nodes: the bytes of a local one, whatever dies on the way.

The nodes are raylets of this machine. Faults are tested with the command itself, which is another process.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from corpus_maker import make_corpus
from curate.cli.session import Session
from curate.errors import ExitCode, MissingExtra, PlanError, Stopped
from curate.store.files import place
from object_server import credentials, s3_server
from small_run import HOLD_TIMES

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.xdist_group("ray")]

HERE = Path(__file__).parent
SETTINGS = ["input.part_bytes=20000", "shards.shard_tokens=4000", "gates.max_quarantined=0.2", "report.samples=1"]
WITH_DANGER = json.dumps(["normalize", "dangerous", "near_dup", "tokenize"])
STORE_BYTES = 100 * 2**20
SPILLED = pa.schema({"n": pa.int64()})


@pytest.fixture(scope="module")
def cluster():
    before = dict(os.environ)
    with s3_server("runs") as address:
        os.environ |= credentials(address)
        yield from started_cluster()
    os.environ.clear()
    os.environ |= before


def started_cluster():
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(HERE / "dangerous_stage")}
    head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    started = Cluster(initialize_head=True, head_node_args=head)
    started.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    os.environ["RAY_ADDRESS"] = started.address
    yield started
    ray.shutdown()
    started.shutdown()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus") / "in")


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("local") / "out"
    assert run(corpus, out) == ExitCode.DONE
    return out


def run(corpus: Path, out: Path | str, *assignments: str, engine: str = "local") -> int:
    return Session([str(corpus)], str(out), assignments=[*SETTINGS, *assignments], flags={"run.engine": engine}).work(
        quiet=2
    )


def started(corpus: Path, out: Path, *assignments: str, engine: str = "ray") -> subprocess.Popen:
    """The command, on the cluster."""
    words = [sys.executable, "-m", "curate", "run", str(corpus), "-o", str(out), "--engine", engine, "-q"]
    for assignment in (*SETTINGS, *assignments):
        words += ["--set", assignment]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def contents(out: Path) -> dict[str, bytes]:
    """Every file that must not depend on how the run went."""
    files = [p for p in out.rglob("*") if p.is_file() and p.name not in HOLD_TIMES and ".cache" not in p.parts]
    return {str(p.relative_to(out)): p.read_bytes() for p in files}


def counts(out: Path) -> dict:
    return json.loads((out / "run.json").read_text())["counts"]


def wait_for(found, process: subprocess.Popen) -> None:
    """Until a file is there, while the process runs."""
    while not found() and process.poll() is None:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()[1]


def test_without_the_package_there_is_a_command_to_type(corpus, tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "ray" else real(name, *more))
    with pytest.raises(MissingExtra, match="needs the package `ray`") as caught:
        run(corpus, tmp_path / "out", engine="ray")
    assert caught.value.hint == "pip install 'curate-corpus[ray]'"


def test_without_a_cluster_there_is_a_command_to_type(corpus, tmp_path, monkeypatch):
    import psutil

    if any(process.name() == "gcs_server" for process in psutil.process_iter()):
        pytest.skip("Ray finds a cluster that runs on this machine")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(PlanError, match="no Ray cluster answers at `auto") as caught:
        run(corpus, tmp_path / "out", engine="ray")
    assert caught.value.hint.startswith("ray start --head")


@pytest.mark.parametrize("told", ["by RAY_ADDRESS", "by the last cluster"])
def test_a_cluster_that_is_gone_is_not_waited_for(corpus, tmp_path, monkeypatch, told):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address if told == "by RAY_ADDRESS" else "")
        monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)
        with pytest.raises(PlanError, match=f"no Ray cluster answers at `.*`: {address} says: Connection refused"):
            run(corpus, tmp_path / "out", engine="ray")


def test_a_head_node_that_goes_away_is_noticed(monkeypatch):
    from curate.engine import ray_cluster

    monkeypatch.setattr(ray_cluster, "PULSE_SECONDS", 0.01)
    told, closed = [], threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        places = [ray_cluster.Place("the head node", address, 0.3)]
        thread = threading.Thread(target=ray_cluster.watched, args=(places, closed, told.append))
        thread.start()
        time.sleep(0.5)
        assert not told
    thread.join(timeout=20)
    assert told == [f"the head node at {address} is gone (Connection refused)"]


def test_another_python_is_named(corpus, tmp_path, monkeypatch):
    from ray._private.utils import check_version_info

    def refuse(**_):
        check_version_info({"ray_version": ray.__version__, "python_version": "3.9.1"}, "10.0.0.7")

    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.setattr("ray.init", refuse)
    with pytest.raises(
        PlanError, match=r"has Ray .* and Python 3\.9\.1, and here are Ray .* and Python 3\.1"
    ) as caught:
        run(corpus, tmp_path / "out", engine="ray")
    assert "on its head node" in caught.value.hint


def test_files_of_the_documentation_are_valid():
    import yaml
    from ray.autoscaler._private.util import prepare_config, validate_config

    text = (HERE.parent / "docs" / "cluster.md").read_text()
    found = {
        kind: [*re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)] for kind in ("yaml", "bash")
    }
    by_hand, job = map(yaml.safe_load, found["yaml"])
    validate_config(prepare_config(by_hand))
    assert job["kind"] == "RayJob"
    assert all(
        subprocess.run(["bash", "-n"], input=one, text=True, check=False).returncode == 0 for one in found["bash"]
    )


def test_what_kills_workers_is_tried_alone_and_then_given_up():
    """Also where Ray's memory monitor ends them. A node that dies says nothing about what it worked on."""
    from curate.engine.ray import DEATHS, MOST_DEATHS, MOST_LOSSES, RayEngine, _Batch

    engine = RayEngine.__new__(RayEngine)
    engine._ray, engine.losses = ray, 0
    batch, deaths, losses = _Batch(("a", "b"), 7), Counter(), Counter()
    gone, killed = ray.exceptions.NodeDiedError("the node died"), ray.exceptions.OutOfMemoryError("out of memory")
    for _ in range(MOST_LOSSES - 1):
        assert engine._after_death(batch, gone, deaths, losses) == [batch]
    for death in range(1, MOST_DEATHS):
        again = engine._after_death(batch, killed, deaths, losses)
        alone = [_Batch(("a",), 7, doubtful=True), _Batch(("b",), 7, doubtful=True)]
        assert again == (alone if death >= DEATHS else [batch])
    with pytest.raises(Stopped, match="died 4 times on the same task: out of memory"):
        engine._after_death(batch, killed, deaths, losses)
    with pytest.raises(Stopped, match="died 20 times on the same task"):
        engine._after_death(batch, gone, Counter(), losses)


def test_each_difference_of_a_node_has_a_fix():
    from curate.pipeline.planning.nodes import Seen, _differences

    here = Seen({"numpy": "2.4.0", "curate": "0.2.0"}, {"language": "a digest"}, b"token", "", "", "a digest")

    def found(**other):
        return list(_differences(here, here._replace(**other), b"token", "/out"))

    assert found() == []
    assert found(versions={"curate": "0.2.0"}) == [
        (
            "has numpy not installed, and the driver has other versions",
            "on that node: pip install 'numpy==2.4.0'",
        )
    ]
    assert found(code="another")[0][0].startswith("has other code of curate")
    [(message, hint)] = found(probe=None)
    assert message.startswith("does not see `/out` as the driver does")
    assert hint == "-o /a/folder/that/all/nodes/share"
    assert found(unwritable="Permission denied") == [
        ("cannot write to `/out`: Permission denied", "chmod -R a+rwX /out")
    ]
    assert found(missing="/in/a.jsonl")[0][0] == "does not see the input file `/in/a.jsonl`"
    assert found(stages={"language": "another"})[0][1] == "copy what `language` reads to it"


@pytest.mark.slow
def test_a_cluster_gives_the_bytes_of_a_local_run(cluster, corpus, finished, tmp_path):
    assert run(corpus, tmp_path / "out", engine="ray") == ExitCode.DONE
    assert contents(tmp_path / "out") == contents(finished)
    there, here = (json.loads((out / "run.json").read_text()) for out in (tmp_path / "out", finished))
    assert there["counts"] == here["counts"]
    phases = {phase for piece in there["work"] for phase in piece["phases"]}
    assert phases == {phase for piece in here["work"] for phase in piece["phases"]}
    assert all(piece["cpu_seconds"] >= 0 for piece in there["work"])
    nodes = there["profile"]["nodes"]
    assert len(nodes) == 2
    assert sum(node["input_bytes"] for node in nodes) >= sum(one["bytes"] for one in there["inputs"])
    assert all(node["tasks"] and node["cpu_seconds"] for node in nodes)
    assert sum(node["sent_bytes"] for node in nodes) > 0
    assert nodes[0]["name"] in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.cluster
def test_memory_that_no_node_has_is_refused(cluster, corpus, tmp_path):
    with pytest.raises(PlanError, match="`run.memory` is 90,000.0 GB for each worker, and no node of the Ray cluster"):
        run(corpus, tmp_path / "out", "run.memory=90000GB", engine="ray")


@pytest.mark.cluster
def test_a_run_moves_to_a_cluster_and_back(cluster, corpus, finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    for engine, share in (("ray", 2), ("local", 3)):
        for number, file in enumerate(sorted(out.glob("*/*part-*.parquet"))):
            if number % share == 0:
                file.unlink()
        for file in out.glob("shards/shard-*"):
            file.unlink()
        (out / "run.json").unlink()
        assert run(corpus, out, engine=engine) == ExitCode.DONE
        assert contents(out) == contents(finished)


@pytest.mark.cluster
def test_a_node_that_dies_and_one_that_comes_change_nothing(cluster, corpus, finished, tmp_path):
    node = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    for number, folder in enumerate(("documents", ".cache/near_dup", "shards")):
        out = tmp_path / str(number)
        process = started(corpus, out)
        wait_for(lambda out=out, folder=folder: (out / folder).is_dir() and any((out / folder).iterdir()), process)
        cluster.remove_node(node, allow_graceful=False)
        node = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        _, said = process.communicate(timeout=300)
        assert process.returncode == ExitCode.DONE, said
        assert contents(out) == contents(finished)
    cluster.remove_node(node)


@pytest.mark.cluster
def test_a_bucket_is_storage_that_all_nodes_share(cluster, corpus, finished):
    out = "s3://runs/on-a-cluster"
    assert run(corpus, out, engine="ray") == ExitCode.DONE
    store = place(out).tree.store
    found = {one.key.removeprefix("on-a-cluster/"): one for one in store.listed("on-a-cluster")}
    written = {
        name: store.read(one.key, 0, max(1, one.size))
        for name, one in found.items()
        if name not in HOLD_TIMES and ".cache" not in name
    }
    assert written == contents(finished)


@pytest.mark.cluster
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, ExitCode.STOPPED)])
@pytest.mark.cluster
def test_a_driver_that_ends_is_started_again(cluster, corpus, finished, tmp_path, number, code):
    process = started(corpus, tmp_path / "out")
    wait_for(lambda: any((tmp_path / "out").glob("documents/part-*")), process)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == code
    process = started(corpus, tmp_path / "out")
    _, said = process.communicate(timeout=300)
    assert process.returncode == ExitCode.DONE, said
    assert contents(tmp_path / "out") == contents(finished)


@pytest.mark.cluster
def test_a_document_that_kills_workers_is_quarantined(cluster, tmp_path):
    lines = [{"text": f"Number {n} of some sentences, none of which is like another: {n * n}."} for n in range(30)]
    lines[17]["text"] += " POISON"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    process = started(tmp_path / "in", tmp_path / "out", f"pipeline.stages={WITH_DANGER}")
    _, said = process.communicate(timeout=300)
    assert process.returncode == ExitCode.DONE, said
    bad = pl.read_parquet(tmp_path / "out" / "quarantine" / "*.parquet")
    assert bad.select("file", "position", "reason").rows() == [("a.jsonl", 18, "killed_worker")]
    assert counts(tmp_path / "out")["read"] == 30
    assert counts(tmp_path / "out")["quarantined"] == 1


@pytest.mark.cluster
def test_a_worker_that_is_killed_is_replaced(cluster, corpus, tmp_path):
    import psutil

    (tmp_path / "in").mkdir()
    lines = [{"text": f"Number {n} of some sentences, none of which is like another: {n * n}. SLOW"} for n in range(8)]
    (tmp_path / "in" / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    process = started(tmp_path / "in", tmp_path / "out", f"pipeline.stages={WITH_DANGER}")

    def at_work():
        return [p for p in psutil.process_iter(["cmdline"]) if "ray::do_items" in " ".join(p.info["cmdline"] or [])]

    wait_for(at_work, process)
    for worker in at_work():
        worker.kill()
    _, said = process.communicate(timeout=300)
    assert process.returncode == ExitCode.DONE, said
    assert counts(tmp_path / "out")["quarantined"] == 0


@pytest.mark.cluster
def test_nodes_join_while_one_part_takes_long(cluster, tmp_path):
    """One of them has another numpy and one another model, and both are refused; a third one works."""
    (tmp_path / "in").mkdir()
    for file in range(6):
        lines = [
            f"Number {n} of file {file}, not like another: {n * n + file}." + " SLOW" * (not file) for n in range(9)
        ]
        (tmp_path / "in" / f"{file}.jsonl").write_text("\n".join(json.dumps({"text": line}) for line in lines))
    settings = [f"pipeline.stages={WITH_DANGER}", "input.part_bytes=1000"]
    here = started(tmp_path / "in", tmp_path / "here", *settings, engine="local")
    fake = tmp_path / "fake" / "numpy-0.0.1.dist-info"
    fake.mkdir(parents=True)
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.0.1\n")
    joining = [
        ({"PYTHONPATH": f"{tmp_path / 'fake'}:{HERE / 'dangerous_stage'}"}, "has numpy 0.0.1 and not"),
        ({"DANGEROUS_MODEL": "another"}, "measures differently in the stage `dangerous`"),
        ({}, ""),
    ]
    for variables, complaint in joining:
        process = started(tmp_path / "in", tmp_path / "there", *settings)
        wait_for(lambda: any((tmp_path / "there").glob("documents/part-*")), process)
        node = cluster.add_node(num_cpus=4, object_store_memory=STORE_BYTES, env_vars=variables)
        _, said = process.communicate(timeout=300)
        cluster.remove_node(node)
        assert process.returncode == (ExitCode.USER_ERROR if complaint else ExitCode.DONE), said
        assert complaint in " ".join(said.split())
    here.communicate()
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert len(json.loads((tmp_path / "there" / "run.json").read_text())["profile"]["nodes"]) == 3


@pytest.mark.cluster
def test_a_full_disk_is_named(cluster):
    from curate.engine.ray import RayEngine

    def send(sender: int):
        raise ray.exceptions.OutOfDiskError("in the task")

    def fail():
        raise ray.exceptions.OutOfDiskError("behind the task")

    engine = RayEngine(memory=10**9)
    with pytest.raises(Stopped, match=r"the disk of .* to which Ray spills is full"):
        engine.exchange(send, 2, lambda receiver, rows: rows, 1, SPILLED, Path())
    with pytest.raises(Stopped, match=r"the disk of \d.* to which Ray spills is full"):
        engine._wait([ray.remote(fail).remote()])


@pytest.mark.cluster
def test_nodes_that_are_not_ready_are_named_before_work(cluster, corpus, tmp_path):
    fake = tmp_path / "fake" / "polars-0.0.1.dist-info"
    fake.mkdir(parents=True)
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: polars\nVersion: 0.0.1\n")
    path = f"{tmp_path / 'fake'}:{HERE / 'dangerous_stage'}"
    node = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES, env_vars={"PYTHONPATH": path})
    try:
        with pytest.raises(PlanError, match=r"node .* has polars 0\.0\.1") as caught:
            run(corpus, tmp_path / "out", engine="ray")
        assert caught.value.hint.startswith("on that node: pip install 'polars==")
        assert not list((tmp_path / "out").glob("documents/*"))
    finally:
        cluster.remove_node(node)


@pytest.mark.cluster
def test_the_check_up_names_every_node(cluster, tmp_path, capsys, monkeypatch):
    from curate.cli.display.cluster import show_cluster

    monkeypatch.chdir(tmp_path)
    for output in (str(tmp_path), "s3://runs/checked"):
        assert show_cluster(output, json=True) == ExitCode.DONE
        found = json.loads(capsys.readouterr().out)
        assert len(found) == 2 + len([n for n in ray.nodes() if n["Alive"]])
    assert not list(tmp_path.iterdir())
    assert not list(place("s3://runs/checked").tree.store.listed("checked"))


@pytest.mark.cluster
def test_rows_travel_in_blocks_or_bundles(cluster, monkeypatch):
    from curate.engine.base import Alone
    from curate.engine.ray import RayEngine
    from curate.engine.received import RowsOfGroups, UnreadOfGroups
    from curate.stages.contract import addressed

    schema = pa.schema({"n": pa.int64(), "text": pa.string()})

    def send(sender: int):
        n = pa.array(range(4000 * (sender % 2) * 10), pa.int64())
        text = pa.array([f"{sender} {at} " * (sender + 1) for at in range(len(n))], pa.string())
        yield addressed(n.to_numpy() % 7, n=n, text=text)

    def receive(receiver: int, rows: pa.Table) -> pa.Table:
        return rows.sort_by([("n", "ascending"), ("text", "ascending")])

    engine = RayEngine(memory=10**9)
    rows = engine.exchange(send, 5, receive, 8, schema, Path())
    assert isinstance(rows, RowsOfGroups)
    assert [len(rows[at]) for at in range(8)] == [2 * len(range(at, 40_000, 7)) for at in range(7)] + [0]
    assert rows[3].column("n").to_pylist()[:4] == [3, 3, 10, 10]
    with pytest.raises(IndexError):
        rows[8]
    for most, kind in ((10_000, UnreadOfGroups), (0, RowsOfGroups)):  # nobody receives them: as they were sent, or not
        monkeypatch.setattr("curate.engine.ray.MOST_UNREAD", most)
        unread = engine.exchange(send, 5, None, 8, schema, Path())
        assert isinstance(unread, kind)
        read = [*engine.map(Alone(lambda at, unread=unread: receive(at, unread[at])), enumerate(range(8)))]
        assert all(table.equals(rows[at]) for at, table in read)


@pytest.mark.cluster
def test_what_the_object_store_cannot_hold_is_spilled(cluster):
    """More than the stores of both nodes hold: nothing is lost, and nobody waits for ever."""
    from curate.engine.ray import RayEngine
    from curate.stages.contract import addressed

    rows, senders, receivers = 3 * STORE_BYTES // 16, 16, 4

    def send(sender: int):
        n = np.arange(rows // receivers, dtype=np.int64) + sender
        yield addressed(n % receivers, n=pa.array(n))

    def receive(receiver: int, table: pa.Table) -> pa.Table:
        n = table.column("n").to_numpy()
        assert (n % receivers == receiver).all()
        return pa.table({"rows": [len(n)], "sum": [int(n.sum())]})

    engine = RayEngine(memory=10**9)
    found = [one.to_pylist()[0] for one in engine.exchange(send, senders, receive, receivers, SPILLED, Path())]
    sent = [np.arange(rows // receivers, dtype=np.int64) + sender for sender in range(senders)]
    assert sum(one["rows"] for one in found) == sum(map(len, sent))
    assert sum(one["sum"] for one in found) == sum(int(n.sum()) for n in sent)
    assert sum(work.sent_bytes for work in engine.by_node.values()) > 2 * STORE_BYTES
