"""Runs in object stores: the laws of a run hold there as on a disk, with equal bytes."""

import copy
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate
from contrary_engine import ContraryEngine
from corpus_maker import make_corpus
from curate.cli import command
from curate.errors import ExitCode, PlanError, Stopped, UserError
from curate.store.files import place, remove, whole_file
from curate.store.objects import bucket as bucket_module
from curate.store.objects import lease as lease_module
from curate.store.objects import ranges
from curate.store.objects.bucket import bucket, traffic
from curate.store.objects.endpoint import Endpoint, s3_address
from curate.store.objects.ranges import ObjectReader
from curate.store.objects.store_path import StorePath, _trees, use_endpoint
from curate.store.ownership.claim import claimed
from curate.store.run_directory import LOCK
from object_server import credentials, s3_server
from small_run import HOLD_TIMES, SETTINGS, run


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATE_CACHE_DIR", str(tmp_path / "cache"))
    _trees.clear()
    yield
    _trees.clear()


@pytest.fixture(scope="module")
def s3():
    with s3_server("corpora", "runs") as address, pytest.MonkeyPatch.context() as patch:
        for name, value in credentials(address).items():
            patch.setenv(name, value)
        bucket.cache_clear()
        yield address
        bucket.cache_clear()


@pytest.fixture(params=["memory", "s3"])
def out(request):
    """A folder in a store that holds nothing."""
    name = f"{request.param}://runs/{random.randrange(1 << 60):x}"
    if request.param == "s3":
        request.getfixturevalue("s3")
    return name


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus") / "in", documents=20)


@pytest.fixture(scope="module")
def local(corpus, tmp_path_factory):
    """What the same run writes to a disk."""
    folder = tmp_path_factory.mktemp("local") / "out"
    assert run(corpus, folder) == ExitCode.DONE
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: digest(path.read_bytes()) for name, path in files.items() if path.name not in HOLD_TIMES}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def objects(out: str) -> dict[str, bytes]:
    """All objects of a run, read from the store itself."""
    store, start = place(out).tree.store, f"{place(out).key}/"
    return {one.key.removeprefix(start): store.read(one.key, 0, max(1, one.size)) for one in store.listed(start[:-1])}


def contents(out: str) -> dict[str, str]:
    known = HOLD_TIMES | {".cache/tags.json"}
    return {name: digest(data) for name, data in objects(out).items() if name not in known}


# ---- laws of the run -----------------------------------------------------------------------------------------------


def test_a_run_in_a_store_has_the_same_bytes_and_is_run_again(corpus, local, out, tmp_path, monkeypatch):
    before = traffic.read
    assert run(corpus, out) == ExitCode.DONE
    assert traffic.read == before  # what a run wrote it need not read
    assert contents(out) == local
    record = objects(out)["run.json"]
    monkeypatch.setenv("CURATE_CACHE_DIR", str(tmp_path / "another machine"))
    _trees.clear()
    assert run(corpus, out) == ExitCode.DONE
    assert contents(out) == local
    assert json.loads(objects(out)["run.json"])["work"] == json.loads(record)["work"]


def test_a_run_again_reads_no_shard_and_no_file_through_whose_tag_is_known(corpus, tmp_path, monkeypatch):
    out = f"memory://runs/{random.randrange(1 << 60):x}"
    assert run(corpus, out) == ExitCode.DONE
    monkeypatch.setattr("curate.store.objects.ranges.LARGE_BYTES", 0)
    monkeypatch.setattr("curate.store.objects.ranges.BLOCK", 64)
    monkeypatch.setattr("curate.store.objects.ranges._blocks", ranges._Blocks())
    monkeypatch.setenv("CURATE_CACHE_DIR", str(tmp_path / "another machine"))
    _trees.clear()
    read, real = [], bucket_module.Bucket.read
    monkeypatch.setattr(
        bucket_module.Bucket, "read", lambda self, key, *rest: read.append((key, rest)) or real(self, key, *rest)
    )
    assert run(corpus, out) == ExitCode.DONE
    assert not [key for key, _ in read if "/shards/shard-" in key and ".cache" not in key]
    sizes = {one.key: one.size for one in bucket(f"memory://{out.split('/')[2]}").listed(place(out).key)}
    texts = [key for key in sizes if "/documents/" in key]
    assert texts
    got = {key: sum(stop - start for one, (start, stop, *_) in read if one == key) for key in texts}
    assert sum(got.values()) <= sum(sizes[key] for key in texts)  # Arrow looks for a footer in the last 64 kB


def test_lost_and_damaged_objects_are_made_again(corpus, local, out):
    assert run(corpus, out) == ExitCode.DONE
    store, start = place(out).tree.store, place(out).key
    names = sorted(name for name in local if name.endswith(".parquet"))
    store.delete(f"{start}/{names[0]}")
    for name in names[3::7]:
        data = bytearray(store.read(f"{start}/{name}", 0, 1 << 23))
        data[len(data) // 3] ^= 1
        store.put(f"{start}/{name}", bytes(data))
    _trees.clear()
    assert run(corpus, out) == ExitCode.DONE
    assert contents(out) == local


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.6])
def test_a_killed_run_continues_to_the_same_bytes(corpus, local, s3, delay):
    out = f"s3://runs/{random.randrange(1 << 60):x}"
    words = [sys.executable, "-m", "curate", "run", str(corpus), "-o", out, "-qq"]
    for assignment in SETTINGS:
        words += ["--set", assignment]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=credentials(s3))
    store, key = bucket("s3://runs"), out.removeprefix("s3://runs/")
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        if any("/documents/" in one.key for one in store.listed(key)):
            break
        time.sleep(0.02)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run(corpus, out) == ExitCode.DONE
    assert contents(out) == local
    assert LOCK not in objects(out)


# ---- claims --------------------------------------------------------------------------------------------------------


def another(holder: dict) -> None:
    """The claim of a run on another machine."""
    holder |= {"host": "far-away"}
    return holder


def test_the_second_run_is_refused_and_told_who_holds_the_first(out, monkeypatch):
    mine = lease_module._holder
    with claimed(place(out), "curate run a -o b"):
        monkeypatch.setattr(lease_module, "_holder", lambda renewed: another(mine(renewed)))
        with pytest.raises(UserError, match=f"process {os.getpid()} on") as told, claimed(place(out), "curate run c"):
            pass
        assert "--take-over" in told.value.hint
        assert objects(out)[LOCK].startswith(b"curate run a -o b\n")
    assert LOCK not in objects(out)


def test_a_claim_that_nobody_renews_is_taken_over_and_its_holder_writes_no_more(out, monkeypatch):
    mine, now = lease_module._holder, time.time()
    monkeypatch.setattr(lease_module, "_holder", lambda _: another(mine(now - 601)))
    monkeypatch.setattr(lease_module, "RENEWED_SECONDS", 0.05)
    path = place(out)
    with pytest.raises(Exception, match="was lost"), claimed(path, "curate run a"):  # noqa: PT012
        other = lease_module._Lease(path / LOCK, "curate run b")  # on a third machine, which keeps its own time
        other._tree = copy.copy(other._tree)
        other._take_over(forced=False)
        for _ in range(200):
            if path.tree.writable_until == 0.0:
                break
            time.sleep(0.05)
        with pytest.raises(Stopped, match="was lost"):
            remove(path / LOCK)
        with whole_file(path / "x") as temporary:
            temporary.write_bytes(b"late")
    assert b"curate run b" in objects(out)[LOCK]


def test_an_error_of_the_user_leaves_the_claim_of_the_run_that_took_it_over():
    path = place(f"memory://runs/{random.randrange(1 << 60):x}")
    with pytest.raises(PlanError), claimed(path, "curate run a"):  # noqa: PT012
        lease_module._Lease(path / LOCK, "curate run b")._take_over(forced=True)  # on another machine
        path.tree.writable_until = 0.0  # as the next renewal finds out
        raise PlanError("credentials have expired")
    assert b"curate run b" in objects(str(path))[LOCK]


def test_an_object_that_is_gone_cannot_be_replaced(monkeypatch):
    store = bucket("memory://gone")
    monkeypatch.setattr("obstore.put", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError("404")))
    with pytest.raises(bucket_module.Taken):
        store.put("a", b"1", replaces='"tag"')


def test_a_claim_is_taken_over_when_asked(out, monkeypatch):
    mine = lease_module._holder
    monkeypatch.setattr(lease_module, "_holder", lambda renewed: another(mine(renewed)))
    path = place(out)
    lease_module._Lease(path / LOCK, "curate run a").take(take_over=False)
    with pytest.raises(UserError), claimed(path, "curate run b"):
        pass
    with claimed(path, "curate run b", take_over=True):
        assert objects(out)[LOCK].startswith(b"curate run b\n")


# ---- places --------------------------------------------------------------------------------------------------------


def test_what_is_no_store_to_write_to_is_said(corpus):
    with pytest.raises(UserError, match="`ftp://` is not known"):
        place("ftp://host/run")
    with pytest.raises(UserError, match="can only be read"):
        run(corpus, "https://127.0.0.1:1/run")


def test_missing_credentials_are_named(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("curate.store.objects.credentials._answers", lambda _: False)
    with pytest.raises(
        PlanError, match="AWS_ACCESS_KEY_ID is not set, and `~/.aws/credentials` has no profile `default`"
    ):
        place("s3://no-such-bucket-of-ours/run").exists()


def test_a_profile_gives_credentials_endpoint_and_region(s3, monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text("[lab]\naws_access_key_id = x\naws_secret_access_key = y\n")
    (tmp_path / ".aws/config").write_text(f"[profile lab]\nregion = us-east-1\nendpoint_url = {s3}\n")
    assert list(bucket_module.Bucket("s3://corpora").listed("nothing")) == []


@pytest.mark.parametrize(
    ("typed", "variable", "file", "used"),
    [
        ("http://a", "http://b", "", "http://a"),
        ("", "http://b", "http://c", "http://b"),
        ("", "", "http://c", "http://c"),
    ],
)
def test_what_was_typed_comes_before_variables_and_these_before_files(typed, variable, file, used, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", variable)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    use_endpoint(Endpoint(typed or file, was_typed=bool(typed)))
    assert s3_address({"endpoint_url": "http://d"}) == used
    use_endpoint(Endpoint())


def test_the_server_of_a_bucket_is_a_setting(s3, monkeypatch, tmp_path, capsys):
    size = len(data := b'{"text": "one"}\n' * 9)
    bucket("s3://corpora").put("few/a.jsonl", data)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    planned = curate.plan("s3://corpora/few", "s3://runs/few", storage={"endpoint": s3})
    assert planned.travels.read == size
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "curate.toml").write_text(f'[storage]\nendpoint = "{s3}"\n')
    assert command(["check", "s3://corpora/few", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["travel_bytes"] == size
    use_endpoint(Endpoint())
    assert command(["history", "s3://runs/nothing"]) == ExitCode.USER_ERROR  # a verb without settings asks that server
    assert "`s3://runs/nothing` does not exist" in capsys.readouterr().err
    use_endpoint(Endpoint())
    bucket.cache_clear()


@given(st.binary(max_size=300_000), st.lists(st.tuples(st.integers(0, 310_000), st.integers(0, 310_000)), max_size=9))
def test_ranges_of_an_object_are_its_bytes(data, ranges):
    path = StorePath("memory://ranges/one")
    path.tree.store.put(path.key, data)
    path.tree.forget()
    reader = ObjectReader.of(path)
    for start, size in ranges:
        assert reader.at(start, size) == data[start : start + size]
        reader.seek(start)
        assert reader.read(size) == data[start : start + size]


def test_listings_are_read_to_their_end(s3):
    store, name = bucket("s3://runs"), f"{random.randrange(1 << 60):x}"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.put(f"{name}/{n:05}", b"x"), range(1105)))
    assert [one.key for one in store.listed(name)] == [f"{name}/{n:05}" for n in range(1105)]
    assert len(place(f"s3://runs/{name}").tree.objects()) == 1105


def test_traffic_is_counted():
    store, before = bucket("memory://traffic"), (traffic.read, traffic.written)
    store.put("a", b"12345")
    assert store.read("a", 1, 3) == b"23"
    assert (traffic.read - before[0], traffic.written - before[1]) == (2, 5)


def test_a_run_whose_workers_are_elsewhere_has_the_same_bytes(corpus, local, out, monkeypatch):
    """The contrary engine pickles all that travels; what a worker wrote the driver has not seen."""
    monkeypatch.setattr("curate.runs.job.engine_for", lambda config, _plan: ContraryEngine(config.run.seed))
    assert run(corpus, out) == ExitCode.DONE
    assert contents(out) == local


def test_a_worker_sees_what_others_write():
    driver, worker = place("memory://shared/run"), StorePath("memory://shared/run/documents/a")
    assert not worker.exists()
    assert not (driver / "documents" / "a").exists()
    driver.tree.store.put("run/documents/a", b"1")
    assert (driver / "documents" / "a").read_bytes() == b"1"
    _trees.clear()
    assert worker.read_bytes() == b"1"
    worker.tree.store.put("run/documents/a", b"22")
    assert worker.read_bytes() == b"22"
